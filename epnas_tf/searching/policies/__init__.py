"""What chooses the changes: the policies by name.

A policy that needs TensorFlow is imported when it is made: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from epnas_tf import randomness
from epnas_tf.searching.policies.uniform import RandomPolicy

if TYPE_CHECKING:
    from epnas_tf.architecture.space import SearchSpace
    from epnas_tf.searching.proposer import Policy
    from epnas_tf.searching.settings import SearchSettings


def _lstm(space: SearchSpace, settings: SearchSettings) -> Policy:
    from epnas_tf.searching.policies.lstm import LSTMPolicy

    return LSTMPolicy(space, settings, seed=randomness.seed_of(settings.seed, "policy"))


POLICIES: Mapping[str, Callable[[SearchSpace, SearchSettings], Policy]] = {
    "lstm": _lstm,
    "random": lambda space, settings: RandomPolicy(space),
}
