"""Local search: where it goes on, and when it begins somewhere else."""

from __future__ import annotations

from epnas_tf.architecture.neighbours import neighbours
from epnas_tf.searching.algorithms.local_search import better
from epnas_tf.searching.knowledge import Knowledge
from epnas_tf.searching.trials import Result
from tests.searching.limited_search import SPACE, breach, spec_of, word_of
from tests.searching.rival_search import made, mixed, run


def _near(word):
    return {word_of(spec) for spec in neighbours(spec_of(word), SPACE)}


def _best(word):
    """Returns an evaluator to which this word is the best network."""
    return lambda p: Result(p.slot, 0.9 if word_of(p.spec) == word else 0.2)


def test_it_goes_to_the_best_neighbour_if_that_is_better():
    assert better(3, [1, 5, 7, 2], worth=lambda place: place) == 7
    assert better(3, [1, 3, 2], worth=lambda place: place) is None
    assert better(3, [], worth=lambda place: place) is None
    first, second = ("first", 5), ("second", 5)
    assert better(("here", 3), [first, second], worth=lambda place: place[1]) is first


def test_a_step_looks_at_neighbours_of_the_network_to_which_it_last_moved():
    search = made("local_search", episodes=2, steps=6)
    run(search, mixed)
    here = max((t for t in search.history[:4] if t.trained), key=search.worth)
    for number, entry in enumerate(search.step_log[1:], start=1):
        step = search.history[4 * number : 4 * number + 4]
        near = [trial for trial in step if trial.proposal.parent is not None]
        assert {trial.proposal.parent for trial in near} <= {here.slot.name}
        assert all(t.proposal.spec in neighbours(here.proposal.spec, SPACE) for t in near)
        best = max((t for t in near if t.trained), key=search.worth, default=here)
        assert entry["moved"] == (search.worth(best) > search.worth(here))
        if entry["moved"] or entry["begun"]:
            others = [trial for trial in step if trial.trained and trial not in near]
            here = best if entry["moved"] else max(others, key=search.worth)
    assert {entry["moved"] for entry in search.step_log[1:]} == {True, False}


def test_neighbours_come_in_random_order():
    changed = set()
    for seed in range(3):
        search = made("local_search", "aaaaaa", seed=seed)
        _, step = run(search, _best("aaaaaa"), 2)
        changed |= {proposal.action.edit.index for proposal in step}
    assert len(changed) > 3  # the first neighbours in their fixed order change the first letter


def test_where_no_neighbour_is_left_it_begins_somewhere_else():
    search = made("local_search", "aaaaaa", episodes=1, steps=6)
    run(search, _best("aaaaaa"))
    left = {word for word in _near("aaaaaa") if "d" not in word}
    left -= {word_of(trial.proposal.spec) for trial in search.history[:4]}
    parents = [trial.proposal.parent for trial in search.history[4:]]
    assert parents[: len(left)] == ["e01s00b0"] * len(left)
    drawn = [trial for trial in search.history[4:] if trial.proposal.parent is None]
    begun = [entry["step"] for entry in search.step_log if entry.get("begun")]
    assert begun == [0, 1 + len(left) // 4]
    assert {trial.slot.step for trial in drawn} == {begun[1]}
    after = {t.proposal.parent for t in search.history if t.slot.step == begun[1] + 1}
    assert after == {max(drawn, key=search.worth).slot.name}


def test_neighbours_that_are_outside_or_would_be_skipped_are_passed_over():
    known = Knowledge(breach, skipped=lambda spec: word_of(spec).endswith("b"))
    search = made("local_search", "aaaaaa", "aaaaac", "aaaaca", "aaaacc", knowledge=known)
    steps = run(search, _best("aaaaaa"), 4)
    words = {word_of(proposal.spec) for step in steps[1:] for proposal in step}
    within = {word for word in _near("aaaaaa") if "d" not in word and not word.endswith("b")}
    assert words >= within - {"aaaaac", "aaaaca"}
    assert not any("d" in word or word.endswith("b") for word in words)
