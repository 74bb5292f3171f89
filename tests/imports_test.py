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

try:
    from epnas_tf.tools.checks import sources as law
except ImportError:  # from a checkout
    from tools.checks import sources as law

# Files of pure rooms that may import more; TensorFlow only where it is put off.
_MORE = {
    "epnas_tf/searching/gain.py": {"scipy"},
    "epnas_tf/searching/predictor.py": {"scipy"},
    "epnas_tf/searching/process.py": {"scipy"},
    "epnas_tf/workdir/hits_file.py": {"numpy"},
    "epnas_tf/workdir/storage.py": {"tensorflow"},
}

# Libraries that only these rooms may import.
_RESERVED = {"keras_tuner": {"tuner"}, "absl": {"command_line", "tools"}}

# Files that put off their imports, so that what does not need a library does not wait for it.
_LAZY = {
    *(
        "tools/checks/write_build.py",
        "tools/checks/write_map.py",
        "epnas_tf/__init__.py",
        "epnas_tf/command_line.py",
        "epnas_tf/data/decoding.py",
        "epnas_tf/exporting/reload.py",
        "epnas_tf/predicting/runtimes.py",
        "epnas_tf/searching/algorithms/__init__.py",
        "epnas_tf/searching/policies/__init__.py",
        "epnas_tf/workdir/storage.py",
    ),
    *(
        "epnas_tf/studies/tables.py",
        "epnas_tf/studies/search_methods.py",
        "epnas_tf/studies/search_report.py",
        "epnas_tf/studies/rank_plot.py",
        "epnas_tf/studies/comparison_plot.py",
    ),
    *("tools/checks/bench_memory.py", "tools/checks/soak.py"),
    *("tools/studies/compare.py", "tools/studies/proxy_study.py", "tools/studies/baselines.py"),
    "tools/studies/simulate_cluster.py",
}


def _package(sources):
    return [source for source in sources if source.room != "tests"]


def _libraries(source):
    tops = {name.split(".")[0] for name in source.imports}
    return tops - sys.stdlib_module_names - {"epnas_tf"}


def _pure(sources):
    return [
        source
        for source in _package(sources)
        if source.room in law.PURE and source.path not in law.NOT_PURE
    ]


def test_every_room_has_its_layer(sources):
    rooms = [room for layer in law.LAYERS for room in layer]
    assert len(rooms) == len(set(rooms))
    there = {source.room for source in _package(sources)}
    assert there == set(rooms)


def test_nobody_imports_upwards(sources):
    broken = {
        source.path: source.rooms - law.may_import(source.room) - {source.room}
        for source in _package(sources)
    }
    assert {path: rooms for path, rooms in broken.items() if rooms} == {}


@pytest.mark.parametrize("room", law.NARROWER)
def test_a_room_of_few_imports_keeps_to_lower_layers_too(room):
    (layer,) = (number for number, rooms in enumerate(law.LAYERS) if room in rooms)
    lower = {name for rooms in law.LAYERS[:layer] for name in rooms}
    assert law.may_import(room) < lower


def test_the_law_names_files_that_are_there(sources):
    paths = {source.path for source in _package(sources)}
    assert {*law.NOT_PURE, *_MORE, *_LAZY} <= paths


def test_pure_rooms_import_no_other_libraries(sources):
    broken = {
        source.path: _libraries(source) - law.PURE[source.room] - _MORE.get(source.path, set())
        for source in _pure(sources)
    }
    assert {path: libraries for path, libraries in broken.items() if libraries} == {}


@pytest.mark.parametrize("library", _RESERVED)
def test_a_reserved_library_stays_in_its_rooms(sources, library):
    users = {source.room for source in _package(sources) if library in _libraries(source)}
    assert users <= _RESERVED[library]


def test_only_the_entry_point_knows_the_configuration(sources):
    users = {
        source.room
        for source in _package(sources)
        if "epnas_tf.config.SearchConfig" in source.imports
    }
    assert users <= {"command_line", "resolve", "run"}


def test_imports_stand_at_the_top(sources):
    late = {source.path for source in _package(sources) if source.local_imports}
    assert late <= _LAZY


def test_pure_modules_import_without_tensorflow(sources):
    modules = [
        source.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for source in _pure(sources)
    ]
    heavy = {"tensorflow", "keras", "keras_tuner", "absl", "sklearn", "tensorflow_datasets"}
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
