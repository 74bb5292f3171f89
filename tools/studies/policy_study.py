"""Compares the default search with uniform morphs of which none is screened, over several seeds.

Example: python -m epnas_tf.tools.studies.policy_study --preset=digits_tight_limits --work_dir=study

Takes the flags of epnas_search; the searches lie below --work_dir and are resumed if interrupted.
Prints the share of children within the limits and the best feasible accuracy, episode by episode.
"""

from __future__ import annotations

import sys

from epnas_tf import command_line
from epnas_tf.studies import policy_study


def main(argv: list[str]) -> None:
    """Runs the searches and prints the tables."""
    policy_study.compare(command_line.parse(argv))


if __name__ == "__main__":
    main(sys.argv)
