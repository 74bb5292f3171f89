"""What holds for every space, network and action, searched for counterexamples by hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import choices, initial, morph
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.cost import cost
from epnas_tf.architecture.morph import (
    IllegalActionError,
    Insert,
    Keep,
    Morph,
    Remove,
    Replace,
    Scale,
)
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import Spec, spec_from_json
from tests.own_space import OWN

_SPACES = {
    "layerwise": layerwise_space((8, 8), max_layers=6, parts=2),
    "module": module_space(max_branches=5, parts=2),
    "own": OWN,
}
_each_space = pytest.mark.parametrize("space", _SPACES.values(), ids=_SPACES)
_checked = settings(deadline=None, derandomize=True, max_examples=40, database=None)


def _network(space: SearchSpace, seed: int) -> Spec:
    return initial.random_spec(space, randomness.generator(seed, "property_test", space.pattern))


def _legal(choice: Choice) -> list[int]:
    return [index for index, allowed in enumerate(choice.mask) if allowed]


def _picking(data: st.DataObject) -> Callable[[Choice], int]:
    return lambda choice: data.draw(st.sampled_from(_legal(choice)), label=choice.head)


@_each_space
@_checked
@given(data=st.data(), seed=st.integers(0, 99), steps=st.integers(1, 4))
def test_legal_actions_lead_from_network_to_network(space, data, seed, steps):
    spec = _network(space, seed)
    for _ in range(steps):
        before = spec.to_json()
        action = choices.decide(spec, space, _picking(data))
        changed = morph.apply(spec, action, space)
        assert spec.to_json() == before
        space.check(changed)
        assert spec_from_json(changed.to_json()) == changed
        counted = cost(changed, (8, 8, 3), 10, space.ops)
        assert min(counted.params, counted.flops, counted.traffic_bytes) > 0
        assert morph.from_dict(morph.to_dict(action), space) == action
        spec = changed


@_each_space
@_checked
@given(data=st.data(), seed=st.integers(0, 99))
def test_a_masked_option_is_refused_when_forced(space, data, seed):
    spec = _network(space, seed)
    picks: list[int] = []
    masked: list[tuple[int, int]] = []

    def recording(choice: Choice) -> int:
        masked.extend((len(picks), i) for i, allowed in enumerate(choice.mask) if not allowed)
        picks.append(data.draw(st.sampled_from(_legal(choice)), label=choice.head))
        return picks[-1]

    choices.decide(spec, space, recording)
    if not masked:
        return
    when, option = data.draw(st.sampled_from(masked), label="forced")
    answers = iter(picks[:when] + [option])

    def forcing(choice: Choice) -> int:
        return next(answers, (_legal(choice) or [0])[0])  # what follows may have no legal option

    with pytest.raises(IllegalActionError, match=" got "):
        # A scaling is applied at once, within the walk; an edit is refused when it is applied.
        morph.apply(spec, choices.decide(spec, space, forcing), space)


def _values(space: SearchSpace, name: str) -> st.SearchStrategy:
    known = list(choices.heads(space)[name])
    if name == "propagate":  # a branch of another value cannot be made
        return st.sampled_from(known)
    wrong = "wrong" if isinstance(known[0], str) else 77
    return st.sampled_from([*known, *known, *known, wrong])


@st.composite
def _items(draw: st.DrawFn, space: SearchSpace):
    op = draw(st.sampled_from([*space.field("op").choices, "wrong"]))
    names = space.fields_of(op) if op != "wrong" else ()
    values = {name: draw(_values(space, name)) for name in names}
    spoil = draw(st.sampled_from(["", "", "", *(field.name for field in space.fields)]))
    if spoil and spoil not in ("op", "src1", "src2"):
        values[spoil] = draw(_values(space, spoil))
    return space.new_item({"op": op, **values})


@st.composite
def _scales(draw: st.DrawFn, space: SearchSpace) -> Scale:
    name = draw(st.sampled_from([*(field.name for field in space.fields), "wrong"]))
    part = draw(st.integers(-1, space.parts))
    if draw(st.booleans()):
        return Scale(part, name, by=draw(st.integers(-2, 2)))
    return Scale(part, name, to=draw(st.sampled_from(["wrong", 16, "half", "add", "hard"])))


@st.composite
def _actions(draw: st.DrawFn, space: SearchSpace):
    places = st.integers(-1, space.max_items + 1)
    edit = draw(
        st.one_of(
            st.builds(Insert, places, _items(space)),
            st.builds(Replace, places, _items(space)),
            st.builds(Remove, places),
            st.just(Keep()),
        )
    )
    scales = draw(st.lists(_scales(space), max_size=2))
    return draw(st.sampled_from([edit, Morph(tuple(scales), edit), *scales]))


def _mentions(action: object, spec: Spec) -> Iterator[object]:
    """Yields everything that a refusal may name as the offending value."""
    length = len(spec.items)
    yield from (action, length, length + 1, *range(2, 2 + length))  # lengths, counts of halvings
    edit = action.edit if isinstance(action, Morph) else action
    scales = action.scales if isinstance(action, Morph) else (action,)
    yield edit
    for scale in scales:
        if isinstance(scale, Scale):
            yield from (scale, scale.part)
    yield [getattr(scale, "part", None) for scale in scales]
    items = list(spec.items)
    if isinstance(edit, Insert):
        yield edit.place
        items.append(edit.item)
    if isinstance(edit, Replace):
        items.append(edit.item)
    if isinstance(edit, Remove | Replace):
        yield edit.index
    for item in items:
        yield from item.to_dict().values()
        yield None  # a field that is missing
        yield from (f"src2={source}" for source in (item.get("src2"), (item.get("src2") or 0) - 1))


@_each_space
@settings(_checked, max_examples=150)
@given(data=st.data(), seed=st.integers(0, 99))
def test_an_arbitrary_action_is_applied_or_refused_with_the_value(space, data, seed):
    spec = _network(space, seed)
    before = spec.to_json()
    action = data.draw(_actions(space), label="action")
    try:
        changed = morph.apply(spec, action, space)
    except IllegalActionError as error:
        assert not morph.legal(spec, action, space)
        rule, _, value = str(error).rpartition(", got ")
        assert rule
        assert value in {form(m) for form in (str, repr) for m in _mentions(action, spec)}
    else:
        space.check(changed)
        assert spec_from_json(changed.to_json()) == changed
    assert spec.to_json() == before
