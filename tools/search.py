"""Searches an image classifier under resource limits.

Example: epnas_search --preset=digits_quickstart --work_dir=/tmp/digits --max_params=20k
From a checkout: python -m tools.search ...; `--help` lists all flags.

Exit codes: 0 for a search that ended, also at one of its limits; 1 for an error; 2 for a bad
configuration; 130 after Ctrl-C and 143 after SIGTERM. The same command goes on where it was
(without --overwrite or --noresume).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import epnas_tf
from epnas_tf import command_line, interrupts, terminal
from epnas_tf import config as config_lib
from epnas_tf.fields import ConfigError


def main(argv: Sequence[str]) -> int:
    """Runs the search that argv describes and returns its exit code."""
    # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    kept, cure = "nothing was begun", ""
    try:
        with terminal.escaping(), interrupts.listening():
            config = command_line.parse_to_go_on(argv)
            goes_on = config_lib.same_command(config)
            kept = f"what was finished is kept in {config.work_dir}, {goes_on}"
            cure = " once its cause is gone"
            epnas_tf.search(config)
    except ConfigError as error:
        return _say(str(error), 2)
    except interrupts.Stopped as stopped:
        return _say(f"{stopped}; {kept}", 128 + stopped.signum)
    except Exception:
        traceback.print_exc()
        return _say(f"stopped by the error above; {kept}{cure}", 1)
    return 0


def _say(message: str, code: int) -> int:
    print(f"epnas_search: {message}", file=sys.stderr)
    return code


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
