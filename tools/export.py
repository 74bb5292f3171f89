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

import epnas_tf
from epnas_tf import command_line, interrupts, terminal
from epnas_tf.exporting.settings import FORMATS
from epnas_tf.fields import ConfigError
from epnas_tf.handover.settings import ExportConfig

_USAGE = "epnas_export --work_dir=FOLDER [--trial=SLOT] [--flagfile=PATH] [--name=value ...]"
_WORDS = (
    "Pixels go in as they are: normalisation is inside, and in keras and saved_model files so is "
    "resizing. Each file is run by a program without epnas_tf and held against the trained network."
)
_KEPT = "every export that is there is whole"


def main(argv: Sequence[str]) -> int:
    """Carries out the export that argv describes and returns its exit code."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with terminal.escaping(), interrupts.listening():
            command = command_line.Command(_USAGE, ExportConfig, ("Formats", FORMATS), _WORDS)
            said = command_line.said(argv, command)
            ExportConfig(**said)  # before TensorFlow is imported
            epnas_tf.export(**said)
    except ConfigError as error:
        return _say(str(error), 2)
    except interrupts.Stopped as stopped:
        return _say(f"{stopped}; {_KEPT}", 128 + stopped.signum)
    except Exception:
        traceback.print_exc()
        return _say(f"stopped by the error above; {_KEPT}", 1)
    return 0


def _say(message: str, code: int) -> int:
    print(f"epnas_export: {message}", file=sys.stderr)
    return code


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
