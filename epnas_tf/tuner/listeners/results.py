"""Writes what the search knows into its work_dir, and deletes weights that are not needed.

All of it is derived from the trials' own files and rewritten whole, so that a resumed search leaves
the same files as one that was never interrupted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from epnas_tf.architecture.limits import Constraint
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.workdir import best_json, project_file, steps_jsonl, storage, trials_csv
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row

_log = logging.getLogger(__name__)

# More are counted, not named.
_MAX_NAMED = 10


class ResultsWriter:
    """A listener of the oracle that keeps a work_dir's files up to date."""

    def __init__(self, work_dir: WorkDir, keep_models: int):
        self._work_dir = work_dir
        self._keep_models = keep_models
        self._steps_written = -1
        self._class_names: tuple[str, ...] = ()

    def begin(self, oracle: EPNASOracle) -> None:
        """Warns of weights that an earlier run kept and this one will delete; deletes nothing."""
        ranks = {trial.slot.name: rank for rank, trial in enumerate(oracle.best(), start=1)}
        weights, kept = set(self._weights()), self._kept(oracle, list(ranks))
        known = [name for name in ranks if f"{name}.weights.h5" in weights]
        lost = [name for name in known if name not in kept]
        if not lost:
            return
        more = f" and {len(lost) - _MAX_NAMED} more" if len(lost) > _MAX_NAMED else ""
        _log.warning(
            "keep_models=%d: the weights of %d of the %d networks in %s will be deleted: %s "
            "(keep_models=%d keeps them)",
            self._keep_models,
            len(lost),
            len(known),
            self._work_dir.models,
            ", ".join(lost[:_MAX_NAMED]) + more,
            ranks[lost[-1]],
        )

    def __call__(self, oracle: EPNASOracle, finished: CompletedTrial) -> None:
        """Brings the files up to date after a trial."""
        self.write(oracle)

    def write(self, oracle: EPNASOracle, measured: Best | None = None) -> None:
        """Writes all files anew and deletes the weights that are no longer among the best.

        Args:
          oracle: whose trials are written.
          measured: what best.json says, where more is known of the best network than its trial.
        """
        best = oracle.best()
        trials_csv.write(self._work_dir, map(row_of, oracle.completed()))
        if best:
            best_json.write(self._work_dir, measured or self._best_of(best[0], oracle))
        steps = oracle.search.step_log
        if len(steps) != self._steps_written:
            steps_jsonl.write(self._work_dir, steps)
            self._steps_written = len(steps)
        self._delete_but(self._kept(oracle, [trial.slot.name for trial in best]))

    def _best_of(self, trial: CompletedTrial, oracle: EPNASOracle) -> Best:
        if not self._class_names:
            project = project_file.read(self._work_dir)
            self._class_names = () if project is None else project.images.class_names
        return best_of(trial, oracle.constraints, self._class_names)

    def prune(self, oracle: EPNASOracle) -> None:
        """Deletes all weights but those of the best trials and of running ones; no other file."""
        self._delete_but(self._kept(oracle, [trial.slot.name for trial in oracle.best()]))

    def _delete_but(self, kept: set[str]) -> None:
        for name in self._weights():
            if name.partition(".")[0] not in kept:
                storage.remove(os.path.join(self._work_dir.models, name))

    def _kept(self, oracle: EPNASOracle, ranked: Sequence[str]) -> set[str]:
        """Returns the names of the trials, best first in `ranked`, whose weights stay."""
        running = map(oracle.log.assignment, oracle.ongoing_trials.values())
        kept = {*ranked[: self._keep_models], *(assignment.slot.name for assignment in running)}
        return kept | oracle.finals.kept()

    def _weights(self) -> list[str]:
        return [n for n in storage.names(self._work_dir.models) if n.endswith(".weights.h5")]


def row_of(trial: CompletedTrial) -> Row:
    """Returns a trial's line of trials.csv."""
    outcome, assignment = trial.outcome, trial.assignment
    return Row(
        slot=trial.slot,
        spec_key=trial.spec_key,
        accuracy=outcome.accuracy,
        reward=outcome.reward,
        uses=outcome.uses,
        feasible=trial.feasible,
        status=outcome.status,
        seconds=outcome.seconds,
        overhead_seconds=outcome.overhead_seconds,
        attempt=assignment.attempt,
        trial_id=trial.trial_id,
        parent=trial.proposal.parent or "",
        action=trial.proposal.made,
        worker=assignment.worker,
        reused=trial.proposal.reuse or "",
        inherited=outcome.inherited,
        reason=outcome.reason,
        balanced_accuracy=outcome.balanced_accuracy,
        epochs=outcome.epochs,
        wave=trial.proposal.wave,
    )


def best_of(
    trial: CompletedTrial, constraints: Sequence[Constraint], class_names: Sequence[str]
) -> Best:
    """Returns what best.json says of a trial."""
    outcome = trial.outcome
    return Best(
        trial.slot.name,
        trial.proposal.spec,
        outcome.accuracy,
        outcome.reward,
        trial.feasible,
        outcome.uses,
        constraints,
        class_names,
        balanced_accuracy=outcome.balanced_accuracy,
        rung=trial.slot.rung,
        epochs=outcome.epochs,
    )
