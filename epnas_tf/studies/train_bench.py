"""Our training of fixed networks, timed beside plain Keras and in micro-batches."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from epnas_tf import randomness
from epnas_tf.architecture import budget as budget_lib
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from epnas_tf.data import augment
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data, Split
from epnas_tf.modeling import build_model
from epnas_tf.report import markdown
from epnas_tf.training import calibrate, devices, memory, schedule, trainer
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.training.schedule import Schedule

IMAGES = 5_000  # a part, as in the preset cifar10_layerwise_search
BATCH = 64
LARGE_BATCH = 1024


def _conv(channels: int, width: int = 3, activation: str = "relu", src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", width, channels=channels, activation=activation, src2=src2)


def _separable(channels: int, width: int = 3, activation: str = "relu") -> LayerSpec:
    return LayerSpec("dep_sep_conv2d", width, channels=channels, activation=activation)


_MAX_POOL, _AVG_POOL = LayerSpec("max_pool", pool=2), LayerSpec("avg_pool", pool=3)

# Of the size that the presets search among: 6,000 to 90,000 parameters, 7 to 25 MFLOPs.
NETWORKS: Mapping[str, Spec] = {
    "conv": LayerwiseSpec(
        (_conv(16), _MAX_POOL, _conv(32), _conv(32), _MAX_POOL, _conv(64), _conv(64))
    ),
    "conv cell": CellSpec(
        (
            BranchSpec("conv-conv", 3, channels=8, src2=0),
            BranchSpec("conv-none", 1, channels=12),
            BranchSpec("conv-none", 3, channels=8, src1=2),
        )
    ),
    "separable": LayerwiseSpec(
        (_separable(32), _MAX_POOL, _separable(64, 5), _separable(64), _AVG_POOL, _separable(64))
    ),
    "pooling cell": CellSpec(
        (
            BranchSpec("conv-maxpool", 3, pool=3, channels=8, src2=0),
            BranchSpec("avgpool-none", pool=3, channels=12),
            BranchSpec("conv-avgpool", 3, pool=2, channels=8, src1=2, src2=1),
            BranchSpec("maxpool-none", pool=2, channels=8),
        )
    ),
    "narrow": LayerwiseSpec((_conv(16), _conv(16, 1), _MAX_POOL, _separable(16), _conv(16))),
    "1x7-7x1 cell": CellSpec(
        (
            BranchSpec("1x7-7x1-none", channels=8),
            BranchSpec("conv-none", 3, channels=8, src1=1),
            BranchSpec("1x7-7x1-none", channels=8, src1=2),
        )
    ),
    "mixed": LayerwiseSpec(
        (
            *(_MAX_POOL, _conv(32, 1, "swish"), _separable(32, 7, "elu"), _conv(32, 3, src2=1)),
            *(_AVG_POOL, _conv(64, 3, "crelu"), _separable(64, 5, "selu"), _conv(64, 1, src2=4)),
        )
    ),
    "two cells a stage": CellSpec(
        (
            BranchSpec("conv-none", 3, channels=8),
            BranchSpec("conv-maxpool", 1, pool=3, channels=8, src1=1, src2=0),
        ),
        cells_per_stage=2,
    ),
}

Run = Callable[[], float]
Figures = dict[str, dict[str, float]]  # by network and contestant


@dataclasses.dataclass(frozen=True)
class Bench:
    """What is run.

    Attributes:
      data: the images.
      networks: by the name they have in the tables.
      micro_batch: of the large batch.
      batch: of a child of ours.
      large_batch: what micro-batches are measured on.
      keras_batches: of the children that `fit` trains.
      epochs: of a whole child.
      repeats: measurements, of which the fastest counts.
      keras_xla: whether `fit` compiles with XLA.
    """

    data: Data
    networks: Mapping[str, Spec]
    micro_batch: int
    batch: int = BATCH
    large_batch: int = LARGE_BATCH
    keras_batches: tuple[int, ...] = (128, 32)
    epochs: int = 10
    repeats: int = 1
    keras_xla: bool = False

    @property
    def plain(self) -> Schedule:
        """How a child of ours is trained."""
        batch, epochs = self.batch, self.epochs
        return schedule.schedule("plain", epochs=epochs, batch_size=batch, learning_rate=0.05)

    def model(self, spec: Spec) -> keras.Model:
        """Returns the network of a spec, untrained."""
        return build_model(spec, self.data.input_shape, self.data.num_classes)

    def measured(self, contestants: Callable[[Spec], Mapping[str, Run]]) -> Figures:
        """Returns the least figure of each contestant with each network.

        They take turns, so that a busy moment of the machine hits all alike.
        """
        figures = {}
        for network, spec in self.networks.items():
            runs = contestants(spec)
            rounds = [{name: run() for name, run in runs.items()} for _ in range(self.repeats)]
            figures[network] = {name: min(times[name] for times in rounds) for name in runs}
        return figures


# Times of one network


def _epoch_ends(bench: Bench, spec: Spec, plan: Schedule, count: int) -> list[float]:
    """Returns the times from a spec to the ends of our first epochs, none of them validated."""
    ends: list[float] = []

    def on_epoch(_: Any) -> bool:
        ends.append(time.perf_counter())
        return len(ends) == count

    plan = dataclasses.replace(plan, epochs=count + 1)  # the last would be validated
    start = time.perf_counter()
    with memory.child_graphs():
        model = bench.model(spec)
        strategy = devices.make_strategy("none")
        trainer.train(model, bench.data, plan, strategy, seed=0, on_epoch=on_epoch)
        del model
    return [end - start for end in ends]


def _epoch_seconds(bench: Bench, spec: Spec, plan: Schedule) -> float:
    """Returns the time of our second epoch, input and augmentation included."""
    first, second = _epoch_ends(bench, spec, plan, 2)
    return second - first


def _child_seconds(bench: Bench, spec: Spec) -> float:
    """Returns our time from a spec to its validation accuracy, and to its memory being free."""
    data, strategy = bench.data, devices.make_strategy("none")
    budget = Budget(data.input_shape, data.num_classes)
    start = time.perf_counter()
    Evaluator(data, bench.plain, strategy, budget).evaluate(spec, seed=0)
    return time.perf_counter() - start


def _keras_seconds(bench: Bench, spec: Spec, batch: int) -> tuple[float, float]:
    """Returns the times of `fit` from a spec to the first update and to validation accuracy."""
    x, y = _normalised(bench.data, bench.data.train)
    validation = _normalised(bench.data, bench.data.validation)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    with memory.child_graphs():
        start = time.perf_counter()
        model = bench.model(spec)
        model.compile(
            keras.optimizers.Adam(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=bench.keras_xla,
        )
        once = {"validation_data": validation, "validation_freq": bench.epochs}
        model.fit(x, y, batch, bench.epochs, verbose=0, callbacks=[clock], **once)
        seconds = time.perf_counter() - start
        del model
    return ends[0] - start, seconds


def _normalised(data: Data, split: Split) -> tuple[np.ndarray, np.ndarray]:
    images, labels = split.tensors
    scaled = augment.scaled(images, data.full_scale)
    return augment.normalised(scaled, data.mean, data.std).numpy(), labels.numpy()


# Figures of all networks


def rates(bench: Bench) -> Figures:
    """Returns images per second of our training: small batch, large batch in pieces and whole."""
    large = schedule.schedule("aggressive", batch_size=bench.large_batch)
    pieces = dataclasses.replace(large, micro_batch_size=bench.micro_batch)
    plans = {"small": bench.plain, "pieces": pieces, "whole": large}

    def contestants(spec: Spec) -> Mapping[str, Run]:
        return {n: functools.partial(_epoch_seconds, bench, spec, plans[n]) for n in plans}

    count = len(bench.data.train)
    images = {name: count - count % plan.batch_size for name, plan in plans.items()}
    return {
        network: {name: images[name] / seconds for name, seconds in row.items()}
        for network, row in bench.measured(contestants).items()
    }


def first_steps(bench: Bench) -> Figures:
    """Returns seconds to the first update; both see no more images than that."""
    part = bench.data.train.take(np.arange(bench.batch))
    data = dataclasses.replace(bench.data, train=part, validation=part)
    bench = dataclasses.replace(bench, data=data, epochs=1)

    def contestants(spec: Spec) -> Mapping[str, Run]:
        return {
            "ours": lambda: _epoch_ends(bench, spec, bench.plain, 1)[0],
            "keras": lambda: _keras_seconds(bench, spec, bench.batch)[0],
        }

    return bench.measured(contestants)


def children(bench: Bench) -> Figures:
    """Returns seconds of whole children: ours, and Keras' with each of its batches."""

    def fitted(spec: Spec, batch: int) -> Run:
        return lambda: _keras_seconds(bench, spec, batch)[1]

    def contestants(spec: Spec) -> Mapping[str, Run]:
        theirs = {f"keras {batch}": fitted(spec, batch) for batch in bench.keras_batches}
        return {"ours": lambda: _child_seconds(bench, spec)} | theirs

    return bench.measured(contestants)


