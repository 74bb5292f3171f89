"""Prints the table of a search's best networks, also while the search is running.

Example: epnas_report --work_dir=/tmp/digits --top=10
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from epnas_tf import terminal
from epnas_tf.final import result
from epnas_tf.final import table as final_table
from epnas_tf.report import table
from epnas_tf.workdir import layout, storage


def main(argv: Sequence[str]) -> int:
    """Prints the report that argv asks for; returns the exit code, 2 for bad flags."""
    if not terminal.ANY_HELP.isdisjoint(argv[1:]):
        terminal.say(__doc__.strip())
        return 0
    # Flags of our own, not absl's global ones: libraries add theirs to those.
    values = flags.FlagValues()
    work_dir = flags.DEFINE_string("work_dir", "epnas_work", "folder of a search", values)
    top = flags.DEFINE_integer("top", 10, "rows to print", 1, flag_values=values)
    try:
        leftovers = values(argv)[1:]
        if leftovers:
            raise flags.Error(f"{leftovers[0]!r} is no flag; flags are written --name=value")
        if not storage.exists(layout.WorkDir(work_dir.value).trials_csv):
            raise flags.Error(f"--work_dir={work_dir.value}: holds no trials.csv of a search")
    except flags.Error as error:
        print(f"epnas_report: {error}", file=sys.stderr)
        return 2
    terminal.say(table.render(work_dir.value, top.value))
    trained = result.of_search(work_dir.value)
    if trained:
        terminal.say(f"trained to the end, the latest first:\n{final_table.of_search(trained)}")
    return 0


def run() -> None:
    """Is the command's entry point."""
    sys.exit(main(sys.argv))


if __name__ == "__main__":
    run()
