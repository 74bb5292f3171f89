"""What a trained network is worth, from the labels that it gives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epnas_tf.final import measurement


def test_accuracies_and_confusion_are_counted():
    labels, predicted = np.array([0, 0, 0, 2, 2]), np.array([0, 1, 0, 2, 0])
    found = measurement.measured(predicted, labels, 4)
    assert found.confusion.tolist() == [[2, 1, 0, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]
    assert (found.images, found.correct, found.accuracy) == (5, 3, 0.6)
    assert found.per_class == {0: 2 / 3, 2: 0.5}
    text = measurement.confusion_csv(found, ["a", "b", "c, d", "e"])
    assert text.splitlines()[0] == 'class,a,b,"c, d",e'
    assert text.splitlines()[3] == '"c, d",1,0,1,0'


@given(st.integers(1, 20_000), st.floats(0, 1))
def test_the_interval_is_wilsons(images, share):
    correct = round(share * images)
    confusion = np.array([[correct, images - correct], [0, 0]])
    low, high = measurement.Measurement(confusion).interval
    z, p = 1.959963984540054, correct / images
    centre = (p + z**2 / (2 * images)) / (1 + z**2 / images)
    half = z / (1 + z**2 / images) * math.sqrt(p * (1 - p) / images + z**2 / (4 * images**2))
    assert low == pytest.approx(centre - half, abs=1e-9)
    assert high == pytest.approx(centre + half, abs=1e-9)
