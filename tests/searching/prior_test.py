"""What earlier searches found: checked, cut to what tells most, held against later states."""

from __future__ import annotations

import json

import pytest

from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.fields import SettingError
from epnas_tf.searching import prior as prior_lib
from epnas_tf.searching.prior import PriorTrial

_CHANNELS = tuple(range(2, 40, 2))
_SPACE = layerwise_space((8, 8), channels=_CHANNELS, filter_widths=(1, 3), max_layers=3)


def _network(*channels: int, stem_filters: int = 16) -> LayerwiseSpec:
    layers = [LayerSpec("conv2d", width=3, channels=size, activation="relu") for size in channels]
    return LayerwiseSpec(tuple(layers), stem_filters)


def _trials(*accuracies: float) -> tuple[PriorTrial, ...]:
    return tuple(
        PriorTrial(_network(_CHANNELS[number]), accuracy, accuracy / 2)
        for number, accuracy in enumerate(accuracies)
    )


def test_trials_of_the_space_stay_in_their_order():
    given = [_trials(0.5, 0.25), list(_trials(0.75))]
    assert prior_lib.checked(given, _SPACE) == (_trials(0.5, 0.25), _trials(0.75))
    assert prior_lib.checked([], _SPACE) == ()


@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        ((), "search 2 of 2: it must have at least one network, got none"),
        (_trials(0.5) * 2, "search 2 of 2: it must name each network once"),
        (
            [PriorTrial(_network(64), 0.5, 0.5)],
            "search 2 of 2: it has a network that is not of the space: ",
        ),
        (
            [PriorTrial(_network(4, stem_filters=8), 0.5, 0.5)],
            "search 2 of 2: it has a network that is not of the space: ",
        ),
    ],
)
def test_what_is_no_prior_is_refused_by_name(trials, reason):
    with pytest.raises(SettingError) as caught:
        prior_lib.checked([_trials(0.5), trials], _SPACE)
    assert caught.value.setting == "prior"
    assert reason in caught.value.reason


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["accuracy", "reward"])
def test_numbers_are_finite(name, value):
    numbers = {"accuracy": 0.5, "reward": 0.5, name: value}
    with pytest.raises(ValueError, match=f"{name} must be finite, got"):
        PriorTrial(_network(4), **numbers)


def test_a_network_is_taken_with_the_stem_and_stacking_of_the_space():
    assert prior_lib.in_space(_network(4, stem_filters=99), _SPACE) == _network(4)
    assert prior_lib.in_space(_network(64), _SPACE) is None
    cells = module_space(cells_per_stage=2, width_multiplier=1.5)
    branches = (BranchSpec("maxpool-none", pool=2, channels=8),)
    found = prior_lib.in_space(CellSpec(branches, cells_per_stage=1_000_000), cells)
    assert found == CellSpec(branches, cells_per_stage=2, width_multiplier=1.5)
    assert prior_lib.in_space(_network(4), cells) is None


def test_of_many_the_best_half_and_the_newest_half_are_taken_in_their_order():
    trials = _trials(0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.4, 0.5)
    few = _trials(0.1, 0.2)
    (kept, short) = prior_lib.most_telling((trials, few), 4)
    assert [trial.accuracy for trial in kept] == [0.9, 0.8, 0.4, 0.5]
    assert short == few
    assert prior_lib.most_telling((trials,), 8) == (trials,)
    assert prior_lib.MOST == 512


def test_equally_good_ones_are_taken_in_their_order():
    (kept,) = prior_lib.most_telling((_trials(*[0.5] * 6),), 2)
    assert kept == (_trials(*[0.5] * 6)[0], _trials(*[0.5] * 6)[5])


def test_a_search_that_went_on_holds_what_it_was():
    before, after = _trials(0.5, 0.25), _trials(0.5, 0.25, 0.75)
    assert prior_lib.holds((after,), (before,))
    assert prior_lib.holds((before,), (before,))
    assert not prior_lib.holds((before,), (after,))
    assert not prior_lib.holds((_trials(0.5, 0.3, 0.75),), (before,))  # measured anew
    assert not prior_lib.holds((before, before), (before,))
    assert not prior_lib.holds((before,), (before, before))


def test_plain_data_come_back_exactly():
    prior = (_trials(0.1, 1 / 3), _trials(0.7))
    values = json.loads(json.dumps(prior_lib.to_plain(prior)))
    assert prior_lib.from_plain(values, _SPACE) == prior


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": True},
        {"accuracy": "1"},
        {"reward": None},
        {"spec": {}},
        {"spec": None},
        {"spec": _network(64).to_dict()},
    ],
)
def test_plain_data_of_another_kind_are_refused(change):
    ((first, *_), *_) = prior_lib.to_plain((_trials(0.5),))
    for wrong in ([[first | change]], [first | change], [[]], 3, [[None]]):
        with pytest.raises((ValueError, TypeError, KeyError)):
            prior_lib.from_plain(wrong, _SPACE)