# Tables


def report(bench: Bench) -> str:
    """Measures and returns the tables."""
    warm_up = dict(list(bench.networks.items())[:1])
    short = dataclasses.replace(bench, networks=warm_up, epochs=1, repeats=1)
    for measure in (rates, first_steps, children):
        measure(short)
    measured, rate = rates(bench), calibrate.convolution_gflops()
    titles = {
        "small": f"batch {bench.batch}",
        "pieces": f"{bench.large_batch} in pieces of {bench.micro_batch}",
        "whole": f"{bench.large_batch} in one piece",
    }
    child = f"{len(bench.data.train)} images, {bench.epochs} epochs"
    pairs = [("ours", f"keras {batch}") for batch in bench.keras_batches]
    sections = {
        "Images per second of training": _compared(measured, [("pieces", "whole")], titles),
        "Seconds to the first update": _compared(first_steps(bench), [("ours", "keras")]),
        f"Seconds of a child: {child}": _compared(children(bench), pairs),
        f"Training's share of {rate:.0f} GFLOP/s, the rate of a 3x3 convolution": _shares(
            bench, measured, rate, titles
        ),
    }
    return "\n".join(f"## {title}\n\n{text}\n" for title, text in sections.items())


def _compared(
    figures: Figures, pairs: Sequence[tuple[str, str]], titles: Mapping[str, str] | None = None
) -> str:
    """Returns a table of figures and of the ratios of pairs, with their geometric means."""
    names = list(next(iter(figures.values())))
    heads = [(titles or {}).get(name, name) for name in names]
    ratios = [[row[a] / row[b] for a, b in pairs] for row in figures.values()]
    rows = [
        [network, *(_figure(row[name]) for name in names), *(f"{ratio:.2f}" for ratio in mine)]
        for (network, row), mine in zip(figures.items(), ratios, strict=True)
    ]
    means = [statistics.geometric_mean(column) for column in zip(*ratios, strict=True)]
    rows.append(["geometric mean", *("" for _ in names), *(f"{mean:.2f}" for mean in means)])
    return markdown.table(["network", *heads, *(f"{a} / {b}" for a, b in pairs)], rows)


def _shares(bench: Bench, measured: Figures, gflops: float, titles: Mapping[str, str]) -> str:
    """Returns a table of training's FLOPs per second as shares of the machine's rate."""
    budget = Budget(bench.data.input_shape, bench.data.num_classes)
    rows = []
    for network, row in measured.items():
        flops = budget.cost(bench.networks[network]).flops
        share = budget_lib.PASSES * flops / (gflops * 1e9)
        rows.append([network, f"{flops / 1e6:.1f}", *(f"{row[n] * share:.1%}" for n in titles)])
    return markdown.table(["network", "MFLOPs", *titles.values()], rows)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def noise(count: int, size: int = 32) -> Data:
    """Returns images of noise, `count` in each of the two parts, of 10 classes."""
    rng = randomness.generator(0, "bench_train")
    images = rng.integers(0, 256, (2 * count, size, size, 3)).astype(np.uint8)
    labels = np.arange(2 * count) % 10
    return data_lib.from_arrays(
        images[:count], labels[:count], (images[count:], labels[count:]), name="noise"
    )
