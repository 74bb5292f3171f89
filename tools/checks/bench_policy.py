"""Measures what the search itself costs per step of 20-layer networks, on one thread.

Example: python -m tools.checks.bench_policy --branches=8 --trials=200

A step is asked for (proposals, screened by the predictor) and told (policy update, predictor fitted
anew, imagined training). Wall-clock time and processor time are printed: on a quiet machine they
are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace, layerwise_space
from epnas_tf.architecture.spec import LayerwiseSpec, Spec
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import PAPER, PAPER_LSTM, Learning, LSTMSettings
from epnas_tf.searching.trials import Proposal, Result

_LAYERS = 20
# Limits that about half of such networks keep, so that costs are counted as in a real search.
_BUDGET = Budget((32, 32, 3), 10, (Constraint("params", upper=2e6),))
_BRANCHES = flags.DEFINE_integer("branches", 8, "networks per step", 1)
_TRIALS = flags.DEFINE_integer("trials", 200, "networks that the predictor knows beforehand", 8)
_STEPS = flags.DEFINE_integer("steps", 10, "steps to take the median of", 1)


def _network(space: SearchSpace, rng: np.random.Generator) -> Spec:
    while len((spec := initial.random_spec(space, rng)).items) != _LAYERS:
        pass
    return spec


def _reward(spec: Spec) -> float:
    """Returns a made-up reward that can be learnt: many filters, few of them wide."""
    assert isinstance(spec, LayerwiseSpec)
    values = [(layer.channels or 0) / 256 - (layer.width or 0) / 14 for layer in spec.layers]
    return float(np.mean(values)) + 1.0


def _tell(search: ProgressiveSearch) -> None:
    search.tell([Result(p.slot, _reward(p.spec)) for p in search.ask()])


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    start = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - start[0]), 1e3 * (time.process_time() - start[1])


def _search(learning: Learning, settings: LSTMSettings) -> ProgressiveSearch:
    """Returns a search whose networks have 20 layers and whose predictor knows enough of them."""
    space = layerwise_space(max_layers=_LAYERS + 1)  # so that a layer may be inserted
    policy = LSTMPolicy(space, settings)
    sizes = {"branches": _BRANCHES.value, "episodes": 10**6, "steps": 10}
    knowledge = Knowledge(
        violation=_BUDGET.violation,
        skipped=lambda spec: _BUDGET.reason_to_skip(spec) is not None,
        describe=_BUDGET.numbers,
    )
    search = ProgressiveSearch(space, policy, **sizes, learning=learning, knowledge=knowledge)
    number = 0
    while len(search.history) < _TRIALS.value:
        proposals = []
        for slot in search.slots():
            rng = randomness.generator(0, "bench", number)
            proposals.append(Proposal(slot, _network(space, rng)))
            number += 1
        search.adopt(proposals)
        _tell(search)
    return search


def _report(name: str, learning: Learning, settings: LSTMSettings) -> None:
    search = _search(learning, settings)
    asked, told = [], []
    for _ in range(2 + _STEPS.value):  # the first two trace the graphs
        asked.append(_timed(search.ask))
        told.append(_timed(lambda: _tell(search)))
    for what, times in (("ask", asked), ("tell", told)):
        wall, processor = np.median(times[2:], axis=0)
        print(f"{name}: {what} {wall:.0f} ms (processor {processor:.0f} ms)", flush=True)
    print(f"{name}: first step {asked[0][0] + told[0][0]:.0f} ms, with tracing", flush=True)


def main(argv: Sequence[str]) -> None:
    """Prints what a step costs: as the paper has it, and with predictor and imagination."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _report("paper", PAPER, PAPER_LSTM)
    _report("default", Learning(), LSTMSettings())


if __name__ == "__main__":
    app.run(main)
