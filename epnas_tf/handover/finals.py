"""Final trainings as an export takes them: what result.json says, and where the model is."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.exporting.source import Source
from epnas_tf.workdir import storage

FOLDER = "final"
RESULT, MODEL = "result.json", "model.keras"
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Final:
    """A final training that has ended.

    Attributes:
      folder: of its files.
      slot: of its network; empty where that came from a file.
      finished: when, as text that sorts.
      source: what is known of the network.
    """

    folder: str
    slot: str
    finished: str
    source: Source

    @property
    def model_file(self) -> str:
        """The trained network as a Keras model: takes pixels, returns logits."""
        return os.path.join(self.folder, MODEL)


def read(folder: str) -> Final:
    """Returns the final training in a folder; raises ValueError where none has ended there."""
    path = os.path.join(folder, RESULT)
    if not storage.exists(path):
        raise ValueError(f"{folder} must hold a final training that has ended, has no {RESULT}")
    with untrusted.reading(path):
        values = untrusted.parse_object(storage.read_text(path))
        untrusted.check_format(path, values, _FORMAT)
        return Final(folder, values["slot"] or "", str(values["finished"]), _source(values))


def of_search(work_dir: str) -> list[Final]:
    """Returns the final trainings of a search that have ended, the latest first."""
    home = os.path.join(work_dir, FOLDER)
    folders = [os.path.join(home, name) for name in storage.names(home)]
    ended = [read(each) for each in folders if storage.exists(os.path.join(each, RESULT))]
    return sorted(ended, key=lambda final: final.finished, reverse=True)


def _source(values: Mapping[str, Any]) -> Source:
    """Returns what a result says of its network; raises as `untrusted.reading` expects."""
    data, (low, high) = values["data"], values["interval"]
    height, width, channels = (int(untrusted.number(size)) for size in data["input_shape"])
    trained = (
        f"trained to the end by the recipe {values['recipe']} with seed {values['seed']}, "
        f"in {values['epochs']} epochs, on {data['train_images']} images: {values['accuracy']:.4f} "
        f"of {values['images']} {values['measured_on']} images (95% interval {low:.4f} "
        f"to {high:.4f})"
    )
    return Source(
        name=values["slot"] or "network",
        dataset=str(data["name"]),
        input_shape=(height, width, channels),
        full_scale=untrusted.number(data["full_scale"]),
        class_names=tuple(map(str, data["classes"])),
        trained=trained,
        uses={
            name: untrusted.number(values["costs"][resource.column])
            for name, resource in RESOURCES.items()
        },
        constraints=tuple(Constraint(**limit) for limit in values["limits"]),
        spec=json.dumps(values["spec"], sort_keys=True),
        command=str(values["command"]),
    )
