"""Compares what a search may begin with: trains the first step of each kind over several seeds.

Example: python -m epnas_tf.tools.studies.starts_study --preset=cifar10_layerwise_search \
  --data_dir=$TFDS_DATA_DIR --seed=1000 --work_dir=starts

Takes the flags of epnas_search, --seed as the first of five. The searches lie below --work_dir;
what is interrupted goes on where it was. Prints a table and writes it to starts.md: parameters,
FLOPs and accuracy of the starting networks, all seeds together and each alone.
"""

from __future__ import annotations

import sys

from epnas_tf import command_line
from epnas_tf.studies import starts_study


def main(argv: list[str]) -> None:
    """Trains the networks that are missing and prints the table."""
    print(starts_study.compare(command_line.parse(argv)))


if __name__ == "__main__":
    main(sys.argv)
