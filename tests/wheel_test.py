"""The installed wheel, as tools/test.sh tests it: what it brings, and nothing else."""

import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sysconfig

import pytest

import epnas_tf
from epnas_tf import flagfiles

_ROOT = pathlib.Path(__file__).parents[1]


def _installed_wheel() -> importlib.metadata.Distribution | None:
    """Returns the distribution of the imported package, None if it is a checkout's."""
    try:
        distribution = importlib.metadata.distribution("epnas_tf")
    except importlib.metadata.PackageNotFoundError:
        return None
    home = pathlib.Path(str(distribution.locate_file("epnas_tf/__init__.py")))
    is_wheel = distribution.read_text("RECORD") is not None
    return distribution if is_wheel and home == pathlib.Path(epnas_tf.__file__) else None


@pytest.fixture(name="wheel", scope="module")
def _wheel() -> importlib.metadata.Distribution:
    distribution = _installed_wheel()
    if distribution is None:
        assert "EPNAS_TF_TEST_WHEEL" not in os.environ, "the tests run against a checkout"
        pytest.skip("epnas_tf is not installed from a wheel; tools/test.sh does that")
    return distribution


def test_one_top_level_package_is_installed(wheel):
    tops = {file.parts[0] for file in wheel.files if not file.parts[0].startswith("..")}
    assert tops == {"epnas_tf", f"epnas_tf-{epnas_tf.__version__}.dist-info"}
    assert importlib.util.find_spec("epnas_tf.tools.search") is not None


def test_every_module_of_the_checkout_is_installed(wheel):
    homes = {"epnas_tf": "epnas_tf", "tools": "epnas_tf/tools", "flags": "epnas_tf/flags"}
    expected = {
        f"{home}/{path.relative_to(_ROOT / folder).as_posix()}"
        for folder, home in homes.items()
        for path in (_ROOT / folder).rglob("*")
        if path.suffix in (".py", ".flags", ".json", ".typed")
    }
    installed = {file.as_posix() for file in wheel.files if file.parts[0] == "epnas_tf"}
    assert {name for name in installed if not name.endswith(".pyc")} == expected


def test_the_version_is_that_of_the_package(wheel):
    assert wheel.version == epnas_tf.__version__


def test_presets_are_found_in_the_package(wheel):
    folder = pathlib.Path(epnas_tf.__file__).parent / "flags"
    found = [*map(flagfiles.preset_file, flagfiles.presets())]
    found += map(flagfiles.recipe_file, flagfiles.recipes())
    assert sorted(found) == sorted(folder.glob("*.flags"))
    assert "digits_quickstart" in flagfiles.presets() and "default" in flagfiles.recipes()


def test_the_commands_exist(wheel, tmp_path):
    scripts = pathlib.Path(sysconfig.get_path("scripts"))
    names = [entry.name for entry in wheel.entry_points.select(group="console_scripts")]
    commands = ["export", "predict", "report", "retrain", "search"]
    assert sorted(names) == [f"epnas_{command}" for command in commands]
    finished = subprocess.run(
        [scripts / "epnas_search", "--preset=nope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr.startswith("epnas_search: --preset=nope: must be one of ")
