"""Small searches for the tests of the tuner: real ones take a second per child, quick ones none."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from epnas_tf.architecture.space import SearchSpace, layerwise_space
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.fields import settings_in
from epnas_tf.training.evaluate import Evaluation, Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.settings import OracleSettings
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage

TunerMaker = Callable[..., EPNASTuner]

# Nothing rises but where a test says so.
_SIZES = {
    **{"branches": 2, "episodes": 1, "steps": 2, "policy": "random", "starts": "random"},
    "promotion_share": 0.0,
}
_SCHEDULE = Schedule("test", epochs=2, batch_size=8, learning_rate=0.05)


@pytest.fixture(name="space", scope="session")
def _space() -> SearchSpace:
    return layerwise_space(
        (8, 8),
        layer_types=("conv2d", "max_pool"),
        filter_widths=(1, 3),
        channels=(4, 8, 16),
        activations=("relu",),
        max_layers=4,
        parts=2,
        stem_filters=4,
    )


@pytest.fixture(name="images", scope="session")
def _images() -> tuple[np.ndarray, np.ndarray]:
    """Three classes of 8x8 images that differ in brightness: 96 images and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 3
    pixels = 50 + 60 * labels[:, None, None, None] + rng.integers(-40, 40, (96, 8, 8, 1))
    return pixels.astype(np.uint8), labels.astype(np.int32)


@pytest.fixture(name="data", scope="session")
def _data(images: tuple[np.ndarray, np.ndarray]) -> Data:
    return data_lib.from_arrays(*images, validation_split=0.25)


@pytest.fixture(name="make_tuner")
def _make_tuner(tmp_path: pathlib.Path, space: SearchSpace) -> TunerMaker:
    """Returns a maker of tuners; what the oracle takes is told apart from what the tuner takes."""

    def make(project: str = "search", **settings: Any) -> EPNASTuner:
        settings = {"max_child_minutes": None} | settings  # else the machine's speed is measured
        names = {field.name for field in settings_in(OracleSettings)}
        names |= {"constraints", "initial_specs", "prior"}
        own = _SIZES | {name: settings.pop(name) for name in names & settings.keys()}
        return EPNASTuner(
            EPNASOracle(settings.pop("space", space), **own),
            verbose=settings.pop("verbose", 0),
            directory=str(tmp_path),
            project_name=project,
            **settings,
        )

    return make


@pytest.fixture(name="plan", scope="session")
def _plan() -> Schedule:
    return _SCHEDULE


@pytest.fixture(name="open_searched", scope="session")
def _open_searched(
    tmp_path_factory: pytest.TempPathFactory, space: SearchSpace, plan: Schedule
) -> Callable[[], EPNASTuner]:
    """Returns a function that opens the project of the one real search that many tests look at."""
    folder = str(tmp_path_factory.mktemp("searched"))

    def opened() -> EPNASTuner:
        oracle = EPNASOracle(space, **_SIZES)
        project = {"directory": folder, "project_name": "p"}
        return EPNASTuner(oracle, schedule=plan, keep_models=2, verbose=0, **project)

    return opened


@pytest.fixture(name="searched", scope="session")
def _searched(open_searched: Callable[[], EPNASTuner], data: Data) -> EPNASTuner:
    """The tuner of a search with real children, a second each."""
    tuner = open_searched()
    tuner.search(data)
    return tuner


@pytest.fixture(name="quick")
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets networks get an accuracy that follows from spec and rung instead of training."""

    def evaluate(
        self: Evaluator, spec: Any, seed: int, keep: Any = None, epochs: Any = None, **_: Any
    ) -> Evaluation:
        reason = self.budget.reason_to_skip(spec)
        if reason is not None:
            return self.untrained(spec, reason)
        epochs = epochs or self.schedule.epochs
        accuracy = (int(spec.key[:8], 16) / 2**32) ** (self.schedule.epochs / epochs)
        reward = self.budget.reward(accuracy, spec)
        return Evaluation(accuracy, reward, "trained", seconds=1.0, epochs=epochs)

    monkeypatch.setattr(Evaluator, "evaluate", evaluate)


class _Killed(BaseException):
    """Keras Tuner swallows every Exception, not this."""


@pytest.fixture(name="killed", scope="session")
def _killed() -> type[BaseException]:
    """What the death of a process is played by."""
    return _Killed


@pytest.fixture(name="die_at")
def _die_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], dict[str, int]]:
    """Returns a function that lets the n-th write from now (from 0) die; -1 lets all live."""
    real = storage.write_atomic
    clock = {"left": -1, "writes": 0}
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # 100 times faster; no power cuts

    def write(path: str, content: str | bytes) -> None:
        if clock["left"] == 0:
            raise _Killed(path)
        clock["left"] -= 1
        clock["writes"] += 1
        real(path, content)

    def die_at(number: int) -> dict[str, int]:
        clock.update(left=number, writes=0)
        return clock

    monkeypatch.setattr(storage, "write_atomic", write)
    return die_at
