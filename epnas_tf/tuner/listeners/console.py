"""One line per trial, for the person who watches."""

from __future__ import annotations

import datetime
import textwrap

from epnas_tf.architecture import morph
from epnas_tf.architecture.limits import Constraint
from epnas_tf.report.units import short
from epnas_tf.tuner.listeners import headline
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.session import Plan
from epnas_tf.tuner.trial_data import CompletedTrial


class Console:
    """A listener of the oracle that prints a line for each trial.

    Attributes:
      verbose: 0 prints nothing, 2 the network as well.
    """

    def __init__(self, verbose: int = 1):
        self.verbose = verbose
        self._seen = 0

    def begin(self, plan: Plan, oracle: EPNASOracle, work_dir: str) -> None:
        """Says what a search is about to do."""
        if self.verbose:
            print("\n".join(headline.lines(plan, oracle.total, work_dir)), flush=True)

    def __call__(self, oracle: EPNASOracle, finished: CompletedTrial) -> None:
        """Prints the trial's line."""
        self._seen += oracle.counts(finished.proposal)
        if self.verbose:
            print(line(oracle, finished, self._seen), flush=True)
        if self.verbose > 1:
            print(f"    {finished.proposal.spec.to_json()}", flush=True)


def line(oracle: EPNASOracle, finished: CompletedTrial, seen: int) -> str:
    """Returns a trial's line.

    Args:
      oracle: holds the trials so far.
      finished: the trial.
      seen: number of trials that count and this run has finished, for the time a trial takes.
    """
    done, total = oracle.done, oracle.total
    elapsed = oracle.watch.elapsed()
    words = [
        f"[{done:>{len(str(total))}}/{total}] {finished.slot.name}",
        morph.describe(finished.proposal.action),
        _outcome(finished),
        *(limit_text(finished, constraint) for constraint in oracle.constraints),
        _best(oracle),
        f"{_clock(elapsed)}, ETA {_clock(elapsed / max(seen, 1) * (total - done))}",
    ]
    return " | ".join(words)


def _outcome(finished: CompletedTrial) -> str:
    if finished.trained:
        source = f" (as {finished.proposal.reuse})" if finished.proposal.reuse else ""
        balanced = finished.outcome.balanced_accuracy
        text = f"acc {finished.outcome.accuracy:.4f}"
        return text + ("" if balanced is None else f", balanced {balanced:.4f}") + source
    outcome = finished.outcome
    reason = f" ({textwrap.shorten(outcome.reason, 80)})" if outcome.reason else ""
    return f"not trained: {outcome.status}{reason}"


def limit_text(trial: CompletedTrial, constraint: Constraint) -> str:
    """Returns a resource's use against its limits: "params 12.3k <= 20k", "params 23k > 20k"."""
    use = trial.outcome.uses[constraint.metric]
    said = f"{constraint.metric} {short(use)}"
    if constraint.upper is not None and use > constraint.upper:
        return f"{said} > {short(constraint.upper)}"
    if constraint.lower is not None and use < constraint.lower:
        return f"{said} < {short(constraint.lower)}"
    low = "" if constraint.lower is None else f"{short(constraint.lower)} <= "
    high = "" if constraint.upper is None else f" <= {short(constraint.upper)}"
    return f"{low}{said}{high}"


def _best(oracle: EPNASOracle) -> str:
    best = next(iter(oracle.best()), None)
    if best is None or not best.feasible:
        return "none feasible yet"
    balanced = best.outcome.balanced_accuracy
    text = f"{best.outcome.accuracy:.4f}" if balanced is None else f"balanced {balanced:.4f}"
    return f"best {text} ({best.slot.name})"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
