"""A result that nothing was trained for, for tests."""

from __future__ import annotations

import dataclasses

from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.final.result import FinalResult, TrainedData

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 1, channels=4, activation="relu"),), 4)


def made(folder: str = "", **changes) -> FinalResult:
    """Returns a result, with some of it changed."""
    found = FinalResult(
        slot="e01s03b2r2",
        spec=_SPEC,
        recipe="default",
        seed=3,
        epochs=100,
        costs=cost(_SPEC, (8, 8, 1), 2),
        measured_on="test",
        images=400,
        accuracy=0.875,
        interval=(0.84, 0.9),
        per_class={"cat": 0.9, "dog": 0.85},
        validation_accuracy=None,
        data=TrainedData("pets", (8, 8, 1), 255.0, (0.5,), (0.25,), ("cat", "dog"), 900, "ab" * 8),
        limits=(Constraint("params", upper=1e5),),
        command="epnas_retrain --work_dir=w",
        versions={"keras": "3"},
        seconds=12.5,
        finished="2026-01-01T00:00:00+00:00",
        folder=folder,
    )
    return dataclasses.replace(found, **changes)
