"""Compares searches on one budget of trial time: the best network found, over time and seeds.

Example: python -m epnas_tf.tools.studies.compare --preset=cifar10_layerwise_search \
  --data_dir=$TFDS_DATA_DIR --variants="epnas;uniform:--policy=random --screen=1" --minutes=40 \
  --at=10,20 --jobs=2 --output=comparison

Each variant is a name and the flags that it has beside those of all, which are flags of
epnas_search. Every search runs in a process of one thread, pinned to a core; what was cut short
goes on where it was, what is done is not run again. Writes report.md, curves.png (where matplotlib
is installed), and winners.json, winners_10.json, ... for baselines --networks.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from epnas_tf.fields import ConfigError
from epnas_tf.studies import comparison, comparison_plot, comparison_report, variants
from epnas_tf.terminal import say

try:
    from epnas_tf.tools import search as search_command
    from epnas_tf.tools.studies import own_flags
except ImportError:  # from a checkout
    from tools import search as search_command
    from tools.studies import own_flags

_OWN = flags.FlagValues()
_VARIANTS = flags.DEFINE_string("variants", "epnas", "NAME:flag flag;NAME:...", _OWN)
_MINUTES = flags.DEFINE_float("minutes", 40, "of trials, per search", 0.001, flag_values=_OWN)
_AT = flags.DEFINE_list("at", [], "minutes that are reported too, rising", _OWN)
_SEEDS = flags.DEFINE_integer("seeds", 4, "searches of each variant", 1, flag_values=_OWN)
_FIRST_SEED = flags.DEFINE_integer("first_seed", 1000, "of the searches", 0, flag_values=_OWN)
_JOBS = flags.DEFINE_integer("jobs", 1, "searches side by side", 1, flag_values=_OWN)
_OUTPUT = flags.DEFINE_string("output", "comparison", "folder of searches and report", _OWN)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "run nothing", _OWN)


def main(argv: Sequence[str]) -> None:
    """Runs the searches that are missing, then writes the report of all there are."""
    common = own_flags.others(_OWN, argv, str(__doc__))
    minutes = _times()
    root = pathlib.Path(_OUTPUT.value)
    seeds = range(_FIRST_SEED.value, _FIRST_SEED.value + _SEEDS.value)
    searches = comparison.searches(variants.parse("variants", _VARIANTS.value), seeds, common, root)
    failed: list[comparison.Search] = []
    if not _REPORT_ONLY.value:
        command = [sys.executable, "-m", search_command.__name__]
        failed = comparison.Runner(command, 60 * _MINUTES.value).run(searches, _JOBS.value)
    curves = comparison_report.curves_of(searches, 60 * _MINUTES.value)
    if curves:
        say(comparison_report.write(root, curves, minutes))
        if importlib.util.find_spec("matplotlib") is not None:
            comparison_plot.plot(curves, _MINUTES.value, root / "curves.png")
    if failed:
        raise ConfigError(f"searches failed: {', '.join(str(search.log) for search in failed)}")


def _times() -> list[float]:
    """Returns the minutes to be reported, the budget last."""
    try:
        times = [*map(float, _AT.value), _MINUTES.value]
    except ValueError as error:
        raise ConfigError(f"--at={','.join(_AT.value)}: {error}") from error
    if times != sorted(set(times)) or times[0] <= 0:
        raise ConfigError(f"--at={','.join(_AT.value)}: must rise from above 0 to below --minutes")
    return times


if __name__ == "__main__":
    own_flags.run(main)
