"""Searches an image classifier under resource limits.

Example: epnas_search --preset=digits_quickstart --work_dir=/tmp/digits --max_params=20k
From a checkout: python -m tools.search ...; `--help` lists all flags.

Exit codes: 0 for a search that ended, also at one of its limits; 1 for an error; 2 for a bad
configuration; 130 after Ctrl-C and 143 after SIGTERM. The same command goes on where it was
(without --overwrite or --noresume).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import epnas_tf
from epnas_tf import command_line
from epnas_tf import config as config_lib
from epnas_tf.exits import Ending


def main(argv: Sequence[str]) -> int:
    """Runs the search that argv describes and returns its exit code."""
    ending = Ending("epnas_search", "nothing was begun")

    def search() -> None:
        config = command_line.parse_to_go_on(argv)
        goes_on = config_lib.same_command(config)
        ending.kept = f"what was finished is kept in {config.work_dir}, {goes_on}"
        ending.cure = " once its cause is gone"
        epnas_tf.search(config)

    return ending.code(search)


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
