"""Trains given networks from fresh weights by one recipe, several seeds each, and compares them.

Example: python -m epnas_tf.tools.studies.retrain_study --networks=epnas_tf/studies/hand_made.json \
  --work_dirs=epnas_work --data_dir=$TFDS_DATA_DIR --output=retrained.jsonl --against=plain

The recipe is what flags of epnas_search say of images and schedule; by default `plain`, 20 epochs
of 5,000 images of CIFAR-10. All data and long: --train_fraction=1 --epochs=30. Each training adds a
line to --output as soon as it is done, and is not done again if the line is there; other recipes
may stand in the same file. The table is printed and written beside it (.md).
"""

from __future__ import annotations

import fnmatch
import pathlib
from collections.abc import Sequence

from absl import flags

from epnas_tf.fields import ConfigError
from epnas_tf.studies import named_networks, recipes, rescoring, retraining, retraining_table
from epnas_tf.terminal import say
from epnas_tf.workdir.layout import WorkDir

try:
    from epnas_tf.tools.studies import own_flags
except ImportError:  # from a checkout
    from tools.studies import own_flags

_OWN = flags.FlagValues()
_NETWORKS = flags.DEFINE_list("networks", [], "files of networks with names", _OWN)
_NAMES = flags.DEFINE_list("names", ["*"], "of these, patterns as of a shell", _OWN)
_WITHOUT = flags.DEFINE_list("without", [], "patterns of names that are left out", _OWN)
_WORK_DIRS = flags.DEFINE_list("work_dirs", [], "folders of searches: the best of each", _OWN)
_TRIAL = flags.DEFINE_string("trial", "", "instead of the best, such as e01s03b5", _OWN)
_MINUTES = flags.DEFINE_float(
    "minutes", 0, "only trials of a search's first minutes (0: all)", 0, flag_values=_OWN
)
_SEEDS = flags.DEFINE_integer("seeds", 3, "trainings of each network", 1, flag_values=_OWN)
_JOBS = flags.DEFINE_integer("jobs", 1, "processes of one thread", 1, flag_values=_OWN)
_OUTPUT = flags.DEFINE_string("output", "retrained.jsonl", "a line per training", _OWN)
_AGAINST = flags.DEFINE_string("against", "", "network that others are compared with", _OWN)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "train nothing", _OWN)


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then prints and writes the table of all there is."""
    others = own_flags.others(_OWN, argv, str(__doc__))
    recipe = recipes.parse([*recipes.PLAIN, *others])
    networks = _chosen()
    if _AGAINST.value and _AGAINST.value not in networks:
        raise ConfigError(f"--against={_AGAINST.value}: must be one of {', '.join(networks)}")
    path, seeds = pathlib.Path(_OUTPUT.value), range(_SEEDS.value)
    if not _REPORT_ONLY.value:
        retraining.train_missing(path, recipe, networks, seeds, _JOBS.value)
    rows = retraining.rows_of(path, recipe, networks, seeds)
    text = retraining_table.report(rows, recipe.text, _AGAINST.value)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    say(text)


def _chosen() -> named_networks.Networks:
    """Returns the networks to train by name; raises ConfigError where there are none."""
    try:
        found = named_networks.read(_NETWORKS.value)
        for folder in _WORK_DIRS.value:
            spec = rescoring.chosen(WorkDir(folder), _TRIAL.value, _MINUTES.value)[1]
            named_networks.add(found, pathlib.Path(folder).name, spec)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    kept = {
        name: spec
        for name, spec in found.items()
        if _any(name, _NAMES.value) and not _any(name, _WITHOUT.value)
    }
    if not kept:
        raise ConfigError("--networks and --work_dirs must name at least one network, got none")
    return kept


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    own_flags.run(main)
