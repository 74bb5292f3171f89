"""The data arguments of Keras' `fit`, as a `Data` in memory."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from epnas_tf import fields
from epnas_tf.data import arrays, batches
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.data.labels import shortened
from epnas_tf.fields import SettingError
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import keras_callbacks

VALIDATION_SPLIT = 0.2

# What of `fit`'s arguments changes the schedule; class_weight where it is a word.
_OF_THE_SCHEDULE = ("epochs", "batch_size", "class_weight")


def overrides_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes from `fit`'s arguments what changes the schedule, and returns what is said of it."""
    table = not isinstance(arguments.get("class_weight", ""), str)
    names = _OF_THE_SCHEDULE[: -1 if table else None]
    said = {name: arguments.pop(name, None) for name in names}
    return {name: value for name, value in said.items() if value is not None}


def with_rungs(
    overrides: Mapping[str, Any], rungs: Sequence[int], given: Schedule | None
) -> Mapping[str, Any]:
    """Returns what is said of the schedule; the lowest rung says its epochs where it is given.

    Args:
      overrides: what `fit`'s arguments say of it.
      rungs: epochs of each, as they were given; empty where they were not.
      given: the schedule, where one was named.

    Raises:
      SettingError: something else says others.
    """
    said = overrides.get("epochs", given and given.epochs)
    if rungs and said and said != rungs[0]:
        rule = f"must begin with the schedule's epochs ({said})"
        raise SettingError("rungs", f"{rule}, got {fields.text_of(rungs)}")
    return {**overrides, "epochs": rungs[0]} if rungs else overrides


def data_of(x: Any, y: Any, arguments: dict[str, Any], seed: int) -> Data:
    """Returns the training and validation parts that `fit`'s arguments describe.

    Args:
      x: images, a finite tf.data.Dataset or PyDataset of (image, label), or a `Data`, returned as
        it is.
      y: labels, where x holds images alone.
      arguments: `validation_data`, `validation_split`, `sample_weight`, `class_weight` (a weight
        by label); anything else is refused.
      seed: what a split depends on.

    Raises:
      ValueError: the data breaks a rule, or an argument is not supported.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    validation_data = given.pop("validation_data", None)
    split = given.pop("validation_split", VALIDATION_SPLIT)
    weights, by_label = given.pop("sample_weight", None), given.pop("class_weight", None)
    callbacks = given.pop("callbacks", None)
    if callbacks:
        raise ValueError(keras_callbacks.refusal(callbacks))
    if given:
        raise ValueError(
            "search() takes x, y, validation_data, validation_split, sample_weight, class_weight, "
            f"epochs, batch_size, verbose and on_trial_end, got {sorted(given)}"
        )
    if weights is not None and isinstance(x, Data | tf.data.Dataset | keras.utils.PyDataset):
        raise ValueError(
            f"sample_weight must stand beside arrays x and y, got x of type {type(x).__name__} "
            "(class_weight goes with any; the training split of a Data may hold weights)"
        )
    if isinstance(x, Data):
        if y is not None or validation_data is not None:
            raise ValueError("a Data holds labels and validation part itself, got others beside it")
        return _with_class_weight(x, by_label)
    images, labels = batches.pair(x if y is None else (x, y), "x and y")
    if validation_data is not None:
        validation_data = batches.pair(validation_data, "validation_data")
    data = data_lib.from_arrays(images, labels, validation_data, split, seed, sample_weight=weights)
    return _with_class_weight(data, by_label)


def _with_class_weight(data: Data, by_label: Any) -> Data:
    """Returns the data whose training images weigh what a table says of their labels."""
    if by_label is None:
        return data
    if not isinstance(by_label, Mapping):
        raise ValueError(f"class_weight must be a dict or 'balanced', got {by_label!r:.80}")
    known = data.classes.names
    named = {str(label): weight for label, weight in by_label.items()}
    missing = [name for name in known if name not in named]
    unknown = [name for name in named if name not in known]
    if missing or unknown:
        raise ValueError(
            f"class_weight must hold a weight of each label, {shortened(known)}, and of no other"
            + (f", got none of {shortened(missing)}" if missing else "")
            + (f", got one of {shortened(unknown)}" if unknown else "")
        )
    for label, weight in by_label.items():
        if not isinstance(weight, numbers.Real):
            raise ValueError(f"class_weight of label {label} must be a number, got {weight!r:.80}")
    weights = np.array([named[name] for name in known], np.float64)
    train = data.train.weighted(weights[data.train.labels], "class_weight")
    arrays.check_some_weight(train)
    return dataclasses.replace(data, train=train)
