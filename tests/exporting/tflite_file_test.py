"""What a LiteRT file says of itself."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.exporting import tflite_file


def _file(path, **settings) -> bytes:
    """Returns a file of a convolution and an elu, which has no kernel of integers."""
    pixels = keras.Input((4, 4, 1), 1)
    features = keras.layers.Conv2D(2, 3, name="first")(pixels)
    features = keras.layers.Activation("elu", name="second")(features)
    outputs = keras.layers.AveragePooling2D(2)(features)
    model = keras.Model(pixels, outputs)
    model.export(str(path), format="litert", verbose=False, **settings)
    return path.read_bytes()


def test_all_of_a_file_of_floats_computes_with_floats(tmp_path):
    found = tflite_file.float_operations(_file(tmp_path / "model.tflite"))
    assert [str(each) for each in found] == [
        "CONV_2D of first",
        "ELU of second",
        "AVERAGE_POOL_2D of outputs",
    ]


def test_in_a_file_of_integers_what_is_left_is_found(tmp_path):
    images = np.random.default_rng(0).uniform(-1, 1, (8, 1, 4, 4, 1)).astype(np.float32)
    content = _file(
        tmp_path / "model.tflite",
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=lambda: ([image] for image in images),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        inference_input_type=tf.int8,
    )
    assert [str(each) for each in tflite_file.float_operations(content)] == ["ELU of second"]
    scale, zero = tflite_file.input_scale(content)
    assert scale == pytest.approx((images.max() - images.min()) / 255, rel=0.02)
    assert -10 < zero < 10


def test_floats_stand_for_themselves(tmp_path):
    assert tflite_file.input_scale(_file(tmp_path / "model.tflite")) is None


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("net_1/stem_conv_1/convolution", "stem_conv"),
        ("net_1/a/stem_relu_1/Relu;net_1/a/stem_conv_1/convolution1", "stem_conv"),
        ("net/layer10_conv2d_elu_2/Elu", "layer10_conv2d_elu"),
        ("StatefulPartitionedCall_1:0", "outputs"),
    ],
)
def test_a_tensors_name_tells_its_layer(tensor, layer):
    assert tflite_file.layer_of(tensor) == layer
