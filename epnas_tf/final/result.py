"""result.json of a final training: its one writer and its one reader."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.searching.trials import Slot
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import FinalDir, WorkDir

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class TrainedData:
    """The images that a network was trained for.

    Attributes:
      name: of the data set.
      input_shape: height, width and channels of an image.
      full_scale: value of a white pixel, 255 for bytes.
      mean: of each channel, at full scale 1.
      std: of each channel, at full scale 1.
      classes: what outputs 0..k-1 stand for.
      train_images: number of images that were trained on.
      fingerprint: hex digits that tell these from others.
    """

    name: str
    input_shape: tuple[int, int, int]
    full_scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    train_images: int
    fingerprint: str


@dataclasses.dataclass(frozen=True)
class FinalResult:
    """What came of a final training.

    Attributes:
      slot: the network's trial; None where it came from a file.
      spec: the network.
      recipe: name of the recipe.
      seed: of the training.
      epochs: that it was trained for.
      costs: what the network costs.
      measured_on: `test`, or `validation` where there is no test part.
      images: number of these.
      accuracy: share of them that are classified correctly.
      interval: its 95% interval (Wilson), lower and upper end; of the images alone, not of seeds.
      per_class: accuracy by name of the class; a class without images is left out.
      validation_accuracy: None where the validation part was trained on.
      data: the images.
      limits: that the search kept; empty for a network from a file.
      command: what began the training.
      versions: of epnas_tf, tensorflow, keras, numpy and python.
      seconds: of all epochs.
      finished: when, in UTC, as ISO 8601 has it.
      folder: where its files are; not in the file itself.
    """

    slot: str | None
    spec: Spec
    recipe: str
    seed: int
    epochs: int
    costs: Cost
    measured_on: str
    images: int
    accuracy: float
    interval: tuple[float, float]
    per_class: Mapping[str, float]
    validation_accuracy: float | None
    data: TrainedData
    limits: tuple[Constraint, ...]
    command: str
    versions: Mapping[str, str]
    seconds: float
    finished: str
    folder: str = ""

    @property
    def model_file(self) -> str:
        """The trained network as a Keras model: of pixels on the data's scale, to logits."""
        return FinalDir(self.folder).model

    def to_dict(self) -> dict[str, Any]:
        """Returns what result.json holds."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["folder"]
        return (
            {"format": FORMAT}
            | values
            | {
                "spec": self.spec.to_dict(),
                "costs": {r.column: r.plain(r.of(self.costs)) for r in RESOURCES.values()},
                "interval": list(self.interval),
                "per_class": dict(self.per_class),
                "data": dataclasses.asdict(self.data),
                "limits": [dataclasses.asdict(limit) for limit in self.limits],
                "versions": dict(self.versions),
            }
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: str = "") -> FinalResult:
        """Returns the result that `to_dict` described.

        Raises:
          KeyError: a value is missing.
          TypeError: a value is of another type.
          ValueError: a value is not allowed.
        """
        slot, validation = values["slot"], values["validation_accuracy"]
        low, high = values["interval"]
        counts = {name: int(untrusted.number(values["costs"][name])) for name in _COUNTS}
        return cls(
            None if slot is None else Slot.parse(slot).name,
            spec_from_dict(values["spec"]),
            str(values["recipe"]),
            int(untrusted.number(values["seed"])),
            int(untrusted.number(values["epochs"])),
            Cost(**counts),
            str(values["measured_on"]),
            int(untrusted.number(values["images"])),
            untrusted.number(values["accuracy"]),
            (untrusted.number(low), untrusted.number(high)),
            {str(name): untrusted.number(each) for name, each in values["per_class"].items()},
            None if validation is None else untrusted.number(validation),
            _data_from(values["data"]),
            tuple(Constraint(**limit) for limit in values["limits"]),
            str(values["command"]),
            {str(name): str(version) for name, version in values["versions"].items()},
            untrusted.number(values["seconds"]),
            str(values["finished"]),
            folder,
        )


_COUNTS = ("params", "flops", "traffic_bytes")


def _data_from(values: Mapping[str, Any]) -> TrainedData:
    """Returns the images of plain data; raises as `FinalResult.from_dict` does."""
    height, width, channels = (int(untrusted.number(size)) for size in values["input_shape"])
    mean, std = (tuple(map(untrusted.number, values[name])) for name in ("mean", "std"))
    if not len(mean) == len(std) == channels or not all(value > 0 for value in std):
        raise ValueError(f"mean and std must be of {channels} channels, got {mean} and {std}")
    return TrainedData(
        str(values["name"]),
        (height, width, channels),
        untrusted.number(values["full_scale"]),
        mean,
        std,
        tuple(map(str, values["classes"])),
        int(untrusted.number(values["train_images"])),
        str(values["fingerprint"]),
    )


def write(result: FinalResult) -> None:
    """Writes result.json into the result's folder."""
    text = json.dumps(result.to_dict(), indent=2) + "\n"
    storage.write_atomic(FinalDir(result.folder).result, text)


def read(folder: str) -> FinalResult:
    """Returns what came of the final training in a folder.

    Raises:
      ValueError: none has ended there, or result.json is corrupt, of another format or not written
        by epnas_retrain.
    """
    path = FinalDir(folder).result
    if not storage.exists(path):
        raise ValueError(f"{folder} must hold a final training that has ended, got no {path}")
    with untrusted.reading(path):
        values = untrusted.parse_object(storage.read_text(path))
        untrusted.check_format(path, values, FORMAT)
        return FinalResult.from_dict(values, folder)


def of_search(work_dir: str) -> list[FinalResult]:
    """Returns the final trainings of a search's networks that have ended, the latest first.

    Raises:
      ValueError: as `read`.
    """
    final = WorkDir(work_dir).final
    folders = [os.path.join(final, name) for name in storage.names(final)]
    ended = [read(folder) for folder in folders if storage.exists(FinalDir(folder).result)]
    return sorted(ended, key=lambda result: result.finished, reverse=True)
