"""Where the model of an export is, and what the files beside it say of its images and classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from epnas_tf import untrusted
from epnas_tf.exporting import export_json
from epnas_tf.exporting.result import Export
from epnas_tf.exporting.writers import FORMATS
from epnas_tf.workdir import labels_txt

KERAS, SAVED_MODEL, LITERT, ONNX = "keras", "saved_model", "litert", "onnx"
_ENDINGS = {".keras": KERAS, ".tflite": LITERT, ".onnx": ONNX}

# The models of an export's folder; the first that is there stands for the folder.
_MODELS = tuple(kind.path for kind in FORMATS.values())

_FORMS = "a .keras, .tflite or .onnx file, the folder of a SavedModel or that of an export"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model and what is known of it.

    Attributes:
      path: its file, or the folder of a SavedModel.
      format: KERAS, SAVED_MODEL, LITERT or ONNX.
      described: what export.json says; None where there is none.
      names: of the classes, in the order of the outputs; None where nothing tells them.
    """

    path: Path
    format: str
    described: Export | None
    names: tuple[str, ...] | None


def find(model: str | Path, labels: str | Path = "") -> Model:
    """Returns the model that a path means.

    Args:
      model: a model's file, the folder of a SavedModel, or the folder of an export.
      labels: file of the classes' names, one per line; empty for what stands beside the model.

    Raises:
      ValueError: there is no such model, or a file beside it is corrupt.
      OSError: a file cannot be read.
    """
    path = _model_in(Path(model))
    kind = SAVED_MODEL if path.is_dir() else _ENDINGS[path.suffix.lower()]
    beside = path.resolve().parent
    described = None
    if (beside / export_json.NAME).is_file():
        described = export_json.read(str(beside))
    places = [folder / labels_txt.NAME for folder in (beside, path / "assets")]
    places = [Path(labels)] if labels else places
    names = next((_names(place) for place in places if labels or place.is_file()), None)
    if names is None and described is not None:
        names = described.class_names
    return Model(path, kind, described, names)


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
    return path.is_file() and path.suffix.lower() in _ENDINGS


def _names(path: Path) -> tuple[str, ...]:
    with untrusted.reading(str(path), (UnicodeDecodeError,)):
        text = path.read_text(encoding="utf-8")  # which ends each line with \n alone
    return labels_txt.names(text)
