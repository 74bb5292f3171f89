"""Cost of a Keras CNN, counted on the built model.

Works for any functional or sequential model of the layers named below, nested ones included; the
arithmetic is that of `architecture.cost_rules`. A layer that is not named here is refused rather
than counted as nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from epnas_tf import global_state
from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.modeling import walk

_TensorShape = tuple[int | None, ...]  # with the batch dimension
Counter = Callable[[Any, _TensorShape, _TensorShape], Cost]  # (layer, input, output) -> cost


@dataclasses.dataclass(frozen=True)
class _Call:
    """One call of a layer (or of a bare Keras operation) in the model's graph."""

    layer: Any
    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]


@global_state.set_aside()
def cost_of_model(model: keras.Model) -> Cost:
    """Returns the cost of a functional or sequential Keras CNN for one image.

    Bytes moved are those of float32, as in the paper, also where layers compute in 16 bits.
    Parameters are those that training changes, whether or not `trainable` is set at the moment.
    A layer that is called several times holds its parameters once and runs as often as called.

    Raises:
      ValueError: a layer is of an unknown kind, or a size is not known before it runs.
    """
    calls: list[_Call] = []
    _record(model, None, calls)
    total = Cost()
    counted: set[int] = set()
    for call in calls:
        cost = _call_cost(call)
        if id(call.layer) in counted:
            cost = dataclasses.replace(cost, params=0)
        counted.add(id(call.layer))
        total += cost
    return total


def _record(model: keras.Model, inputs: list[keras.KerasTensor] | None, calls: list[_Call]) -> None:
    """Appends every call of a layer in `model`, run symbolically on `inputs` or on its own."""

    def record_call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer.compute_output_spec(*args, **kwargs)
        tensors = _tensors((args, kwargs))
        if isinstance(layer, keras.Model):
            _record(layer, tensors, calls)
        else:
            calls.append(_Call(layer, tensors, _tensors(outputs)))
        return outputs

    walk.again(model, record_call, inputs)


def _tensors(values: Any) -> list[keras.KerasTensor]:
    return [x for x in keras.tree.flatten(values) if isinstance(x, keras.KerasTensor)]


def _call_cost(call: _Call) -> Cost:
    kind = type(call.layer)
    if kind in COUNTERS:
        return COUNTERS[kind](call.layer, call.inputs[0].shape, call.outputs[0].shape)
    is_layer = isinstance(call.layer, keras.Layer)
    if kind in FREE_LAYERS or (not is_layer and kind.__name__ in FREE_OPERATIONS):
        return Cost()
    raise ValueError(
        f"no rule tells the cost of layer {call.layer.name!r} of class {kind.__name__}"
    )


def _folded(layer: Any, shape: _TensorShape) -> Shape:
    """Returns a map of any rank as (positions, 1, channels), for which the rules are the same."""
    sizes = shape[1:]
    if None in sizes:
        raise ValueError(f"sizes of layer {layer.name!r} must be known, got {shape}")
    if getattr(layer, "data_format", None) == "channels_first":
        sizes = (*sizes[1:], sizes[0])
    return (cost_rules.elements(sizes[:-1]), 1, sizes[-1])  # type: ignore[arg-type,return-value]


def _window(sizes: tuple[int, ...]) -> tuple[int, int]:
    return (cost_rules.elements(tuple(sizes)), 1)


def _conv(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    return cost_rules.conv_cost(
        _folded(layer, inputs),
        _folded(layer, outputs),
        _window(layer.kernel_size),
        layer.groups,
        layer.use_bias,
    )


def _transposed_conv(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    """Counts the convolution whose gradient this is: every input pixel meets the whole kernel."""
    small, large = _folded(layer, inputs), _folded(layer, outputs)
    cost = cost_rules.conv_cost(large, small, _window(layer.kernel_size))
    bias = large[2] if layer.use_bias else 0
    return cost + Cost(bias, 0, cost_rules.BYTES_PER_ELEMENT * bias)


def _depthwise(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    return cost_rules.depthwise_cost(
        _folded(layer, inputs), _folded(layer, outputs), _window(layer.kernel_size), layer.use_bias
    )


def _separable(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    return cost_rules.separable_cost(
        _folded(layer, inputs),
        _folded(layer, outputs),
        _window(layer.kernel_size),
        layer.depth_multiplier,
        layer.use_bias,
    )


def _dense(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    """Counts a dense layer as the 1x1 convolution that it is along its leading dimensions."""
    return cost_rules.conv_cost(
        _folded(layer, inputs), _folded(layer, outputs), (1, 1), 1, layer.use_bias
    )


def _pool(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    return cost_rules.pool_cost(
        _folded(layer, inputs), _folded(layer, outputs), _window(layer.pool_size)
    )


def _global_pool(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    del outputs
    shape = _folded(layer, inputs)
    return cost_rules.pool_cost(shape, shape[2:], shape[:2])


def _batch_norm(layer: Any, inputs: _TensorShape, outputs: _TensorShape) -> Cost:
    del outputs
    channels = inputs[layer.axis]
    assert channels is not None, layer
    return cost_rules.batch_norm_cost(channels, layer.scale, layer.center)


COUNTERS: Mapping[type, Counter] = {
    keras.layers.Conv1D: _conv,
    keras.layers.Conv2D: _conv,
    keras.layers.Conv3D: _conv,
    keras.layers.Conv1DTranspose: _transposed_conv,
    keras.layers.Conv2DTranspose: _transposed_conv,
    keras.layers.DepthwiseConv1D: _depthwise,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv1D: _separable,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.Dense: _dense,
    keras.layers.MaxPooling1D: _pool,
    keras.layers.MaxPooling2D: _pool,
    keras.layers.MaxPooling3D: _pool,
    keras.layers.AveragePooling1D: _pool,
    keras.layers.AveragePooling2D: _pool,
    keras.layers.AveragePooling3D: _pool,
    keras.layers.GlobalMaxPooling1D: _global_pool,
    keras.layers.GlobalMaxPooling2D: _global_pool,
    keras.layers.GlobalMaxPooling3D: _global_pool,
    keras.layers.GlobalAveragePooling1D: _global_pool,
    keras.layers.GlobalAveragePooling2D: _global_pool,
    keras.layers.GlobalAveragePooling3D: _global_pool,
    keras.layers.BatchNormalization: _batch_norm,
}

# Fused into their neighbours, or without work at inference: DECISIONS 5.
FREE_LAYERS: tuple[type, ...] = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.Softmax,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.Subtract,
    keras.layers.Concatenate,
    keras.layers.Cropping2D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.Identity,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
)

# The same, written as functions or operators (`x + y`, `keras.ops.relu(x)`), by class name.
FREE_OPERATIONS: tuple[str, ...] = (
    "Add",
    "Concatenate",
    "Elu",
    "Gelu",
    "HardSigmoid",
    "HardSilu",
    "LeakyRelu",
    "Maximum",
    "Minimum",
    "Multiply",
    "Negative",
    "Pad",
    "Relu",
    "Relu6",
    "Reshape",
    "Selu",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Subtract",
    "Tanh",
)
