"""The progressive search as Keras Tuner sees it: slots, attempts, ends, and every kill point."""

from __future__ import annotations

import itertools
import json
import pathlib
import re

import keras_tuner
import pytest
from keras_tuner import errors

from epnas_tf import randomness
from epnas_tf.architecture import initial, resources
from epnas_tf.architecture.budget import FLOPS_PER_BYTE, Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.portfolio import portfolio
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec, Spec, spec_from_json
from epnas_tf.fields import SettingError
from epnas_tf.report.trajectory import trajectory
from epnas_tf.searching.candidates import STONE_EVERY, STONE_REACH
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.searching.settings import PAPER, PAPER_STARTS
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.tuner import durable, run_limits
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.settings import OracleSettings
from epnas_tf.workdir import storage

_SHAPE, _CLASSES = (8, 8, 1), 3


@pytest.fixture(name="make")
def _make(tmp_path, space):
    """Returns a maker of oracles in one project, bound to images of 8x8 pixels."""

    def make(**settings) -> EPNASOracle:
        sizes = {"branches": 3, "episodes": 1, "steps": 2, "policy": "random"}
        # Nothing rises but where a test says so.
        oracle = EPNASOracle(space, **(sizes | {"promotion_share": 0.0} | settings))
        oracle._set_project_dir(str(tmp_path), "p")
        oracle.verbose = 0
        oracle.bind(Budget(_SHAPE, _CLASSES, oracle.constraints))
        oracle.reload()
        return oracle

    return make


def _end(oracle, trial, reward=0.5, accuracy=0.6, status=0.0, **more):
    metrics = more | {"reward": reward, "accuracy": accuracy, "status": status}
    metrics |= {"seconds": 2.0, "overhead_seconds": 1.0, "inherited": 0.0, "offer": 0.0}
    metrics |= {"epochs": 3.0, "training_accuracy": 0.7, "loss_sum": 2.5}
    metrics |= resources.uses_of(oracle.budget.cost(oracle.log.assignment(trial).proposal.spec))
    oracle.update_trial(trial.trial_id, metrics)
    trial.status = Status.COMPLETED
    oracle.end_trial(trial)


def _fail(oracle, trial):
    trial.status = Status.FAILED
    oracle.end_trial(trial)


def _slot(trial):
    return durable.values(trial)["slot"]


def _run(oracle, reward=lambda slot: 0.5):
    """Runs the oracle to its end and returns the slots in the order they were handed out."""
    slots = []
    while (trial := oracle.create_trial("w")).status == Status.RUNNING:
        slots.append(_slot(trial))
        _end(oracle, trial, reward(slots[-1]))
    assert trial.status == Status.STOPPED
    return slots


_ALL = [f"e01s0{step}b{branch}" for step in range(3) for branch in range(3)]


def test_it_is_a_keras_tuner_oracle(make):
    oracle = make()
    assert isinstance(oracle, keras_tuner.Oracle)
    assert (oracle.objective.name, oracle.objective.direction) == ("reward", "max")
    assert oracle.get_space().space == []
    _run(oracle)
    state = json.loads(json.dumps(oracle.get_state()))
    assert state["start_order"] == [f"000{n}"[-4:] for n in range(9)]
    assert state["ongoing_trials"] == {}


def test_values_and_metrics_are_plain(make):
    oracle = make()
    trial = oracle.create_trial("w3")
    values = trial.hyperparameters.values
    assert list(values) == ["slot", "attempt", "worker", "parent", "action", "reuse", "spec"]
    assert (values["slot"], values["attempt"], values["worker"]) == ("e01s00b0", 1, "w3")
    assert values["parent"] == values["action"] == values["reuse"] == ""
    spec = spec_from_json(values["spec"])
    _end(oracle, trial, 0.5, 0.6)
    ended = oracle.get_trial(trial.trial_id)
    assert (ended.status, ended.score) == (Status.COMPLETED, 0.5)
    assert durable.metrics(ended) == {
        "reward": 0.5, "accuracy": 0.6, "seconds": 2.0, "overhead_seconds": 1.0, "status": 0.0,
        "inherited": 0.0, "offer": 0.0, "epochs": 3.0, "training_accuracy": 0.7, "loss_sum": 2.5,
        **resources.uses_of(oracle.budget.cost(spec)),
    }  # fmt: skip
    record = oracle.log.completed_trial(ended)
    assert (record.proposal.spec, record.outcome.accuracy, record.result.reward) == (spec, 0.6, 0.5)
    assert {type(value) for value in durable.metrics(ended).values()} == {float}


