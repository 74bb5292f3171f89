"""Gives broken files to everything that reads a search's files, and looks for what must not happen.

Example: python -m tools.checks.fuzz --inputs=100000 --seed=0 --targets=spec,trial

Whatever is in a file, reading it must give plain data or the documented error, soon and in little
memory. Each target begins with valid files that the package itself wrote; an input is one of them
with some of its bytes, words, JSON values or archive members changed. Inputs follow from the seed,
the target's name and their number alone. The first crash ends the run with exit code 1.

    pip install epnas_tf[fuzz]
    python -m tools.checks.fuzz --atheris --targets=spec --seconds=120

lets atheris, where it is installed, choose by coverage which of one target's inputs to change next.
Works from a checkout only: the fuzzer is part of the tests, which are not installed.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags

_INPUTS = flags.DEFINE_integer("inputs", 100_000, "broken files in all", 1)
_SEED = flags.DEFINE_integer("seed", 0, "what the inputs depend on")
_TARGETS = flags.DEFINE_list("targets", [], "readers by name, separated by commas (empty: all)")
_ATHERIS = flags.DEFINE_boolean("atheris", False, "let atheris choose the inputs of one target")
_SECONDS = flags.DEFINE_integer("seconds", 120, "how long atheris runs", 1)


def main(argv: Sequence[str]) -> int:
    """Prints a table of what came of the inputs; returns the exit code, 1 for a crash."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    seconds = _SECONDS.value if _ATHERIS.value else 0
    try:
        return _library().run(_TARGETS.value, _INPUTS.value, _SEED.value, seconds)
    except ValueError as error:
        raise app.UsageError(str(error)) from error


def _library() -> Any:
    places = (pathlib.Path(__file__).parents[2], pathlib.Path.cwd())
    checkout = next((place for place in places if (place / "tests" / "fuzzing").is_dir()), None)
    if checkout is None:
        raise app.UsageError(f"fuzzing needs a checkout: {places[1]} has no tests/fuzzing")
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))  # behind what is installed
    return importlib.import_module("tests.fuzzing.fuzz")


if __name__ == "__main__":
    app.run(main)
