"""What `cost_of_model` counts, layer by layer, by hand and against TensorFlow's own profiler."""

from __future__ import annotations

import math

import keras
import pytest
import tensorflow as tf

from epnas_tf.architecture.cost_rules import Cost
from epnas_tf.modeling.counting import cost_of_model

L = keras.layers


def _model(*layers, shape=(9, 7, 8)):  # odd sizes, so that rounding shows
    image = outputs = keras.Input(shape)
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(image, outputs)


def _trainable(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def _profiled_flops(model):
    """Returns the FLOPs of convolutions and matrix products as TensorFlow's profiler has them."""
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(model).get_concrete_function(image).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["account_type_regexes"] = ["Conv.*", "DepthwiseConv.*", "MatMul", "BatchMatMul.*"]
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


# Not here, since the profiler errs on them: grouped convolutions (hidden in a compiled function),
# transposed ones without padding and dilated ones on sizes that do not divide (padded on a CPU).
MULTIPLIED = {
    "conv": L.Conv2D(16, 3, padding="same"),
    "conv_without_bias": L.Conv2D(16, 5, padding="same", use_bias=False),
    "conv_oblong": L.Conv2D(16, (1, 7), padding="same"),
    "conv_strided": L.Conv2D(16, 3, strides=2, padding="same"),
    "conv_valid": L.Conv2D(16, 3, strides=(2, 1)),
    "conv_transposed": L.Conv2DTranspose(16, 3, strides=2, padding="same"),
    "depthwise": L.DepthwiseConv2D(3, padding="same"),
    "depthwise_multiplied": L.DepthwiseConv2D(5, strides=2, depth_multiplier=2),
    "separable": L.SeparableConv2D(16, 3, padding="same"),
    "separable_strided": L.SeparableConv2D(16, 3, strides=2, depth_multiplier=2),
    "dense_on_maps": L.Dense(5),
}


@pytest.mark.parametrize("kind", MULTIPLIED)
def test_flops_agree_with_the_profiler(kind):
    model = _model(MULTIPLIED[kind])
    cost = cost_of_model(model)
    assert cost.params == _trainable(model)
    assert cost.flops == pytest.approx(_profiled_flops(model), rel=0.01)


def test_flops_of_a_dilated_convolution_agree_with_the_profiler():
    model = _model(L.Conv2D(16, 3, dilation_rate=2, padding="same"), shape=(10, 8, 8))
    assert cost_of_model(model).flops == pytest.approx(_profiled_flops(model), rel=0.01)


def test_flops_of_a_classifier_agree_with_the_profiler():
    model = _model(L.Conv2D(8, 3), L.Flatten(), L.Dense(10))
    assert cost_of_model(model).flops == pytest.approx(_profiled_flops(model), rel=0.01)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 63 pixels in; weights 3*3*8*4, bias 4
        (
            L.Conv2D(4, 3, padding="same"),
            Cost(292, 2 * 63 * 288, 4 * (63 * 8 + 292 + 63 * 4)),
        ),
        (
            L.SeparableConv2D(4, 3, padding="same", use_bias=False),
            Cost(72 + 32, 2 * 63 * (72 + 32), 4 * (63 * 8 + 72 + 2 * 63 * 8 + 32 + 63 * 4)),
        ),
        (
            L.Conv2DTranspose(4, 2, strides=2),
            Cost(132, 2 * 63 * 128, 4 * (63 * 8 + 132 + 4 * 63 * 4)),
        ),
        (
            L.Conv2D(4, 3, padding="same", dilation_rate=2, groups=2, use_bias=False),
            Cost(144, 2 * 63 * 144, 4 * (63 * 8 + 144 + 63 * 4)),
        ),
        # 9x7 becomes 5x4
        (L.MaxPooling2D(2, padding="same"), Cost(0, 4 * 160, 4 * (63 * 8 + 160))),
        (L.AveragePooling2D(3, 2, padding="same"), Cost(0, 9 * 160, 4 * (63 * 8 + 160))),
        (L.GlobalAveragePooling2D(), Cost(0, 63 * 8, 4 * (63 * 8 + 8))),
        (L.GlobalMaxPooling2D(keepdims=True), Cost(0, 63 * 8, 4 * (63 * 8 + 8))),
        (L.Dense(3), Cost(27, 2 * 63 * 24, 4 * (63 * 8 + 27 + 63 * 3))),
        (L.BatchNormalization(), Cost(params=16)),
        (L.BatchNormalization(scale=False), Cost(params=8)),
        (L.BatchNormalization(center=False, scale=False), Cost()),
        (L.Activation("swish"), Cost()),
        (L.ZeroPadding2D(1), Cost()),
        (L.Dropout(0.5), Cost()),
        (L.Rescaling(1 / 255), Cost()),
    ],
    ids=lambda value: value.name if isinstance(value, keras.Layer) else "",
)
def test_cost_of_a_layer_by_hand(layer, expected):
    model = _model(layer)
    assert cost_of_model(model) == expected
    assert expected.params == _trainable(model)


