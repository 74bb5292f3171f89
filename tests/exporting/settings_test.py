"""What an export may be asked for."""

from __future__ import annotations

import pytest

from epnas_tf.exporting.settings import FORMATS, FileSettings
from epnas_tf.exporting.writers import FORMATS as WRITERS
from epnas_tf.fields import SettingError


def test_every_format_has_its_writer():
    assert tuple(WRITERS) == FORMATS


def test_all_that_needs_no_extra_is_written_by_default():
    assert FileSettings().formats == tuple(name for name in FORMATS if name != "onnx")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formats": ()}, "formats must name at least one of keras, saved_model"),
        ({"formats": ("keras", "tflite")}, "formats must be one of keras, .* got keras,tflite"),
        ({"outputs": "classes"}, "outputs must be one of probabilities, logits, got classes"),
        ({"calibration_images": 0}, "calibration_images must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_exported_is_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        FileSettings(**settings)
