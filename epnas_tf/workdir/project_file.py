"""project.json: what all trials of a project have in common; its one writer and its one reader.

It makes a reloaded project readable without its data (shape and normalisation of the images, number
of classes) and keeps two different searches from being mixed in one folder.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import COPIES, WorkDir

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Images:
    """The images that the networks are for.

    Attributes:
      shape: height, width and channels.
      class_names: what labels 0..k-1 stand for.
      one_hot: whether labels came as rows with a single 1, and models take them so.
      full_scale: value of a white pixel as users pass it: 255 for bytes, 1 for floats.
      mean: of each channel, at full scale 1.
      std: of each channel, at full scale 1.
    """

    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    one_hot: bool
    full_scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def num_classes(self) -> int:
        """Labels are 0..num_classes - 1."""
        return len(self.class_names)


@dataclasses.dataclass(frozen=True)
class Project:
    """What must be the same for every trial.

    Attributes:
      images: the images.
      machine_gflops: rate of training that time estimates take.
      settings: everything else by name, as plain data.
      copies: hash of the copy of each thing that the search read once, by its setting.
    """

    images: Images
    machine_gflops: float
    settings: dict[str, Any]
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings as they come back from JSON."""
    return dict(json.loads(json.dumps(settings)))


def differences(stored: Project, asked: Project, may_grow: Collection[str] = ()) -> list[str]:
    """Returns how a project differs from the one asked for, a phrase per setting.

    Args:
      stored: what project.json holds.
      asked: what is wanted now.
      may_grow: settings that may be larger than they were.
    """
    known, wanted = dict(stored.settings), dict(asked.settings)
    old, new = known.pop("data", None), wanted.pop("data", None)
    images = [dataclasses.asdict(project.images) for project in (stored, asked)]
    phrases = []
    if old != new:
        counts = f"{_counts(old)} then, {_counts(new)} now"
        phrases.append(f"its images, labels or weights have changed ({counts})")
        # Other images have other statistics: to name these too says nothing more.
        images = [{n: v for n, v in each.items() if n not in ("mean", "std")} for each in images]
    phrases += _unlike("images", images[0], images[1], may_grow)
    return phrases + _unlike("", known, wanted, may_grow)


def _counts(data: Any) -> str:
    try:
        sizes = [int(data[part]["images"]) for part in ("train", "validation")]
    except (KeyError, TypeError, ValueError, OverflowError):  # a file may hold anything
        return "unknown ones"
    return f"{sizes[0]} for training and {sizes[1]} for validation"


def _unlike(
    of: str, known: Mapping[str, Any], wanted: Mapping[str, Any], may_grow: Collection[str]
) -> list[str]:
    """Returns a phrase for each value that differs, also within tables of values."""
    phrases = []
    for name in sorted({*known, *wanted}):
        old, new = known.get(name), wanted.get(name)
        grew = name in may_grow and isinstance(old, int) and isinstance(new, int) and new > old
        if old == new or grew:
            continue
        title = f"{of}.{name}" if of else name
        was, wants = _table(old), _table(new)
        within = _unlike(title, was, wants, may_grow) if was and wants else []
        phrases += within or [f"{title} is {old}, asked for {new}"]
    return phrases


def _table(value: Any) -> dict[str, Any] | None:
    """Returns a table of values; a list of tables with a name each, such as limits, is one too."""
    if isinstance(value, dict):
        return value
    entries = value if isinstance(value, list) else []
    tables = [entry for entry in entries if isinstance(entry, dict)]
    for key in ("name", "metric"):
        named = {t[key]: t for t in tables if isinstance(t.get(key), str)}
        if len(named) == len(entries):
            return named
    return None


def write(work_dir: WorkDir, project: Project) -> None:
    """Writes project.json."""
    values = {"format": FORMAT} | dataclasses.asdict(project)
    if not project.copies:
        del values["copies"]
    storage.write_atomic(work_dir.project, json.dumps(values, indent=2) + "\n")


def read(work_dir: WorkDir) -> Project | None:
    """Returns the project of a project.json, None where there is none.

    Raises:
      ValueError: the file is corrupt, of another format or not written by this search.
    """
    if not storage.exists(work_dir.project):
        return None
    with untrusted.reading(work_dir.project):
        values = untrusted.parse_object(storage.read_text(work_dir.project))
        untrusted.check_format(work_dir.project, values, FORMAT)
        rate = untrusted.number(values["machine_gflops"])
        if rate < 0:
            raise ValueError(f"machine_gflops must be at least 0, got {rate}")
        if not isinstance(values["settings"], dict):
            raise ValueError(f"settings must be an object, got {values['settings']!r:.80}")
        copies = _copies_from(values.get("copies", {}))
        return Project(_images_from(values["images"]), rate, values["settings"], copies)


def _copies_from(values: Any) -> dict[str, str]:
    """Returns the hashes of the copies; raises ValueError where they are none."""
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        raise ValueError(f"copies must be hashes by name, got {values!r:.80}")
    if not values.keys() <= {*COPIES}:
        raise ValueError(f"copies must be of {', '.join(COPIES)}, got {[*values]!r:.80}")
    return values


def _images_from(values: Mapping[str, Any]) -> Images:
    """Returns the images of plain data; raises ValueError or TypeError where they are none."""
    shape = tuple(int(untrusted.number(size)) for size in values["shape"])
    mean, std = (tuple(map(untrusted.number, values[name])) for name in ("mean", "std"))
    if len(shape) != 3 or not all(0 < size <= 2**16 for size in shape):
        raise ValueError(f"shape must be height, width and channels, got {shape}")
    if not len(mean) == len(std) == shape[2] or not all(value > 0 for value in std):
        raise ValueError(f"mean and std must be of {shape[2]} channels, got {mean} and {std}")
    names, one_hot = values["class_names"], values["one_hot"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"class_names must be a list of text, got {names!r:.80}")
    if not isinstance(one_hot, bool):
        raise ValueError(f"one_hot must be true or false, got {one_hot!r:.80}")
    full_scale = untrusted.number(values["full_scale"])
    if not 2 <= len(set(names)) == len(names) <= 2**20 or not full_scale > 0:
        raise ValueError(f"there must be at least 2 classes, got {len(names)}, {full_scale}")
    return Images(shape, tuple(names), one_hot, full_scale, mean, std)
