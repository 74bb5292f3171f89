"""DenseNet-BC, L=250, k=24, for CIFAR (Huang et al., https://arxiv.org/abs/1608.06993)."""

from __future__ import annotations

import keras

from epnas_tf.modeling.counting import cost_of_model

GROWTH = 24
DEPTH = 250


def _bn_relu_conv(inputs, filters, width):
    outputs = keras.layers.ReLU()(keras.layers.BatchNormalization()(inputs))
    return keras.layers.Conv2D(filters, width, padding="same", use_bias=False)(outputs)


def densenet_bc():
    image = keras.Input((32, 32, 3))
    outputs = keras.layers.Conv2D(2 * GROWTH, 3, padding="same", use_bias=False)(image)
    for stage in range(3):
        for _ in range((DEPTH - 4) // 6):
            new = _bn_relu_conv(_bn_relu_conv(outputs, 4 * GROWTH, 1), GROWTH, 3)
            outputs = keras.layers.Concatenate()([outputs, new])
        if stage < 2:
            outputs = _bn_relu_conv(outputs, outputs.shape[-1] // 2, 1)
            outputs = keras.layers.AveragePooling2D(2)(outputs)
    outputs = keras.layers.ReLU()(keras.layers.BatchNormalization()(outputs))
    outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    return keras.Model(image, keras.layers.Dense(10)(outputs))


def test_densenet_bc_250_counts_as_published():
    with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
        cost = cost_of_model(densenet_bc())
    assert cost.params == 15_324_406
