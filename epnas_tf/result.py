"""What a search found, and how its end is told: the best network, its test accuracy, the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.spec import Spec
from epnas_tf.data.dataset import Data
from epnas_tf.report import table
from epnas_tf.searching.gain import Gain
from epnas_tf.terminal import say
from epnas_tf.tuner import last_measures
from epnas_tf.tuner.listeners.console import limit_text
from epnas_tf.tuner.listeners.results import ResultsWriter
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.tuner.tuner import EPNASTuner


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that a search trained.

    Attributes:
      slot: name of its trial, such as e01s03b5.
      spec: the network.
      accuracy: validation accuracy.
      reward: what networks are compared by times the penalties.
      cost: parameters, FLOPs, bytes moved.
      feasible: whether it keeps every limit.
      balanced_accuracy: where networks are compared by it; None where by accuracy.
    """

    slot: str
    spec: Spec
    accuracy: float
    reward: float
    cost: Cost
    feasible: bool
    balanced_accuracy: float | None = None


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
      networks: the trained networks, best first: the one that won at the end, then feasible ones,
        by rung and reward.
      test_accuracy: of the best network, measured once at the end; None without a test split.
      trials: number of completed trials.
      work_dir: folder of the search's files.
      gain: what the best network has over the best start (`gain.sentence` says it), measured at the
        end; None where nothing compares them.
    """

    networks: tuple[Network, ...]
    test_accuracy: float | None
    trials: int
    work_dir: str
    gain: Gain | None = None

    @property
    def best(self) -> Network | None:
        """The best network, None if none could be trained."""
        return self.networks[0] if self.networks else None


def finish(tuner: EPNASTuner, data: Data, larger_limit: str) -> SearchResult:
    """Measures the best network on the test split, once, prints the table, returns the result.

    Args:
      tuner: whose search has ended.
      data: its images.
      larger_limit: what to say of a limit that ended the run: who goes on.
    """
    oracle: EPNASOracle = tuner.oracle
    best, trials = oracle.best(), oracle.completed()
    splits = {"validation": data.validation} | ({} if data.test is None else {"test": data.test})
    measured = last_measures.of_best(tuner, data, splits)
    ResultsWriter(tuner.work_dir, tuner.settings.keep_models).write(oracle, measured)
    if trials:
        say(table.render(tuner.work_dir.path))
    if trials and not any(trial.feasible for trial in best):
        say(_nearest(oracle, trials))
    if oracle.finals.rung and measured is not None and measured.gain is None:
        say(_not_compared(oracle))
    if oracle.stopped_by:
        say(f"stopped at --{oracle.stopped_by}: {larger_limit}")
    networks = tuple(_network(trial, oracle.budget.cost(trial.proposal.spec)) for trial in best)
    test_accuracy = None if measured is None else measured.test_accuracy
    gain = None if measured is None else measured.gain
    return SearchResult(networks, test_accuracy, len(trials), tuner.work_dir.path, gain)


def _nearest(oracle: EPNASOracle, trials: Sequence[CompletedTrial]) -> str:
    """Returns what to say of a search in which no network kept the limits."""
    nearest = min(trials, key=lambda trial: oracle.budget.violation(trial.proposal.spec))
    uses = ", ".join(limit_text(nearest, limit) for limit in oracle.constraints)
    return (
        f"no trained network keeps the limits; the nearest of all is {nearest.slot.name}: {uses} "
        "(loosen the limits, or narrow the space)"
    )


def _not_compared(oracle: EPNASOracle) -> str:
    """Returns what to say where nothing tells whether the search was worth it."""
    share = oracle.settings.finals_share
    return (
        "the best network was not measured again beside the best start: the run ended before, or "
        f"--finals_share={share:g} of the search's work is too little for that "
        f"(the same command with --finish --finals_share={10 * share or 1:g} does it now)"
    )


def _network(trial: CompletedTrial, cost: Cost) -> Network:
    return Network(
        trial.slot.name,
        trial.proposal.spec,
        trial.outcome.accuracy,
        trial.outcome.reward,
        cost,
        trial.feasible,
        trial.outcome.balanced_accuracy,
    )
