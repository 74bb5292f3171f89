"""What a search knows of networks before it trains any: limits, costs, earlier searches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from epnas_tf.architecture.spec import Spec
from epnas_tf.searching.predictor import Describe, Group


def _within(spec: Spec) -> float:
    del spec
    return 0.0


def _never(spec: Spec) -> bool:
    del spec
    return False


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What is known of any network from its spec, and of some from earlier searches.

    Attributes:
      violation: how far a network is outside the limits, 0 within.
      skipped: whether it would be skipped, not trained.
      describe: what it is, in numbers, for the predictor; None for nothing.
      prior: networks and rewards of earlier searches of the same space, a group per search.
    """

    violation: Callable[[Spec], float] = _within
    skipped: Callable[[Spec], bool] = _never
    describe: Describe | None = None
    prior: Sequence[Group] = ()
