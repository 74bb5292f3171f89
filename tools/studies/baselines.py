"""Trains published, hand-made and found networks by one recipe and prints them side by side.

Example: python -m epnas_tf.tools.studies.baselines --work_dirs=epnas_work --against=resnet8 \
  --data_dir=$TFDS_DATA_DIR --epochs=40 --output=baselines.jsonl

Found networks are the best of searches (--work_dirs) and those of files (--networks, such as the
winners.json of `compare`). Baselines are the ResNet-8 of MLPerf Tiny as published, a
depthwise-separable and a MobileNetV2-like net, scaled to the limits (--max_params, --max_flops and
the others of epnas_search; 100k parameters and 25 MFLOPs by default), and those made by hand
(epnas_tf/studies/hand_made.json).

The recipe is one of epnas_retrain's (--recipe), whose flags change it; a found network then has the
figures that epnas_retrain gives it. Without one (--recipe=) it is what flags of epnas_search say of
images and schedule; by default `plain`, 20 epochs of 5,000 images. Images are those of CIFAR-10
unless --dataset says otherwise.

Each training adds a line to --output as soon as it is done, and is not done again if the line is
there; other recipes may stand in the same file. By a recipe of epnas_retrain, one that was cut off
goes on after its last epoch. The table is printed and written beside --output (.md).
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from epnas_tf.architecture.cost_rules import Shape
from epnas_tf.fields import ConfigError, flag
from epnas_tf.studies import (
    final_recipes,
    known_networks,
    named_networks,
    recipes,
    retraining,
    retraining_table,
    search_networks,
)
from epnas_tf.studies.networks import Network
from epnas_tf.studies.retraining import Recipe
from epnas_tf.terminal import say
from epnas_tf.workdir.layout import WorkDir

try:
    from epnas_tf.tools.studies import own_flags
except ImportError:  # from a checkout
    from tools.studies import own_flags

_DEFAULT = ["resnet8", "depthwise_separable", "mobilenet_v2", "plain"]

_OWN = flags.FlagValues()
_BASELINES = flags.DEFINE_list("baselines", _DEFAULT, "their names, patterns as of a shell", _OWN)
_NETWORKS = flags.DEFINE_list("networks", [], "files of networks with names", _OWN)
_NAMES = flags.DEFINE_list("names", ["*"], "of these and of searches, patterns", _OWN)
_WITHOUT = flags.DEFINE_list("without", [], "patterns of names that are left out", _OWN)
_WORK_DIRS = flags.DEFINE_list("work_dirs", [], "folders of searches: the best of each", _OWN)
_TRIAL = flags.DEFINE_string("trial", "", "instead of the best, such as e01s03b5", _OWN)
_MINUTES = flags.DEFINE_float(
    "minutes", 0, "only trials of a search's first minutes (0: all)", 0, flag_values=_OWN
)
_RECIPE = flags.DEFINE_string("recipe", "default", "of epnas_retrain; empty: see above", _OWN)
_SEEDS = flags.DEFINE_integer("seeds", 3, "trainings of each network", 1, flag_values=_OWN)
_JOBS = flags.DEFINE_integer("jobs", 1, "processes of one thread", 1, flag_values=_OWN)
_OUTPUT = flags.DEFINE_string("output", "baselines.jsonl", "a line per training", _OWN)
_AGAINST = flags.DEFINE_list("against", [], "networks that others are compared with", _OWN)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "train nothing", _OWN)


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then prints and writes the table of all there is."""
    others = own_flags.others(_OWN, argv, str(__doc__))
    recipe = _recipe([*known_networks.LIMITS, *others])
    networks = _chosen(recipe)
    for name in _AGAINST.value:
        if name not in networks:
            raise ConfigError(f"{flag('against', name)}: must be one of {', '.join(networks)}")
    path, seeds = pathlib.Path(_OUTPUT.value), range(_SEEDS.value)
    if not _REPORT_ONLY.value:
        retraining.train_missing(path, recipe, networks, seeds, _JOBS.value)
    rows = retraining.rows_of(path, recipe, networks, seeds)
    text = retraining_table.report(rows, recipe.text, _AGAINST.value)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    say(text)


def _recipe(flags_of_others: Sequence[str]) -> Recipe:
    if _RECIPE.value:
        return final_recipes.parse(_RECIPE.value, ["--dataset=cifar10", *flags_of_others])
    return recipes.parse([*recipes.PLAIN, *flags_of_others])


def _chosen(recipe: Recipe) -> dict[str, Network]:
    """Returns the networks to train by name; raises ConfigError where there are none."""
    try:
        found = _found()
        networks = _baselines(recipe)
        for name, spec in found.items():
            named_networks.add(networks, name, spec)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    if not networks:
        rule = "must name at least one network, got none"
        raise ConfigError(f"--baselines, --networks and --work_dirs {rule}")
    return networks


def _baselines(recipe: Recipe) -> dict[str, Network]:
    names = known_networks.names()
    for pattern in _BASELINES.value:
        if not named_networks.matching(names, [pattern]):
            rule = f"must name baselines, which are {', '.join(names)}"
            raise ConfigError(f"{flag('baselines', pattern)}: {rule}")

    def images() -> tuple[Shape, int]:
        data = retraining.course_of(recipe).data
        return data.input_shape, data.num_classes

    wanted = named_networks.matching(names, _BASELINES.value)
    return known_networks.named(wanted, recipe.constraints, images)


def _found() -> named_networks.Networks:
    found = named_networks.read(_NETWORKS.value)
    for folder in _WORK_DIRS.value:
        _, spec = search_networks.chosen(WorkDir(folder), _TRIAL.value, _MINUTES.value)
        named_networks.add(found, pathlib.Path(folder).name, spec)
    left_out = named_networks.matching(found, _WITHOUT.value)
    kept = named_networks.matching(found, _NAMES.value)
    return {name: found[name] for name in kept if name not in left_out}


if __name__ == "__main__":
    own_flags.run(main)
