"""What studies that take the flags of a search share: a few flags of their own beside those."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from absl import flags

from epnas_tf import interrupts
from epnas_tf.fields import ConfigError
from epnas_tf.terminal import say


def others(own: flags.FlagValues, argv: Sequence[str], about: str) -> list[str]:
    """Reads a command's own flags; returns the other arguments, which are a search's.

    Args:
      own: the flags, defined.
      argv: the command line; argv[0] is the command's own name.
      about: what the command does, for --help.

    Raises:
      ConfigError: a flag has a value that is not allowed.
      SystemExit: after printing the help for --help.
    """
    if "--help" in argv[1:]:
        say(f"{about}\nFlags of its own; all others are those of epnas_search:\n{own.get_help()}")
        raise SystemExit(0)
    own.unparse_flags()  # a process may run a command twice
    try:
        return own(argv, known_only=True)[1:]
    except flags.Error as error:
        raise ConfigError(str(error)) from error


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Runs a command and ends the process: 2 where its flags cannot be followed, else as a search.

    The first Ctrl-C or SIGTERM ends it where it can go on.
    """
    try:
        with interrupts.listening():
            main(sys.argv)
    except ConfigError as error:
        sys.exit(_said(str(error), 2))
    except interrupts.Stopped as stopped:
        sys.exit(_said(f"{stopped}; the same command goes on", 128 + stopped.signum))


def _said(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
