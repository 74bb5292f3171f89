"""The settings of what networks are trained on and compared by."""

from __future__ import annotations

import dataclasses

from epnas_tf.data.names import FORMS
from epnas_tf.fields import MAY_CHANGE, Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings(Settings):
    """Which images, and how many of them."""

    dataset: str = setting("digits", f"{FORMS} or a tfds name", common=True)
    data_dir: str = setting(
        "",
        "folder of prepared tfds data sets (empty: tfds' own)",
        common=True,
        resume=MAY_CHANGE,
    )
    image_size: int = setting(
        0, "height and width (0: the set's own)", least=0, auto=True, common=True
    )
    train_fraction: float = setting(1.0, "share of the training split to use", above=0, most=1)
