"""Searches an image classifier under resource limits.

Example: epnas_search --preset=digits_quickstart --work_dir=/tmp/digits --max_params=20k
From a checkout: python -m tools.search ...; `--help` lists all flags.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import epnas_tf
from epnas_tf import config as config_lib


def main(argv: Sequence[str]) -> int:
    """Runs the search that argv describes; returns the exit code, 2 for a bad configuration."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        config = config_lib.parse(argv)
        epnas_tf.search(config)
    except config_lib.ConfigError as error:
        print(f"epnas_search: {error}", file=sys.stderr)
        return 2
    return 0


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
