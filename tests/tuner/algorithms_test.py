"""Real searches by the rivals of EPNAS: the same starts, limits, files and resume."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.limits import Constraint
from epnas_tf.searching.algorithms import ALGORITHMS
from epnas_tf.workdir import best_json, steps_jsonl, trials_csv

_RIVALS = sorted({*ALGORITHMS} - {"epnas"})
_LIMITED = {"constraints": [Constraint("params", upper=2_000)], "starts": "mixture"}
_SIZES = {"branches": 3, "steps": 4, "seed": 3}
# What is measured at an end stands outside of what is compared here.
_RISING = {"promotion_share": 0.5, "finalists": 0}


def _told(tuner):
    """Returns what must not depend on where a search was cut."""
    log = [(t.slot.name, t.proposal, t.result) for t in tuner.oracle.completed()]
    return log, best_json.read(tuner.work_dir), steps_jsonl.read(tuner.work_dir)


@pytest.mark.parametrize("name", _RIVALS)
def test_a_search_in_pieces_is_the_same_and_leaves_the_same_files(
    quick, make_tuner, data, killed, monkeypatch, name
):
    settings = {"algorithm": name, **_LIMITED, **_SIZES, **_RISING}
    whole = make_tuner("whole", **settings)
    whole.search(data)
    make_tuner("pieces", **settings, max_trials=5).search(data)
    dying = make_tuner("pieces", **settings)

    def die(*_):
        raise killed

    dying.oracle.listeners.append(die)  # a trial's file is written, the search's are not
    with pytest.raises(killed):
        dying.search(data)
    pieces = make_tuner("pieces", **settings)
    pieces.search(data)
    assert _told(pieces) == _told(whole)

    oracle = whole.oracle
    rows = trials_csv.read(whole.work_dir)
    own = [row for row in rows if row.slot.of_fold]
    risen = [row for row in rows if not row.slot.of_fold]
    assert len(own) == oracle.total == oracle.done == 15
    assert {row.slot.rung for row in risen} >= {1} and {row.action for row in risen} == {""}
    assert len({row.spec_key for row in own}) == 15
    assert {row.feasible for row in rows} == {True}
    changed = [row for row in own if row.parent]
    assert bool(changed) == (name != "random")
    assert {row.action for row in own if not row.parent} <= {"start", "drawn at random"}
    assert _told(whole)[1].rung == max(row.slot.rung for row in rows)


def test_all_algorithms_begin_with_the_same_networks(quick, make_tuner, data):
    begun = []
    for name in ALGORITHMS:
        tuner = make_tuner(name, algorithm=name, **_LIMITED, **_SIZES, max_trials=3)
        tuner.search(data)
        begun.append([trial.proposal.spec for trial in tuner.oracle.completed()])
        assert len(begun[0]) == 3
    assert begun == [begun[0]] * len(ALGORITHMS)


def test_the_end_measures_what_a_rival_found_again(quick, make_tuner, data):
    sizes = {**_SIZES, "episodes": 2}
    share = {"promotion_share": 0.6, "finals_share": 5.0}
    tuner = make_tuner(algorithm="random", **_LIMITED, **sizes, **share)
    tuner.search(data)
    again = [t.slot for t in tuner.oracle.completed() if t.slot.measurement]
    promising = tuner.oracle.search.promising()[:3]
    assert {slot.first for slot in again} >= {trial.slot for trial in promising}
    assert {slot.rung for slot in again} == {2}


def test_a_search_goes_on_by_its_own_algorithm_alone(quick, make_tuner, data):
    make_tuner(algorithm="evolution", max_trials=3).search(data)
    with pytest.raises(ValueError, match="algorithm.*evolution"):
        make_tuner(algorithm="random").search(data)


def test_real_children_inherit_along_the_changes_of_a_rival(make_tuner, data, plan):
    settings = {"rungs": (2, 4), "parameter_sharing": "lineage", "steps": 1, **_RISING}
    tuner = make_tuner(algorithm="evolution", **settings, schedule=plan)
    tuner.search(data)
    told = tuner.oracle.completed()
    assert [trial.trained for trial in told] == [True] * 5
    changed = [trial for trial in told if trial.proposal.parent is not None]
    assert len(changed) == 2
    assert [trial for trial in told if trial.outcome.inherited > 0] == changed
    assert [trial.outcome.epochs for trial in told if trial.slot.rung] == [4]
