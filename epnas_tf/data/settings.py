"""The settings of what networks are trained on and compared by."""

from __future__ import annotations

import dataclasses

from epnas_tf.data.names import FORMS
from epnas_tf.fields import MAY_CHANGE, Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariationSettings(Settings):
    """How training images are varied; what is left open suits the images."""

    flip: str = setting(
        "auto",
        "mirror half of the images (auto: photographs are, signs and letters in grey are not)",
        choices=("auto", "true", "false"),
        auto=True,
    )
    alternating_flips: bool = setting(
        False,
        "mirror an image in every second pass, half of them in the first (arXiv:2404.00498), "
        "instead of by chance in each; where images are mirrored at all",
    )
    crop_padding: int = setting(
        -1,
        "pixels of black around an image that is cropped again (-1: auto, an eighth of the side)",
        least=-1,
        auto=True,
    )
    brightness: float = setting(
        -1.0, "largest shift, as a share of full scale (-1: auto)", least=-1, most=1, auto=True
    )
    contrast: float = setting(
        -1.0, "largest change of the contrast's factor (-1: auto)", least=-1, most=0.99, auto=True
    )
    cutout: int = setting(
        0,
        "side in pixels of a square that is filled with the mean, its centre anywhere in the "
        "image (0: none; arXiv:1708.04552)",
        least=0,
    )


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
        0,
        "height and width (0: as the images are, 32 where they differ)",
        least=0,
        auto=True,
        common=True,
    )
    train_fraction: float = setting(1.0, "share of the training split to use", above=0, most=1)
