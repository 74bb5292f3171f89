"""What the tests of studies share: a command that has flags of its own beside those of a search."""

from __future__ import annotations

import importlib
import types


def command(name: str) -> types.ModuleType:
    """Returns a command of tools/studies, installed or of a checkout."""
    try:
        return importlib.import_module(f"epnas_tf.tools.studies.{name}")
    except ImportError:
        return importlib.import_module(f"tools.studies.{name}")
