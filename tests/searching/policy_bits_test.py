"""Equal bits: the LSTM policy's weights, and the search it leads, depend on what was told alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading

import pytest

from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import Learning
from epnas_tf.searching.trials import Result

_SPACE = layerwise_space((16, 16), max_layers=6, parts=2)
_BRANCHES = 4


def _start():
    policy = LSTMPolicy(_SPACE, seed=7)
    learning = Learning(imagined_updates=2, screen=8, predictor_skill=-1.0)  # learns in every way
    sizes = {"branches": _BRANCHES, "episodes": 2, "steps": 2}
    return policy, ProgressiveSearch(_SPACE, policy, **sizes, learning=learning)


def _result(proposal):
    return Result(proposal.slot, int(proposal.spec.key[:4], 16) / 2**16)


def _finish(policy, search):
    """Runs a search to its end; returns a digest of all bits that it and its policy hold."""
    while not search.done:
        search.tell([_result(proposal) for proposal in search.ask()])
    digest = hashlib.sha256()
    for array in policy.get_weights():  # those of the optimizer as well
        digest.update(array.tobytes())
    for trial in search.history:
        digest.update(json.dumps(trial.proposal.to_dict(), sort_keys=True).encode())
    digest.update(json.dumps(search.step_log).encode())  # baselines and statistics
    return digest.hexdigest()


def print_digest():
    """Is what another process runs."""
    print(_finish(*_start()))


@pytest.fixture(name="whole", scope="module")
def _whole():
    policy, search = _start()
    return _finish(policy, search), search.history


def test_a_fresh_process_searches_alike(whole):
    program = (
        "import importlib.util as util, sys\n"
        "spec = util.spec_from_file_location('bits', sys.argv[1])\n"
        "bits = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(bits)\n"
        "bits.print_digest()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "4321"}
    printed = subprocess.run(
        [sys.executable, "-c", program, __file__],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == [whole[0]]


def test_a_policy_made_later_and_in_another_thread_searches_alike(whole):
    LSTMPolicy(module_space())
    found = []
    policy, search = _start()
    thread = threading.Thread(target=lambda: found.append(_finish(policy, search)))
    thread.start()
    thread.join()
    assert found == [whole[0]]


def test_a_resumed_search_has_the_same_bits(whole):
    digest, history = whole
    done = 4 * _BRANCHES  # step 0, the first episode, and a step of the second
    log = [(trial.proposal, trial.result) for trial in history[:done]]
    # Of the running step two results are known, one network is in flight, one was not handed out.
    log += [(trial.proposal, trial.result) for trial in history[done + 2 : done + _BRANCHES]]
    log += [(history[done + 1].proposal, None)]
    random.Random(0).shuffle(log)
    policy, resumed = _start()
    resumed.replay(log)
    assert [proposal.slot.branch for proposal in resumed.ask()] == [0, 1]
    assert _finish(policy, resumed) == digest
