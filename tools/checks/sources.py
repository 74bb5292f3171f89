"""The sources of a checkout, what they import, and the import law: what BUILD and the map go by."""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re
from collections.abc import Mapping, Set

FOLDERS = ("epnas_tf", "tools", "tests")

# The import law: rooms by layer, lowest first. A room may import rooms of lower layers only.
# `epnas_tf` is the front: its public names are loaded when first used.
LAYERS = (
    ("fields", "flagfiles", "interrupts", "randomness", "terminal", "untrusted", "version"),
    ("architecture", "backend", "exits"),
    ("global_state",),
    ("modeling", "searching"),
    ("data",),
    ("workdir",),
    ("sharing",),
    ("training",),
    ("report",),
    ("exporting",),
    ("tuner",),
    ("config",),
    ("command_line", "resolve", "result"),
    ("final", "run", "predicting"),
    ("handover",),
    ("epnas_tf", "studies"),
    ("tools",),
)
_BASE = frozenset(LAYERS[0])
_KERAS = frozenset({"backend", "global_state"})

# Rooms that may import fewer than all lower ones: images know no networks, training knows no
# search and no files, a report reads files alone, an exported network may come from anywhere,
# predictions need no search.
NARROWER: Mapping[str, Set[str]] = {
    "data": _BASE | {"backend"},
    "sharing": _BASE | _KERAS | {"architecture", "modeling", "workdir"},
    "training": _BASE | _KERAS | {"architecture", "modeling", "data", "sharing"},
    "report": frozenset({"architecture", "searching", "workdir"}),
    "predicting": _BASE | _KERAS | {"data", "exporting", "workdir"},
    "exporting": _BASE | _KERAS | {"architecture", "data", "workdir", "report"},
    "epnas_tf": frozenset({"version"}),
}

# Rooms that import without TensorFlow, with the libraries that their files may import.
PURE: Mapping[str, Set[str]] = {
    "exits": set(),
    "fields": set(),
    "flagfiles": set(),
    "interrupts": set(),
    "randomness": {"numpy"},
    "terminal": set(),
    "untrusted": set(),
    "version": set(),
    "backend": set(),
    "architecture": {"numpy"},
    "searching": {"numpy"},
    "workdir": set(),
    "report": {"numpy"},
    "exporting": {"numpy"},
    "config": set(),
    "command_line": {"absl"},
    "final": {"numpy"},
    "epnas_tf": set(),
}
# Their files that import TensorFlow.
NOT_PURE = frozenset(
    {
        "epnas_tf/final/found.py",
        "epnas_tf/final/measurement.py",
        "epnas_tf/final/progress.py",
        "epnas_tf/final/run.py",
        "epnas_tf/final/settled.py",
        "epnas_tf/final/training.py",
        "epnas_tf/exporting/checks.py",
        "epnas_tf/exporting/files.py",
        "epnas_tf/exporting/folder.py",
        "epnas_tf/exporting/losses.py",
        "epnas_tf/exporting/models.py",
        "epnas_tf/exporting/reload.py",
        "epnas_tf/exporting/tflite_file.py",
        "epnas_tf/exporting/versions.py",
        "epnas_tf/exporting/writers.py",
        "epnas_tf/searching/policies/lstm.py",
        "epnas_tf/searching/policies/network.py",
        "epnas_tf/workdir/weights.py",
    }
)


@dataclasses.dataclass(frozen=True)
class Source:
    """A source file of a checkout.

    Attributes:
      path: from the top of the checkout.
      imports: full names of what it imports, wherever the import stands.
      local_imports: those that do not stand at the top of the file.
      rooms: rooms of the package that it imports; `epnas_tf` stands for the lazy public names.
      is_program: whether it does something when it is run.
      summary: first sentence of its docstring, empty without one.
    """

    path: str
    imports: frozenset[str]
    local_imports: frozenset[str]
    rooms: frozenset[str]
    is_program: bool
    summary: str

    @property
    def room(self) -> str:
        """The room of a file of the package, `tools` for a command, `tests` for a test."""
        parts = pathlib.PurePath(self.path).with_suffix("").parts
        if parts[0] != "epnas_tf":
            return parts[0]
        return "epnas_tf" if parts[1] == "__init__" else parts[1]


def read(root: pathlib.Path) -> list[Source]:
    """Returns all sources of a checkout: the package, the commands and the tests.

    Raises:
      SyntaxError: a file is not Python, or imports relatively.
    """
    files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    return [_read(path, root) for path in files]


def _read(path: pathlib.Path, root: pathlib.Path) -> Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = [node for node in tree.body if not _is_for_type_checkers(node)]
    everywhere = {name for top in statements for node in ast.walk(top) for name in _names(node)}
    at_the_top = {name for node in statements for name in _names(node)}
    of_package = (name for name in everywhere if name.split(".")[0] == "epnas_tf")
    return Source(
        path.relative_to(root).as_posix(),
        frozenset(everywhere),
        frozenset(everywhere - at_the_top),
        frozenset(_room_of(name, root) for name in of_package),
        any(_is_main(node) for node in tree.body),
        _first_sentence(ast.get_docstring(tree) or ""),
    )


def may_import(room: str) -> Set[str]:
    """Returns the rooms that the law lets a room import; raises KeyError for an unknown room."""
    layer = {name: number for number, rooms in enumerate(LAYERS) for name in rooms}[room]
    return NARROWER.get(room, {name for rooms in LAYERS[:layer] for name in rooms})


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s|\n\n", text, maxsplit=1)[0].replace("\n", " ")


def _room_of(name: str, root: pathlib.Path) -> str:
    parts = name.split(".")
    if len(parts) == 1:
        return "epnas_tf"
    home = root / "epnas_tf" / parts[1]
    is_room = parts[1] == "tools" or home.is_dir() or home.with_suffix(".py").is_file()
    return parts[1] if is_room else "epnas_tf"


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise SyntaxError(f"line {node.lineno}: imports must be absolute")
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
