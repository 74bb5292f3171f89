"""The command epnas_export: its flags, its exit codes, and that bad flags cost no TensorFlow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

import epnas_tf
from epnas_tf.exporting.fresh_process import ReloadError
from epnas_tf.fields import ConfigError

try:
    from epnas_tf.tools import export
except ImportError:  # from a checkout
    from tools import export


@pytest.fixture(name="exported")
def _exported(monkeypatch):
    """What epnas_tf.export is called with."""
    calls = []
    monkeypatch.setitem(vars(epnas_tf), "export", lambda **said: calls.append(said))
    return calls


def _raises(monkeypatch, error):
    def fail(**_):
        raise error

    monkeypatch.setitem(vars(epnas_tf), "export", fail)


def test_flags_become_arguments_of_their_types(exported):
    flags = ["--work_dir=w", "--top=2", "--formats=keras,litert_int8", "--outputs=logits"]
    assert export.main(["epnas_export", *flags]) == 0
    formats = ("keras", "litert_int8")
    assert exported == [{"work_dir": "w", "top": 2, "formats": formats, "outputs": "logits"}]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--work_dir=FOLDER (of a search) or --final=FOLDER"),
        (["--work_dir=w", "--top=many"], "--top=many: must be a whole number"),
        (["--work_dir=w", "--formats=zip"], "--formats=zip: must be one of keras, "),
        (
            ["--work_dir=w", "--format=keras"],
            "Unknown command line flag 'format'. Did you mean --formats?",
        ),
        (["w"], "'w' is no flag; flags are written --name=value"),
    ],
)
def test_bad_flags_are_one_line_and_code_2(exported, capsys, flags, message):
    assert export.main(["epnas_export", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("epnas_export: ") and message in line
    assert not exported


def test_what_the_export_refuses_is_one_line_and_code_2(monkeypatch, capsys):
    _raises(monkeypatch, ConfigError("--work_dir=w: must be the folder of a search"))
    assert export.main(["epnas_export", "--work_dir=w"]) == 2
    assert capsys.readouterr().err == "epnas_export: --work_dir=w: must be the folder of a search\n"


def test_a_file_that_does_not_run_is_code_1_with_its_reason(monkeypatch, capsys):
    _raises(monkeypatch, ReloadError("model.keras could not be loaded"))
    assert export.main(["epnas_export", "--work_dir=w"]) == 1
    errors = capsys.readouterr().err
    assert "ReloadError: model.keras could not be loaded" in errors
    assert errors.endswith("stopped by the error above; finished exports are complete\n")


def test_a_signal_is_an_exit_code_of_its_own(monkeypatch, capsys):
    def asked_to_stop(**_):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setitem(vars(epnas_tf), "export", asked_to_stop)
    assert export.main(["epnas_export", "--work_dir=w"]) == 143
    assert "epnas_export: stopped by SIGTERM; finished exports" in capsys.readouterr().err


def test_help_names_every_flag_and_format(capsys):
    with pytest.raises(SystemExit) as ended:
        export.main(["epnas_export", "--help"])
    assert not ended.value.code
    printed = capsys.readouterr().out
    for name in ("work_dir", "trial", "final", "output", "top", "formats", "outputs"):
        assert f"--{name}=" in printed
    assert "calibration_images" in printed and "litert_float16" in printed


def test_bad_flags_cost_no_import_of_tensorflow():
    code = (
        f"import sys; from {export.__name__} import main;"
        "code = main(['epnas_export', '--work_dir=w', '--top=0']);"
        "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (
        2,
        "epnas_export: --top=0: must be at least 1\n",
    ), finished.stderr