def test_slots_are_handed_out_in_order(make):
    assert _run(make()) == _ALL
    assert make().total == 9


def test_a_step_that_runs_elsewhere_leaves_others_idle(make):
    oracle = make()
    running = [oracle.create_trial(f"w{n}") for n in range(3)]
    assert [_slot(trial) for trial in running] == _ALL[:3]
    assert oracle.create_trial("w3").status == Status.IDLE
    for trial in reversed(running[1:]):  # any order
        _end(oracle, trial)
    assert oracle.create_trial("w3").status == Status.IDLE  # one is still out
    _end(oracle, running[0])
    assert _slot(oracle.create_trial("w3")) == "e01s01b0"


def test_results_in_any_order_give_the_same_search(make, tmp_path):
    def specs(order):
        oracle = make(seed=5)
        found = {}
        while True:
            running = [oracle.create_trial(f"w{n}") for n in range(3)]
            if running[0].status == Status.STOPPED:
                return found
            found |= {_slot(t): durable.values(t)["spec"] for t in running}
            for index in order:
                _end(oracle, running[index], reward=0.1 + index / 10)

    forward = specs((0, 1, 2))
    for path in tmp_path.rglob("trial.json"):
        path.unlink()
    assert specs((2, 0, 1)) == forward


def test_a_tuner_that_asks_again_gets_its_running_trial(make):
    oracle = make()
    assert oracle.create_trial("w").trial_id == oracle.create_trial("w").trial_id


def test_seed_0_is_a_seed_like_any(make, tmp_path):
    def specs(seed):
        for path in tmp_path.rglob("trial.json"):
            path.unlink()
        oracle = make(seed=seed)
        _run(oracle)
        return [record.proposal.spec for record in oracle.completed()]

    assert specs(0) == specs(0)
    assert specs(0) != specs(1)


def test_a_failed_attempt_frees_its_slot(make):
    oracle = make()
    first = oracle.create_trial("w")
    _fail(oracle, first)
    again = oracle.create_trial("w")
    before, after = durable.values(first), durable.values(again)
    assert again.trial_id != first.trial_id
    assert (before.pop("attempt"), after.pop("attempt")) == (1, 2)
    assert before == after  # the same network, not a new draw
    assert oracle.completed() == []
    _fail(oracle, again)
    assert durable.values(oracle.create_trial("w"))["attempt"] == 3


def test_attempts_survive_a_restart(make):
    oracle = make()
    _fail(oracle, oracle.create_trial("w"))
    oracle.create_trial("w")  # and the process dies
    again = make().create_trial("w")
    assert (_slot(again), durable.values(again)["attempt"]) == ("e01s00b0", 3)
    assert again.trial_id == "0002"


def test_max_trials_counts_results_alone(make):
    oracle = make(max_trials=4)
    assert oracle.total == 4
    _fail(oracle, oracle.create_trial("w"))
    _fail(oracle, oracle.create_trial("w"))
    assert _run(oracle) == _ALL[:4]
    assert len(oracle.trials) == 6
    assert _run(make(max_trials=4)) == []
    assert _run(make(max_trials=5)) == _ALL[4:5]  # more is asked for later
    assert make(max_trials=99).total == 9


def test_max_trials_counts_what_is_running(make):
    oracle = make(max_trials=2)
    running = [oracle.create_trial("w0"), oracle.create_trial("w1")]
    assert oracle.create_trial("w2").status == Status.IDLE  # one may fail yet
    _fail(oracle, running[0])
    assert _slot(oracle.create_trial("w2")) == "e01s00b0"


# Of the nine trials of this search, the network of the fifth was trained as the second.
_AGAIN = {"seed": 7, **vars(PAPER), **vars(PAPER_STARTS)}
_REUSED, _FIRST = "e01s01b1", "e01s00b1"


