"""Refuses a Keras that does not run on TensorFlow; importing this module is the check.

Keras picks its backend when it is first imported and imports it then: another one fails in its own
words or, worse, works for a while. So this stands before the first import of Keras.
"""

from __future__ import annotations

import json
import os
import sys

from epnas_tf.fields import ConfigError

WANTED = "tensorflow"


class BackendError(ImportError, ConfigError):
    """Keras runs, or would run, on another backend than TensorFlow."""


def check() -> None:
    """Raises BackendError where Keras runs on another backend, or would once it is imported."""
    name, source = chosen()
    if name != WANTED:
        cure = "start Python anew with KERAS_BACKEND=tensorflow"
        raise BackendError(f"Keras must run on TensorFlow, got {name!r} from {source}: {cure}")


def chosen() -> tuple[str, str]:
    """Returns the name of Keras' backend and what says so, by Keras' own rules."""
    config = getattr(sys.modules.get("keras"), "config", None)
    if config is not None:
        return str(config.backend()), "the Keras that this process has imported"
    name = os.environ.get("KERAS_BACKEND")
    if name:
        return name, "KERAS_BACKEND"
    path = os.path.join(os.path.expanduser(_home()), "keras.json")
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("backend", WANTED)), path
    except (OSError, ValueError, AttributeError):  # none, or what Keras itself passes over
        return WANTED, "Keras' default"


def _home() -> str:
    home = os.environ.get("KERAS_HOME")
    if home is not None:
        return home
    base = os.path.expanduser("~")
    return os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras")


check()
