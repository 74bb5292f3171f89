"""Asks which cheap training ranks good networks as a long one on all images does.

Example: python -m epnas_tf.tools.studies.proxy_study --networks=epnas_tf/studies/hand_made.json \
  --searches=epnas_work --data_dir=$TFDS_DATA_DIR --jobs=2 --output=proxies

Of each pattern so many good networks of about the same cost are trained by each proxy and by the
truth, 30 epochs of all images of CIFAR-10, which takes hours: each training adds a line to
runs.jsonl and is not done again if the line is there. The networks are kept in networks.json. The
report, of what there is so far, is printed and written to report.md. Proxies are names of
`epnas_tf/studies/proxies.py`, or new ones with their flags; all other flags are those of
epnas_search and hold for every training.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from epnas_tf.fields import ConfigError
from epnas_tf.studies import (
    good_networks,
    named_networks,
    proxies,
    proxy_report,
    recipes,
    resumable,
    retraining,
)
from epnas_tf.studies.rank_table import TRUTH
from epnas_tf.studies.recipes import Recipe
from epnas_tf.terminal import say

try:
    from epnas_tf.tools.studies import own_flags
except ImportError:  # from a checkout
    from tools.studies import own_flags

_OWN = flags.FlagValues()
_NETWORKS = flags.DEFINE_list("networks", [], "files of networks with names", _OWN)
_SEARCHES = flags.DEFINE_list("searches", [], "folders of searches", _OWN)
_COUNT = flags.DEFINE_integer("count", 40, "networks of each pattern", 1, flag_values=_OWN)
_TRUTH = flags.DEFINE_string("truth", proxies.TRUTH, "flags of the long training", _OWN)
_PROXIES = flags.DEFINE_string(
    "proxies", ";".join(proxies.PROXIES), "NAME;NAME:flag flag;...", _OWN
)
_SEEDS = flags.DEFINE_integer("seeds", 1, "trainings by a proxy", 1, flag_values=_OWN)
_TRUTH_SEEDS = flags.DEFINE_integer("truth_seeds", 1, "by the truth", 1, flag_values=_OWN)
_JOBS = flags.DEFINE_integer("jobs", 1, "processes of one thread", 1, flag_values=_OWN)
_OUTPUT = flags.DEFINE_string("output", "proxies", "folder of what is done", _OWN)
_ONLY = flags.DEFINE_list("only", [], "train only by these (empty: all, truth last)", _OWN)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "train nothing", _OWN)


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then writes the report of all there is."""
    common = own_flags.others(_OWN, argv, str(__doc__))
    methods = {
        name: recipes.parse(["--dataset=cifar10", *common, *flags])
        for name, flags in proxies.methods(_PROXIES.value, _TRUTH.value).items()
    }
    unknown = sorted(set(_ONLY.value) - set(methods))
    if unknown:
        raise ConfigError(f"--only={','.join(_ONLY.value)}: must be of {', '.join(methods)}")
    root = pathlib.Path(_OUTPUT.value)
    networks = _networks(root / "networks.json")
    path = root / "runs.jsonl"
    counts = {name: _TRUTH_SEEDS.value if name == TRUTH else _SEEDS.value for name in methods}
    for name, recipe in methods.items():
        if not _REPORT_ONLY.value and (not _ONLY.value or name in _ONLY.value):
            say(f"{name}:")
            seeds = proxy_report.seeds_of(name, counts[name])
            retraining.train_missing(path, recipe, networks, seeds, _JOBS.value)
    _report(root, networks, methods, counts)


def _networks(path: pathlib.Path) -> named_networks.Networks:
    """Returns the networks of the study: chosen once, read ever after."""
    try:
        if path.exists():
            return named_networks.read([path])
        given = named_networks.read(_NETWORKS.value)
        found = good_networks.chosen(given, _SEARCHES.value, _COUNT.value)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    named_networks.write(path, found)
    say(f"chose {len(found)} networks, see {path}")
    return found


def _report(
    root: pathlib.Path,
    networks: named_networks.Networks,
    methods: dict[str, Recipe],
    counts: dict[str, int],
) -> None:
    texts = {name: recipe.text for name, recipe in methods.items()}
    rows = resumable.read(root / "runs.jsonl")
    study = proxy_report.study_of(rows, networks, texts, counts)
    text = proxy_report.report(study, texts[TRUTH])
    (root / "report.md").write_text(text, encoding="utf-8")
    say(text)


if __name__ == "__main__":
    own_flags.run(main)
