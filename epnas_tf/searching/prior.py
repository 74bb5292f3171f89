"""What earlier searches of a space found: networks, and how good each of them was."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.fields import SettingError

# Of an earlier search that trained more, the best half and the newest half are taken.
MOST = 512


@dataclasses.dataclass(frozen=True)
class PriorTrial:
    """A network that an earlier search trained.

    Attributes:
      spec: the network.
      accuracy: what that search compared networks by, before penalties.
      reward: the same times the penalties of that search's limits.
    """

    spec: Spec
    accuracy: float
    reward: float

    def __post_init__(self) -> None:
        for name in ("accuracy", "reward"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}")


# The trials of each earlier search, in the order in which it came to them.
Prior = tuple[tuple[PriorTrial, ...], ...]


def checked(prior: Iterable[Iterable[PriorTrial]], space: SearchSpace) -> Prior:
    """Returns what earlier searches found.

    Args:
      prior: the trials of each, a network once.
      space: what the networks must be of.

    Raises:
      SettingError: a search has no network, or one that is not of the space or stands there twice.
    """
    found = tuple(tuple(trials) for trials in prior)
    for number, trials in enumerate(found, start=1):
        try:
            _check(trials, space)
        except ValueError as error:
            reason = f"must be of networks of the space: search {number} of {len(found)}: {error}"
            raise SettingError("prior", reason) from error
    return found


def _check(trials: Sequence[PriorTrial], space: SearchSpace) -> None:
    if not trials:
        raise ValueError("it must have at least one network, got none")
    if len({trial.spec for trial in trials}) < len(trials):
        raise ValueError("it must name each network once")
    for trial in trials:
        if in_space(trial.spec, space) != trial.spec:
            raise ValueError(f"it has a network that is not of the space: {trial.spec!r:.200}")


def in_space(spec: Spec, space: SearchSpace) -> Spec | None:
    """Returns the network of the same items in a space, with its stem and stacking; None if none.

    How many cells are stacked, or how wide the stem is, says little of which cell is better.
    """
    try:
        space.check(spec)
    except ValueError:
        return None
    return space.new_spec(spec.items)


def most_telling(prior: Prior, most: int = MOST) -> Prior:
    """Returns of each search its best half and its newest half of so many, in its order."""
    return tuple(_most_telling(trials, most) for trials in prior)


def _most_telling(trials: tuple[PriorTrial, ...], most: int) -> tuple[PriorTrial, ...]:
    places = best_and_newest([trial.accuracy for trial in trials], most)
    return tuple(trials[place] for place in places)


def best_and_newest(values: Sequence[float], most: int) -> list[int]:
    """Returns the places of the best half and the newest half of so many, in order; all if fewer.

    Args:
      values: higher is better; the newest stand last.
      most: how many are wanted.
    """
    if len(values) <= most:
        return list(range(len(values)))
    by_value = sorted(range(len(values)), key=lambda place: (-values[place], place))
    best, rest = by_value[: most // 2], sorted(by_value[most // 2 :])
    return sorted([*best, *rest[len(best) - most :]])


def groups(prior: Prior, soft: bool) -> list[list[tuple[Spec, float]]]:
    """Returns each search's networks with what is learnt of them: accuracy, with `soft` reward."""
    return [[(t.spec, t.reward if soft else t.accuracy) for t in trials] for trials in prior]


def holds(prior: Prior, earlier: Prior) -> bool:
    """Says whether these searches have gone on from what they were, or are as they were."""
    pairs = zip(prior, earlier, strict=False)
    return len(prior) == len(earlier) and all({*old} <= {*new} for new, old in pairs)


def to_plain(prior: Prior) -> list[list[dict[str, Any]]]:
    """Returns a prior as plain data."""
    return [
        [
            {"spec": trial.spec.to_dict(), "accuracy": trial.accuracy, "reward": trial.reward}
            for trial in trials
        ]
        for trials in prior
    ]


def from_plain(values: Any, space: SearchSpace) -> Prior:
    """Returns the prior that `to_plain` described.

    Raises:
      KeyError: a value is missing.
      TypeError: a value is of another type.
      ValueError: a value is not allowed.
    """
    if not isinstance(values, list) or not all(isinstance(each, list) for each in values):
        raise ValueError(f"it must be a list of lists of trials, got {values!r:.80}")
    searches = [
        [
            PriorTrial(
                spec_from_dict(each["spec"]),
                untrusted.number(each["accuracy"]),
                untrusted.number(each["reward"]),
            )
            for each in trials
        ]
        for trials in values
    ]
    return checked(searches, space)
