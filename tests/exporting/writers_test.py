"""How files are made: what their converters are given."""

from __future__ import annotations

import pytest

from epnas_tf.exporting import settings, writers
from epnas_tf.fields import SettingError


def test_samples_span_the_bytes_and_are_the_images_else(network):
    samples = [image for (image,) in writers.samples(network)]
    assert len(samples) == len(network.images.calibration)
    changed = [(a != b).sum() for a, b in zip(samples, network.images.calibration, strict=True)]
    assert changed[0] <= 2 * 3 and not any(changed[1:])
    assert samples[0].min() == 0 and samples[0].max() == 255


def test_each_format_that_may_be_asked_for_has_a_writer():
    assert tuple(writers.FORMATS) == settings.FORMATS
    assert len({kind.path for kind in writers.FORMATS.values()}) == len(settings.FORMATS)


def test_a_format_whose_libraries_are_missing_is_refused(monkeypatch):
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda name: None)
    writers.check_installed(["keras", "litert_int8"])
    with pytest.raises(SettingError, match="leave out onnx without tf2onnx: pip install"):
        writers.check_installed(["keras", "onnx"])
