"""What the tests of commands share: running one with flags of its own."""

from __future__ import annotations

import functools
import importlib
from unittest import mock

import pytest
from absl import flags


@functools.cache
def _load(name):
    """Imports a command; two commands of this process may define flags of the same name."""
    own = flags.FlagValues()
    kinds = [kind for kind in dir(flags) if kind.startswith("DEFINE_")]
    patched = {kind: functools.partial(getattr(flags, kind), flag_values=own) for kind in kinds}
    with mock.patch.multiple(flags, **patched):
        try:
            return importlib.import_module(f"epnas_tf.tools.{name}"), own
        except ImportError:  # from a checkout
            return importlib.import_module(f"tools.{name}"), own


@pytest.fixture
def run_command():
    """Runs a command such as "search": arguments as they are, flags by their names."""

    def run(name, *arguments, **values):
        module, own = _load(name)
        own.unparse_flags()
        given = [f"--{flag}={value}" for flag, value in values.items()]
        return module.main(own([name, *given, *arguments]))

    return run
