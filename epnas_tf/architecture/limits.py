"""Soft resource limits: violation, reward and feasibility (paper, section 3.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.architecture.resources import RESOURCES


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A two-sided limit on one resource.

    Attributes:
      metric: a key of RESOURCES.
      lower: least allowed use, None for no bound.
      upper: most allowed use, None for no bound.
      base: p of the penalty p^violation (0.9 throughout the paper).
    """

    metric: str
    lower: float | None = None
    upper: float | None = None
    base: float = 0.9

    def __post_init__(self) -> None:
        if self.metric not in RESOURCES:
            raise ValueError(f"metric must be one of {tuple(RESOURCES)}, got {self.metric!r}")
        for name in ("lower", "upper"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise ValueError(f"{name} bound of {self.metric} must be above 0, got {bound}")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(
                f"lower bound of {self.metric} must not exceed the upper bound, "
                f"got {self.lower} > {self.upper}"
            )
        if not 0 < self.base <= 1:
            raise ValueError(f"base of {self.metric} must be in (0, 1], got {self.base}")


def usage(cost: Cost, metric: str) -> float:
    """Returns what a network of this cost uses of a resource, a key of RESOURCES."""
    if metric not in RESOURCES:
        raise ValueError(f"metric must be one of {tuple(RESOURCES)}, got {metric!r}")
    return float(RESOURCES[metric].of(cost))


def violation(cost: Cost, constraint: Constraint) -> float:
    """Returns how far a network of this cost is outside a limit, 0 within."""
    return excess_of(usage(cost, constraint.metric), constraint)


def excess_of(use: float, constraint: Constraint) -> float:
    """Returns v = max(0, U/C_u - 1) + max(0, 1 - U/C_l), 0 within the limits.

    The hinge of Eq. (2), whose exact ratio the paper's text lost (PAPER_NOTES section 1).
    """
    over = 0.0 if constraint.upper is None else max(0.0, use / constraint.upper - 1)
    under = 0.0 if constraint.lower is None else max(0.0, 1 - use / constraint.lower)
    return over + under


def total_violation(cost: Cost, constraints: Iterable[Constraint]) -> float:
    """Returns the sum of all violations, 0 for a feasible network."""
    return sum(violation(cost, constraint) for constraint in constraints)


def feasible(cost: Cost, constraints: Iterable[Constraint]) -> bool:
    """Says whether every limit is kept."""
    return total_violation(cost, constraints) == 0


def penalty(cost: Cost, constraints: Iterable[Constraint]) -> float:
    """Returns the product of base^violation over all limits, in (0, 1] (Eq. 3)."""
    factor = 1.0
    for constraint in constraints:
        factor *= constraint.base ** violation(cost, constraint)
    return factor


def reward(accuracy: float, cost: Cost, constraints: Iterable[Constraint]) -> float:
    """Returns R = accuracy times the penalty (Eq. 3)."""
    return accuracy * penalty(cost, constraints)


def excess(cost: Cost, constraints: Sequence[Constraint]) -> tuple[float, str]:
    """Returns the largest ratio of a use to its upper bound, and whose it is; (0, "") if none."""
    ratios = [
        (usage(cost, c.metric) / c.upper, c.metric) for c in constraints if c.upper is not None
    ]
    return max(ratios, default=(0.0, ""))