def test_a_network_of_an_earlier_step_is_handed_out_with_its_slot(make):
    oracle = make(**_AGAIN)
    assert _run(oracle) == _ALL
    reuse = {record.slot.name: record.proposal.reuse for record in oracle.completed()}
    assert {slot: first for slot, first in reuse.items() if first} == {_REUSED: _FIRST}
    specs = {record.slot.name: record.proposal.spec for record in oracle.completed()}
    assert specs[_REUSED] == specs[_FIRST]
    assert (oracle.total, oracle.done, oracle.remaining_trials()) == (9, 9, 0)


def test_a_network_may_be_trained_again_instead(make):
    oracle = make(**_AGAIN, reuse_duplicates=False)
    assert _run(oracle) == _ALL
    assert {record.proposal.reuse for record in oracle.completed()} == {None}


def test_max_trials_leaves_out_what_is_reused(make):
    oracle = make(**_AGAIN, max_trials=6)
    assert (oracle.total, oracle.remaining_trials()) == (6, 6)
    assert _run(oracle) == _ALL[:7]
    assert (oracle.total, oracle.done, oracle.remaining_trials()) == (6, 6, 0)
    oracle = make(**_AGAIN, max_trials=99)
    assert oracle.total == 8
    assert _run(oracle) == _ALL[7:]
    assert (oracle.done, oracle.remaining_trials()) == (8, 0)


def test_max_trials_counts_repeated_networks_that_are_trained(make):
    assert _run(make(**_AGAIN, reuse_duplicates=False, max_trials=6)) == _ALL[:6]


def test_max_trials_leaves_out_what_is_running_to_be_reused(make):
    oracle = make(**_AGAIN, max_trials=5)
    for _ in range(3):
        _end(oracle, oracle.create_trial("w"))
    running = [oracle.create_trial(f"w{n}") for n in range(3)]
    assert [_slot(trial) for trial in running] == _ALL[3:6]
    assert durable.values(running[1])["reuse"] == _FIRST
    _end(oracle, running[0])
    _end(oracle, running[2])
    assert oracle.create_trial("w3").status == Status.IDLE  # the limit is reached, one is out
    _end(oracle, running[1])
    assert oracle.create_trial("w3").status == Status.STOPPED


def test_an_interrupted_trial_keeps_the_slot_to_reuse(make):
    oracle = make(**_AGAIN)
    for _ in range(4):
        _end(oracle, oracle.create_trial("w"))
    assert durable.values(oracle.create_trial("w"))["reuse"] == _FIRST  # and the process dies
    again = make(**_AGAIN).create_trial("w")
    values = durable.values(again)
    assert (values["slot"], values["attempt"], values["reuse"]) == (_REUSED, 2, _FIRST)


def test_max_hours_ends_the_run_but_not_the_search(make, monkeypatch):
    oracle = make(max_hours=1.0)
    first = oracle.create_trial("w0")
    monkeypatch.setattr(run_limits.RunWatch, "elapsed", lambda self: 3600.5)
    assert oracle.create_trial("w1").status == Status.IDLE
    _end(oracle, first)  # what runs may end
    assert oracle.create_trial("w1").status == Status.STOPPED
    monkeypatch.setattr(run_limits.RunWatch, "elapsed", lambda self: 3599.0)
    assert _run(make(max_hours=1.0)) == _ALL[1:]


def test_the_best_are_trained_and_feasible_first(make):
    oracle = make(constraints=[Constraint("params", upper=200)], limits="soft")
    rewards = iter(range(1, 10))
    while (trial := oracle.create_trial("w")).status == Status.RUNNING:
        number = next(rewards)
        _end(oracle, trial, reward=number / 10, status=4.0 if number == 9 else 0.0)
    best = oracle.best()
    trained = {r.proposal.spec.key for r in oracle.completed() if r.trained}
    assert [r.result.status for r in oracle.completed()].count("failed") == 1
    assert len(best) == len(trained)
    keys = [(not r.result.feasible, -r.result.reward) for r in best]
    assert keys == sorted(keys)
    assert [t.trial_id for t in oracle.get_best_trials(3)] == [r.trial_id for r in best[:3]]
    assert len(oracle.get_best_trials(99)) == len(best)
    assert {r.result.feasible for r in best} == {True, False}, "the test's limit is no limit"


