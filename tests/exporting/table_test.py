"""The table of an export, as the console shows it."""

from __future__ import annotations

import dataclasses

from epnas_tf.exporting import table
from tests.exporting import described

_TABLE = """\
network   file                 size  params  FLOPs  accuracy  difference     median      95%
e01s02b3  as trained                  1.56k  47.6k    0.8750
e01s02b3  model.keras         130kB   1.56k  47.6k    0.8750       2e-07     2.1 ms   3.4 ms
e01s02b3  model_int8.tflite  18.6kB   1.56k  47.6k    0.8500        0.03  0.0123 ms  0.02 ms
accuracy: on 40 validation images; difference: the largest of an output from the trained \
network's; median, 95%: of runs on one image, one thread, on this machine
e01s02b3, model_int8.tflite: 1 operation is left that computes with floats: \
ELU of layer4_conv2d_elu
warning: e01s02b3, model_int8.tflite: accuracy 0.8500 is 2.5 points below the 0.8750 of the \
trained network"""


def test_it_has_a_line_per_file_and_says_what_to_know():
    assert table.render([described.export()]) == _TABLE


def test_integers_alone_are_said_too():
    export = described.export()
    integers = dataclasses.replace(export.files[1], float_operations=(), warnings=())
    lines = table.render([dataclasses.replace(export, files=(integers,))]).splitlines()
    said = "e01s02b3, model_int8.tflite: no operation is left that computes with floats"
    assert lines[-1] == said


def test_several_networks_share_a_table():
    other = dataclasses.replace(described.export(), name="e01s01b0", uses={}, images=7)
    lines = table.render([described.export(), other]).splitlines()
    assert lines[0].startswith("network") and lines[4].split()[:3] == ["e01s01b0", "as", "trained"]
    assert "on 40 validation images and 7 validation images" in lines[7]
