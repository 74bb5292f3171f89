"""What is said of Keras' callbacks: why none is called, and what does their work."""

from __future__ import annotations

import inspect
import re

import keras
import pytest

from epnas_tf.fields import settings_in
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import keras_callbacks
from epnas_tf.tuner.keras_callbacks import refusal
from epnas_tf.tuner.settings import OracleSettings, TunerSettings
from epnas_tf.tuner.tuner import EPNASTuner


class _Own(keras.callbacks.Callback):
    pass


class _Patient(keras.callbacks.EarlyStopping):
    pass


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (keras.callbacks.EarlyStopping(), "Instead of EarlyStopping: .*stop_hopeless=0.02"),
        (_Patient(), "Instead of _Patient: .*stop_hopeless"),
        (keras.callbacks.ModelCheckpoint("m.keras"), "keep_models=10.* get_best_models"),
        (keras.callbacks.ReduceLROnPlateau(), "schedule=Schedule"),
        (keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), "schedule=Schedule"),
        (keras.callbacks.TerminateOnNaN(), "nothing is needed"),
        (keras.callbacks.CSVLogger("log.csv"), r"trials\.csv"),
        (keras.callbacks.LambdaCallback(), "Instead of LambdaCallback: .*on_trial_end=f"),
        (_Own(), "Instead of _Own: .*on_trial_end=f"),
    ],
)
def test_what_to_use_instead(callback, words):
    for given in (callback, [callback], (callback,), keras.callbacks.CallbackList([callback])):
        said = refusal(given)
        assert said.startswith("callbacks must be left out: ")
        assert re.search(words, said), said
        assert "\n" not in said


def test_each_of_several_is_answered_once():
    stops = [keras.callbacks.EarlyStopping(), keras.callbacks.EarlyStopping(patience=3)]
    said = refusal([*stops, keras.callbacks.CSVLogger("log.csv")])
    assert said.count("EarlyStopping") == said.count("CSVLogger") == 1


def test_every_name_is_one_of_keras():
    for name in keras_callbacks._INSTEAD:
        assert issubclass(getattr(keras.callbacks, name), keras.callbacks.Callback)


def test_what_is_named_instead_is_there():
    said = " ".join([*keras_callbacks._INSTEAD.values(), keras_callbacks._TOLD])
    named = set(re.findall(r"(\w+)=", said))
    known = {field.name for kind in (OracleSettings, TunerSettings) for field in settings_in(kind)}
    known |= {*inspect.signature(EPNASTuner).parameters}
    known |= {*inspect.signature(EPNASTuner.search).parameters}
    assert named <= known
    assert "ema_decay" in said and hasattr(Schedule, "ema_decay")
    assert "get_best_models" in said and hasattr(EPNASTuner, "get_best_models")
