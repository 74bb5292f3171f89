"""Trains a network that a search found to its end, by a recipe, and measures it once.

Example: epnas_retrain --work_dir=/tmp/digits --recipe=short
From a checkout: python -m tools.retrain ...; `--help` lists all flags.

Exit codes: those of epnas_search. The same command goes on where it was (without --overwrite).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import epnas_tf
from epnas_tf import command_line, flagfiles
from epnas_tf.data.settings import DataSettings
from epnas_tf.exits import Ending
from epnas_tf.final.settings import Recipe, RetrainConfig

_USAGE = "epnas_retrain --work_dir=FOLDER [--recipe=NAME] [--flagfile=PATH] [--name=value ...]"
_WORDS = (
    "A recipe is a shipped flagfile; a flag that is given beside it overrides it. A child is the "
    "network that is trained. Images and their split into training, validation and test images are "
    "those of the search; how they are varied is the recipe's."
)

_LEFT_OPEN = {Recipe: "the recipe's", DataSettings: "the search's"}


def main(argv: Sequence[str]) -> int:
    """Runs the final training that argv describes and returns the exit code."""
    kept = "whole epochs are kept, the same command goes on"
    ending = Ending("epnas_retrain", kept, " once its cause is gone")

    def retrain() -> None:
        files = ("Recipes", flagfiles.recipes())
        command = command_line.Command(_USAGE, RetrainConfig, files, _WORDS, left_open=_LEFT_OPEN)
        said = command_line.said(argv, command)
        ending.kept += " without --overwrite" if said.get("overwrite") else ""
        epnas_tf.retrain(**said)

    return ending.code(retrain)


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
