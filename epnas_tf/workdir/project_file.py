"""What all trials of a project have in common: written once, compared when the project is reopened.

`project.json` makes a reloaded project readable without its data (shape and normalisation of the
images, number of classes) and keeps two different searches from being mixed in one folder.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.data.dataset import Data
from epnas_tf.training.schedule import Schedule
from epnas_tf.workdir import storage

# Settings that projects of earlier versions do not name, as they were for them.
_ADDED: dict[str, Any] = {
    "parameter_sharing": "none",
    "stop_hopeless": 0.0,
    "max_child_memory": None,
}
# What may become larger: the trials so far are the same.
MAY_GROW = frozenset({"episodes"})


@dataclasses.dataclass(frozen=True)
class Images:
    """The images that the networks are for.

    Attributes:
      shape: height, width and channels.
      num_classes: labels are 0..num_classes - 1.
      full_scale: value of a white pixel as users pass it: 255 for bytes, 1 for floats.
      mean: of each channel, at full scale 1.
      std: of each channel, at full scale 1.
    """

    shape: tuple[int, int, int]
    num_classes: int
    full_scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Project:
    """What must be the same for every trial.

    Attributes:
      images: the images.
      machine_gflops: rate of training that time estimates take.
      settings: everything else by name, as plain data.
    """

    images: Images
    machine_gflops: float
    settings: dict[str, Any]

    @property
    def schedule(self) -> Schedule:
        """How children are trained."""
        return Schedule(**self.settings["schedule"])


def images_of(data: Data) -> Images:
    """Returns what networks need to know of a data set's images."""
    full_scale = 255.0 if data.train.images.dtype.kind == "u" else 1.0
    return Images(data.input_shape, data.num_classes, full_scale, data.mean, data.std)


def data_of(data: Data) -> dict[str, Any]:
    """Returns what tells the images and labels that networks are trained and compared on."""
    parts = {"train": data.train, "validation": data.validation}
    return {
        name: {"images": len(part), "fingerprint": part.fingerprint} for name, part in parts.items()
    }


def settings_of(
    space: SearchSpace, search: Mapping[str, Any], budget: Budget, plan: Schedule
) -> dict[str, Any]:
    """Returns the settings that decide a search's trials, as they come back from JSON."""
    fields = [dataclasses.asdict(field) for field in space.fields]
    minutes, memory = budget.max_child_minutes, budget.max_child_memory
    names = ("pattern", "max_items", "parts", "fixed_length", "stem_filters")
    values = {
        **{name: getattr(space, name) for name in names},
        "fields": fields,
        "cells_per_stage": space.cells_per_stage,
        "width_multiplier": space.width_multiplier,
        **search,
        "constraints": [dataclasses.asdict(constraint) for constraint in budget.constraints],
        "skip_over": budget.skip_over,
        "max_child_minutes": None if math.isinf(minutes) else minutes,  # JSON has no infinity
        "max_child_memory": None if math.isinf(memory) else memory,
        "schedule": dataclasses.asdict(plan),
    }
    return json.loads(json.dumps(values))


def differences(stored: Project, asked: Project) -> list[str]:
    """Returns how a project differs from the one asked for, a phrase a setting."""
    known, wanted = _ADDED | stored.settings, _ADDED | asked.settings
    old, new = known.pop("data", None), wanted.pop("data", None)
    images = [dataclasses.asdict(project.images) for project in (stored, asked)]
    phrases = []
    if old is not None and new is not None:  # projects of earlier versions do not say
        phrases += [_changed_data(old, new)] if old != new else []
        images = [{n: v for n, v in each.items() if n not in ("mean", "std")} for each in images]
    return phrases + _unlike("images", *images) + _unlike("", known, wanted)


def _changed_data(old: Any, new: Any) -> str:
    return f"its images or labels have changed ({_counts(old)} then, {_counts(new)} now)"


def _counts(data: Any) -> str:
    try:
        sizes = [int(data[part]["images"]) for part in ("train", "validation")]
    except (KeyError, TypeError, ValueError, OverflowError):  # a file may hold anything
        return "unknown ones"
    return f"{sizes[0]} for training and {sizes[1]} for validation"


def _unlike(of: str, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Returns a phrase for each value that differs, also within tables of values."""
    phrases = []
    for name in sorted({*known, *wanted}):
        old, new = known.get(name), wanted.get(name)
        grew = name in MAY_GROW and isinstance(old, int) and isinstance(new, int) and new > old
        if old == new or grew:
            continue
        title = f"{of}.{name}" if of else name
        if isinstance(old, dict) and isinstance(new, dict):
            phrases += _unlike(title, old, new)
        else:
            phrases.append(f"{title} is {old}, asked for {new}")
    return phrases


def write(path: str, project: Project) -> None:
    """Writes project.json."""
    storage.write_atomic(path, json.dumps(dataclasses.asdict(project), indent=2) + "\n")


def read(path: str) -> Project | None:
    """Returns the project of a project.json, None where there is none.

    Raises:
      ValueError: the file is torn or foreign.
    """
    if not storage.exists(path):
        return None
    try:
        values = untrusted.parse_object(storage.read_text(path))
        settings = dict(values["settings"])
        Schedule(**settings["schedule"])
        rate = _number(values["machine_gflops"])
        if rate < 0:
            raise ValueError(f"machine_gflops must be at least 0, got {rate}")
        return Project(_images_from(values["images"]), rate, settings)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} is torn or foreign: {error!r:.200}") from error


def _number(value: Any) -> float:
    """Returns a finite number; unlike `float` it takes no text, which might be "nan"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"it must be a finite number, got {value!r:.80}")
    return float(value)


def _images_from(values: Mapping[str, Any]) -> Images:
    """Returns the images of plain data; raises ValueError or TypeError where they are none."""
    shape = tuple(int(_number(size)) for size in values["shape"])
    mean, std = (tuple(map(_number, values[name])) for name in ("mean", "std"))
    if len(shape) != 3 or not all(0 < size <= 2**16 for size in shape):
        raise ValueError(f"shape must be height, width and channels, got {shape}")
    if not len(mean) == len(std) == shape[2] or not all(value > 0 for value in std):
        raise ValueError(f"mean and std must be of {shape[2]} channels, got {mean} and {std}")
    classes, full_scale = int(_number(values["num_classes"])), _number(values["full_scale"])
    if not 2 <= classes <= 2**20 or not full_scale > 0:
        raise ValueError(f"there must be at least 2 classes, got {classes}, {full_scale}")
    return Images(shape, classes, full_scale, mean, std)
