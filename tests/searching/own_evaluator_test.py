"""The example of a search with one's own evaluator runs as it stands, in a process of its own."""

from __future__ import annotations

import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.trials import Result

_EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_evaluator.py"


def _run(*arguments):
    command = [sys.executable, "-X", "importtime", str(_EXAMPLE), *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("policy", ["random", pytest.param("lstm", marks=pytest.mark.nightly)])
def test_the_example_finds_a_good_network(policy):
    finished = _run(f"--policy={policy}", "--seed=1")
    *steps, best, network, action = finished.stdout.splitlines()
    assert len(steps) == 1 + 10 * 2
    found = re.fullmatch(r"best of 84: (0\.\d\d) in e\d\ds\d\db\d", best)
    assert found, best
    assert float(found[1]) > 0.6
    assert len(network.split()) == 6
    assert action.startswith("  made from e")
    # Only the LSTM brings TensorFlow along.
    assert bool(re.search(r"\| +tensorflow$", finished.stderr, re.MULTILINE)) == (policy == "lstm")


def test_the_examples_lstm_learns_from_its_evaluator():
    example = runpy.run_path(str(_EXAMPLE))
    policy = example["make_policy"]("lstm", 1)
    before = policy.get_weights()[0]
    learning = Learning(near_networks=0)  # its own changes at once
    space = example["space"]()
    search = ProgressiveSearch(space, policy, learning=learning, branches=2, episodes=1, steps=1)
    while not search.done:
        proposals = search.ask()
        search.tell(Result(each.slot, example["evaluate"](each.spec)) for each in proposals)
    assert len(search.history) == 2 + 2
    assert (policy.get_weights()[0] != before).any()
