"""What made a file: the libraries and their versions."""

from __future__ import annotations

import importlib.metadata
import platform

from epnas_tf.version import __version__

_LIBRARIES = ("tensorflow", "keras", "numpy")


def known() -> dict[str, str]:
    """Returns the version of each library by name, and of Python."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"epnas_tf": __version__, **found, "python": platform.python_version()}
