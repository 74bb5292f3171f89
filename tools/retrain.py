"""Trains a network that a search found to its end, by a recipe, and measures it once.

Example: epnas_retrain --work_dir=/tmp/digits --recipe=short
From a checkout: python -m tools.retrain ...; `--help` lists all flags.

Exit codes: those of epnas_search. The same command goes on where it was (without --overwrite).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import epnas_tf
from epnas_tf import command_line, flagfiles, interrupts, terminal
from epnas_tf.fields import ConfigError
from epnas_tf.final.settings import RetrainConfig

_USAGE = "epnas_retrain --work_dir=FOLDER [--recipe=NAME] [--flagfile=PATH] [--name=value ...]"
_WORDS = (
    "A recipe is a shipped flagfile; a flag that is given beside it overrides it. A child is the "
    "network that is trained. Images, their parts and their variation are those of the search."
)


def main(argv: Sequence[str]) -> int:
    """Runs the final training that argv describes and returns the exit code."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    kept = "whole epochs are kept, the same command goes on"
    try:
        with terminal.escaping(), interrupts.listening():
            files = ("Recipes", flagfiles.recipes())
            command = command_line.Command(_USAGE, RetrainConfig, files, _WORDS)
            said = command_line.said(argv, command)
            kept += " without --overwrite" if said.get("overwrite") else ""
            epnas_tf.retrain(**said)
    except ConfigError as error:
        return _say(str(error), 2)
    except interrupts.Stopped as stopped:
        return _say(f"{stopped}; {kept}", 128 + stopped.signum)
    except Exception:
        traceback.print_exc()
        return _say(f"stopped by the error above; {kept} once its cause is gone", 1)
    return 0


def _say(message: str, code: int) -> int:
    print(f"epnas_retrain: {message}", file=sys.stderr)
    return code


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
