"""An export as plain data, which no file stands behind."""

from __future__ import annotations

from epnas_tf.exporting.result import Export, ExportedFile, Latency


def export(folder: str = "there") -> Export:
    """Returns an export of a Keras file and one of integers."""
    keras = ExportedFile(
        format="keras",
        path="model.keras",
        bytes=130_036,
        dtype="float32",
        shape=(None, None, None, 3),
        accuracy=0.875,
        difference=2.5e-7,
        latency=Latency(0.0021, 0.0034),
        runtime="keras 3.15.1",
    )
    integers = ExportedFile(
        format="litert_int8",
        path="model_int8.tflite",
        bytes=18_560,
        dtype="uint8",
        shape=(1, 8, 6, 3),
        accuracy=0.85,
        difference=0.031,
        latency=Latency(0.0000123, 0.00002),
        runtime="ai-edge-litert 2.3.0",
        float_operations=("ELU of layer4_conv2d_elu",),
        warnings=("accuracy 0.8500 is 2.5 points below the 0.8750 of the trained network",),
    )
    return Export(
        folder=folder,
        name="e01s02b3",
        outputs="probabilities",
        class_names=("ant", "bee", "cow"),
        input_shape=(8, 6, 3),
        full_scale=255.0,
        accuracy=0.875,
        images=40,
        measured_on="validation",
        uses={"params": 1557.0, "flops": 47580.0},
        files=(keras, integers),
    )