def test_equal_rewards_rank_by_slot_and_a_network_counts_once(make):
    oracle = make(screen=1)  # by the paper's rule a network may come twice
    _run(oracle)
    first = {}
    for record in oracle.completed():
        first.setdefault(record.proposal.spec.key, record.slot.name)
    assert len(first) < len(_ALL), "no network came twice"
    assert [_slot(trial) for trial in oracle.get_best_trials(9)] == list(first.values())


def test_a_network_counts_with_its_best_trial(make):
    oracle = make()
    _run(oracle, reward=lambda slot: _ALL.index(slot) / 10)
    last = {record.proposal.spec.key: record.slot.name for record in oracle.completed()}
    assert {record.slot.name for record in oracle.best()} == set(last.values())


def test_listeners_hear_results_and_no_failed_attempts(make):
    oracle = make()
    heard = []
    oracle.listeners.append(
        lambda _, record: heard.append((record.slot.name, record.assignment.attempt))
    )
    _fail(oracle, oracle.create_trial("w"))
    _run(oracle)
    assert heard == [(_ALL[0], 2)] + [(slot, 1) for slot in _ALL[1:]]


def test_an_unknown_policy_is_refused(space):
    with pytest.raises(ValueError, match="policy must be one of lstm, random, got luck"):
        EPNASOracle(space, policy="luck")


def test_the_budget_is_told_first_and_stays(space, make):
    with pytest.raises(RuntimeError, match="bind"):
        _ = EPNASOracle(space).budget
    oracle = make()
    oracle.create_trial("w")
    with pytest.raises(ValueError, match="must keep its images, limits and schedule"):
        oracle.bind(Budget((16, 16, 1), _CLASSES))
    oracle.bind(Budget(_SHAPE, _CLASSES))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branches": 0}, "branches must be at least 1, got 0"),
        ({"episodes": -1}, "episodes must be at least 0, got -1"),
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"max_trials": -1}, "max_trials must be at least 0, got -1"),
        (
            {"parameter_sharing": "all"},
            "parameter_sharing must be one of none, dictionary, lineage, got all",
        ),
        ({"stop_hopeless": 1.0}, "stop_hopeless must be at most 0.9, got 1"),
        (
            {"constraints": [Constraint("params", upper=9), Constraint("params", lower=1)]},
            r"constraints must name each resource once, got \['params', 'params'\]",
        ),
    ],
)
def test_arguments_that_cannot_be_are_refused(space, settings, message):
    with pytest.raises(ValueError, match=message):
        EPNASOracle(space, **settings)


# Starting networks


def _starts(oracle) -> list[Spec]:
    return [proposal.spec for proposal in oracle.search.ask()]


_LIMIT = {"constraints": [Constraint("params", upper=2_000)], "branches": 4}


def test_a_search_begins_with_a_portfolio_and_networks_near_the_limits(make, space):
    oracle = make(**_LIMIT)
    known = portfolio(space, oracle.budget, 2)
    begun = _starts(oracle)
    assert begun[:2] == known
    assert len({*begun}) == 4
    assert all(0.5 < oracle.budget.fullness(spec) <= 1 for spec in begun[2:])


def test_a_search_may_begin_with_the_portfolio_alone(make, space):
    oracle = make(**_LIMIT, starts="portfolio")
    assert _starts(oracle) == portfolio(space, oracle.budget, 4)


def test_a_search_may_begin_at_random_as_the_papers(make, space):
    oracle = make(**_LIMIT, starts="random")
    known = Knowledge(violation=oracle.budget.violation)
    search = ProgressiveSearch(space, RandomPolicy(space), knowledge=known, branches=4)
    assert _starts(oracle) == [proposal.spec for proposal in search.ask()]


def test_ones_own_networks_come_first(make, space):
    own = [initial.random_spec(space, randomness.generator(0, "own", k)) for k in range(2)]
    oracle = make(**_LIMIT, initial_specs=own)
    assert _starts(oracle)[:3] == [*own, *portfolio(space, oracle.budget, 1)]
    with pytest.raises(SettingError, match="at most 1, one per branch, got 2"):
        EPNASOracle(space, branches=1, initial_specs=own)
    with pytest.raises(SettingError, match=r"initial_specs must be networks of .*: network 1 of 2"):
        EPNASOracle(layerwise_space(), initial_specs=own)


