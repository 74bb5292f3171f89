"""Which networks a step may train: gathered once each, the known ones out, the limits kept."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from epnas_tf import randomness
from epnas_tf.architecture import morph, neighbours
from epnas_tf.architecture.morph import Insert, Morph, Remove, Replace, Scale
from epnas_tf.architecture.ops import OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching import candidates
from epnas_tf.searching.candidates import STONE_EVERY, STONE_REACH, Candidate, Choice
from epnas_tf.searching.knowledge import Knowledge

_OPS = ("a", "b", "c")
_SPACE = SearchSpace(
    "layerwise",
    (Field("op", _OPS, scaled=True),),
    max_items=2,
    parts=2,
    fixed_length=True,
    ops={op: OpDef(()) for op in _OPS},
)
_LAYERS = layerwise_space((8, 8), max_layers=6)


def _spec(word):
    return _SPACE.new_spec([_SPACE.new_item({"op": op}) for op in word])


def _word(spec):
    return "".join(item.op for item in spec.items)


def _no_rng(branch):
    """Returns what nothing can be drawn from."""


# Gathering


def test_actions_make_candidates_of_their_own_parent():
    parents = [_spec("ab"), _spec("bc")]
    set_a, keep = Morph((Scale(1, "op", to="a"),)), Morph()
    found = candidates.of_actions(parents, [[set_a, keep], [set_a]], _SPACE)
    assert found == [
        [Candidate(0, set_a, _spec("aa")), Candidate(0, keep, _spec("ab"))],
        [Candidate(1, set_a, _spec("ba"))],
    ]


def test_neighbours_are_single_changes_with_the_edit_that_makes_them():
    (found,) = candidates.of_neighbours([_spec("ab")], _SPACE, 64, _no_rng)
    assert [_word(c.spec) for c in found] == ["bb", "cb", "aa", "ac"]
    for candidate in found:
        assert candidate.branch == 0
        assert candidate.action.scales == () and isinstance(candidate.action.edit, Replace)
        assert morph.apply(_spec("ab"), candidate.action, _SPACE) == candidate.spec


def test_of_equal_parents_the_first_alone_is_changed():
    parents = [_spec(word) for word in ("ab", "bc", "ab", "bc", "cc")]
    found = candidates.of_neighbours(parents, _SPACE, 64, _no_rng)
    assert [len(of_parent) for of_parent in found] == [4, 4, 0, 0, 4]
    assert {c.branch for c in found[4]} == {4}


def test_at_most_so_many_changes_are_looked_at():
    parents = [LayerwiseSpec((LayerSpec("conv2d", 3, None, c, "relu"),) * 3) for c in (16, 32)]

    def rng(branch):
        return randomness.generator(0, "neighbour", branch)

    found = candidates.of_neighbours(parents, _LAYERS, 20, rng)
    for branch, own in enumerate(found):
        assert 10 < len(own) <= 20
        assert len({c.spec for c in own}) == len(own)
        changes = neighbours.some_changes(parents[branch], _LAYERS, 20, rng(branch))
        assert [(c.action, c.spec) for c in own] == [(Morph((), e), s) for e, s in changes]
        assert {type(c.action.edit) for c in own} == {Insert, Remove, Replace}
    assert candidates.of_neighbours(parents, _LAYERS, 0, _no_rng) == [[], []]
    whole = neighbours.neighbours(_spec("ab"), _SPACE)
    assert len(candidates.of_neighbours([_spec("ab")], _SPACE, len(whole), _no_rng)[0]) == 4


# Choosing


def _candidate(word, branch=0, action=None):
    return Candidate(branch, action or Morph(), _spec(word))


def _choice(*groups, keep=True, known=(), skipped=(), outside=False, **violations):
    """Returns a choice among these networks; a name gives the violation of a network."""
    knowledge = Knowledge(
        violation=lambda spec: violations.get(_word(spec), 0.0),
        skipped=lambda spec: _word(spec) in skipped,
    )
    made = [[_candidate(w) if isinstance(w, str) else w for w in group] for group in groups]
    return Choice(made, knowledge, keep, lambda spec: _word(spec) in known, outside)


def _words(choice, place=0, branch=None):
    allowed = choice.allowed(place, branch)
    assert allowed.dtype == bool and allowed.shape == (len(choice.candidates),)
    return [_word(c.spec) for c, may in zip(choice.candidates, allowed, strict=True) if may]


_STONES = [place for place in range(4 * STONE_EVERY) if place % STONE_EVERY == STONE_EVERY - 1]


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_known_or_would_be_skipped_is_no_candidate(keep):
    choice = _choice(["aa", "ab"], ["ba", "bb"], keep=keep, known=["ab"], skipped=["ba"])
    assert [_word(c.spec) for c in choice.candidates] == ["aa", "bb"]
    assert _words(choice) == ["aa", "bb"]
    nothing = _choice(["aa"], keep=keep, known=["aa"])
    assert nothing.candidates == [] and _words(nothing) == _words(nothing, 7, 1) == []


def test_a_network_that_several_make_is_there_once_as_the_first_of_them():
    first = _candidate("aa", 1, Morph((Scale(0, "op", to="a"),)))
    later = [_candidate("aa", 0), _candidate("aa", 2)]
    choice = _choice([first, "ab"], ["ac", *later])
    assert [_word(c.spec) for c in choice.candidates] == ["aa", "ab", "ac"]
    assert choice.candidates[0] is first


def test_within_the_limits_nothing_else_is_allowed_but_stones_in_every_eighth_place():
    choice = _choice(["aa", "ab", "ac", "ba"], ab=STONE_REACH, ac=STONE_REACH + 0.01, ba=0.01)
    assert (STONE_EVERY, STONE_REACH) == (8, 0.25)
    for place in range(4 * STONE_EVERY):
        stones = ["ab", "ba"] if place in _STONES else []
        assert _words(choice, place) == ["aa", *stones]
    assert len(_STONES) == 4


def test_where_neither_parents_nor_candidates_keep_the_limits_the_nearest_are_allowed():
    choice = _choice(["aa", "ab", "ac", "ba"], outside=True, aa=0.5, ab=0.2, ac=0.2, ba=9.0)
    for place in range(STONE_EVERY):
        assert _words(choice, place) == ["ab", "ac"]
    assert _word(choice.take(1).spec) == "ab"
    assert _words(choice) == ["ac"]
    choice.take(2)
    assert _words(choice) == ["aa"]


def test_parents_within_the_limits_have_no_candidates_outside_but_stones():
    choice = _choice(["aa", "ab"], aa=0.5, ab=0.2)
    assert _words(choice) == [] and _words(choice, _STONES[0]) == ["ab"]


def test_soft_limits_allow_whatever_is_new():
    choice = _choice(["aa", "ab"], keep=False, aa=0.0, ab=9.0)
    for place in range(STONE_EVERY):
        assert _words(choice, place) == ["aa", "ab"]


def test_a_branch_may_be_told_to_change_its_own_parent():
    groups = [_candidate("aa", 0), _candidate("ab", 1), _candidate("ac", 0), _candidate("ba", 1)]
    choice = _choice(groups, outside=True, aa=0.1, ac=0.2, ba=0.2)
    assert _words(choice) == ["ab"]
    assert _words(choice, branch=1) == ["ab"]
    assert _words(choice, _STONES[0], branch=1) == ["ab", "ba"]
    # Its own alone decide whether any keeps the limits.
    assert _words(choice, branch=0) == ["aa"]
    assert _words(choice, branch=2) == []


def test_a_branch_takes_what_it_makes_itself_of_what_several_make():
    actions = [Morph((Scale(part, "op", to="a"),)) for part in (0, 1)]
    made = [_candidate("aa", branch, action) for branch, action in enumerate(actions)]
    choice = _choice([*made, _candidate("ab", 1)])
    assert [_word(c.spec) for c in choice.candidates] == ["aa", "ab"]
    assert [_words(choice, branch=branch) for branch in (0, 1, 2)] == [["aa"], ["aa", "ab"], []]
    assert choice.take(0, 1) is made[1]
    assert _words(choice, branch=0) == [] and _words(choice, branch=1) == ["ab"]
    assert _choice(made).take(0) is made[0]


def test_what_is_taken_no_other_place_may_take():
    choice = _choice(["aa", "ab", "ac"])
    assert choice.take(1) is choice.candidates[1]
    assert _words(choice) == ["aa", "ac"]
    taken = [choice.take(i) for i in (0, 2)]
    assert [_word(c.spec) for c in taken] == ["aa", "ac"]
    assert _words(choice) == [] and not choice.allowed(_STONES[0]).any()


def test_violations_are_asked_for_once_and_only_where_limits_are_kept():
    asked = []
    knowledge = Knowledge(violation=lambda spec: asked.append(spec) or 0.0)
    words = ["".join(word) for word in itertools.product(_OPS, repeat=2)]
    for keep in (False, True):
        choice = Choice([map(_candidate, words)], knowledge, keep, lambda spec: False)
        for place in range(9):
            choice.take(int(np.argmax(choice.allowed(place))))
        assert len(asked) == 9 * keep
