"""One line per trial, for the person who watches."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from epnas_tf.architecture.limits import Constraint
from epnas_tf.report import forecast
from epnas_tf.report.forecast import Tally
from epnas_tf.report.units import short
from epnas_tf.tuner import read_once
from epnas_tf.tuner.listeners import headline
from epnas_tf.tuner.listeners.progress import Progress, best_text, clock
from epnas_tf.tuner.listeners.timing import Timing
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.session import Plan
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.workdir.layout import WorkDir


class Console:
    """A listener of the oracle that prints a line for each trial.

    Attributes:
      verbose: 0 prints nothing, 2 the network as well.
      progress: the bars below the lines.
      read: by setting what to say of what was read for it, where more is known than its copy tells.
    """

    def __init__(self, verbose: int = 1, leads: bool = True):
        self.verbose = verbose
        self.read: dict[str, Sequence[str]] = {}
        self._leads = leads  # a worker knows its own trials alone
        self._said = ""
        self._timing = Timing()
        self.progress = Progress(self._timing)

    def speak(self, verbose: Any) -> None:
        """Takes `verbose` as `fit` knows it: a number, or "auto"; None changes nothing."""
        if verbose is not None:
            self.verbose = 1 if verbose == "auto" else int(verbose)

    @contextlib.contextmanager
    def watching(
        self, oracle: EPNASOracle, plan: Plan, keep_models: int, work_dir: str
    ) -> Iterator[None]:
        """Says what a search will take, and draws its bars while the body runs it."""
        if self._leads:
            self._timing.begin(oracle)
        if not self.verbose or not self._leads:
            yield
            return
        expected = forecast.lines(self._timing.needs(oracle, plan, keep_models))
        read = read_once.lines(oracle, WorkDir(work_dir), self.read)
        for said in [*headline.lines(plan, oracle.total, work_dir), *read, *expected]:
            self.progress.write(said)
        with self.progress.shown(oracle):
            yield

    def __call__(self, oracle: EPNASOracle, finished: CompletedTrial) -> None:
        """Prints the trial's line."""
        self.progress.trial_ended(oracle)
        if not self.verbose:
            return
        tally = self._timing.tally(oracle)
        if not finished.proposal.in_step:
            self._say_once(headline.finals(oracle.finals.lineup))
        self.progress.write(line(oracle, finished, tally))
        if self.verbose > 1:
            self.progress.write(f"    {finished.proposal.spec.to_json()}")
        first_step = finished.slot.of_fold and tally.ended == oracle.settings.branches
        if first_step and not tally.before:
            for said in forecast.after_first_step(tally):
                self.progress.write(said)

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self.progress.write(text)


def line(oracle: EPNASOracle, finished: CompletedTrial, tally: Tally) -> str:
    """Returns a trial's line.

    Args:
      oracle: holds the trials so far.
      finished: the trial.
      tally: how far the search is.
    """
    done, total = oracle.done, oracle.total
    words = [
        f"[{done:>{len(str(total))}}/{total}] {finished.slot.name}",
        _made(finished),
        _outcome(finished),
        *(limit_text(finished, constraint) for constraint in oracle.constraints),
        best_text(oracle),
        f"{clock(tally.elapsed)}, ETA {clock(forecast.seconds_left(tally))}",
    ]
    return " | ".join(words)


def _made(finished: CompletedTrial) -> str:
    """Returns how a network came to be trained: by a change, or because it was promising."""
    if finished.slot.measurement:
        return f"measured again, {finished.outcome.epochs} epochs"
    if finished.slot.rung:
        return f"promoted, {finished.outcome.epochs} epochs"
    return finished.proposal.made


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