def test_a_search_in_pieces_has_the_same_starts(make):
    whole = _starts(make(**_LIMIT))
    oracle = make(**_LIMIT)
    for _ in range(3):
        _end(oracle, oracle.create_trial("w"))
    again = make(**_LIMIT)
    assert _starts(again) == whole[3:]
    assert [t.assignment.proposal.spec for t in again.completed()] == whole[:3]


def test_settings_are_told_by_name_and_others_refused(space):
    oracle = EPNASOracle(space, policy="random", branches=2, seed=3, policy_learning_rate=6e-4)
    assert oracle.settings == OracleSettings(
        policy="random", branches=2, seed=3, policy_learning_rate=6e-4
    )
    assert (oracle.steps, oracle.settings.reuse_duplicates) == (10, True)
    assert EPNASOracle(space, reuse_duplicates=False).settings.reuse_duplicates is False
    with pytest.raises(TypeError, match="brunches"):
        EPNASOracle(space, brunches=2)


def test_what_remains_is_without_a_result(make):
    oracle = make(max_trials=4)
    assert oracle.remaining_trials() == 4
    _fail(oracle, oracle.create_trial("w"))
    assert oracle.remaining_trials() == 4
    _end(oracle, oracle.create_trial("w"))
    assert oracle.remaining_trials() == 3
    assert make(max_trials=4).remaining_trials() == 3
    _run(oracle)
    assert oracle.remaining_trials() == 0


