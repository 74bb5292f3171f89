"""Baselines: they count as published, and scaled ones make most of the limits."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.architecture import limits
from epnas_tf.architecture.limits import Constraint
from epnas_tf.modeling import cost_of_model
from epnas_tf.studies import known_networks, networks
from epnas_tf.studies.known_networks import FAMILIES, Stage

CIFAR = (32, 32, 3)


def test_resnet8_counts_as_published():
    network = known_networks.resnet8()
    cost = network.cost(CIFAR, 10)
    # github.com/mlcommons/tiny: 78,666 parameters, of which batch norm's statistics are not
    # trained (two of each channel); 12,501,632 multiply-adds, and global pooling.
    statistics = 2 * (16 + 2 * 16 + 2 * 32 + 2 * 64)
    assert cost.params == 78_666 - statistics == 78_186
    assert cost.flops == 2 * 12_501_632 + 8 * 8 * 64
    with keras.StatelessScope(initialize_variables=False):
        model = networks.build(network, CIFAR, 10)
    assert model.count_params() == 78_666
    assert cost_of_model(model) == cost


def test_the_later_resnet8_is_wider():
    """The benchmark's second one: 205k parameters, 32.6M multiply-adds."""
    cost = known_networks.resnet8(26).cost(CIFAR, 10)
    assert round(cost.params, -3) == 205_000
    assert cost.flops / 2 == pytest.approx(32.6e6, rel=2e-3)


# Channels, blocks, stride: table 1 of arXiv:1704.04861.
MOBILENET = (
    *(Stage(64, 1), Stage(128, 2, 2), Stage(256, 2, 2)),
    *(Stage(512, 6, 2), Stage(1024, 2, 2)),
)
# Table 2 of arXiv:1801.04381.
MOBILENET_V2 = (
    *(Stage(16, 1, expansion=1), Stage(24, 2, 2), Stage(32, 3, 2), Stage(64, 4, 2)),
    *(Stage(96, 3), Stage(160, 3, 2), Stage(320, 1)),
)
PUBLISHED = {
    "MobileNet": (known_networks.separable_net(32, MOBILENET, stride=2), 569e6),
    "MobileNetV2": (
        known_networks.inverted_residuals(32, MOBILENET_V2, 1280, stride=2),
        300e6,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_of_the_published_tables_count_as_published(name):
    network, multiply_adds = PUBLISHED[name]
    cost = network.cost((224, 224, 3), 1000)
    assert cost.flops / 2 == pytest.approx(multiply_adds, rel=0.01)
    with keras.StatelessScope(initialize_variables=False):
        expected = cost_of_model(getattr(keras.applications, name)(weights=None))
    assert (cost.params, cost.flops) == (expected.params, expected.flops)


def test_scaled_networks_have_the_blocks_of_their_family():
    separable = FAMILIES["depthwise_separable"].member(16, 2, 3)
    stages = [Stage(16, 2), Stage(32, 2, 2), Stage(64, 2, 2)]
    assert separable == known_networks.separable_net(8, stages)
    inverted = FAMILIES["mobilenet_v2"].member(16, 2, 3)
    first = Stage(16, 1, expansion=1)
    assert inverted == known_networks.inverted_residuals(32, [first, *stages], 256)


def _limits(params: float | None, flops: float | None) -> tuple[Constraint, ...]:
    uppers = {"params": params, "flops": flops}
    return tuple(Constraint(name, None, upper) for name, upper in uppers.items() if upper)


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    params=st.none() | st.integers(6_000, 2_000_000),
    flops=st.integers(3_000_000, 400_000_000),
    shape=st.sampled_from([(32, 32, 3), (28, 28, 1)]),
)
def test_a_scaled_network_keeps_the_limits_and_no_wider_one_does(name, params, flops, shape):
    constraints, member = _limits(params, flops), FAMILIES[name].member
    network = known_networks.scaled(FAMILIES[name], constraints, shape, 10)
    assert limits.feasible(network.cost(shape, 10), constraints)
    width = network.blocks[1].convs[-1].channels
    (depth,) = (each for each in range(1, 13) if member(width, each, 3) == network)
    assert not limits.feasible(member(width + 1, depth, 3).cost(shape, 10), constraints)


@pytest.mark.parametrize("name", FAMILIES)
def test_scaled_networks_use_most_of_the_limits_of_the_comparison(name):
    constraints = _limits(100e3, 25e6)
    cost = known_networks.scaled(FAMILIES[name], constraints, CIFAR, 10).cost(CIFAR, 10)
    assert limits.excess(cost, constraints)[0] > 0.9


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ((), "must have a limit that they are scaled to, got none"),
        (_limits(50, None), r"whose smallest has \d+ parameters and [\d.]+ MFLOPs"),
    ],
)
def test_limits_must_leave_a_network(constraints, words):
    with pytest.raises(ValueError, match=words):
        known_networks.scaled(FAMILIES["mobilenet_v2"], constraints, CIFAR, 10)


@pytest.mark.parametrize(
    ("shape", "stages"), [((8, 8, 1), 1), ((32, 32, 3), 3), ((28, 40, 1), 3), ((128, 96, 3), 5)]
)
def test_maps_are_halved_until_they_are_small(shape, stages):
    assert known_networks._stages(shape) == stages


def test_baselines_are_asked_by_name():
    names = known_networks.names()
    assert names[:4] == ["resnet8", "depthwise_separable", "mobilenet_v2", "plain"]
    assert len(set(names)) == len(names)

    def images():
        raise AssertionError("nothing is scaled to them")

    found = known_networks.named(["plain", "resnet8"], (), images)
    assert list(found) == ["plain", "resnet8"]
    assert found["resnet8"] == known_networks.resnet8()
    constraints = _limits(100e3, 25e6)
    scaled = known_networks.named(["mobilenet_v2"], constraints, lambda: (CIFAR, 10))
    expected = known_networks.scaled(FAMILIES["mobilenet_v2"], constraints, CIFAR, 10)
    assert scaled == {"mobilenet_v2": expected}
