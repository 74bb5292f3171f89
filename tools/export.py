"""Writes trained networks of a search as files for other programs, and runs each of them.

Example: epnas_export --work_dir=/tmp/digits --formats=keras,litert_int8
From a checkout: python -m tools.export ...; `--help` lists all flags.

Exit codes: 0 once every file does what the trained network does (one of integers may warn); 1 for
an error; 2 for bad flags; 130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import epnas_tf
from epnas_tf import command_line
from epnas_tf.exits import Ending
from epnas_tf.exporting.settings import FORMATS
from epnas_tf.handover.settings import ExportConfig

_USAGE = (
    "epnas_export {--work_dir=FOLDER [--trial=TRIAL] | --final=FOLDER} [--flagfile=PATH] "
    "[--name=value ...]"
)
_WORDS = (
    "Pixels go in as they are: normalisation is inside, and in keras and saved_model files so is "
    "resizing. Each file is run by a program without epnas_tf and held against the trained network."
)


def main(argv: Sequence[str]) -> int:
    """Carries out the export that argv describes and returns its exit code."""

    def export() -> None:
        command = command_line.Command(_USAGE, ExportConfig, ("Formats", FORMATS), _WORDS)
        said = command_line.said(argv, command)
        ExportConfig(**said)  # before TensorFlow is imported
        epnas_tf.export(**said)

    return Ending("epnas_export", "finished exports are complete").code(export)


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
