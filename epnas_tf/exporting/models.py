"""Keras models around a trained network, as each kind of file wants it; its weights are shared."""

from __future__ import annotations

import epnas_tf.backend

import keras

from epnas_tf import global_state
from epnas_tf.exporting.settings import PROBABILITIES

_DATA_FORMAT = "channels_last"


@global_state.set_aside()
def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model with every layer computing in float32.

    Runtimes of other formats know no 16 bits of TensorFlow's; variables are float32 already.
    """
    float32 = global_state.FLOAT32
    if all(layer.dtype_policy.name == float32 for layer in model._flatten_layers()):
        return model

    def in_its_place(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": float32})

    copy = keras.models.clone_model(model, clone_function=in_its_place, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


@global_state.set_aside()
def with_outputs(model: keras.Model, outputs: str) -> keras.Model:
    """Returns the model with what its files are to give for each class.

    Args:
      model: takes pixels, returns logits.
      outputs: `probabilities` or `logits`.
    """
    if outputs != PROBABILITIES:
        return model
    pixels = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="pixels")
    softmax = keras.layers.Softmax(dtype=global_state.FLOAT32, name=PROBABILITIES)
    return keras.Model(pixels, softmax(model(pixels)), name=model.name)


@global_state.set_aside()
def of_any_size(model: keras.Model) -> keras.Model:
    """Returns the model with images of any height and width resized to its own, as a search does.

    The resize is that of `data.arrays.resize`, but that it does not round.
    """
    height, width, channels = model.input_shape[1:]
    float32 = global_state.FLOAT32
    pixels = keras.Input((None, None, channels), dtype=float32, name="pixels")
    resize = keras.layers.Resizing(
        height,
        width,
        interpolation="bilinear",
        antialias=True,
        data_format=_DATA_FORMAT,
        dtype=float32,
        name="resize",
    )
    # Said, since the layer that resizes has those behind it train where nobody says otherwise.
    return keras.Model(pixels, model(resize(pixels), training=False), name=model.name)


@global_state.set_aside()
def of_one_size(model: keras.Model, dtype: str, batch: int | None) -> keras.Model:
    """Returns the model for a runtime that knows its own size of images alone.

    Args:
      model: takes pixels as float32.
      dtype: in which pixels are to come.
      batch: images at once; None for any number.
    """
    pixels = keras.Input(model.input_shape[1:], batch, dtype=dtype, name="pixels")
    as_float = pixels
    if dtype != global_state.FLOAT32:
        as_float = keras.ops.cast(pixels, global_state.FLOAT32)
    return keras.Model(pixels, model(as_float), name=model.name)


# Klambauer et al., https://arxiv.org/abs/1706.02515: selu(x) = scale * (x if x > 0, else alpha *
# (exp(x) - 1)).
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@global_state.set_aside()
def for_integers(model: keras.Model) -> keras.Model:
    """Returns the model with its selus as sums of elu and relu, for a converter to integers.

    LiteRT knows no selu. As its converter takes it apart, the exponential of a large input decides
    how fine the steps of all others are, and nothing is left of the network.
    """

    def in_its_place(layer: keras.Layer) -> keras.Layer:
        if getattr(layer, "activation", None) is not keras.activations.selu:
            return layer
        return keras.layers.Lambda(_selu, dtype=layer.dtype_policy, name=layer.name)

    return keras.models.clone_model(model, clone_function=in_its_place, recursive=True)


def _selu(inputs: keras.KerasTensor) -> keras.KerasTensor:
    negative = _SELU_SCALE * _SELU_ALPHA  # where elu(x) is exp(x) - 1 and relu(x) is 0
    return negative * keras.ops.elu(inputs) + (_SELU_SCALE - negative) * keras.ops.relu(inputs)
