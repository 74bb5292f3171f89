"""Compares our training of fixed networks with plain Keras, and large batches with micro-batches.

Example: python -m tools.checks.bench_train --quick

Prints tables (markdown): images per second, the time to the first update, the time of a whole
child, and the share of the machine's rate of convolution. Contestants take turns in one process
after a short round that is not counted, and the fastest of their repeats counts. Only ratios are
claims, and only on an otherwise idle machine.

A child of ours is augmented and trained as the presets do it (batch 64); one of Keras is `fit` with
Adam on normalised arrays, without augmentation. Keras compiles with XLA by default, which the flag
--keras_xla chooses; without it `fit` starts and trains faster on a CPU, and so it does here.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import app, flags

from epnas_tf.data import dataset as data_lib
from epnas_tf.studies import train_bench
from epnas_tf.training import calibrate, devices

_DATASET = flags.DEFINE_string("dataset", "", "images to train on (empty: noise of 32x32x3)")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of prepared tfds data sets")
_TRAIN_FRACTION = flags.DEFINE_float("train_fraction", 1.0, "share of the training split to use")
_REPEATS = flags.DEFINE_integer("repeats", 2, "measurements, of which the fastest counts", 1)
_THREADS = flags.DEFINE_integer("threads", 0, "threads of an operation (0: all cores)", 0)
_MICRO = flags.DEFINE_integer("micro_batch_size", 0, "of the large batch (0: measured)", 0)
_KERAS_XLA = flags.DEFINE_bool("keras_xla", False, "whether fit compiles with XLA, Keras' default")
_NETWORKS = flags.DEFINE_integer("networks", 0, "only the first of NETWORKS (0: all)", 0)
_QUICK = flags.DEFINE_bool("quick", False, "two networks, two epochs, one repeat")


def main(argv: Sequence[str]) -> None:
    """Prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    threads = devices.use_threads(_THREADS.value)
    if _DATASET.value:
        fraction = _TRAIN_FRACTION.value
        data = data_lib.load(_DATASET.value, data_dir=_DATA_DIR.value, train_fraction=fraction)
    else:
        data = train_bench.noise(train_bench.IMAGES)
    micro = _MICRO.value or calibrate.measure_micro_batch(data.input_shape, train_bench.LARGE_BATCH)
    bench = train_bench.Bench(
        data,
        dict(list(train_bench.NETWORKS.items())[: 2 if _QUICK.value else _NETWORKS.value or None]),
        micro_batch=micro or train_bench.BATCH,
        epochs=2 if _QUICK.value else 10,
        repeats=1 if _QUICK.value else _REPEATS.value,
        keras_xla=_KERAS_XLA.value,
    )
    print(
        f"{data.name}, threads {threads}, fastest micro-batch {micro or 'the whole'}\n", flush=True
    )
    print(train_bench.report(bench))


if __name__ == "__main__":
    app.run(main)
