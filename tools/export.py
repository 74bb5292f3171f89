"""Writes trained networks of a search as files for other programs, and runs each of them.

Example: epnas_export --work_dir=/tmp/digits --formats=keras,litert_int8
From a checkout: python -m tools.export ...; `--help` lists all flags.

Exit codes: 0 once every file does what the trained network does (one of integers may warn); 1 for
an error; 2 for bad flags; 130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from absl import flags

import epnas_tf
from epnas_tf import interrupts, terminal
from epnas_tf.fields import ConfigError, flag, read, settings_in
from epnas_tf.handover.settings import ExportConfig

_KEPT = "every export that is there is whole"


def main(argv: Sequence[str]) -> int:
    """Carries out the export that argv describes and returns its exit code."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "--help" in argv:
        terminal.say("\n".join(_help()))
        return 0
    try:
        with terminal.escaping(), interrupts.listening():
            said = _said(argv)  # before TensorFlow is imported for what comes next
            epnas_tf.export(**said)
    except ConfigError as error:
        return _say(str(error), 2)
    except interrupts.Stopped as stopped:
        return _say(f"{stopped}; {_KEPT}", 128 + stopped.signum)
    except Exception:
        traceback.print_exc()
        return _say(f"stopped by the error above; {_KEPT}", 1)
    return 0


def _said(argv: Sequence[str]) -> dict[str, Any]:
    """Returns by name what the flags of a command line say; raises ConfigError."""
    values = flags.FlagValues()  # of our own, not absl's global ones: libraries add theirs to those
    known = {field.name: field for field in settings_in(ExportConfig)}
    for field in known.values():
        flags.DEFINE_string(field.name, None, field.metadata["help"], values)
    try:
        leftovers = values(argv)[1:]
    except flags.Error as error:
        raise ConfigError(str(error)) from error
    if leftovers:
        raise ConfigError(f"{leftovers[0]!r} is no flag; flags are written --name=value")
    said = {name: read(known[name], values[name].value) for name in known if values[name].present}
    ExportConfig(**said)
    return said


def _help() -> list[str]:
    fields = settings_in(ExportConfig)
    lines = [
        f"  {flag(field.name, field.default)}\n      {field.metadata['help']}" for field in fields
    ]
    return [str(__doc__), *lines]


def _say(message: str, code: int) -> int:
    print(f"epnas_export: {message}", file=sys.stderr)
    return code


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
