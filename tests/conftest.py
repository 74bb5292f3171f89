"""What the tests of the house itself share: the sources of the checkout and what they import."""

import ast
import dataclasses
import pathlib
import signal

import pytest

# A shell tells what it starts in the background to ignore Ctrl-C; the tests of it want to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Source:
    """A source file of the checkout, by its path from the top."""

    path: str
    imports: frozenset[str]
    local_imports: frozenset[str]

    @property
    def room(self) -> str:
        """The room of a file of the package, `tools` for a command, `tests` for a test."""
        parts = pathlib.PurePath(self.path).with_suffix("").parts
        if parts[0] != "epnas_tf":
            return parts[0]
        return "epnas_tf" if parts[1] == "__init__" else parts[1]

    @property
    def rooms(self) -> set[str]:
        """The rooms it imports; `epnas_tf` stands for the lazy public names."""
        return {_room_of(name) for name in self.imports if name.split(".")[0] == "epnas_tf"}


def _room_of(name: str) -> str:
    parts = name.split(".")
    if len(parts) == 1:
        return "epnas_tf"
    home = _ROOT / "epnas_tf" / parts[1]
    is_room = parts[1] == "tools" or home.is_dir() or home.with_suffix(".py").is_file()
    return parts[1] if is_room else "epnas_tf"


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: imports are absolute"
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _read(path: pathlib.Path) -> Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = [node for node in tree.body if not _is_for_type_checkers(node)]
    everywhere = {name for top in statements for node in ast.walk(top) for name in _names(node)}
    at_the_top = {name for node in statements for name in _names(node)}
    return Source(
        path.relative_to(_ROOT).as_posix(),
        frozenset(everywhere),
        frozenset(everywhere - at_the_top),
    )


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """All sources of the package, the commands and the tests."""
    folders = ("epnas_tf", "tools", "tests")
    return [_read(path) for folder in folders for path in sorted((_ROOT / folder).rglob("*.py"))]
