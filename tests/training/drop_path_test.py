"""How often paths are dropped, and what decides it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.training import drop_path

_DEPTHS = (0.25, 0.5, 1.0)


def _drawn(update: int, seed: int = 1, of_pass: int = 0, images: int = 2_000) -> np.ndarray:
    factors = drop_path.factors_function(0.4, _DEPTHS, updates=10, passes=3, seed=seed)

    return factors(tf.range(images), tf.fill([images], of_pass), tf.fill([images], update)).numpy()


@pytest.mark.parametrize("update", [0, 4, 9])
def test_the_share_that_is_dropped_grows_with_depth_and_time(update):
    drawn = _drawn(update)
    shares = 0.4 * np.array(_DEPTHS) * (update + 1) / 10
    assert (drawn == 0).mean(0) == pytest.approx(shares, abs=0.03)
    for path, share in enumerate(shares):
        kept = drawn[:, path][drawn[:, path] > 0]
        assert kept == pytest.approx(1 / (1 - share), rel=1e-5)  # the mean stays


def test_draws_depend_on_seed_pass_and_image_and_paths_are_dropped_apart():
    reference = _drawn(9)
    np.testing.assert_array_equal(reference, _drawn(9))
    for other in (_drawn(9, seed=2), _drawn(9, of_pass=1)):
        assert 0.2 < ((reference == 0) != (other == 0))[:, 2].mean() < 0.7
    dropped = reference == 0
    both = (dropped[:, 1] & dropped[:, 2]).mean()
    assert both == pytest.approx(dropped[:, 1].mean() * dropped[:, 2].mean(), abs=0.03)
