"""best.json: the best network so far; its one writer and its one reader."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.searching.gain import BASES, Gain
from epnas_tf.searching.trials import Slot
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Best:
    """The best network.

    Attributes:
      slot: of its trial.
      spec: the network.
      validation_accuracy: the share of validation images that it classifies correctly.
      reward: what it was chosen by, together with the limits: that accuracy, or the balanced one,
        times the penalties.
      feasible: whether it keeps every limit.
      uses: what it uses, by resource.
      constraints: the limits it was held to.
      class_names: what its outputs 0..k-1 stand for.
      rung: at which it was measured, from 0.
      epochs: that it was trained for.
      test_accuracy: measured once at the end; None before, and without a test split.
      balanced_accuracy: on the validation split, where networks are compared by it; else None.
      per_class_accuracy: by split (validation, test) and name of the class, measured once at the
        end; empty before. A class without images in the split is left out.
      largest_class: share of the largest class of the validation split, known at the end, where
        it is far above an even share; else None.
      gain: what it has over the best start, known at the end; None where nothing compares them.
    """

    slot: str
    spec: Spec
    validation_accuracy: float
    reward: float
    feasible: bool
    uses: Mapping[str, float]
    constraints: Sequence[Constraint]
    class_names: Sequence[str] = ()
    rung: int = 0
    epochs: int = 0
    test_accuracy: float | None = None
    balanced_accuracy: float | None = None
    per_class_accuracy: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    largest_class: float | None = None
    gain: Gain | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns what best.json holds."""
        resources = sorted(RESOURCES.values(), key=lambda resource: resource.derived)
        values: dict[str, Any] = {
            "format": FORMAT,
            "slot": self.slot,
            "rung": self.rung,
            "epochs": self.epochs,
            "spec_key": self.spec.key,
            "spec": self.spec.to_dict(),
            "validation_accuracy": self.validation_accuracy,
            "reward": self.reward,
            "feasible": self.feasible,
            "cost": {r.column: r.plain(self.uses[r.name]) for r in resources},
            "limits": [dataclasses.asdict(constraint) for constraint in self.constraints],
            "class_names": list(self.class_names),
        }
        optional = {name: getattr(self, name) for name in _OPTIONAL_NUMBERS}
        values |= {name: value for name, value in optional.items() if value is not None}
        if self.per_class_accuracy:
            values["per_class_accuracy"] = self.per_class_accuracy
        if self.gain is not None:
            values["gain"] = dataclasses.asdict(self.gain)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Best:
        """Returns the network that `to_dict` described.

        Raises:
          KeyError: a value is missing.
          TypeError: a value is of another type.
          ValueError: a value is not allowed.
        """
        optional = {n: untrusted.number(values[n]) for n in _OPTIONAL_NUMBERS if n in values}
        by_split = values.get("per_class_accuracy", {})
        return cls(
            Slot.parse(values["slot"]).name,
            spec_from_dict(values["spec"]),
            untrusted.number(values["validation_accuracy"]),
            untrusted.number(values["reward"]),
            bool(values["feasible"]),
            {r.name: untrusted.number(values["cost"][r.column]) for r in RESOURCES.values()},
            tuple(Constraint(**limit) for limit in values["limits"]),
            tuple(map(str, values["class_names"])),
            int(untrusted.number(values.get("rung", 0))),
            int(untrusted.number(values.get("epochs", 0))),
            per_class_accuracy={
                str(split): {str(name): untrusted.number(each) for name, each in classes.items()}
                for split, classes in by_split.items()
            },
            gain=_gain(values["gain"]) if "gain" in values else None,
            **optional,
        )


def _gain(values: Mapping[str, Any]) -> Gain:
    """Returns the gain that best.json holds; raises as `Best.from_dict` does."""
    low, high = (
        None if values[end] is None else untrusted.number(values[end]) for end in ("low", "high")
    )
    if values["basis"] not in BASES or type(values["start_is_best"]) is not bool:
        raise ValueError(f"it must be a gain, got {values!r:.200}")
    return Gain(
        Slot.parse(values["slot"]).name,
        Slot.parse(values["over"]).name,
        untrusted.number(values["points"]),
        low,
        high,
        values["basis"],
        int(untrusted.number(values["seeds"])),
        int(untrusted.number(values["networks"])),
        values["start_is_best"],
    )


_OPTIONAL_NUMBERS = ("test_accuracy", "balanced_accuracy", "largest_class")


def write(work_dir: WorkDir, best: Best) -> None:
    """Writes best.json."""
    storage.write_atomic(work_dir.best, json.dumps(best.to_dict(), indent=2) + "\n")


def read(work_dir: WorkDir) -> Best | None:
    """Returns the network in best.json, None where there is none yet.

    Raises:
      ValueError: the file is corrupt, of another format or not written by this search.
    """
    if not storage.exists(work_dir.best):
        return None
    with untrusted.reading(work_dir.best):
        values = untrusted.parse_object(storage.read_text(work_dir.best))
        untrusted.check_format(work_dir.best, values, FORMAT)
        return Best.from_dict(values)
