"""What Keras Tuner's own files and locks lack; the only module that touches its internals.

Stock Keras Tuner (1.4.8) rewrites its files in place, so that a kill leaves them empty; trusts
oracle.json even where a trial finished after it was written; and keeps its lock when a locked
method raises, so that the next thread hangs. Here every file is replaced atomically, the state is
rebuilt from the trials' own files alone, and the lock is released.
"""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.src.engine import oracle as keras_tuner_oracle
from keras_tuner.src.engine.trial import Trial
from keras_tuner.src.engine.trial import TrialStatus as Status

from epnas_tf import interrupts, terminal, untrusted
from epnas_tf.workdir import storage

__all__ = [
    *("DurableOracle", "DurableTuner", "Status", "StoppedError", "Trial", "metrics", "values"),
]

INTERRUPTED = "interrupted"
# Ends that say nothing against a trial's network: somebody stopped it in order, and its result is
# there but what it left to others is not.
STOPPED = "stopped"
LOST = "its shared parameters are missing"

_log = logging.getLogger(__name__)


class StoppedError(BaseException):
    """A trial was stopped in order while it ran: that says nothing against its network.

    As Ctrl-C it is none of the exceptions that Keras Tuner takes for a trial's failure and prints.
    """


class DurableTuner(keras_tuner.Tuner):
    """A tuner whose state survives a kill at any moment."""

    def __init__(self, *args: Any, **kwargs: Any):
        with terminal.escaping():  # it prints the path that it reloads from
            super().__init__(*args, **kwargs)

    def _populate_initial_space(self) -> None:
        """Reloads: the trials' files are the truth, also where the tuner's own file is missing.

        No space is declared: a trial's values come from the oracle alone.
        """
        self.reload()

    def save(self) -> None:
        """Saves the oracle and the tuner's own file, atomically."""
        if not self._is_worker():
            self.oracle.save()
        storage.write_atomic(self._get_tuner_fname(), json.dumps(self.get_state()))

    def _try_run_and_update_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> None:
        """Runs a trial; the slot of one that is stopped in order is handed out again."""
        try:
            super()._try_run_and_update_trial(trial, *args, **kwargs)
        except StoppedError:
            trial.status, trial.message = Status.FAILED, STOPPED

    def reload(self) -> None:
        """Reloads the oracle; the tuner's own file holds no state."""
        if not self._is_worker():
            self.oracle.reload()


class DurableOracle(keras_tuner.Oracle):
    """An oracle whose truth is its finished trials, each in a file of its own."""

    def save(self) -> None:
        """Writes oracle.json atomically; other tools read it, this oracle does not."""
        storage.write_atomic(self._get_oracle_fname(), json.dumps(self.get_state()))

    def _save_trial(self, trial: Trial) -> None:
        path = os.path.join(self._get_trial_dir(trial.trial_id), "trial.json")
        storage.write_atomic(path, json.dumps(trial.get_state()))

    def reload(self) -> None:
        """Rebuilds the state from the trials' files.

        A trial that was running when the process died, and one whose file is corrupt or missing,
        counts as a failed attempt: its slot is given out again under a new trial id. Nothing is
        written, so that a finished or running project may be looked at.
        """
        found = folders(self._project_dir)
        last = max((int(name.removeprefix("trial_")) for name in found), default=-1)
        # Keras Tuner's next id is the number of trials: none may be missing from the count.
        self.trials.clear()  # others hold on to this dictionary
        for number in range(last + 1):
            trial_id = f"{number:04d}"
            trial = self._load_trial(trial_id)
            if trial.status != Status.FAILED and not has_result(trial):
                trial.status, trial.message = Status.FAILED, INTERRUPTED
            self.trials[trial_id] = trial
        self.start_order = list(self.trials)
        self.end_order = list(self.trials)
        self.ongoing_trials: dict[str, Trial] = {}
        self._retry_queue: list[str] = []

    def _load_trial(self, trial_id: str) -> Trial:
        """Returns the trial of a file; one that is corrupt or not of this search is empty."""
        path = os.path.join(self._project_dir, f"trial_{trial_id}", "trial.json")
        if not storage.exists(path):
            return _empty(trial_id)  # a kill between making the folder and the file
        try:
            trial = read_trial(path, trial_id)
            self.check(trial)
        except (OSError, tf.errors.OpError):
            raise  # the disk's fault, not the file's
        except Exception as error:  # Keras Tuner's readers raise anything on what is not theirs
            _log.warning(
                "%s is corrupt or not written by this search, its trial is run again: %s",
                path,
                error,
            )
            return _empty(trial_id)
        return trial

    def check(self, trial: Trial) -> None:
        """Raises ValueError where a trial that was read cannot be of this search."""

    def put_back(self) -> None:
        """Ends the running trials, which somebody stopped; their slots are handed out again."""
        with self.locked():
            for trial in self.ongoing_trials.values():
                if has_result(trial):
                    continue  # it ended; Keras Tuner was about to say so
                trial.status, trial.message = Status.FAILED, STOPPED
                self.trials[trial.trial_id] = trial
                self._save_trial(trial)
            self.ongoing_trials = {}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the oracle's lock, as `keras_tuner.synchronized` does, and frees it on errors.

        A signal waits until it is free.
        """
        locks, holders = keras_tuner_oracle.LOCKS, keras_tuner_oracle.THREADS
        me = threading.current_thread().name
        with interrupts.held():
            outermost = holders[self] != me
            if outermost:
                locks[self].acquire()
                holders[self] = me
            try:
                yield
            finally:
                if outermost:
                    holders[self] = None
                    locks[self].release()

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the tuner's next trial."""
        with self.locked():
            return super().create_trial(tuner_id)

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Takes a trial's metrics."""
        with self.locked():
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial: Trial) -> None:
        """Takes the end of a trial."""
        with self.locked():
            super().end_trial(trial)


def _empty(trial_id: str) -> Trial:
    return Trial(keras_tuner.HyperParameters(), trial_id=trial_id, status=Status.RUNNING)


def read_trial(path: str, trial_id: str) -> Trial:
    """Returns the trial of a file.

    Raises:
      OSError: the disk refuses; TensorFlow's error where the path has a scheme.
      Exception: any other, where the file is corrupt: Keras Tuner's readers raise anything.
    """
    trial = Trial.from_state(untrusted.parse_object(storage.read_text(path)))
    if trial.trial_id != trial_id:
        raise ValueError(f"trial_id must be {trial_id}, got {trial.trial_id!r:.80}")
    return trial


def folders(project: str) -> list[str]:
    """Returns the names of the trials' folders in a project's."""
    return [name for name in storage.names(project) if re.fullmatch(r"trial_\d+", name)]


def has_result(trial: Trial) -> bool:
    """Says whether a trial ended with a result, and a score came of it."""
    return trial.status == Status.COMPLETED and trial.score is not None


def values(trial: Trial) -> dict[str, Any]:
    """Returns the values that a trial was created with."""
    return dict(trial.hyperparameters.values)


def metrics(trial: Trial) -> dict[str, float]:
    """Returns the last value of each metric of a trial."""
    return {name: float(trial.metrics.get_last_value(name)) for name in trial.metrics.metrics}
