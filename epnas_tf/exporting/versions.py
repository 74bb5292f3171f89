"""What made a file: the libraries and their versions."""

from __future__ import annotations

import importlib.metadata
import platform

# Their distributions' names.
_LIBRARIES = ("epnas_tf", "tensorflow", "keras", "numpy")


def known() -> dict[str, str]:
    """Returns the version of each library by name, and of Python."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return found | {"python": platform.python_version()}
