"""What is exported besides the network itself: what is known of it, and images to measure it on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture.limits import Constraint
from epnas_tf.exporting.settings import FileSettings

if TYPE_CHECKING:  # for their types alone: the data's room imports TensorFlow
    from epnas_tf.data.dataset import Data, Split

_BYTE = 255.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of a trained network.

    Attributes:
      name: what it is called, such as its slot e01s03b5.
      dataset: its images, as the user called them.
      input_shape: height, width and channels that it was trained on.
      full_scale: value of a white pixel, 255 for bytes.
      class_names: what its outputs 0..k-1 stand for.
      trained: how it was trained, in a phrase.
      uses: what it uses of each resource, by name.
      constraints: the limits that it was searched under.
      spec: its spec as JSON; empty where it has none.
      command: what trained it, empty where not known.
    """

    name: str
    dataset: str
    input_shape: tuple[int, int, int]
    full_scale: float
    class_names: tuple[str, ...]
    trained: str
    uses: Mapping[str, float] = dataclasses.field(default_factory=dict)
    constraints: Sequence[Constraint] = ()
    spec: str = ""
    command: str = ""

    @property
    def of_bytes(self) -> bool:
        """Whether pixels are whole numbers of 0 to 255, which files of one size take as uint8."""
        return self.full_scale == _BYTE

    @property
    def dtype(self) -> str:
        """Of the pixels that files of one size take."""
        return "uint8" if self.of_bytes else "float32"

    def taken(self, images: np.ndarray) -> np.ndarray:
        """Returns images as all files take them: whole numbers where pixels are bytes."""
        if self.of_bytes:
            return np.clip(np.rint(images), 0, _BYTE).astype(np.uint8)
        return images.astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Images to make and to measure files with, as these take them.

    Attributes:
      calibration: of the training part, [n, h, w, c].
      evaluation: that the network was not trained on, [m, h, w, c].
      labels: of these, int32 [m].
      measured_on: the part that these are of, "test" or "validation".
    """

    calibration: np.ndarray
    evaluation: np.ndarray
    labels: np.ndarray
    measured_on: str


def images_of(data: Data, source: Source, settings: FileSettings) -> Images:
    """Returns the images of a data set that an export needs.

    The test part is measured on where there is one, else the validation part; of more images than
    are asked for the same are taken each time.

    Args:
      data: of the network.
      source: what is known of the network.
      settings: how many images.
    """
    held, part = (data.validation, "validation") if data.test is None else (data.test, "test")
    evaluation = _some(held, settings.evaluation_images, part)
    calibration = _some(data.train, settings.calibration_images, "calibration")
    taken = source.taken
    return Images(taken(calibration.images), taken(evaluation.images), evaluation.labels, part)


def _some(split: Split, most: int, purpose: str) -> Split:
    """Returns at most so many images of a split, taken by chance."""
    if len(split) <= most:
        return split
    chosen = randomness.generator(0, f"export_{purpose}").permutation(len(split))[:most]
    return split.take(np.sort(chosen))
