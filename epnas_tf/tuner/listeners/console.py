"""One line a trial, for the person who watches."""

from __future__ import annotations

import datetime
import textwrap

from epnas_tf.architecture import limits, morph
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.report.units import short
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import Record


class Console:
    """A listener of the oracle that prints a line for each trial.

    Attributes:
      verbose: 0 prints nothing, 2 the network as well.
    """

    def __init__(self, verbose: int = 1):
        self.verbose = verbose
        self._seen = 0

    def __call__(self, oracle: EPNASOracle, finished: Record) -> None:
        """Prints the trial's line."""
        self._seen += oracle.counts(finished.proposal.reuse)
        if self.verbose:
            print(line(oracle, finished, self._seen), flush=True)
        if self.verbose > 1:
            print(f"    {finished.proposal.spec.to_json()}", flush=True)


def line(oracle: EPNASOracle, finished: Record, seen: int) -> str:
    """Returns a trial's line.

    Args:
      oracle: holds the trials so far.
      finished: the trial.
      seen: number of trials that count and this run has finished, for the time a trial takes.
    """
    done, total = oracle.done, oracle.total
    elapsed = oracle.limits.elapsed()
    words = [
        f"[{done:>{len(str(total))}}/{total}] {finished.slot.name}",
        morph.describe(finished.proposal.action),
        _outcome(finished),
        *(limit_text(finished.cost, constraint) for constraint in oracle.constraints),
        _best(oracle),
        f"{_clock(elapsed)}, ETA {_clock(elapsed / max(seen, 1) * (total - done))}",
    ]
    return " | ".join(words)


def _outcome(finished: Record) -> str:
    if finished.trained:
        source = f" (as {finished.proposal.reuse})" if finished.proposal.reuse else ""
        return f"acc {finished.accuracy:.4f}{source}"
    reason = f" ({textwrap.shorten(finished.reason, 80)})" if finished.reason else ""
    return f"not trained: {finished.result.status}{reason}"


def limit_text(cost: Cost, constraint: Constraint) -> str:
    """Returns a resource's use against its limits: "params 12.3k <= 20k", "params 23k > 20k"."""
    use = limits.usage(cost, constraint.metric)
    said = f"{constraint.metric} {short(use)}"
    if constraint.upper is not None and use > constraint.upper:
        return f"{said} > {short(constraint.upper)}"
    if constraint.lower is not None and use < constraint.lower:
        return f"{said} < {short(constraint.lower)}"
    low = "" if constraint.lower is None else f"{short(constraint.lower)} <= "
    high = "" if constraint.upper is None else f" <= {short(constraint.upper)}"
    return f"{low}{said}{high}"


def _best(oracle: EPNASOracle) -> str:
    best = next(iter(oracle.best_records()), None)
    if best is None or not best.result.feasible:
        return "none feasible yet"
    return f"best {best.accuracy:.4f} ({best.slot.name})"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
