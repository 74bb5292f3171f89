"""Writes the map of the rooms into docs/ARCHITECTURE.md, from the imports and the import law.

Example: python -m tools.checks.write_map   (from the top of a checkout)

The map is a diagram of which room imports which, for Mermaid (GitHub draws it), and a table of what
each room answers and may import. What stands outside the two markers stays as it is.
"""

from __future__ import annotations

import graphlib
import pathlib
from collections.abc import Iterable, Mapping, Sequence, Set

from absl import app

try:
    from epnas_tf.tools.checks import sources as sources_lib
except ImportError:  # from a checkout
    from tools.checks import sources as sources_lib

PAGE = "docs/ARCHITECTURE.md"
BEGIN = "<!-- The map; written by: python -m tools.checks.write_map -->"
END = "<!-- The end of the map. -->"

# Dark text on a light ground, whatever the reader's theme.
_PURE_STYLE = "fill:#d5f0dc,stroke:#2e7d4f,color:#10301d"


def arrows(sources: Iterable[sources_lib.Source]) -> dict[str, set[str]]:
    """Returns the rooms that each room imports; imports that break the law are left out."""
    found: dict[str, set[str]] = {}
    for source in sources:
        found.setdefault(source.room, set()).update(source.rooms - {source.room})
    return found


def reduced(graph: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """Returns a graph without the arrows that follow from others: a -> c beside a -> b -> c.

    Raises:
      ValueError: there is a cycle, which is named.
    """
    below: dict[str, set[str]] = {}
    for room in _lowest_first(graph):
        below[room] = set(graph.get(room, ())).union(*(below[to] for to in graph.get(room, ())))
    return {room: set(to).difference(*(below[other] for other in to)) for room, to in graph.items()}


def _lowest_first(graph: Mapping[str, Set[str]]) -> list[str]:
    try:
        ordered = {room: sorted(graph[room]) for room in sorted(graph)}
        return list(graphlib.TopologicalSorter(ordered).static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"rooms must not import each other in a cycle, got {cycle}") from error


def diagram(sources: Sequence[sources_lib.Source]) -> str:
    """Returns the diagram: the highest room first, which Mermaid draws on top."""
    graph = reduced({room: to - {"epnas_tf"} for room, to in arrows(sources).items()})
    rooms = [room for room in _rooms(sources) if room != "epnas_tf"]
    lines = [
        " --> ".join(filter(None, (room, " & ".join(_in_order(graph[room])))))
        for room in reversed(rooms)
    ]
    lines += [
        f"classDef pure {_PURE_STYLE}",
        f"class {','.join(room for room in rooms if room in sources_lib.PURE)} pure",
    ]
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {line}" for line in lines), "```"])


def table(sources: Sequence[sources_lib.Source]) -> str:
    """Returns the table of rooms, lowest first: layer, what it answers, what it may import."""
    homes = {source.room: source.summary for source in sources if _is_home(source)}
    layers = enumerate(sources_lib.LAYERS, start=1)
    numbers = {room: number for number, rooms in layers for room in rooms}
    rows = [
        (str(numbers[room]), f"`{room}`", homes[room], _without(room), _may_import(room, numbers))
        for room in _rooms(sources)
    ]
    head = ("layer", "room", "what it answers", "without TensorFlow", "may import")
    return "\n".join(_row(cells) for cells in (head, ("---:", *["---"] * 4), *rows))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rooms(sources: Iterable[sources_lib.Source]) -> list[str]:
    """Returns the rooms that are there, lowest first."""
    return _in_order({source.room for source in sources} - {"tests"})


def _in_order(rooms: Set[str]) -> list[str]:
    return [room for layer in sources_lib.LAYERS for room in layer if room in rooms]


def _is_home(source: sources_lib.Source) -> bool:
    """Whether a file's docstring is that of its room."""
    tops = (
        f"{source.room}/__init__",
        f"epnas_tf/{source.room}/__init__",
        f"epnas_tf/{source.room}",
    )
    return source.path.removesuffix(".py") in tops


def _without(room: str) -> str:
    if room not in sources_lib.PURE:
        return ""
    heavy = sorted(path.removeprefix("epnas_tf/") for path in sources_lib.NOT_PURE)
    names = ", ".join(f"`{path}`" for path in heavy if path.startswith(f"{room}/"))
    return f"yes, but for {names}" if names else "yes"


def _may_import(room: str, numbers: Mapping[str, int]) -> str:
    """Returns in words what a room may import."""
    if room not in sources_lib.NARROWER:
        below = numbers[room] - 1
        return ("nothing", "layer 1")[below] if below < 2 else f"layers 1 to {below}"
    allowed, base = sources_lib.may_import(room), frozenset(sources_lib.LAYERS[0])
    whole = ["layer 1"] if base <= allowed else []
    rest = _in_order(allowed - base if whole else allowed)
    return ", ".join([*whole, *(f"`{name}`" for name in rest)]) or "nothing"


def text(sources: Sequence[sources_lib.Source]) -> str:
    """Returns the map."""
    return f"{diagram(sources)}\n\n{table(sources)}"


def inserted(page: str, between: str) -> str:
    """Returns a page with other text between its markers.

    Raises:
      ValueError: the page has not each marker once, in order.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if page.count(BEGIN) != 1 or rest.count(END) != 1 or END in before:
        raise ValueError(f"the page must hold {BEGIN!r} and then {END!r}, once each")
    return f"{before}{BEGIN}\n\n{between}\n\n{END}{after}"


def main(argv: Sequence[str]) -> None:
    """Writes the map of the checkout that is the working directory."""
    if len(argv) > 1:
        raise app.UsageError(f"takes nothing, got {argv[1:]}")
    root = pathlib.Path.cwd()
    page = root / PAGE
    if not page.is_file():
        raise app.UsageError(f"must be run from the top of a checkout, not {root.name}")
    written = inserted(page.read_text(encoding="utf-8"), text(sources_lib.read(root)))
    page.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
