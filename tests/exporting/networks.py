"""A small network and its images, which the tests of exports share."""

from __future__ import annotations

import functools

import keras
import numpy as np

from epnas_tf import global_state, randomness
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import uses_of
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.exporting.source import Images, Source
from epnas_tf.modeling.build import build_model, with_normalisation

CLASSES = ("ant", "bee", "cow")
SHAPE = (8, 6, 3)
_MEAN, _STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)

# Every operation, activation and join of a layer-by-layer network.
SPEC = LayerwiseSpec(
    (
        LayerSpec("conv2d", 3, None, 8, "crelu"),
        LayerSpec("dep_sep_conv2d", 3, None, 8, "swish", src2=1),
        LayerSpec("max_pool", None, 2),
        LayerSpec("conv2d", 1, None, 8, "elu"),
        LayerSpec("avg_pool", None, 3),
        LayerSpec("conv2d", 3, None, 8, "selu"),
        LayerSpec("add", src2=5),
        LayerSpec("conv2d", 3, None, 6, "relu"),
    ),
    stem_filters=4,
)


def source(full_scale: float = 255.0) -> Source:
    """Returns what is known of the network."""
    return Source(
        name="e01s02b3",
        dataset="insects",
        input_shape=SHAPE,
        full_scale=full_scale,
        class_names=CLASSES,
        trained="trained by the search itself, for 8 epochs",
        uses=uses_of(cost(SPEC, SHAPE, len(CLASSES))),
        constraints=(Constraint("params", upper=20_000.0),),
        spec=SPEC.to_json(),
        command="epnas_search --dataset=insects",
    )


@functools.cache
def model(full_scale: float = 255.0, dtype_policy: str = global_state.FLOAT32) -> keras.Model:
    """Returns the network as a model of pixels, its statistics those of some images."""
    network = build_model(SPEC, SHAPE, len(CLASSES), seed=1, dtype_policy=dtype_policy)
    return with_normalisation(network, full_scale, _MEAN, _STD)


def images(full_scale: float = 255.0, count: int = 40) -> Images:
    """Returns images of three brightnesses; labels are what the network says of most of them."""
    rng = randomness.generator(0, "images of exports")
    labels = np.arange(count) % len(CLASSES)
    pixels = 60 + 60 * labels[:, None, None, None] + rng.integers(-60, 60, (count, *SHAPE))
    known = source(full_scale)
    taken = known.taken(pixels * full_scale / 255)
    return Images(taken[::2], taken[1::2], labels[1::2].astype(np.int32), "test")
