"""export.json: what an export's folder holds; its one writer and its one reader."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.exporting.result import Export, ExportedFile
from epnas_tf.exporting.settings import LOGITS, PROBABILITIES
from epnas_tf.workdir import storage

NAME = "export.json"
FORMAT = 1
# Stands there while the files take their places.
UNFINISHED = json.dumps({"format": FORMAT, "unfinished": True}) + "\n"


def text(export: Export) -> str:
    """Returns what the file holds; paths are within the folder."""
    files = {file.format: dataclasses.asdict(file) for file in export.files}
    for values in files.values():
        del values["format"]
    values = {
        "format": FORMAT,
        "name": export.name,
        "input": {"shape": export.input_shape, "full_scale": export.full_scale},
        "outputs": export.outputs,
        "classes": export.class_names,
        "accuracy": export.accuracy,
        "images": export.images,
        "measured_on": export.measured_on,
        "cost": dict(export.uses),
        "files": files,
    }
    return json.dumps(values, indent=2) + "\n"


def read(folder: str) -> Export:
    """Returns the export in a folder.

    Raises:
      ValueError: it holds none, or one that is corrupt or of another format.
    """
    path = os.path.join(folder, NAME)
    if not storage.exists(path):
        raise ValueError(f"{folder} must be the folder of an export, has no {NAME}")
    with untrusted.reading(path):
        values = untrusted.parse_object(storage.read_text(path))
        untrusted.check_format(path, values, FORMAT)
        if "unfinished" in values:
            raise ValueError("the export was cut short: the same command does it again")
        return _export(folder, values)


def _export(folder: str, values: Mapping[str, Any]) -> Export:
    given, outputs, classes = values["input"], values["outputs"], values["classes"]
    height, width, channels = (int(untrusted.number(n)) for n in given["shape"])
    full_scale = untrusted.number(given["full_scale"])
    if min(height, width, channels) < 1 or not full_scale > 0:
        raise ValueError(f"input must have a size and a scale above 0, got {given!r:.80}")
    if outputs not in (PROBABILITIES, LOGITS):
        raise ValueError(f"outputs must be {PROBABILITIES} or {LOGITS}, got {outputs!r:.80}")
    if not isinstance(classes, list):
        raise ValueError(f"classes must be a list of names, got {classes!r:.80}")
    files = [
        ExportedFile.from_dict({**described, "format": name})
        for name, described in values["files"].items()
    ]
    return Export(
        folder=folder,
        name=str(values["name"]),
        outputs=outputs,
        class_names=tuple(map(str, classes)),
        input_shape=(height, width, channels),
        full_scale=full_scale,
        accuracy=untrusted.number(values["accuracy"]),
        images=int(untrusted.number(values["images"])),
        measured_on=str(values["measured_on"]),
        uses={str(name): untrusted.number(use) for name, use in values["cost"].items()},
        files=tuple(files),
    )
