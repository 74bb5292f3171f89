"""`on_trial_end`: a function of the user's own, which is told of each trial as plain data."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping

from epnas_tf.architecture.spec import Spec
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import CompletedTrial


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """What is known of a trial that ended; nothing that is done with it changes the search.

    Attributes:
      slot: its name, such as e01s03b5; r and m after it as in `trials.csv`.
      spec: its network.
      parent: slot of the network that this one was made from; empty for a starting one.
      action: what was changed, for a person to read.
      status: "trained", or why it was not, in the words of `trials.csv`.
      reason: what went wrong; empty where nothing did.
      accuracy: on the validation images; that of guessing where it was not trained.
      balanced_accuracy: where networks are compared by it; None where by accuracy.
      reward: what networks are compared by times the penalties.
      uses: what the network uses of each resource, by name: params, flops, intensity, traffic.
      feasible: whether it keeps every limit.
      is_best: whether it is the best network so far.
      reused: slot whose result stands for it; empty where it has its own.
      rung: how far it rose, from 0.
      epochs: that it was trained for.
      seconds: of training and validation.
      overhead_seconds: the rest of the trial's time.
      done: trials that have ended, of those that count.
      total: trials that the search will have in all, of those that count.
    """

    slot: str
    spec: Spec
    parent: str
    action: str
    status: str
    reason: str
    accuracy: float
    balanced_accuracy: float | None
    reward: float
    uses: Mapping[str, float]
    feasible: bool
    is_best: bool
    reused: str
    rung: int
    epochs: int
    seconds: float
    overhead_seconds: float
    done: int
    total: int


# A user's function, or none.
Told = Callable[[TrialRecord], None] | None


@contextlib.contextmanager
def telling(oracle: EPNASOracle, on_trial_end: Told) -> Iterator[None]:
    """Calls a function after each trial that ends while the body runs.

    It comes last of the oracle's listeners: all files are written, the trial's line is printed.
    What it raises ends the search; the trial counts, and a search that goes on does not tell of it
    again.
    """
    if on_trial_end is None:
        yield
        return

    def listener(oracle: EPNASOracle, finished: CompletedTrial) -> None:
        on_trial_end(record_of(oracle, finished))

    oracle.listeners.append(listener)
    try:
        yield
    finally:
        oracle.listeners.remove(listener)


def record_of(oracle: EPNASOracle, finished: CompletedTrial) -> TrialRecord:
    """Returns what is told of a completed trial."""
    proposal, outcome = finished.proposal, finished.outcome
    best = next(iter(oracle.best()), None)
    return TrialRecord(
        slot=finished.slot.name,
        spec=proposal.spec,
        parent=proposal.parent or "",
        action=proposal.made,
        status=outcome.status,
        reason=outcome.reason,
        accuracy=outcome.accuracy,
        balanced_accuracy=outcome.balanced_accuracy,
        reward=outcome.reward,
        uses=dict(outcome.uses),
        feasible=finished.feasible,
        is_best=best is not None and best.slot == finished.slot,
        reused=proposal.reuse or "",
        rung=finished.slot.rung,
        epochs=outcome.epochs,
        seconds=outcome.seconds,
        overhead_seconds=outcome.overhead_seconds,
        done=oracle.done,
        total=oracle.total,
    )