def test_time_counts_from_the_binding(space, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(run_limits.time, "monotonic", lambda: now[0])
    oracle = EPNASOracle(space)
    now[0] = 500.0  # the data were loaded meanwhile
    oracle.bind(Budget(_SHAPE, _CLASSES))
    now[0] = 507.0
    assert oracle.watch.elapsed() == 7.0


def test_a_result_may_come_with_a_reason(make):
    oracle = make()
    trial = oracle.create_trial("w")
    trial.message = "network cannot be built"
    _end(oracle, trial, status=4.0)
    assert [r.outcome.reason for r in oracle.completed()] == ["network cannot be built"]
    assert [r.outcome.reason for r in make().completed()] == ["network cannot be built"]


# What the search knows and is told


@pytest.mark.parametrize(
    ("objective", "more", "told"),
    [("accuracy", {}, 0.6), ("balanced_accuracy", {"balanced_accuracy": 0.3}, 0.3)],
)
def test_the_search_is_told_the_accuracy_that_networks_are_compared_by(make, objective, more, told):
    oracle = make(objective=objective, branches=1)
    _end(oracle, oracle.create_trial("w"), **more)
    (trial,) = oracle.search.history
    assert (trial.result.accuracy, oracle.search._learner.value(trial)) == (told, told)


_TIGHT = {
    "constraints": [Constraint("params", upper=400)],
    **{"branches": 4, "steps": 4, "predictor_skill": -1.0},
}


def _outside(oracle, accuracy):
    """Runs the oracle, and returns how far each proposal after the starts is outside."""
    while (trial := oracle.create_trial("w")).status == Status.RUNNING:
        spec = oracle.log.assignment(trial).proposal.spec
        _end(oracle, trial, oracle.budget.reward(accuracy(spec), spec), accuracy(spec))
    specs = [record.proposal.spec for record in oracle.completed()][4:]
    skipped = sum(oracle.budget.reason_to_skip(spec) is not None for spec in specs)
    return skipped, [oracle.budget.violation(spec) for spec in specs]


def test_what_is_proposed_keeps_the_limits_unless_they_are_soft(make, tmp_path):
    uses = make(**_TIGHT).budget.cost

    def accuracy(spec):
        """Rises with the parameters, and more than the softened reward falls."""
        return min(0.9, 0.2 + uses(spec).params / 4000)

    skipped, violations = _outside(make(**_TIGHT), accuracy)
    assert skipped == 0
    assert max(violations) <= STONE_REACH
    assert sum(violation > 0 for violation in violations) <= len(violations) / STONE_EVERY
    for path in tmp_path.rglob("trial.json"):
        path.unlink()
    as_before = {"limits": "soft", "screen": 1, "neighbours": 0}
    skipped, violations = _outside(make(**_TIGHT, **as_before), accuracy)
    assert skipped > 0
    assert sum(violation > 0 for violation in violations) > len(violations) / 4


def test_the_search_knows_of_each_network_what_the_budget_says(make):
    oracle = make(**_TIGHT)
    known = oracle.search._knowledge
    for seed in range(20):
        spec = initial.random_spec(oracle.space, randomness.generator(seed, "oracle_test"))
        assert known.violation(spec) == oracle.budget.violation(spec)
        assert known.skipped(spec) == (oracle.budget.reason_to_skip(spec) is not None)
        assert tuple(known.describe(spec)) == oracle.budget.numbers(spec)
    assert known.prior == []


# Kill points. A real tuner runs with networks that need no training; the process "dies" just
# before one of its writes, and a fresh tuner takes the folder over.


def _outcome(tuner):
    """Returns what must not depend on kills: trials and the files made from them."""
    kept = trajectory(tuner.work_dir.path)
    files = [storage.read_text(path) for path in (tuner.work_dir.best, tuner.work_dir.steps)]
    log = [(r.slot.name, r.proposal, r.result) for r in tuner.oracle.completed()]
    return log, kept, files


def test_a_kill_between_any_two_writes_changes_nothing(quick, make_tuner, data, die_at, killed):
    clock = die_at(-1)
    whole = make_tuner("whole", seed=3)
    whole.search(data)
    writes, expected = clock["writes"], _outcome(whole)
    assert writes > 6 * 8
    for number in range(writes):
        project = f"killed{number}"
        die_at(number)
        with pytest.raises(killed):
            make_tuner(project, seed=3).search(data)
        die_at(-1)
        resumed = make_tuner(project, seed=3)
        resumed.search(data)
        # The last writes die after the last trial: run.search writes its files once more.
        resumed.oracle.listeners[1].write(resumed.oracle)
        assert _outcome(resumed) == expected, f"killed before write {number} of {writes}"


_RUNGS = {"rungs": (2, 3, 5), "promotion_share": 0.6, "finalists": 0}


@pytest.mark.parametrize("more", [{}, _RUNGS])
def test_kills_in_a_row_change_nothing(quick, make_tuner, data, die_at, killed, more):
    more = more | {"episodes": 2}
    die_at(-1)
    whole = make_tuner("whole", **more)
    whole.search(data)
    expected = _outcome(whole)
    risen = {trial.slot.rung for trial in whole.oracle.completed()}
    assert risen == ({0, 1, 2} if "rungs" in more else {0})
    for number in itertools.cycle((9, 4, 13)):  # fewer writes than a step has: it still moves on
        die_at(number)
        tuner = make_tuner("killed", **more)
        try:
            tuner.search(data)
        except killed:
            continue
        break
    tuner.oracle.listeners[1].write(tuner.oracle)
    assert _outcome(tuner) == expected


def test_a_learning_search_resumes_as_it_was(quick, make_tuner, data, monkeypatch, killed):
    at = "e02s01b1"  # after the first update of the policy
    settings = {"policy": "lstm", "episodes": 2, "seed": 1}
    whole = make_tuner("whole", **settings)
    whole.search(data)

    evaluate = Evaluator.evaluate
    tuner = make_tuner("killed", **settings)

    def die(self, spec, seed, keep=None, **_):
        if any(_slot(trial) == at for trial in tuner.oracle.ongoing_trials.values()):
            raise killed
        return evaluate(self, spec, seed, keep)

    with monkeypatch.context() as patch, pytest.raises(killed):
        patch.setattr(Evaluator, "evaluate", die)
        tuner.search(data)
    resumed = make_tuner("killed", **settings)
    resumed.search(data)
    assert _outcome(resumed) == _outcome(whole)
    policies = [t.oracle.search._learner._policy.get_weights() for t in (whole, resumed)]
    assert all((a == b).all() for a, b in zip(*policies, strict=True))
    attempts = {r.slot.name: r.assignment.attempt for r in resumed.oracle.completed()}
    assert attempts == {r.slot.name: 1 for r in whole.oracle.completed()} | {at: 2}


def test_a_search_in_pieces_reuses_the_same_trials(quick, make_tuner, data):
    again = {"seed": 2, "episodes": 3, **vars(PAPER), **vars(PAPER_STARTS)}
    whole = make_tuner("whole", **again)
    whole.search(data)
    assert sum(bool(r.proposal.reuse) for r in whole.oracle.completed()) > 2
    for limit in range(1, 15):
        pieces = make_tuner("pieces", **again, max_trials=limit)
        pieces.search(data)
        trained = [r for r in pieces.oracle.completed() if not r.proposal.reuse]
        assert len(trained) == min(limit, pieces.oracle.total)
    log, rows, (best, _) = _outcome(pieces)
    expected_log, expected_rows, (expected_best, _) = _outcome(whole)
    assert (log, rows, best) == (expected_log, expected_rows, expected_best)


def test_a_child_that_kills_the_process_again_and_again_fails_in_the_end(
    quick, make_tuner, data, monkeypatch, killed
):
    def die(self, spec, seed, keep=None, **_):
        raise killed

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "evaluate", die)
        for _ in range(2):
            with pytest.raises(killed):
                make_tuner(max_attempts=2).search(data)
    tuner = make_tuner(max_attempts=2)
    tuner.search(data)
    first = tuner.oracle.completed()[0]
    assert (first.slot.name, first.assignment.attempt, first.result.status) == (
        "e01s00b0",
        3,
        "failed",
    )
    assert first.outcome.accuracy == pytest.approx(1 / 3)
    assert len(tuner.oracle.completed()) == 6


