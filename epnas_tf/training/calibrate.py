"""What a search measures of its machine: how fast it trains, and in what pieces.

Both are measured once, when a search starts, and stored in its configuration: results change in
their last bits with the micro-batch, and the rate decides what is too slow to be trained.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.architecture.budget import PASSES, Budget
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.training import memory, step
from epnas_tf.training.schedule import Schedule

_BATCH, _SIZE, _CHANNELS = 64, 32, 32
_REPEATS = 5
# Images of an update by which the rate is measured: as the schedule `quick` has them.
_FEW = 32

# A smaller batch does well enough in one piece.
LEAST_BATCH = 256
_PIECES = (32, 64, 128, 256)
# More pixels in one piece are never tried, for the sake of memory: 1,024 images of 32x32.
_MOST_PIXELS = 2**20
# Pieces as fast as this, relative to the fastest, count as equally fast.
_TIE = 1.05
_UPDATES = 2
_REFERENCE = LayerwiseSpec(
    (
        LayerSpec("max_pool", pool=2),
        LayerSpec("conv2d", width=3, channels=32, activation="relu"),
        LayerSpec("dep_sep_conv2d", width=3, channels=32, activation="relu"),
        LayerSpec("max_pool", pool=2),
        LayerSpec("conv2d", width=3, channels=64, activation="relu"),
        LayerSpec("conv2d", width=3, channels=64, activation="relu"),
        LayerSpec("conv2d", width=1, channels=64, activation="relu"),
    )
)


def measure_gflops() -> float:
    """Returns the rate by which `Budget.minutes` is right for a small network, in GFLOP/s.

    Takes a few seconds: updates of the reference network. A convolution alone would not do: its
    rate was off by a factor of up to five for whole networks, whose other operations and input
    count as well. Rounded to a quarter of an octave, because two starts of the same search should
    mostly agree.
    """
    shape, classes = (_SIZE, _SIZE, 3), 10
    seconds = _update_seconds(shape, classes, (_FEW,), _REPEATS)[_FEW]
    budget = Budget(shape, classes)
    rate = PASSES * _FEW * budget.work(budget.cost(_REFERENCE)) / seconds / 1e9
    return float(f"{2 ** (round(4 * math.log2(rate)) / 4):.4g}")


@global_state.set_aside()
def convolution_gflops() -> float:
    """Returns the rate of a 3x3 convolution's forward pass in GFLOP/s.

    32 channels on 32x32 maps, a middle size of small networks.
    """
    images = tf.zeros((_BATCH, _SIZE, _SIZE, _CHANNELS))
    kernel = tf.zeros((3, 3, _CHANNELS, _CHANNELS))
    convolve = tf.function(lambda x: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")))
    convolve(images)
    seconds = min(_timed(convolve, images) for _ in range(_REPEATS))
    flops = 2 * _BATCH * _SIZE * _SIZE * 9 * _CHANNELS * _CHANNELS
    return flops / seconds / 1e9


@global_state.set_aside()
def measure_micro_batch(
    input_shape: tuple[int, int, int], batch_size: int, num_classes: int = 10
) -> int:
    """Returns the micro-batch in which a replica's batch trains fastest, 0 for one piece.

    Takes some seconds: an update of a small reference network for each of a few micro-batches that
    divide the batch. A batch below 256 is left whole, and so is one that none of them divides; of
    large images, the largest pieces are not tried.
    """
    pieces = _candidates(input_shape, batch_size)
    if len(pieces) > 1:
        piece = fastest(_update_seconds(input_shape, num_classes, pieces))
    else:
        piece = pieces[0]
    return 0 if piece == batch_size else piece


def fastest(seconds: Mapping[int, float]) -> int:
    """Returns the piece of the shortest time; of nearly equal ones, the largest.

    So that two starts on one machine mostly agree, and because a large piece needs no loop.
    """
    least = min(seconds.values())
    return max(piece for piece, taken in seconds.items() if taken <= _TIE * least)


def _candidates(input_shape: tuple[int, int, int], batch_size: int) -> tuple[int, ...]:
    """Returns the pieces worth timing, from small to large; the last may be the whole batch."""
    if batch_size < LEAST_BATCH:
        return (batch_size,)
    pieces = [size for size in _PIECES if size < batch_size and not batch_size % size]
    pieces.append(batch_size)
    pixels = input_shape[0] * input_shape[1]
    return tuple(size for size in pieces if size == pieces[0] or size * pixels <= _MOST_PIXELS)


def _update_seconds(
    input_shape: tuple[int, int, int],
    num_classes: int,
    pieces: tuple[int, ...],
    repeats: int = _UPDATES,
) -> dict[int, float]:
    """Returns the least time of an update with as many images as the largest piece, by piece.

    The pieces take turns, so that a busy moment of the machine hits them alike.
    """
    with memory.child_graphs():
        model = build_model(_REFERENCE, input_shape, num_classes)
        updates = {piece: _update(model, num_classes, max(pieces), piece) for piece in pieces}
        for update in updates.values():
            _timed(update)
        rounds = [
            {piece: _timed(update) for piece, update in updates.items()} for _ in range(repeats)
        ]
        del model, updates, update
    return {piece: min(taken[piece] for taken in rounds) for piece in pieces}


def _update(model: Any, num_classes: int, batch_size: int, piece: int) -> Callable[[], Any]:
    """Returns a function that trains the model on one batch of noise and returns the loss."""
    strategy = tf.distribute.get_strategy()
    plan = Schedule("timed", 1, batch_size, learning_rate=0.1, micro_batch_size=piece)
    train = step.train_step_function(model, plan, strategy)
    layout = (batch_size // piece, piece)
    images = tf.random.stateless_normal((*layout, *model.input_shape[1:]), (0, 0))
    labels = tf.reshape(tf.range(batch_size) % num_classes, layout)

    @tf.function(autograph=False)
    def run() -> Any:
        # A rate of 0 takes as long as any, and the weights stay what they are.
        return strategy.run(train, args=(images, labels, tf.constant(0.0)))[0]

    # Called as a whole, or TensorFlow warns that it traces often.
    return run.get_concrete_function()


def _timed(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    float(call(*arguments))
    return time.perf_counter() - start
