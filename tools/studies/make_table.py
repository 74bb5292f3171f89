"""Trains every network of a small space on digits and writes what came of each as a table.

Example: python -m epnas_tf.tools.studies.make_table --work_dir=table --workers=2

Each network is trained on 500 images and scored on the other 1,297, once per seed. What is done is
kept in --work_dir, so that an interrupted run goes on; the table is written when all are there.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import app, flags

from epnas_tf.studies import digits_table, tables

_WORK_DIR = flags.DEFINE_string("work_dir", "table", "folder of what is done so far")
_OUTPUT = flags.DEFINE_string("output", "digits_table.json.gz", "the table, when all is done")
_WORKERS = flags.DEFINE_integer("workers", 1, "processes of one thread each", 1)
_SHARE = flags.DEFINE_integer("share", -1, "internal: which worker this is")


def _run_workers() -> None:
    running = [
        subprocess.Popen([*sys.orig_argv, f"--share={share}"]) for share in range(_WORKERS.value)
    ]
    for process in running:
        if process.wait():
            raise SystemExit(f"a worker ended with code {process.returncode}; run again to go on")


def main(argv: Sequence[str]) -> None:
    """Trains what is missing and writes the table."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    begun = time.monotonic()
    work_dir = pathlib.Path(_WORK_DIR.value)
    work_dir.mkdir(parents=True, exist_ok=True)
    specs = tables.every_network(tables.digits_space())
    done = digits_table.finished(work_dir)
    missing = [spec for spec in specs if spec.key not in done]
    if _SHARE.value >= 0:
        mine = specs[_SHARE.value :: _WORKERS.value]
        digits_table.train_share(work_dir, [s for s in mine if s.key not in done], _SHARE.value)
        return
    print(f"{len(done)} of {len(specs)} networks are done", flush=True)
    if missing:
        _run_workers()
        done = digits_table.finished(work_dir)
    rows = [done[spec.key] for spec in specs]
    digits_table.write_table(pathlib.Path(_OUTPUT.value), rows, (time.monotonic() - begun) / 3600)
    print(f"wrote {len(rows)} networks to {_OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
