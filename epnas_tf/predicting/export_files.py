"""Where the model of an export is, and what the files beside it say of its images and classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from epnas_tf import untrusted

FORMAT = 1

KERAS, SAVED_MODEL, LITERT, ONNX = "keras", "saved_model", "litert", "onnx"
_FORMATS = {".keras": KERAS, ".tflite": LITERT, ".onnx": ONNX}

# The models of an export's folder; the first that is there stands for the folder.
_MODELS = (
    *("model.keras", "saved_model"),
    *("model_float32.tflite", "model_float16.tflite", "model_int8.tflite"),
    "model.onnx",
)
_DESCRIPTION, _LABELS = "export.json", "labels.txt"

_FORMS = "a .keras, .tflite or .onnx file, the folder of a SavedModel or that of an export"


@dataclasses.dataclass(frozen=True)
class Described:
    """What export.json says of the models beside it.

    Attributes:
      size: height and width that the network was found at.
      full_scale: value of a white pixel.
      logits: whether outputs are logits, rather than probabilities.
      classes: names, in the order of the outputs.
    """

    size: tuple[int, int]
    full_scale: float
    logits: bool
    classes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Export:
    """A model and what is known of it.

    Attributes:
      path: its file, or the folder of a SavedModel.
      format: KERAS, SAVED_MODEL, LITERT or ONNX.
      described: what export.json says; None where there is none.
      names: of the classes, in the order of the outputs; None where nothing tells them.
    """

    path: Path
    format: str
    described: Described | None
    names: tuple[str, ...] | None


def find(model: str | Path, labels: str | Path = "") -> Export:
    """Returns the model that a path means.

    Args:
      model: a model's file, the folder of a SavedModel, or the folder of an export.
      labels: file of the classes' names, one per line; empty for what stands beside the model.

    Raises:
      ValueError: there is no such model, or a file beside it is corrupt.
      OSError: a file cannot be read.
    """
    path = _model_in(Path(model))
    kind = SAVED_MODEL if path.is_dir() else _FORMATS[path.suffix.lower()]
    beside = path.resolve().parent
    found = _described(beside / _DESCRIPTION)
    places = [Path(labels)] if labels else [beside / _LABELS, path / "assets" / _LABELS]
    names = next((_lines(place) for place in places if labels or place.is_file()), None)
    if names is None and found is not None:
        names = found.classes
    return Export(path, kind, found, names)


def _model_in(path: Path) -> Path:
    """Returns the file or folder of the model that a path means."""
    inside = [path / name for name in _MODELS]
    found = next((place for place in (path, *inside) if _is_model(place)), None)
    if found is None:
        got = f"{path}, which is none" if path.exists() else f"{path}, which does not exist"
        raise ValueError(f"the model must be {_FORMS}, got {got}")
    return found


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return (path / "saved_model.pb").is_file()
    return path.is_file() and path.suffix.lower() in _FORMATS


def _lines(path: Path) -> tuple[str, ...]:
    """Returns the lines of a text; a class may hold any character but the line's end."""
    with untrusted.reading(str(path), (UnicodeDecodeError,)):
        text = path.read_text(encoding="utf-8")  # which ends each line with \n alone
    return tuple(text.removesuffix("\n").split("\n"))


def _described(path: Path) -> Described | None:
    if not path.is_file():
        return None
    with untrusted.reading(str(path)):
        values = untrusted.parse_object(path.read_bytes())
        untrusted.check_format(str(path), values, FORMAT)
        return _description(values)


def _description(values: dict[str, Any]) -> Described:
    """Returns what export.json says; raises one of `untrusted.NO_SUCH_DATA` where it is wrong."""
    height, width, _ = values["input"]["shape"]
    full_scale = untrusted.number(values["input"]["full_scale"])
    classes, outputs = values["classes"], values["outputs"]
    if not all(type(side) is int and side > 0 for side in (height, width)) or not full_scale > 0:
        raise ValueError(f"input must have a size and a scale above 0, got {values['input']}")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"classes must be a list of names, got {classes!r:.80}")
    if outputs not in ("probabilities", "logits"):
        raise ValueError(f"outputs must be probabilities or logits, got {outputs!r:.80}")
    return Described((height, width), full_scale, outputs == "logits", tuple(classes))