def test_a_fatal_error_keeps_what_was_finished(quick, make_tuner, data, monkeypatch):
    evaluate = Evaluator.evaluate
    calls = itertools.count()

    def stumble(self, spec, seed, keep=None, **_):
        if next(calls) == 3:
            raise AssertionError("a bug")
        return evaluate(self, spec, seed, keep)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "evaluate", stumble)
        with pytest.raises(errors.FatalError, match="trial e01s01b1 failed: .*a bug") as caught:
            make_tuner().search(data)
    assert isinstance(caught.value.__cause__, AssertionError)
    tuner = make_tuner()
    assert len(tuner.oracle.trials) == 4
    tuner.search(data)
    attempts = [record.assignment.attempt for record in tuner.oracle.completed()]
    assert attempts == [1, 1, 1, 2, 1, 1]


# Trials that are not of this search


def _changed(folder, **changes):
    """Rewrites values (or, with a dot, metrics) of the third trial's file."""
    path = pathlib.Path(folder) / "trial_0002" / "trial.json"
    state = json.loads(path.read_text())
    for name, value in changes.items():
        if name in state["metrics"]["metrics"]:
            state["metrics"]["metrics"][name]["observations"][0]["value"] = [value]
        else:
            state["hyperparameters"]["values"][name] = value
    path.write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slot": "../../e01s01b0"}, "a slot's name looks like"),
        ({"slot": "e01s01b7"}, "slot must be of 2 branches"),
        ({"slot": 7}, "slot must be text"),
        ({"slot": "e01s00b0r3"}, "slot must be of 3 rungs, got e01s00b0r3"),
        ({"wave": -1}, "wave must be a number from 0"),
        ({"attempt": 0}, "attempt must be a number from 1"),
        ({"parent": "nobody"}, "a slot's name looks like"),
        ({"spec": "{}"}, "pattern must be"),
        ({"spec": '{"pattern":"layerwise","layers":[{"op":"add","src2":0}]}'}, "op must be one of"),
        ({"action": "[1]"}, "must be a JSON object"),
        ({"accuracy": 1.5}, r"accuracy must be in \[0, 1\]"),
        ({"status": 77.0}, "status must be in"),
        ({"status": 0.5}, "status must be in"),
        ({"offer": -1.0}, "offer must be a whole number"),
        ({"offer": 1e300}, "offer must be a whole number"),
        ({"epochs": 0.5}, "epochs must be a whole number"),
        ({"reward": 1e999}, "finite"),
        ({"reward": 1e308}, r"reward must be in \[0, 1\]"),
    ],
)
def test_a_foreign_trial_is_named_and_run_again(
    quick, make_tuner, data, changes, message, caplog, tmp_path
):
    whole = make_tuner("whole", seed=3)
    whole.search(data)
    tuner = make_tuner("broken", seed=3)
    tuner.search(data)
    _changed(tuner.project_dir, **changes)
    again = make_tuner("broken", seed=3)
    named = [
        m
        for m in caplog.messages
        if "trial_0002/trial.json is corrupt or not written by this search" in m
    ]
    assert len(named) == 1
    assert re.search(message, named[0])
    again.search(data)
    assert _outcome(again)[0] == _outcome(whole)[0]


