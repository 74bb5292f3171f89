"""The example of a search within the cost of a model runs, in small."""

from __future__ import annotations

import pathlib
import re
import runpy

import epnas_tf
from tests.tiny_search import TINY

_EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_limits.py"


def test_the_example_finds_networks_within_the_cost(tmp_path, capsys):
    example = runpy.run_path(str(_EXAMPLE))
    own = ("dataset", "max_params")
    small = {name: value for name, value in TINY.items() if name not in own}
    found = example["main"](str(tmp_path / "search"), **small)
    cost = epnas_tf.cost_of_model(example["yours"]())
    said = capsys.readouterr().out
    assert f"yours: {cost.params} parameters, {cost.flops} FLOPs" in said
    listed = re.findall(r"^(e\d\ds\d\db\d): accuracy .*: (keeps|breaks) ", said, re.MULTILINE)
    assert [slot for slot, _ in listed] == [network.slot for network in found.networks[:3]]
    kept = [network for network in found.networks if network.feasible]
    assert kept
    for network in kept:
        assert network.cost.params <= cost.params
        assert network.cost.flops <= cost.flops
        assert network.cost.intensity >= 0.8 * cost.intensity
