"""What an export gave, as plain data: its files, and what each was found to do."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.exporting.settings import FORMATS


@dataclasses.dataclass(frozen=True)
class Latency:
    """Seconds of single runs on one image, one thread.

    Attributes:
      median: of all runs.
      p95: that 95% of the runs do not exceed.
    """

    median: float
    p95: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A file, as a process without epnas_tf found it.

    Attributes:
      format: its name in `settings.FORMATS`.
      path: within the export's folder; a folder itself for a SavedModel.
      bytes: on disk.
      dtype: of the pixels that it takes, "uint8" or "float32".
      shape: of its input, None where any number will do.
      accuracy: share of the evaluation images that it classifies correctly.
      difference: the largest of its outputs from the trained network's, as a share of the largest
        of these where that exceeds 1.
      latency: of a run on one image.
      runtime: what ran it, with its version.
      float_operations: what a file of integers still computes with floats.
      warnings: what a person should know of it, a line each.
    """

    format: str
    path: str
    bytes: int
    dtype: str
    shape: tuple[int | None, ...]
    accuracy: float
    difference: float
    latency: Latency
    runtime: str
    float_operations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ExportedFile:
        """Returns the file that export.json describes; raises as `untrusted.reading` expects."""
        if values["format"] not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {values['format']}")
        path = str(values["path"])
        if os.path.isabs(path) or os.pardir in path.split("/"):
            raise ValueError(f"path must be within the folder, got {path!r:.80}")
        latency = values["latency"]
        return cls(
            format=values["format"],
            path=path,
            bytes=int(untrusted.number(values["bytes"])),
            dtype=str(values["dtype"]),
            shape=tuple(None if n is None else int(untrusted.number(n)) for n in values["shape"]),
            accuracy=untrusted.number(values["accuracy"]),
            difference=untrusted.number(values["difference"]),
            latency=Latency(untrusted.number(latency["median"]), untrusted.number(latency["p95"])),
            runtime=str(values["runtime"]),
            float_operations=tuple(map(str, values["float_operations"])),
            warnings=tuple(map(str, values["warnings"])),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """A network's files in a folder.

    Attributes:
      folder: that holds them.
      name: of the network.
      outputs: what the files give for each class, `probabilities` or `logits`.
      class_names: what outputs 0..k-1 stand for.
      input_shape: height, width and channels of the images that the network was trained on.
      full_scale: value of a white pixel.
      accuracy: of the trained network on the evaluation images.
      images: how many these are.
      measured_on: the part that they are of, "test" or "validation".
      uses: what the network uses of each resource, by name.
      files: in the order of `settings.FORMATS`.
    """

    folder: str
    name: str
    outputs: str
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    full_scale: float
    accuracy: float
    images: int
    measured_on: str
    uses: Mapping[str, float]
    files: Sequence[ExportedFile]
