"""Writes what the search knows into its work_dir, and deletes weights that are not needed.

All of it is derived from the trials' own files and rewritten whole, so that a resumed search leaves
the same files as one that was never interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from epnas_tf.architecture import morph
from epnas_tf.architecture.limits import Constraint
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import CompletedTrial
from epnas_tf.workdir import best_json, steps_jsonl, storage, trials_csv
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.trials_csv import Row


class ResultsWriter:
    """A listener of the oracle that keeps a work_dir's files up to date."""

    def __init__(self, work_dir: WorkDir, keep_models: int):
        self._work_dir = work_dir
        self._keep_models = keep_models
        self._steps_written = -1

    def __call__(self, oracle: EPNASOracle, finished: CompletedTrial) -> None:
        """Brings the files up to date after a trial."""
        self.write(oracle)

    def write(self, oracle: EPNASOracle) -> None:
        """Writes all files anew and deletes the weights that are no longer among the best."""
        best = oracle.best()
        trials_csv.write(self._work_dir, map(row_of, oracle.completed()))
        if best:
            best_json.write(self._work_dir, best_of(best[0], oracle.constraints))
        steps = oracle.search.step_log
        if len(steps) != self._steps_written:
            steps_jsonl.write(self._work_dir, steps)
            self._steps_written = len(steps)
        self._prune(oracle, best)

    def _prune(self, oracle: EPNASOracle, best: Sequence[CompletedTrial]) -> None:
        """Deletes all weights but those of the best trials and of running ones; no other file."""
        kept = {trial.slot.name for trial in best[: self._keep_models]}
        kept |= {oracle.log.assignment(t).slot.name for t in oracle.ongoing_trials.values()}
        for name in storage.names(self._work_dir.models):
            if name.endswith(".weights.h5") and name.partition(".")[0] not in kept:
                storage.remove(os.path.join(self._work_dir.models, name))


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
        action=morph.describe(trial.proposal.action),
        worker=assignment.worker,
        reused=trial.proposal.reuse or "",
        inherited=outcome.inherited,
        reason=outcome.reason,
        balanced_accuracy=outcome.balanced_accuracy,
    )


def best_of(trial: CompletedTrial, constraints: Sequence[Constraint]) -> Best:
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
        balanced_accuracy=outcome.balanced_accuracy,
    )
