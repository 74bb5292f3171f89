"""What made a file: the libraries and their versions."""

from __future__ import annotations

import epnas_tf.backend

import platform

import keras
import numpy as np
import tensorflow as tf

from epnas_tf.version import __version__


def known() -> dict[str, str]:
    """Returns the version of each library by name, and of Python."""
    return {
        "epnas_tf": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
