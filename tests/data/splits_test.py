from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.data import splits

LABELS = np.repeat(np.arange(3), (100, 50, 10))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_splits_are_disjoint_complete_and_stratified() -> None:
    found = splits.held_out(LABELS, (0.2, 0.1), rng())
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(160))
    counts = [np.bincount(LABELS[split]).tolist() for split in found]
    assert counts == [[70, 35, 7], [20, 10, 2], [10, 5, 1]]


def test_every_split_holds_every_class() -> None:
    labels = np.repeat(np.arange(4), 3)
    found = splits.held_out(labels, (0.01, 0.01), rng())
    assert all(set(labels[split]) == {0, 1, 2, 3} for split in found)


def test_splits_depend_on_the_generator_alone() -> None:
    first, again, other = (splits.held_out(LABELS, (0.2,), rng(seed))[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_too_small_to_split_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 images .* class 1 has 2"):
        splits.held_out(np.array([0, 0, 0, 0, 1, 1]), (0.2, 0.2), rng())


def test_fractions_are_stratified() -> None:
    chosen = splits.fraction_of(LABELS, 0.1, rng())
    assert np.bincount(LABELS[chosen]).tolist() == [10, 5, 1]
    assert len(splits.fraction_of(LABELS, 1.0, rng())) == 160
    assert len(splits.fraction_of(LABELS, 1e-6, rng())) == 3


@pytest.mark.parametrize("fraction", [0.0, 1.1])
def test_fractions_out_of_range_are_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"train_fraction must be in \(0, 1\], got"):
        splits.fraction_of(LABELS, fraction, rng())
