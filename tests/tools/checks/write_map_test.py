"""The map of the rooms: the page holds what the tool writes, and names files that are there."""

import pathlib
import re

import pytest

try:
    from epnas_tf.tools.checks import write_map
    from epnas_tf.tools.checks.sources import Source
except ImportError:  # from a checkout
    from tools.checks import write_map
    from tools.checks.sources import Source

_ROOT = pathlib.Path(__file__).parents[3]


def _source(path, *rooms, summary=""):
    return Source(path, frozenset(), frozenset(), frozenset(rooms), False, summary)


def test_the_page_holds_the_map_that_the_tool_writes(sources):
    page = (_ROOT / write_map.PAGE).read_text(encoding="utf-8")
    written = write_map.inserted(page, write_map.text(sources))
    assert page == written, "run python -m tools.checks.write_map"


def test_the_page_names_files_that_are_there():
    page = (_ROOT / write_map.PAGE).read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9_/]+\.py)`", page))
    there = {path for path in named for top in ("", "epnas_tf") if (_ROOT / top / path).is_file()}
    assert len(named) > 40
    assert named - there == set()


# --- arrows ---


def test_an_arrow_that_follows_from_others_is_left_out():
    graph = {
        "top": {"left", "right", "base"},
        "left": {"base"},
        "right": {"deep"},
        "deep": {"base"},
    }
    assert write_map.reduced(graph) == {
        "top": {"left", "right"},
        "left": {"base"},
        "right": {"deep"},
        "deep": {"base"},
    }


def test_an_arrow_that_follows_from_a_long_way_is_left_out():
    graph = {"d": {"a", "c"}, "c": {"b"}, "b": {"a"}, "a": set()}
    assert write_map.reduced(graph)["d"] == {"c"}


def test_a_cycle_is_refused_and_named():
    graph = {"top": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a"}}
    with pytest.raises(ValueError, match=r"in a cycle, got (a -> b -> c|b -> c -> a|c -> a -> b)"):
        write_map.reduced(graph)


def test_the_map_loses_no_way_from_room_to_room(sources):
    graph = write_map.arrows(sources)
    assert _ways(write_map.reduced(graph)) == _ways(graph)


def _ways(graph):
    """Returns every (room, room that it reaches)."""
    ways = {(room, to) for room in graph for to in graph[room]}
    for middle in graph:
        above = [room for room, to in ways if to == middle]
        ways |= {(room, to) for room in above for start, to in ways if start == middle}
    return ways


# --- the text ---


def test_a_higher_room_stands_above_and_pure_rooms_are_marked():
    drawn = write_map.diagram(
        [
            _source("epnas_tf/data/names.py", "fields"),
            _source("epnas_tf/fields.py"),
            _source("epnas_tf/training/step.py", "data", "fields"),
            _source("tests/data/names_test.py", "training"),
        ]
    )
    assert [line.strip() for line in drawn.splitlines()[2:5]] == [
        "training --> data",
        "data --> fields",
        "fields",
    ]
    assert drawn.splitlines()[-2].split() == ["class", "fields", "pure"]


def test_the_table_says_what_a_room_answers_and_may_import():
    rows = write_map.table(
        [
            _source("epnas_tf/data/__init__.py", summary="Images and labels."),
            _source("epnas_tf/data/names.py", summary="Names of data sets."),
            _source("epnas_tf/fields.py", summary="Settings."),
            _source("epnas_tf/searching/__init__.py", summary="What comes next."),
        ]
    ).splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    heavy = "yes, but for `searching/policies/lstm.py`, `searching/policies/network.py`"
    assert cells == [
        ["1", "`fields`", "Settings.", "yes", "nothing"],
        ["4", "`searching`", "What comes next.", heavy, "layers 1 to 3"],
        ["5", "`data`", "Images and labels.", "", "layer 1, `backend`"],
    ]


def test_only_what_stands_between_the_markers_is_written():
    page = f"above\n{write_map.BEGIN}\nold\n{write_map.END}\nbelow\n"
    written = write_map.inserted(page, "new")
    assert written == f"above\n{write_map.BEGIN}\n\nnew\n\n{write_map.END}\nbelow\n"
    assert write_map.inserted(written, "new") == written


@pytest.mark.parametrize(
    "page",
    [
        "nothing",
        write_map.BEGIN,
        f"{write_map.END}{write_map.BEGIN}",
        f"{write_map.BEGIN}{write_map.BEGIN}{write_map.END}",
        f"{write_map.BEGIN}{write_map.END}{write_map.END}",
    ],
)
def test_a_page_without_its_markers_is_refused(page):
    with pytest.raises(ValueError, match="must hold"):
        write_map.inserted(page, "new")
