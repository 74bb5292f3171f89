"""What is measured of the best network at a search's end, once: its accuracy class by class."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import keras

from epnas_tf.data.dataset import Data, Split
from epnas_tf.terminal import say
from epnas_tf.training import accuracies, trainer
from epnas_tf.tuner.listeners import results
from epnas_tf.tuner.session import ChiefSession
from epnas_tf.workdir import best_json, storage
from epnas_tf.workdir.best_json import Best
from epnas_tf.workdir.layout import WorkDir

if TYPE_CHECKING:  # the tuner imports this module
    from epnas_tf.tuner.tuner import EPNASTuner


def store(tuner: EPNASTuner, data: Data) -> None:
    """Measures the best network on the validation split and says so in best.json; chiefs only."""
    if isinstance(tuner.session, ChiefSession):
        best = of_best(tuner, data, {"validation": data.validation})
        if best is not None:
            best_json.write(tuner.work_dir, best)


def of_best(tuner: EPNASTuner, data: Data, splits: Mapping[str, Split]) -> Best | None:
    """Returns what best.json is to say of the best network at the end.

    What it says already of this network is not measured again.

    Args:
      tuner: of the search.
      data: its images.
      splits: what to measure it on, by name; that of the test split is "test".
    """
    trials = tuner.oracle.best()[:1]
    if not trials:
        return None
    best = results.best_of(trials[0], tuner.oracle.constraints, data.classes.names)
    before = _said_before(tuner.work_dir, best)
    best = dataclasses.replace(
        best,
        test_accuracy=None if before is None else before.test_accuracy,
        per_class_accuracy={} if before is None else before.per_class_accuracy,
        largest_class=accuracies.largest_class(data.validation, data.num_classes),
        gain=tuner.oracle.finals.gain(tuner.work_dir, data),
    )
    known = set(best.per_class_accuracy)
    if best.test_accuracy is None:
        known.discard("test")
    missing = {name: split for name, split in splits.items() if name not in known}
    if not missing:
        return best
    network, reason = _network(tuner, best)
    if network is None:
        if "test" in missing and best.test_accuracy is None:
            say(f"no test accuracy: {reason}")
        return best
    return _measured(network, tuner, data, missing, best)


def _network(tuner: EPNASTuner, best: Best) -> tuple[keras.Model | None, str]:
    """Returns the best network as it was trained, or why it is not there."""
    if not storage.exists(tuner.work_dir.model(best.slot)):
        return None, f"the weights of {best.slot} are gone"
    (trial,) = tuner.oracle.get_best_trials()
    try:
        return tuner.models.trained(trial), ""
    except ValueError as error:  # the search has its result all the same
        return None, str(error)


def _measured(
    network: keras.Model, tuner: EPNASTuner, data: Data, splits: Mapping[str, Split], best: Best
) -> Best:
    names = data.classes.names
    for name, split in splits.items():
        hits = trainer.class_hits(network, split, data, tuner.strategy)
        by_class = {names[label]: share for label, share in hits.shares.items()}
        best = dataclasses.replace(
            best,
            per_class_accuracy={**best.per_class_accuracy, name: by_class},
            test_accuracy=hits.accuracy if name == "test" else best.test_accuracy,
        )
    return best


def _said_before(work_dir: WorkDir, best: Best) -> Best | None:
    """Returns what best.json says, None where of another network or not to be read."""
    try:
        stored = best_json.read(work_dir)
    except ValueError:  # it is written anew
        return None
    return stored if stored and stored.slot == best.slot else None
