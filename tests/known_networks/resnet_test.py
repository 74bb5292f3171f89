"""ResNet-56 for CIFAR (He et al., https://arxiv.org/abs/1512.03385), with 1x1 projections."""

from __future__ import annotations

import keras
import pytest

from epnas_tf.architecture import cost_rules
from epnas_tf.modeling.counting import cost_of_model


def _conv_bn(inputs, filters, width, strides=1):
    outputs = keras.layers.Conv2D(filters, width, strides=strides, padding="same", use_bias=False)(
        inputs
    )
    return keras.layers.BatchNormalization()(outputs)


def _block(inputs, filters, strides):
    outputs = keras.layers.ReLU()(_conv_bn(inputs, filters, 3, strides))
    outputs = _conv_bn(outputs, filters, 3)
    shortcut = inputs if strides == 1 else _conv_bn(inputs, filters, 1, strides)
    return keras.layers.ReLU()(keras.layers.Add()([outputs, shortcut]))


def resnet56():
    image = keras.Input((32, 32, 3))
    outputs = keras.layers.ReLU()(_conv_bn(image, 16, 3))
    for stage in range(3):
        for block in range(9):
            strides = 2 if stage > 0 and block == 0 else 1
            outputs = _block(outputs, 16 * 2**stage, strides)
    outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    return keras.Model(image, keras.layers.Dense(10)(outputs))


def test_resnet56_counts_as_published():
    cost = cost_of_model(resnet56())
    assert cost.params == 855_770
    assert cost.flops / 2 == pytest.approx(125.7e6, abs=0.05e6)


def test_resnet56_has_the_published_intensity_but_for_global_pooling():
    cost = cost_of_model(resnet56())
    assert cost.intensity == pytest.approx(32.14, abs=0.005)
    pool = cost_rules.pool_cost((8, 8, 64), (64,), (8, 8))
    flops, traffic_bytes = cost.flops - pool.flops, cost.traffic_bytes - pool.traffic_bytes
    assert flops / traffic_bytes == pytest.approx(32.2, abs=0.005)
