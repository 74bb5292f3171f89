"""What chooses the changes: the policies by name.

A policy is made when it is first needed: the LSTM needs TensorFlow, which takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from epnas_tf import randomness

if TYPE_CHECKING:
    from epnas_tf.architecture.space import SearchSpace
    from epnas_tf.searching.learner import Policy
    from epnas_tf.searching.settings import SearchSettings


def _lstm(space: SearchSpace, settings: SearchSettings) -> Policy:
    from epnas_tf.searching.policies.lstm import LSTMPolicy

    return LSTMPolicy(space, settings, seed=randomness.seed_of(settings.seed, "policy"))


def _uniform(space: SearchSpace, settings: SearchSettings) -> Policy:
    from epnas_tf.searching.policies.uniform import RandomPolicy

    return RandomPolicy(space)


POLICIES: Mapping[str, Callable[[SearchSpace, SearchSettings], Policy]] = {
    "lstm": _lstm,
    "random": _uniform,
}
