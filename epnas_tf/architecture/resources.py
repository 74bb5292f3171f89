"""What networks use and limits hold: one row per resource, read by everything that shows or limits.

Flags, constraints, the columns of trials.csv, the console and the report follow from this table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from epnas_tf.architecture.cost_rules import Cost


@dataclasses.dataclass(frozen=True)
class Resource:
    """A resource.

    Attributes:
      name: in flags (`--max_NAME`), constraints and messages.
      what: what is counted, in one phrase with its unit.
      of: what a network of this cost uses.
      column: its header in trials.csv and key in best.json.
      title: its header in tables.
      extremes: what its upper and its lower limit are called.
      whole: whether uses are whole numbers.
      suffix: unit behind a number in tables.
      derived: whether it is a ratio of others.
      common: whether its upper limit is one of the few flags that most people need.
    """

    name: str
    what: str
    of: Callable[[Cost], float]
    column: str
    title: str
    extremes: tuple[str, str] = ("most", "fewest")
    whole: bool = True
    suffix: str = ""
    derived: bool = False
    common: bool = False

    def plain(self, use: float) -> float:
        """Returns a use as files hold it: whole numbers as such."""
        return int(use) if self.whole else use

    def cell(self, use: float) -> str:
        """Returns a use as trials.csv holds it."""
        return str(int(use)) if self.whole else f"{use:.3f}"


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            "params",
            "trainable parameters",
            lambda c: c.params,
            "params",
            "params",
            common=True,
        ),
        Resource(
            "flops",
            "FLOPs per image (2 per multiply-add)",
            lambda c: c.flops,
            "flops",
            "FLOPs",
            common=True,
        ),
        Resource(
            "intensity",
            "FLOPs per byte moved",
            lambda c: c.intensity,
            "intensity",
            "FLOPs/B",
            ("highest", "lowest"),
            whole=False,
            derived=True,
        ),
        Resource(
            "traffic",
            "bytes moved per image",
            lambda c: c.traffic_bytes,
            "traffic_bytes",
            "traffic",
            suffix="B",
        ),
    )
}


def uses_of(cost: Cost) -> dict[str, float]:
    """Returns what a network of this cost uses of each resource."""
    return {name: float(resource.of(cost)) for name, resource in RESOURCES.items()}
