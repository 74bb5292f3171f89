"""How a command ends: its exit code, and what it says where it does not come to its end."""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable

from epnas_tf import interrupts, terminal
from epnas_tf.fields import ConfigError


@dataclasses.dataclass
class Ending:
    """What a command says where it is ended early; it may come to know better while it runs.

    Attributes:
      command: its name.
      kept: what a person has all the same, and who goes on.
      cure: what is said after that where an error ended it.
    """

    command: str
    kept: str
    cure: str = ""

    def code(self, body: Callable[[], object]) -> int:
        """Runs a command's body and returns the exit code.

        That is 0 where it comes to its end, 2 for what cannot be carried out (ConfigError), 128 and
        the signal's number after Ctrl-C or SIGTERM, and 1, with a traceback, for any other error.
        """
        # TensorFlow reads this when it is first imported: its notes on the build help nobody here.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            with terminal.escaping(), interrupts.listening():
                body()
        except ConfigError as error:
            return self._said(str(error), 2)
        except interrupts.Stopped as stopped:
            return self._said(f"{stopped}; {self.kept}", 128 + stopped.signum)
        except Exception:
            traceback.print_exc()
            return self._said(f"stopped by the error above; {self.kept}{self.cure}", 1)
        return 0

    def _said(self, message: str, code: int) -> int:
        print(f"{self.command}: {message}", file=sys.stderr)
        return code
