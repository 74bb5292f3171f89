"""What a plan of a search's time is told."""

import dataclasses
import math

import numpy as np
import pytest

from epnas_tf.architecture.budget import Budget, ChildLimits
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.data import dataset
from epnas_tf.searching.settings import RungSettings
from epnas_tf.training.schedule import schedule
from epnas_tf.tuner import planning
from tests.data.images import noise

_LIMITS = (Constraint("params", upper=20e3), Constraint("flops", upper=1e6))
_BUDGET = Budget((8, 8, 3), 10, _LIMITS, machine_gflops=1.0)


def test_shares_are_those_of_the_settings():
    shares = planning.shares(RungSettings(promotion_share=0.4, finals_share=0.25))
    assert (shares.promotions, shares.finals) == (0.4, pytest.approx(0.2))  # 0.25 to 1
    assert planning.shares(RungSettings(finalists=0)).finals == 0
    one = planning.shares(RungSettings(rungs=(5,)))
    assert (one.promotions, one.finals) == (0, 0)


@pytest.mark.parametrize(("minutes", "seconds"), [(None, math.inf), (0.0, None), (2.0, 120.0)])
def test_a_ceiling_is_fixed_unless_it_is_to_be_planned(minutes, seconds):
    assert planning.fixed_seconds(minutes) == seconds


def test_a_typical_network_keeps_the_ceiling_and_grows_with_it():
    typical = planning.typical(layerwise_space(image_size=(8, 8)), _BUDGET)
    largest = typical(math.inf)
    assert 0 < largest < 3e6 / 1e9 * 100
    assert typical(largest / 2) <= largest / 2
    assert typical(1e-12) is None


def test_a_ceiling_that_the_budget_has_is_not_looked_at():
    slow = dataclasses.replace(_BUDGET, limits=ChildLimits(max_child_minutes=1e-9))
    space = layerwise_space(image_size=(8, 8))
    assert planning.typical(space, slow)(math.inf) == planning.typical(space, _BUDGET)(math.inf)


@pytest.mark.parametrize(("seconds", "whole"), [(36_000.0, True), (60.0, False)])
def test_a_plan_that_keeps_all_images_says_so_as_the_schedule_does(seconds, whole):
    x, y = noise(400, 8, 8), np.arange(400) % 10
    data = dataset.from_arrays(x, y, (255 - x[:40], y[:40]))
    given = schedule("plain")
    rated = dataclasses.replace(_BUDGET, machine_gflops=100.0 if whole else 0.01)
    planned = planning.plan(
        layerwise_space(image_size=(8, 8)), rated, data, given, RungSettings(), seconds=seconds
    )
    # All are trained for the second rung at once where there is so much time.
    kept = (planned.epochs, planned.epoch_images) == (3 * given.epochs, given.epoch_images)
    assert kept == whole
