"""Files of networks with names, and the networks made by hand that studies compare with."""

from __future__ import annotations

import pytest

from epnas_tf import command_line, fields
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.settings import LimitSettings, SpaceSettings
from epnas_tf.architecture.space import module_space
from epnas_tf.studies import named_networks


@pytest.fixture(name="hand_made", scope="module")
def _hand_made():
    return named_networks.read([named_networks.HAND_MADE])


@pytest.fixture(name="config", scope="module")
def _config():
    """The search that they are compared with."""
    return command_line.parse(["", "--preset=cifar10_layerwise_search"])


def test_networks_made_by_hand_keep_the_limits_and_lie_in_the_space(hand_made, config):
    budget = Budget((32, 32, 3), 10, fields.pick(config, LimitSettings).constraints())
    assert len(budget.constraints) == 2
    # Cells have the paper's table of channels: the preset's is one of layers.
    spaces = {
        "layerwise": fields.pick(config, SpaceSettings).space((32, 32)),
        "module": module_space(),
    }
    for name, spec in hand_made.items():
        spaces[spec.pattern].check(spec)
        assert budget.feasible(spec), (name, budget.cost(spec))
        assert name.startswith("cell_") == (spec.pattern == "module")
    assert len({spec.key for spec in hand_made.values()}) == len(hand_made)


def test_networks_of_the_table_cost_what_it_says(hand_made):
    """Thousands of parameters, MFLOPs (docs/RESULTS.md).

    Of I the table has 91 and 20.0 and nothing says all its layers: it is made after its name.
    """
    table = {
        "plain": (73, 19.8),
        "A": (98, 22.2),
        "D": (98, 22.2),
        "G": (110, 24.5),
        "H": (121, 19.8),
        "I": (92, 20.4),
    }
    budget = Budget((32, 32, 3), 10)
    costs = {name: budget.cost(hand_made[name]) for name in table}
    assert table == {
        name: (round(cost.params / 1e3), round(cost.flops / 1e6, 1)) for name, cost in costs.items()
    }


def test_what_is_written_is_read(hand_made, tmp_path):
    path = tmp_path / "networks.json"
    named_networks.write(path, hand_made)
    assert list(named_networks.read([path]).items()) == list(hand_made.items())
    assert len(path.read_text().splitlines()) == len(hand_made) + 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "must be"),
        ('{"a": []}', r"'a': a network must be a JSON object, got \[\]"),
        ('{"a": {"pattern": "x"}}', "'a': pattern must be"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, words):
    path = tmp_path / "networks.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        named_networks.read([path])


def test_a_name_stands_for_one_network(hand_made, tmp_path):
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    named_networks.write(files[0], {"plain": hand_made["plain"]})
    named_networks.write(files[1], {"plain": hand_made["A"], "A": hand_made["A"]})
    with pytest.raises(ValueError, match=r"two\.json: 'plain': plain must be one network"):
        named_networks.read(files)
    assert list(named_networks.read([files[0], files[0]])) == ["plain"]


def test_names_are_picked_by_patterns():
    names = ["plain", "plain_deep", "cell"]
    assert named_networks.matching(names, ["plain_*", "c*"]) == ["plain_deep", "cell"]
    assert named_networks.matching(names, []) == []
