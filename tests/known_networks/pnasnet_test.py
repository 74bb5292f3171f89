"""PNASNet-5 for ImageNet (Liu et al., https://arxiv.org/abs/1712.00559), outside our own spaces.

After the authors' tf-slim code, without the auxiliary head, which exists in training only.
"""

from __future__ import annotations

import keras
import pytest

from epnas_tf.modeling.counting import cost_of_model

# A block adds two operations, each on an earlier state: 0 is the cell's input, 1 the previous
# cell's, 2 and up the blocks. All blocks are concatenated.
BLOCKS = (
    (("separable", 5, 1), ("max_pool", 3, 1)),
    (("separable", 7, 0), ("max_pool", 3, 0)),
    (("separable", 5, 0), ("separable", 3, 0)),
    (("separable", 3, 4), ("max_pool", 3, 0)),
    (("separable", 3, 1), ("identity", 1, 0)),
)


def _relu_conv_bn(inputs, filters, strides=1):
    outputs = keras.layers.ReLU()(inputs)
    outputs = keras.layers.Conv2D(filters, 1, strides=strides, use_bias=False)(outputs)
    return keras.layers.BatchNormalization()(outputs)


def _separable(inputs, filters, width, strides):
    outputs = inputs
    for step in (strides, 1):
        outputs = keras.layers.ReLU()(outputs)
        outputs = keras.layers.SeparableConv2D(
            filters, width, strides=step, padding="same", use_bias=False
        )(outputs)
        outputs = keras.layers.BatchNormalization()(outputs)
    return outputs


def _operation(inputs, kind, width, filters, strides):
    if kind == "separable":
        return _separable(inputs, filters, width, strides)
    fits = inputs.shape[-1] == filters
    if kind == "identity":
        return inputs if fits and strides == 1 else _relu_conv_bn(inputs, filters, strides)
    outputs = keras.layers.MaxPooling2D(width, strides=strides, padding="same")(inputs)
    if fits:
        return outputs
    outputs = keras.layers.Conv2D(filters, 1, use_bias=False)(outputs)
    return keras.layers.BatchNormalization()(outputs)


def _factorized_reduction(inputs, filters):
    outputs = keras.layers.ReLU()(inputs)
    shifted = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(outputs)
    shifted = keras.layers.Cropping2D(((1, 0), (1, 0)))(shifted)
    halves = [
        keras.layers.Conv2D(filters // 2, 1, use_bias=False)(
            keras.layers.AveragePooling2D(1, strides=2)(path)
        )
        for path in (outputs, shifted)
    ]
    return keras.layers.BatchNormalization()(keras.layers.Concatenate()(halves))


def _previous(previous, current, filters):
    if previous is None:
        return current
    if previous.shape[2] != current.shape[2]:
        return _factorized_reduction(previous, filters)
    return previous if previous.shape[-1] == filters else _relu_conv_bn(previous, filters)


def _cell(current, previous, filters, strides):
    states = [_relu_conv_bn(current, filters), _previous(previous, current, filters)]
    for block in BLOCKS:
        parts = [
            _operation(states[source], kind, width, filters, strides if source < 2 else 1)
            for kind, width, source in block
        ]
        states.append(keras.layers.Add()(parts))
    return keras.layers.Concatenate()(states[2:])


def pnasnet5(image_size, cells, filters, stem_filters):
    image = keras.Input((image_size, image_size, 3))
    stem = keras.layers.Conv2D(stem_filters, 3, strides=2, use_bias=False)(image)
    previous, current = None, keras.layers.BatchNormalization()(stem)
    width = filters // 4
    for index in range(-2, cells):  # two stem cells come first
        reduces = index < 0 or index in (cells // 3, 2 * cells // 3)
        if index in (-1, 0, cells // 3, 2 * cells // 3):
            width = {-1: filters // 2, 0: filters}.get(index, 2 * width)
        previous, current = current, _cell(current, previous, width, 2 if reduces else 1)
    outputs = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(current))
    return keras.Model(image, keras.layers.Dense(1000)(outputs))


@pytest.mark.parametrize(
    ("arguments", "params", "multiply_adds"),
    [
        ((331, 12, 216, 96), pytest.approx(86_057_668, abs=0), pytest.approx(25.0e9, rel=0.01)),
        ((224, 9, 54, 32), pytest.approx(5.1e6, abs=0.05e6), pytest.approx(588e6, rel=0.01)),
    ],
    ids=["large", "mobile"],
)
def test_pnasnet5_counts_as_published(arguments, params, multiply_adds):
    with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
        cost = cost_of_model(pnasnet5(*arguments))
    assert cost.params == params
    assert cost.flops / 2 == multiply_adds
