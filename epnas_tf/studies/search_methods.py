"""The searchers that are compared: known ones, and progressive ones that differ in one thing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.proposer import Policy
from epnas_tf.searching.settings import PAPER, PAPER_LSTM, Learning, LSTMSettings, Sizes
from epnas_tf.searching.trials import Result
from epnas_tf.studies import priors, searchers
from epnas_tf.studies.priors import Known
from epnas_tf.studies.tables import Table

PROPOSALS = 8  # of each branch, for the mean reward of the policy's own proposals
PENALTY = 0.9  # of a softened reward, per violation of 1 (the paper's)


@dataclasses.dataclass(frozen=True)
class Method:
    """A searcher at work.

    Attributes:
      queries: yields networks, is sent their accuracies.
      log: what it notes of its steps, filled as it goes.
    """

    queries: searchers.Searcher
    log: list[dict[str, Any]] = dataclasses.field(default_factory=list)


Policies = Callable[[Table, int], Policy]


def _baseline(name: str, search: Callable[..., searchers.Searcher], **options: int) -> Factory:
    def make(table: Table, seed: int) -> Method:
        rng = randomness.generator(seed, "bench_search", name)
        return Method(_limits_first(search(table.space, rng, **options), table))

    return make


def _limits_first(searcher: searchers.Searcher, table: Table) -> searchers.Searcher:
    """Ranks what breaks the limit last, and the lower the further it is beyond."""
    spec = next(searcher)
    while True:
        accuracy = yield spec
        violation = table.violation(spec)
        spec = searcher.send(-violation if violation else accuracy)


def _lent(table: Table, seed: int) -> list[Known]:
    """Returns a prior: networks of another table of the same space."""
    return [priors.drawn(priors.other_table(table), seed)]


def _misleading(table: Table, seed: int) -> list[Known]:
    return [priors.permuted(prior, seed) for prior in _lent(table, seed)]


def _progressive(
    table: Table,
    seed: int,
    *,
    policy: Policies,
    learning: Learning,
    branches: int = Sizes().branches,
    numbers: bool = True,
    prior: Callable[[Table, int], list[Known]] = lambda table, seed: [],
) -> Method:
    """Returns the progressive search with this policy, learning in this way."""
    knowledge = Knowledge(
        violation=table.violation,
        describe=table.describe if numbers else None,
        prior=prior(table, seed),
    )
    search = ProgressiveSearch(
        table.space,
        policy(table, seed),
        knowledge=knowledge,
        branches=branches,
        episodes=10**6,
        steps=10,
        seed=seed,
        learning=learning,
        reuse_duplicates=True,
    )
    log: list[dict[str, Any]] = []
    return Method(_queries(search, table, log), log)


def _random(table: Table, seed: int) -> Policy:
    del seed
    return RandomPolicy(table.space)


def _lstm(settings: LSTMSettings, table: Table, seed: int) -> Policy:
    # TensorFlow takes seconds to load, in every worker; no other method needs it.
    from epnas_tf.searching.policies.lstm import LSTMPolicy

    fresh = LSTMPolicy(table.space, settings, seed=seed)
    traced = _TRACED.setdefault((table.space, settings), fresh)
    traced.set_weights(fresh.get_weights())
    return traced


# Policies whose graphs are traced, which takes longer than a run: a run gives one fresh weights.
_TRACED: dict[tuple[SearchSpace, LSTMSettings], Any] = {}


def _queries(
    search: ProgressiveSearch, table: Table, log: list[dict[str, Any]]
) -> searchers.Searcher:
    while True:
        results = []
        proposals = search.ask()
        if search.offered:
            # Looked up, not counted: what the policy would have trained without a predictor.
            own = [spec for offered in search.offered for spec in offered[:PROPOSALS]]
            rewards = [_softened(table.accuracy(spec), table.violation(spec)) for spec in own]
            log.append({"proposed_reward": float(np.mean(rewards))})
        for proposal in proposals:
            accuracy = yield proposal.spec
            violation = table.violation(proposal.spec)
            reward = _softened(accuracy, violation)
            results.append(Result(proposal.slot, reward, accuracy, violation == 0))
        search.tell(results)


def _softened(accuracy: float, violation: float) -> float:
    return accuracy * PENALTY**violation


Factory = Callable[[Table, int], Method]


def _variant(policy: Policies, learning: dict[str, Any] | None = None, **parts: Any) -> Factory:
    """Returns the default search with this policy, and with this besides that is not the default.

    Args:
      policy: makes the policy.
      learning: fields of `Learning`.
      **parts: arguments of `_progressive`.
    """
    return functools.partial(
        _progressive, policy=policy, learning=Learning(**(learning or {})), **parts
    )


LSTM = functools.partial(_lstm, LSTMSettings())
POLICIES: dict[str, Policies] = {"lstm": LSTM, "uniform": _random}
# The defaults, and one part in turn that is left out, otherwise, or lent.
VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    "_no_numbers": {"numbers": False},
    "_no_neighbours": {"learning": {"neighbours": 0}},
    "_soft_limits": {"learning": {"limits": "soft"}},
    "_not_imagined": {"learning": {"imagined_updates": 0}},
    "_8_branches": {"branches": 8},
    "_prior": {"prior": _lent},
    "_misleading_prior": {"prior": _misleading},
}


# The same choice of parents as the others, so that only candidates and policy differ.
UNSCREENED_RANDOM = Learning(screen=1, imagined_updates=0)

# Names that start with "evolution_" are reported as one.
METHODS: dict[str, Factory] = {
    "random_sampling": _baseline("random_sampling", searchers.random_sampling),
    "evolution_20_5": _baseline(
        "evolution", searchers.regularised_evolution, population=20, sample=5
    ),
    "evolution_50_10": _baseline(
        "evolution", searchers.regularised_evolution, population=50, sample=10
    ),
    "evolution_100_25": _baseline(
        "evolution", searchers.regularised_evolution, population=100, sample=25
    ),
    "local_search": _baseline("local_search", searchers.local_search),
    "random": functools.partial(_progressive, policy=_random, learning=UNSCREENED_RANDOM),
    "lstm_paper": functools.partial(
        _progressive, policy=functools.partial(_lstm, PAPER_LSTM), learning=PAPER, branches=8
    ),
    "lstm_unscreened": _variant(LSTM, {"screen": 1}),
}
METHODS |= {
    name + suffix: _variant(policy, **left_out)
    for name, policy in POLICIES.items()
    for suffix, left_out in VARIANTS.items()
    if (name, suffix) != ("uniform", "_not_imagined")  # it imagines nothing anyway
}
