"""BUILD is kept true: its targets, sources and dependencies are those of the files and imports."""

import ast
import pathlib
import re

import epnas_tf

try:
    from epnas_tf.tools.checks import write_build
except ImportError:  # from a checkout
    from tools.checks import write_build

_ROOT = pathlib.Path(__file__).parents[1]


def test_build_is_what_the_tool_writes(sources):
    written = (_ROOT / "BUILD").read_text(encoding="utf-8")
    assert written == write_build.text(sources), "run python -m tools.checks.write_build"


def test_every_file_is_in_one_target(sources):
    listed = [path for target in write_build.targets(sources) for path in target.srcs]
    files = [source.path for source in sources if source.path != write_build.RUNNER]
    assert sorted(path for path in listed if path != write_build.RUNNER) == sorted(files)


def test_build_can_be_read(sources):
    names = [
        ast.literal_eval(word.value)
        for node in ast.parse(write_build.text(sources)).body
        for word in getattr(getattr(node, "value", None), "keywords", [])
        if word.arg == "name"
    ]
    assert len(names) == len(set(names)) > 100


def test_only_the_front_is_public():
    text = (_ROOT / "BUILD").read_text(encoding="utf-8")
    public = [
        ast.literal_eval(word.value)
        for node in ast.parse(text).body
        for call in [getattr(node, "value", None)]
        if isinstance(call, ast.Call) and "visibility" in {word.arg for word in call.keywords}
        for word in call.keywords
        if word.arg == "name"
    ]
    assert public == ["epnas_tf"]


def test_every_library_is_declared_in_setup(sources):
    text = (_ROOT / "setup.py").read_text(encoding="utf-8")
    declared = {re.match(r"[\w-]+", item)[0] for item in re.findall(r'"([\w-]+[<>=][^"]*)"', text)}
    package = [source for source in sources if source.room != "tests"]
    # Keras comes with TensorFlow, in the version that belongs to it.
    assert write_build.libraries(package) - {"keras"} <= declared


def test_the_bazel_module_has_the_version_of_the_package():
    text = (_ROOT / "MODULE.bazel").read_text(encoding="utf-8")
    assert f'name = "epnas_tf", version = "{epnas_tf.__version__}"' in text