@pytest.mark.parametrize(
    "model",
    [
        _model(L.Conv1D(4, 3), L.MaxPooling1D(2), L.GlobalAveragePooling1D(), shape=(20, 3)),
        _model(L.Conv3D(4, 2), L.AveragePooling3D(2), L.GlobalMaxPooling3D(), shape=(4, 5, 6, 2)),
        _model(L.DepthwiseConv1D(3), L.SeparableConv1D(6, 3), shape=(20, 3)),
    ],
    ids=["1d", "3d", "depthwise_1d"],
)
def test_maps_of_other_ranks_are_counted(model):
    assert cost_of_model(model).params == _trainable(model)
    assert cost_of_model(model).flops > 0


def test_conv1d_by_hand():
    model = _model(L.Conv1D(4, 3, use_bias=False), shape=(20, 3))
    assert cost_of_model(model) == Cost(36, 2 * 18 * 36, 4 * (60 + 36 + 72))


def test_a_shared_layer_holds_its_parameters_once_and_runs_twice():
    image = keras.Input((8, 8, 4))
    conv = L.Conv2D(4, 3, padding="same")
    once = cost_of_model(keras.Model(image, conv(image)))
    twice = cost_of_model(keras.Model(image, conv(conv(image))))
    assert twice == Cost(once.params, 2 * once.flops, 2 * once.traffic_bytes)


def test_only_the_model_s_own_calls_of_a_layer_count():
    image = keras.Input((8, 8, 4))
    conv = L.Conv2D(4, 3, padding="same")
    model = keras.Model(image, conv(image))
    before = cost_of_model(model)
    conv(keras.Input((16, 16, 4)))
    assert cost_of_model(model) == before


def test_nested_models_count_at_the_size_they_are_called_with():
    inner = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3), L.ReLU()])
    outer = keras.Sequential([keras.Input((8, 8, 3)), inner, L.Flatten(), L.Dense(2)])
    flat = _model(L.Conv2D(4, 3), L.ReLU(), L.Flatten(), L.Dense(2), shape=(8, 8, 3))
    assert cost_of_model(outer) == cost_of_model(flat)
    assert cost_of_model(outer).params == _trainable(outer)


def test_a_nested_model_called_twice_holds_its_parameters_once():
    inner = _model(L.Conv2D(8, 3, padding="same"), L.BatchNormalization())
    once = cost_of_model(inner)
    image = keras.Input((9, 7, 8))
    twice = cost_of_model(keras.Model(image, inner(inner(image), training=False)))
    assert twice == Cost(once.params, 2 * once.flops, 2 * once.traffic_bytes)


def test_operators_on_tensors_are_free():
    image = keras.Input((8, 8, 3))
    hidden = L.Conv2D(3, 3, padding="same")(image)
    model = keras.Model(image, keras.ops.relu(hidden + image) * 2.0)
    assert cost_of_model(model) == cost_of_model(keras.Model(image, hidden))


def test_frozen_layers_count_as_if_trained():
    model = _model(L.Conv2D(4, 3))
    before = cost_of_model(model)
    model.trainable = False
    assert cost_of_model(model) == before


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (L.PReLU(name="own"), "PReLU"),
        (L.LayerNormalization(name="own"), "LayerNormalization"),
        (L.UpSampling2D(name="own"), "UpSampling2D"),
    ],
)
def test_an_unknown_layer_is_refused_by_name(layer, name):
    with pytest.raises(ValueError, match=f"layer 'own' of class {name}"):
        cost_of_model(_model(layer))


def test_an_unknown_operation_is_refused():
    image = keras.Input((8, 8, 8))
    with pytest.raises(ValueError, match="class Matmul"):
        cost_of_model(keras.Model(image, image @ image))


def test_a_subclass_of_a_known_layer_is_refused():
    class Own(keras.layers.Conv2D):
        pass

    with pytest.raises(ValueError, match="class Own"):
        cost_of_model(_model(Own(2, 3)))


def test_an_open_size_is_refused():
    model = _model(L.Conv2D(4, 3, name="first"), shape=(None, None, 3))
    with pytest.raises(ValueError, match="sizes of layer 'first' must be known"):
        cost_of_model(model)


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="must be functional or sequential, got 'own'"):
        cost_of_model(Own(name="own"))


def test_counting_leaves_the_model_as_it_was():
    model = _model(L.Conv2D(4, 3), L.ReLU())
    config = model.to_json()
    cost_of_model(model)
    assert model.to_json() == config
    assert model.layers[1].output is model.layers[2].input
