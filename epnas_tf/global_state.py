"""Global settings of Keras and TensorFlow, set aside while a search builds or runs something.

A user's program may have set how Keras lays out images, its number type, whether graphs run at all.
None of it is to reach a search, and all of it stands as it was afterwards. What we build ourselves
names its data format and type, so this is for what cannot: a user's builders, what Keras makes
within its own functions, and how TensorFlow traces and runs graphs.

Most of these settings are of the process: another thread that builds a model of its own meanwhile
finds ours. So Keras' are set aside only while something is built or traced, and searches in several
threads share one period: the first to begin sets them aside, the last to end puts them back.
"""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.data.ops import debug_mode
from tensorflow.python.eager import context
from tensorflow.python.framework import op_callbacks, ops
from tensorflow.python.ops.numpy_ops import np_dtypes

from epnas_tf.fields import ConfigError

FLOAT32 = "float32"


@dataclasses.dataclass(frozen=True)
class _Setting:
    """A setting of the process.

    Attributes:
      read: returns its value.
      write: changes it.
      ours: what it is where nobody has changed it.
    """

    read: Callable[[], Any]
    write: Callable[[Any], None]
    ours: Any


class _SetAside:
    """Settings that are set aside together while anybody, in any thread, is within."""

    def __init__(self, *settings: _Setting):
        self._settings = settings
        self._lock = threading.Lock()
        self._within = 0
        self._theirs: list[tuple[_Setting, Any]] = []

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Sets them aside within it."""
        with self._lock:
            self._within += 1
        try:
            with self._lock:
                if not self._theirs:
                    self._set_ours()
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    self._set_theirs()

    def _set_ours(self) -> None:
        for setting in self._settings:
            value = setting.read()
            if value != setting.ours:
                self._theirs.append((setting, value))
                setting.write(setting.ours)

    def _set_theirs(self) -> None:
        while self._theirs:
            setting, value = self._theirs.pop()
            if setting.read() == setting.ours:  # else it was changed once more
                setting.write(value)


def _of_module(module: Any, name: str, ours: Any) -> _Setting:
    """Returns a setting that has no function to read and change it."""
    return _Setting(
        lambda: getattr(module, name, ours), lambda value: setattr(module, name, value), ours
    )


def _amp(name: str) -> _Setting:
    """Returns a setting of the graph optimizer that lets it compute in 16 bits."""
    options = tf.config.optimizer
    return _Setting(
        lambda: bool(options.get_experimental_options().get(name, False)),
        lambda value: options.set_experimental_options({name: value}),
        False,
    )


_keras = _SetAside(
    _Setting(keras.config.image_data_format, keras.config.set_image_data_format, "channels_last"),
    _Setting(keras.config.floatx, keras.config.set_floatx, FLOAT32),
    _Setting(keras.config.epsilon, keras.config.set_epsilon, 1e-7),
)
# NumPy behaviour and tf.data's debug mode can be switched on in public, but not off.
_tensorflow = _SetAside(
    _Setting(tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, False),
    _Setting(tf.config.optimizer.get_jit, tf.config.optimizer.set_jit, ""),
    _amp("auto_mixed_precision"),
    _amp("auto_mixed_precision_onednn_bfloat16"),
    _of_module(debug_mode, "DEBUG_MODE", False),
    _of_module(ops, "_dtype_conversion_mode", ops.PromoMode.OFF),
    _of_module(ops, "_numpy_style_slicing", False),
    _of_module(np_dtypes, "_prefer_float32", False),
)


def check_eager() -> None:
    """Raises ConfigError where TensorFlow builds graphs only: this cannot be set aside."""
    if not tf.executing_eagerly():
        raise ConfigError(
            "TensorFlow must execute eagerly, but tf.compat.v1.disable_eager_execution() was "
            "called or a tf.Graph is entered: search without"
        )


@contextlib.contextmanager
def set_aside(dtype_policy: str = FLOAT32) -> Iterator[None]:
    """Builds and traces within it as if nobody had changed a setting of Keras or TensorFlow.

    Also decorates a function that is to run within it.

    Args:
      dtype_policy: of the layers made within it that name none.
    """
    with _tensorflow(), _keras(), _of_this_thread(dtype_policy):
        yield


@contextlib.contextmanager
def tensorflow_set_aside() -> Iterator[None]:
    """Runs graphs within it as if nobody had changed a setting of TensorFlow; Keras' stay."""
    with _tensorflow(), _without_callbacks():
        yield


@contextlib.contextmanager
def _of_this_thread(dtype_policy: str) -> Iterator[None]:
    """Sets aside what each thread has of its own.

    The policy is read where Keras keeps it: to ask for one that nobody has set would set it.
    """
    state = keras.src.backend.common.global_state
    ours = {"dtype_policy": keras.DTypePolicy(dtype_policy), "distribution": None}
    theirs = {name: state.get_global_attribute(name) for name in ours}
    with _without_callbacks():
        for name, value in ours.items():
            state.set_global_attribute(name, value)
        try:
            yield
        finally:
            for name, value in theirs.items():
                state.set_global_attribute(name, value)


@contextlib.contextmanager
def _without_callbacks() -> Iterator[None]:
    """Sets aside what looks at each result, such as `tf.debugging.enable_check_numerics`.

    A child whose numbers overflow is a low reward, not an error.
    """
    theirs = list(context.context().op_callbacks)
    for callback in theirs:
        op_callbacks.remove_op_callback(callback)
    try:
        yield
    finally:
        for callback in theirs:
            op_callbacks.add_op_callback(callback)
