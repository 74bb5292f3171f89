"""What searches: EPNAS itself and its rivals, by name, from the same task.

An algorithm is imported when it is made: its module needs the settings, and these its name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epnas_tf.architecture.space import SearchSpace
    from epnas_tf.searching.fold import Fold
    from epnas_tf.searching.knowledge import Knowledge
    from epnas_tf.searching.rungs import Rungs
    from epnas_tf.searching.settings import SearchSettings
    from epnas_tf.searching.starts import Starts


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be searched, whoever does it.

    Attributes:
      space: the networks that may be visited.
      settings: everything else that decides which are proposed.
      knowledge: what is known of networks before any is trained.
      starts: the starting networks.
      rungs: how long networks may be trained.
    """

    space: SearchSpace
    settings: SearchSettings
    knowledge: Knowledge
    starts: Starts
    rungs: Rungs


def _epnas(task: Task) -> Fold:
    from epnas_tf.searching.progressive import ProgressiveSearch

    return ProgressiveSearch.of(task)


def _evolution(task: Task) -> Fold:
    from epnas_tf.searching.algorithms.evolution import Evolution

    return Evolution(task)


def _local_search(task: Task) -> Fold:
    from epnas_tf.searching.algorithms.local_search import LocalSearch

    return LocalSearch(task)


def _random(task: Task) -> Fold:
    from epnas_tf.searching.algorithms.random import RandomSearch

    return RandomSearch(task)


ALGORITHMS: Mapping[str, Callable[[Task], Fold]] = {
    "epnas": _epnas,
    "evolution": _evolution,
    "local_search": _local_search,
    "random": _random,
}
