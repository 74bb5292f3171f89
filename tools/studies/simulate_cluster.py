"""Shows how 8, 64 and 512 workers would be used by a search, on the times of one that was run.

Example: python -m epnas_tf.tools.studies.simulate_cluster --work_dir=epnas_work --workers=8,64

Columns: steps of 8 networks, steps of as many networks as there are workers, and no steps at all
(whoever is free is given another network; not built). Each is the share of the workers' time in
which they train, and the networks per hour. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from absl import flags

from epnas_tf.fields import ConfigError, flag
from epnas_tf.report import markdown
from epnas_tf.studies import cluster
from epnas_tf.studies.cluster import Use
from epnas_tf.terminal import say
from epnas_tf.workdir.layout import WorkDir

try:
    from epnas_tf.tools.studies import own_flags
except ImportError:  # from a checkout
    from tools.studies import own_flags

_OWN = flags.FlagValues()
_WORK_DIR = flags.DEFINE_string("work_dir", "epnas_work", "folder of the search", _OWN)
_WORKERS = flags.DEFINE_list("workers", ["1", "8", "64", "512"], "numbers of workers", _OWN)
_BRANCHES = flags.DEFINE_integer("branches", 8, "networks per step", 1, flag_values=_OWN)
_PROPOSAL = flags.DEFINE_float(
    "proposal_seconds", 0.25, "of the chief per network (bench_policy)", 0, flag_values=_OWN
)
_SEED = flags.DEFINE_integer("seed", 0, "of the draws", 0, flag_values=_OWN)


def main(argv: Sequence[str]) -> None:
    """Prints the table."""
    others = own_flags.others(_OWN, argv, str(__doc__))
    if others:
        raise ConfigError(f"{others[0]}: must be one of the command's own flags (--help)")
    try:
        workers = [int(text) for text in _WORKERS.value]
        if not workers or min(workers) < 1:
            raise ValueError("must be numbers of at least 1")
    except ValueError as error:
        raise ConfigError(f"{flag('workers', ','.join(_WORKERS.value))}: {error}") from error
    try:
        times = cluster.measured(WorkDir(_WORK_DIR.value), _PROPOSAL.value)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{flag('work_dir', _WORK_DIR.value)}: {error}") from error
    rng = np.random.default_rng(_SEED.value)
    rows = []
    for number in workers:
        uses = [
            cluster.in_steps(times, number, _BRANCHES.value, rng),
            cluster.in_steps(times, number, number, rng),
            cluster.without_steps(times, number, rng),
        ]
        rows.append([str(number), *map(_text, uses)])
    heads = ["workers", f"steps of {_BRANCHES.value}", "steps of as many", "no steps"]
    say(
        f"{len(times.networks)} networks of {np.median(times.networks):.0f} seconds (median), "
        f"{len(times.promotions)} promotions; busy, and networks per hour\n\n"
        + markdown.table(heads, rows)
    )


def _text(use: Use) -> str:
    return f"{use.busy:.0%}, {use.per_hour:,.0f}"


if __name__ == "__main__":
    own_flags.run(main)