def test_trials_that_contradict_each_other_are_an_error_that_names_the_folder(
    quick, make_tuner, data, monkeypatch
):
    make_tuner(max_trials=4).search(data)

    def illegal(self, log):
        raise ValueError("no such place")

    monkeypatch.setattr(ProgressiveSearch, "replay", illegal)
    with pytest.raises(ValueError, match=r"search contradict each other: .*no such place"):
        make_tuner().search(data)


def test_a_trial_that_lacks_what_networks_are_compared_by_is_run_again(make):
    oracle = make(objective="balanced_accuracy")
    first = oracle.create_trial("w")
    _end(oracle, first)
    second = oracle.create_trial("w")
    _end(oracle, second, balanced_accuracy=0.5)
    again = make(objective="balanced_accuracy")
    assert [trial.slot.name for trial in again.completed()] == [_slot(second)]
    assert _slot(again.create_trial("w")) == _slot(first)


# Rungs


def test_what_rises_is_handed_out_in_its_step_and_counts_in_no_limit(make):
    rungs = {"rungs": (1, 2), "promotion_share": 0.5, "finalists": 0}
    oracle = make(**rungs)
    slots = _run(oracle)
    assert [slot for slot in slots if "r" not in slot] == _ALL
    risen = [trial for trial in oracle.completed() if trial.slot.rung]
    assert len(slots) == 9 + len(risen) > 9
    assert {trial.proposal.wave for trial in risen} == {1, 2}
    assert slots[:3] == _ALL[:3] and "r1" in slots[3]  # in the order of names
    assert (oracle.total, oracle.done, oracle.remaining_trials()) == (9, 9, 0)


def test_max_trials_counts_the_lowest_rung_alone(make):
    oracle = make(rungs=(1, 2), promotion_share=0.5, max_trials=6)
    slots = _run(oracle)
    assert [slot for slot in slots if "r" not in slot] == _ALL[:6]
    assert len(slots) > 6
    assert (oracle.total, oracle.done, oracle.stopped_by) == (6, 6, "max_trials=6")


def test_the_best_was_trained_for_longest(make):
    oracle = make(rungs=(1, 2), promotion_share=0.5)
    _run(oracle, lambda slot: 0.4 if "r" in slot else 0.5 + int(slot[-1]) / 10)
    best = oracle.best()
    assert [trial.slot.rung for trial in best] == sorted((t.slot.rung for t in best), reverse=True)
    assert best[0].slot.rung == 1
    found = [durable.values(trial)["slot"] for trial in oracle.get_best_trials(3)]
    assert found == [trial.slot.name for trial in best[:3]]


def test_what_rises_inherits_nothing_and_is_held_against_nothing(make):
    oracle = make(
        **{"rungs": (1, 2), "promotion_share": 0.5},
        **{"parameter_sharing": "lineage", "stop_hopeless": 0.1},
    )
    _run(oracle)
    assignments = [trial.assignment for trial in oracle.completed()]
    assert any(each.slot.rung for each in assignments)
    for each in assignments:
        own = each.slot.of_fold
        assert (each.generation is not None, bool(each.names)) == (own, own)
        assert (each.reference is not None) == own
        assert own or each.remembered is None


@pytest.mark.parametrize("rate", [0.0, 8.0, 64.0])
def test_work_goes_by_costs_whatever_the_rate(make, space, rate):
    oracle = make()
    budget = Budget(_SHAPE, _CLASSES, images=100, machine_gflops=rate)
    oracle._budget = budget
    conv = LayerSpec("conv2d", 3, None, 8, "relu")
    specs = [LayerwiseSpec((conv,) * layers, space.stem_filters) for layers in (1, 3)]
    small, large = (oracle._rungs().work(spec) for spec in specs)
    costs = [budget.cost(spec) for spec in specs]
    first, second = (cost.flops + FLOPS_PER_BYTE * cost.traffic_bytes for cost in costs)
    assert large / small == pytest.approx(second / first)
    assert second / first > 1.5
