"""Random networks of both spaces cost what their specs say, over odd sizes too."""

from __future__ import annotations

import math

import keras
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import initial
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.modeling import build_model, cost_of_model

SIZES = ((32, 32, 3), (8, 8, 1), (15, 11, 3), (7, 7, 2), (33, 17, 3), (4, 5, 1))


def _space(pattern, shape, index):
    if pattern == "layerwise":
        return layerwise_space(shape[:2], max_layers=12)
    return module_space(cells_per_stage=1 + index % 2, width_multiplier=1 + index % 3 / 4)


@pytest.mark.parametrize("index", range(30))
@pytest.mark.parametrize("pattern", ["layerwise", "module"])
def test_a_random_network_costs_what_its_spec_says(pattern, index):
    shape = SIZES[index % len(SIZES)]
    space = _space(pattern, shape, index)
    spec = initial.random_spec(space, randomness.generator(0, "random networks", pattern, index))
    with keras.StatelessScope(initialize_variables=False):  # shapes only, no values
        model = build_model(spec, shape, 10)
    assert cost_of_model(model) == cost(spec, shape, 10), spec.to_json()
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert cost_of_model(model).params == trainable
