"""Cheap trainings that might stand for a long one: a table of changes to how children are trained.

The truth is what a person does with the network that a search found: a long training on all images.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from epnas_tf.fields import ConfigError
from epnas_tf.studies import rank_table, variants

TRUTH = "--schedule=plain --epochs=30"

_TODAY = "--schedule=quick --train_fraction=0.1111"  # 3 epochs of 5,000 images, batches of 32
_ONCE = "--schedule=quick --epoch_images=5000"  # 15,000 images of 45,000 once, at the same cost

# By name: flags of a search. Those that begin with `once_` change one thing of `once`, or two.
PROXIES: Mapping[str, str] = {
    "today": _TODAY,
    "once": _ONCE,
    "once_2_epochs": f"{_ONCE} --epochs=2",
    "once_6_epochs": f"{_ONCE} --epochs=6",
    "once_batch_64": f"{_ONCE} --batch_size=64",
    "once_batch_64_rate": f"{_ONCE} --batch_size=64 --learning_rate=0.05",
    "once_trapezoid": f"{_ONCE} --decay=trapezoid --decay_share=0.4",
    "once_average": f"{_ONCE} --ema_decay=0.98",
    "once_trapezoid_average": f"{_ONCE} --decay=trapezoid --ema_decay=0.98",
    "once_smoothed": f"{_ONCE} --label_smoothing=0.1",
    "once_bias_rate": f"{_ONCE} --bias_rate=16",
    "once_alternating_flips": f"{_ONCE} --alternating_flips=true",
    "once_half_size": f"{_ONCE} --image_size=16",
    "once_low_resolution": f"{_ONCE} --low_resolution=0.5",
    "once_identity_init": f"{_ONCE} --identity_init=true",
    "rung_1": f"{_ONCE} --epochs=9",
    "rung_2": f"{_ONCE} --epochs=27",
}


def methods(text: str, truth: str) -> dict[str, tuple[str, ...]]:
    """Returns by name the flags of the proxies that a text names, and last those of the truth.

    Args:
      text: names of `PROXIES`, or others with flags: "today;slow:--schedule=quick --epochs=9".
      truth: flags of the truth.

    Raises:
      ConfigError: a name without flags is none of `PROXIES`, or the text is something else.
    """
    found: dict[str, tuple[str, ...]] = {}
    for each in variants.parse("proxies", text):
        if not each.flags and each.name not in PROXIES:
            known = ", ".join(PROXIES)
            raise ConfigError(f"--proxies={text}: {each.name} has no flags and is none of {known}")
        if each.name == rank_table.TRUTH:
            raise ConfigError(f"--proxies={text}: {rank_table.TRUTH} is not the name of a proxy")
        found[each.name] = each.flags or tuple(shlex.split(PROXIES[each.name]))
    return found | {rank_table.TRUTH: tuple(shlex.split(truth))}
