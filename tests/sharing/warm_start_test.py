"""A child's warm start: its function where that is promised, something that fits everywhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from epnas_tf import randomness
from epnas_tf.architecture import choices, cost, initial, morph
from epnas_tf.architecture.morph import Insert, Remove, Scale
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from epnas_tf.modeling import build_model
from epnas_tf.modeling.layers import BUILDERS
from epnas_tf.sharing import graph, rules, warm_start
from epnas_tf.sharing.offers import offered
from epnas_tf.sharing.rules import Entry, Labels, Run, Values
from epnas_tf.sharing.warm_start import WarmStart

_SHAPE = (8, 8, 3)
_IMAGES = np.random.default_rng(0).normal(size=(2, *_SHAPE)).astype(np.float32)
_SPACES = {
    "layerwise": layerwise_space(
        (8, 8), filter_widths=(1, 3, 5), channels=(4, 8, 16), max_layers=5, stem_filters=8
    ),
    "module": module_space(filter_widths=(1, 3, 5), channels=(2, 4, 6), max_branches=3, filters=4),
}
_each_space = pytest.mark.parametrize("space", _SPACES.values(), ids=_SPACES)
_seeds = st.integers(0, 9999)


def _checked(examples: int) -> settings:
    return settings(deadline=None, derandomize=True, max_examples=examples, database=None)


# Networks and what they leave


def _spec(space: SearchSpace, seed: int) -> Spec:
    return initial.random_spec(space, randomness.generator(seed, "inherit_test"))


def _model(spec: Spec, seed: int = 1) -> keras.Model:
    return build_model(spec, _SHAPE, 5, seed=seed)


def _trained(spec: Spec, seed: int = 0) -> keras.Model:
    """Returns a network whose batch norms have values as if it had been trained."""
    model = _model(spec, seed=1000 + seed)
    rng = np.random.default_rng(seed)
    weights = graph.weights_of(model)
    for named in weights.values():
        for name, value in named.items():
            if name in ("gamma", "moving_variance"):
                named[name] = rng.uniform(0.5, 1.5, value.shape).astype(np.float32)
            elif value.ndim == 1:
                named[name] = rng.normal(0, 0.3, value.shape).astype(np.float32)
    graph.assign(model, weights)
    return model


def _names(spec: Spec) -> list[str]:
    return [f"i{number}" for number in range(len(spec.items))]


def _labels(kind: str, names: Sequence[str]) -> Labels:
    return rules.by_number if kind == "number" else rules.by_lineage(names)


def _offers(
    model: keras.Model, labels: Labels, source: str = "parent", accuracy: float = 0.5
) -> list[tuple[Entry, Values]]:
    nodes, weights = graph.layout_of(model), graph.weights_of(model)
    return offered(nodes, weights, labels, source, accuracy)


def _start(model: keras.Model, labels: Labels, offers: Iterable[tuple[Entry, Values]]) -> WarmStart:
    """Gives a fresh model its warm start from a dictionary that holds these offers."""
    values: dict[str, Values] = {}
    entries: dict[str, Entry] = {}
    for entry, value in offers:
        entries = rules.merged(entries, [entry])
        if entries[entry.key] is entry:
            values[entry.key] = value
    result = warm_start.initial_weights(
        graph.layout_of(model),
        graph.weights_of(model),
        labels,
        entries.values(),
        lambda entry: values[entry.key],
    )
    fresh = graph.weights_of(model)
    assert {k: list(v) for k, v in result.weights.items()} == {k: list(v) for k, v in fresh.items()}
    for block, named in fresh.items():
        for name, value in named.items():
            given_value = result.weights[block][name]
            assert (given_value.shape, given_value.dtype) == (value.shape, value.dtype)
            assert np.isfinite(given_value).all()
    assert 0 <= result.share <= 1
    graph.assign(model, result.weights)
    return result


def _outputs(model: keras.Model, images: np.ndarray = _IMAGES) -> np.ndarray:
    return model(images, training=False).numpy()


def _assert_same_function(child: keras.Model, parent: keras.Model) -> None:
    expected = _outputs(parent)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(_outputs(child) / scale, expected / scale, rtol=0, atol=1e-5)


# What is promised


def _shapes(spec: LayerwiseSpec) -> list[tuple[int, int, int]]:
    return cost.layer_shapes(spec, _SHAPE)


def _halves(spec: LayerwiseSpec) -> list[bool]:
    """Says of each output whether its channels are crelu's two halves."""
    found = [False]
    for layer in spec.layers:
        found.append(layer.activation == "crelu" if layer.channels else found[-1])
    return found


def _added_directly(spec: LayerwiseSpec, index: int) -> bool:
    return _shapes(spec)[index] == _shapes(spec)[spec.layers[index - 1].src2]


def _promises_growth(parent: Spec, child: Spec) -> bool:
    """Says whether a grown child has its parent's function: only sums may lose it.

    A projection that the child does not have has nowhere to go. And where crelu's halves are added
    to channels in one piece, both grow at their own ends, so that channels part that were added.
    """
    if not isinstance(parent, LayerwiseSpec) or not isinstance(child, LayerwiseSpec):
        return True
    for index, layer in enumerate(child.layers, start=1):
        if layer.src2 < 0 or not _added_directly(child, index):
            continue
        if not _added_directly(parent, index):
            return False
        grew = _shapes(parent)[index] != _shapes(child)[index]
        if grew and _halves(parent)[index] != _halves(parent)[layer.src2]:
            return False
    return True


def _promises_narrowing(parent: Spec, child: Spec) -> bool:
    """Says whether a narrowed child is its parent with filters silenced, as above."""
    if not isinstance(parent, LayerwiseSpec) or not isinstance(child, LayerwiseSpec):
        return True
    changed = any(
        layer.src2 >= 0 and _added_directly(parent, index) != _added_directly(child, index)
        for index, layer in enumerate(child.layers, start=1)
    )
    return not changed and _promises_growth(parent, child)


def _scaled(spec: Spec, space: SearchSpace, field: str, by: int, parts: Iterable[int]) -> Spec:
    """Returns the network after scaling those of the parts that can move."""
    for part in parts:
        scale = Scale(part, field, by=by)
        if morph.legal(spec, scale, space):
            spec = morph.apply(spec, scale, space)
    return spec


_parts = st.sets(st.integers(0, 3), min_size=1).map(sorted)
_kinds = st.sampled_from(("number", "lineage"))


@_each_space
@_checked(8)
@given(seed=_seeds, kind=_kinds)
def test_the_same_network_is_the_same_bit_for_bit(space, seed, kind):
    spec = _spec(space, seed)
    parent, child = _trained(spec, seed), _model(spec)
    labels = _labels(kind, _names(spec))
    assert _start(child, labels, _offers(parent, labels)).share == 1
    for left, right in zip(parent.get_weights(), child.get_weights(), strict=True):
        assert left.tobytes() == right.tobytes()


@_each_space
@_checked(10)
@given(
    seed=_seeds, kind=_kinds, field=st.sampled_from(("channels", "channels", "width")), parts=_parts
)
def test_growing_leaves_the_function(space, seed, kind, field, parts):
    before = _spec(space, seed)
    after = _scaled(before, space, field, +1, parts)
    assume(after != before and _promises_growth(before, after))
    parent, child = _trained(before, seed), _model(after)
    labels = _labels(kind, _names(before))
    _start(child, labels, _offers(parent, labels))
    _assert_same_function(child, parent)


@_each_space
@_checked(8)
@given(seed=_seeds, kind=_kinds, parts=_parts)
def test_narrowing_silences_the_dropped_filters(space, seed, kind, parts):
    before = _spec(space, seed)
    after = _scaled(before, space, "channels", -1, parts)
    assume(after != before and _promises_narrowing(before, after))
    parent, child = _trained(before, seed), _model(after)
    labels = _labels(kind, _names(before))
    _start(child, labels, _offers(parent, labels))
    # All activations leave 0 as it is, so that a batch norm without gamma and beta is silent.
    weights = graph.weights_of(parent)
    kept = graph.weights_of(child)
    for block, named in weights.items():
        if "gamma" in named:
            stays = np.isin(named["moving_mean"], kept[block]["moving_mean"])
            assert stays.sum() == len(kept[block]["gamma"])
            named["gamma"], named["beta"] = named["gamma"] * stays, named["beta"] * stays
    graph.assign(parent, weights)
    _assert_same_function(child, parent)


@_each_space
@_checked(10)
@given(data=st.data(), seed=_seeds, steps=st.integers(0, 3), kind=_kinds)
def test_whatever_the_sources_everything_fits(space, data, seed, steps, kind):
    pick = initial.uniform_pick(randomness.generator(seed, "inherit_test", "morphs"))
    spec = _spec(space, seed)
    offers = []
    for source in range(steps):
        labels = _labels(kind, _names(spec))
        accuracy = data.draw(st.integers(0, 4), label="accuracy") / 4
        offers += _offers(_trained(spec, source), labels, f"d{source}", accuracy)
        spec = morph.apply(spec, choices.decide(spec, space, pick), space)
    model = _model(spec)
    before = model.get_weights()
    share = _start(model, _labels(kind, _names(spec)), offers).share
    assert np.isfinite(_outputs(model)).all()
    if not offers:
        assert share == 0
        assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def _edited(entry: Entry, values: Values, data: st.DataObject) -> tuple[Entry, Values]:
    """Returns what a hand may have made of an offer: the index and its arrays still agree."""
    other = st.integers(1, 20)
    role = data.draw(st.sampled_from(sorted(entry.inputs)), label="role")
    edits = ["runs", "none", "lengths", "scalars", "multiplier"]
    edit = data.draw(st.sampled_from(edits), label="edit")
    if edit == "none":
        return dataclasses.replace(entry, inputs={}), values
    if edit == "runs":
        runs = list(entry.inputs[role])
        at = data.draw(st.integers(0, len(runs) - 1), label="at")
        runs[at] = Run(runs[at].label, data.draw(other))
        return dataclasses.replace(entry, inputs={**entry.inputs, role: tuple(runs)}), values
    values = {role: dict(named) for role, named in values.items()}
    for named in values.values():
        for name, value in named.items():
            if value.ndim == 1 and edit == "lengths":
                named[name] = np.ones(data.draw(other), np.float32)
            elif value.ndim == 1 and edit == "scalars":
                named[name] = np.ones((), np.float32)
            elif value.ndim == 4 and edit == "multiplier":
                named[name] = np.repeat(value, 2, axis=3)
    return dataclasses.replace(entry, shapes=rules.shapes_of(values)), values


@functools.cache
def _parent_and_child(pattern: str, seed: int) -> tuple[keras.Model, Spec, keras.Model, Spec]:
    """Building takes longer than what is tested, and leaves both specs as they are."""
    space = _SPACES[pattern]
    spec = _spec(space, seed)
    pick = initial.uniform_pick(randomness.generator(seed, "inherit_test", "edited"))
    child = morph.apply(spec, choices.decide(spec, space, pick), space)
    return _trained(spec), spec, _model(child), child


@_each_space
@_checked(25)
@given(data=st.data(), seed=st.integers(0, 7), kind=_kinds)
def test_offers_that_were_edited_do_no_harm(space, data, seed, kind):
    """What is edited varies; of networks eight are enough."""
    parent, spec, model, child = _parent_and_child(space.pattern, seed)
    offers = [
        _edited(entry, values, data)
        for entry, values in _offers(parent, _labels(kind, _names(spec)))
    ]
    _start(model, _labels(kind, _names(child)), offers)


def _longer(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Returns runs of which the first says that it is longer than it is, if others follow."""
    more = 50 if len(runs) > 1 else 0
    return (Run(runs[0].label, runs[0].size + more), *runs[1:])


def test_runs_that_do_not_add_up_say_nothing():
    spec = CellSpec(tuple(BranchSpec("conv-none", 3, channels=4) for _ in range(2)), 4)
    offers = _offers(_trained(spec), _labels("number", ()))
    edited = [
        (dataclasses.replace(e, inputs={r: _longer(runs) for r, runs in e.inputs.items()}), v)
        for e, v in offers
    ]
    assert edited != offers
    child = _model(spec)
    assert _start(child, _labels("number", ()), edited).share == 1
    _assert_same_function(child, _trained(spec))


@_checked(6)
@given(seed=_seeds)
def test_sources_of_another_pattern_leave_no_more_than_stem_and_head(seed):
    other, spec = (_spec(space, seed) for space in _SPACES.values())
    offers = _offers(_trained(other), _labels("number", ()))
    model = _model(spec)
    _start(model, _labels("number", ()), offers)
    fresh = graph.weights_of(_model(spec))
    for block, named in graph.weights_of(model).items():
        same = all((named[name] == value).all() for name, value in fresh[block].items())
        assert same or block.startswith(("stem", "head"))


# By hand


def _conv(channels: int, width: int = 3, activation: str = "relu", src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", width, None, channels, activation, src2)


def _chain(*layers: LayerSpec, stem: int = 4) -> LayerwiseSpec:
    return LayerwiseSpec(layers, stem)


def _passed_on(
    before: Spec, after: Spec, names: Sequence[str] | None = None
) -> tuple[keras.Model, keras.Model]:
    """Returns a parent and its child after its warm start; names are those of the child's items."""
    parent, child = _trained(before), _model(after)
    offers = _offers(parent, rules.by_lineage(_names(before)))
    _start(child, rules.by_lineage(names or _names(after)), offers)
    return parent, child


def test_dropped_filters_are_dropped_by_their_readers():
    parent, child = _passed_on(_chain(_conv(8), _conv(4)), _chain(_conv(4), _conv(4)))
    old, new = graph.weights_of(parent), graph.weights_of(child)
    kernel = old["layer1_conv2d_conv"]["kernel"]
    kept = np.sort(np.argsort(-np.square(kernel).sum((0, 1, 2)))[:4])
    assert (new["layer1_conv2d_conv"]["kernel"] == kernel[..., kept]).all()
    for name, values in old["layer1_conv2d_bn"].items():
        assert (new["layer1_conv2d_bn"][name] == values[kept]).all()
    reader = old["layer2_conv2d_conv"]["kernel"]
    assert (new["layer2_conv2d_conv"]["kernel"] == reader[:, :, kept]).all()
    for block in ("stem_conv", "layer2_conv2d_bn", "head_dense"):
        assert all((new[block][name] == values).all() for name, values in old[block].items())


def test_the_head_drops_its_inputs_with_the_last_layer():
    parent, child = _passed_on(_chain(_conv(8)), _chain(_conv(4)))
    old, new = graph.weights_of(parent), graph.weights_of(child)
    kernel = old["layer1_conv2d_conv"]["kernel"]
    kept = rules.strongest([kernel], 4)
    assert (new["head_dense"]["kernel"] == old["head_dense"]["kernel"][kept]).all()
    assert (new["head_dense"]["bias"] == old["head_dense"]["bias"]).all()


def test_layers_that_are_added_drop_the_same_filters():
    parent, child = _passed_on(
        _chain(_conv(8), _conv(8), _conv(8, src2=1)), _chain(_conv(4), _conv(8), _conv(4, src2=1))
    )
    old, new = graph.weights_of(parent), graph.weights_of(child)
    added = [old[f"layer{i}_conv2d_conv"]["kernel"] for i in (1, 3)]
    kept = rules.strongest(added, 4)
    assert any((kept != rules.strongest([kernel], 4)).any() for kernel in added)
    for i in (1, 3):
        for name, values in old[f"layer{i}_conv2d_bn"].items():
            assert (new[f"layer{i}_conv2d_bn"][name] == values[kept]).all()


def test_between_sources_channels_are_paired_by_number():
    spec, labels = _chain(_conv(4), _conv(4)), rules.by_number
    first, second = (
        _trained(_chain(_conv(8), _conv(16)), 1),
        _trained(_chain(_conv(8), _conv(4)), 2),
    )
    child = _model(spec)
    _start(child, labels, _offers(first, labels, "a", 0.75) + _offers(second, labels, "b", 0.5))
    new = graph.weights_of(child)
    makers = graph.weights_of(first)["layer1_conv2d_conv"]["kernel"]
    kept = rules.strongest([makers], 4)
    assert (kept != np.arange(4)).any()
    assert (new["layer1_conv2d_conv"]["kernel"] == makers[..., kept]).all()
    reader = graph.weights_of(second)["layer2_conv2d_conv"]["kernel"]
    assert (new["layer2_conv2d_conv"]["kernel"] == reader[:, :, :4]).all()


@pytest.mark.parametrize(("old", "new"), [(1, 3), (3, 5), (1, 5)])
def test_kernels_with_a_stride_grow_to_see_the_same_pixels(old, new):
    before, after = (CellSpec((BranchSpec("conv-none", w, channels=2),), 4) for w in (old, new))
    parent, child = _passed_on(before, after)
    _assert_same_function(child, parent)


def test_new_filters_are_random_and_silent():
    parent, child = _passed_on(_chain(_conv(4), _conv(4)), _chain(_conv(8), _conv(4)))
    fresh, new = graph.weights_of(_model(_chain(_conv(8), _conv(4)))), graph.weights_of(child)
    first, reader = new["layer1_conv2d_conv"]["kernel"], new["layer2_conv2d_conv"]["kernel"]
    assert (first[..., 4:] == fresh["layer1_conv2d_conv"]["kernel"][..., 4:]).all()
    assert (reader[:, :, 4:] == 0).all()
    assert (new["layer1_conv2d_bn"]["gamma"][4:] == 1).all()
    _assert_same_function(child, parent)


def test_a_skip_that_comes_to_need_a_projection_gets_the_identity():
    parent, child = _passed_on(
        _chain(_conv(4), _conv(4, src2=1)), _chain(_conv(4), _conv(8, src2=1))
    )
    kernel = graph.weights_of(child)["layer2_skip_conv"]["kernel"]
    assert (kernel[0, 0, :, :4] == np.eye(4)).all()
    _assert_same_function(child, parent)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # the projection is gone
        (_chain(_conv(4), _conv(8, src2=1)), _chain(_conv(8), _conv(8, src2=1))),
        # crelu beside channels in one piece
        (
            _chain(_conv(4, activation="crelu"), _conv(4, src2=1)),
            _chain(_conv(8, activation="crelu"), _conv(8, src2=1)),
        ),
    ],
)
def test_what_is_not_promised_of_sums(before, after):
    assert not _promises_growth(before, after)
    parent, child = _passed_on(before, after)
    assert not np.allclose(_outputs(parent), _outputs(child), atol=1e-3)


# Inserted layers and branches


def _not_negative(spec: LayerwiseSpec, place: int) -> bool:
    """Says whether an output has no negative values: relu's and what is added to it is too."""
    if place == 0:
        return True
    layer = spec.layers[place - 1]
    if layer.activation not in (None, "relu", "crelu"):
        return False
    if layer.activation is None and not _not_negative(spec, place - 1):
        return False
    return layer.src2 < 0 or (_added_directly(spec, place) and _not_negative(spec, layer.src2))


@_checked(20)
@given(seed=_seeds, data=st.data())
def test_a_relu_layer_inserted_after_what_is_not_negative_changes_nothing(seed, data):
    space = _SPACES["layerwise"]
    before = _spec(space, seed)
    assume(isinstance(before, LayerwiseSpec) and len(before.layers) < space.max_items)
    places = [p for p in range(len(before.layers) + 1) if _not_negative(before, p)]
    place = data.draw(st.sampled_from(places), label="place")
    channels = [c for c in (4, 8, 16) if c >= _shapes(before)[place][2]]
    layer = LayerSpec(
        data.draw(st.sampled_from(("conv2d", "dep_sep_conv2d")), label="op"),
        data.draw(st.sampled_from((1, 3, 5)), label="width"),
        None,
        data.draw(st.sampled_from(channels), label="channels"),
        "relu",
    )
    after = morph.apply(before, Insert(place, layer), space)
    assert isinstance(after, LayerwiseSpec)
    assume(_keeps_sums(before, after, place))
    names = _names(before)
    parent, child = _passed_on(before, after, [*names[:place], "new", *names[place:]])
    _assert_same_function(child, parent)


def _keeps_sums(before: LayerwiseSpec, after: LayerwiseSpec, place: int) -> bool:
    """Says whether no sum behind a new layer loses its projection or parts its channels.

    A pooling or a bare sum behind the new layer passes its channels on, which may be more.
    """
    halves = _halves(after)
    for index, layer in enumerate(before.layers, start=1):
        new_index = index + (index > place)
        if layer.src2 < 0 or not _added_directly(after, new_index):
            continue
        if not _added_directly(before, index):
            return False
        if halves[new_index] != halves[after.layers[new_index - 1].src2]:
            return False
    return True


def test_an_inserted_layer_with_a_projected_skip_starts_without_it():
    before = _chain(_conv(4), _conv(8))
    after = _chain(_conv(4), _conv(8), _conv(8, src2=1))
    parent, child = _passed_on(before, after, ["i0", "i1", "new"])
    norm = graph.weights_of(child)["layer3_skip_bn"]
    assert (norm["gamma"] == 0).all()
    assert (norm["beta"] == 0).all()
    assert graph.weights_of(child)["layer3_skip_conv"]["kernel"].any()  # so that it may learn
    _assert_same_function(child, parent)


def test_an_inserted_layer_with_fewer_channels_passes_on_the_first():
    before, after = _chain(_conv(8)), _chain(_conv(8), _conv(4))
    parent, child = _passed_on(before, after, ["i0", "new"])
    weights = graph.weights_of(parent)
    weights["head_dense"]["kernel"][4:] = 0
    graph.assign(parent, weights)
    _assert_same_function(child, parent)


def test_a_new_batch_norm_expects_what_an_activation_gives():
    before, after = _chain(_conv(4)), _chain(_conv(4), _conv(4))
    parent = _trained(before)
    weights = graph.weights_of(parent)
    norm = weights["layer1_conv2d_bn"]
    norm["gamma"][:], norm["beta"][:] = (1, 2, 1, 1), (0, 0, 5, -30)
    graph.assign(parent, weights)
    child = _model(after)
    offers = _offers(parent, rules.by_lineage(["i0"]))
    _start(child, rules.by_lineage(["i0", "new"]), offers)
    new = graph.weights_of(child)["layer2_conv2d_bn"]
    # relu of a standard normal has mean 1 / sqrt(2 pi) and variance 1 / 2 - 1 / (2 pi); at 5 it
    # is what it was; at -30 always 0, whose deviation of 0 must not be divided by.
    mean, deviation = (2 * np.pi) ** -0.5, (0.5 - 0.5 / np.pi) ** 0.5
    np.testing.assert_allclose(new["moving_mean"], [mean, 2 * mean, 5, 0], atol=0.02)
    np.testing.assert_allclose(new["gamma"], [deviation, 2 * deviation, 1, 1e-5**0.5], atol=0.02)
    assert (new["moving_variance"] >= 0).all()
    assert (new["beta"] == new["moving_mean"]).all()
    _assert_same_function(child, parent)


@_checked(8)
@given(seed=_seeds, data=st.data())
def test_an_inserted_branch_is_not_read_at_first(seed, data):
    space = _SPACES["module"]
    before = _spec(space, seed)
    assert isinstance(before, CellSpec)
    assume(len(before.branches) < space.max_items)
    pick = initial.uniform_pick(randomness.generator(seed, "inherit_test", "branch"))
    branch = choices.run(choices.walk_insert(before, space), pick).item
    after = morph.apply(before, Insert(len(before.branches), branch), space)
    assert isinstance(after, CellSpec)
    # Where no branch is propagated, one that is takes the place of all, one that reads of some.
    outputs = cost.output_branches(before)
    assume(cost.output_branches(after)[: len(outputs)] == outputs)
    parent, child = _passed_on(before, after)
    _assert_same_function(child, parent)


def test_removing_the_last_of_a_lineage_leaves_the_rest():
    space = _SPACES["layerwise"]
    before = _chain(_conv(4), _conv(8), _conv(8), stem=8)
    after = morph.apply(before, Remove(1), space)
    parent, child = _passed_on(before, after, ["i1", "i2"])
    old, new = graph.weights_of(parent), graph.weights_of(child)
    assert (new["layer2_conv2d_conv"]["kernel"] == old["layer3_conv2d_conv"]["kernel"]).all()
    # Its input is the stem now, which another layer did not read: paired by number.
    first = new["layer1_conv2d_conv"]["kernel"]
    assert (first[:, :, :4] == old["layer2_conv2d_conv"]["kernel"]).all()
    assert (first[:, :, 4:] == 0).all()


def test_by_number_an_insertion_shifts_what_follows():
    before = _chain(_conv(4), _conv(8))
    after = _chain(_conv(4), _conv(4), _conv(8))
    parent, child = _trained(before), _model(after)
    labels = rules.by_number
    _start(child, labels, _offers(parent, labels))
    old, new = graph.weights_of(parent), graph.weights_of(child)
    kept = rules.strongest([old["layer2_conv2d_conv"]["kernel"]], 4)
    # The second layer is made of the old second, and the third starts near identity.
    assert (
        new["layer2_conv2d_conv"]["kernel"] == old["layer2_conv2d_conv"]["kernel"][..., kept]
    ).all()
    assert (new["layer3_conv2d_conv"]["kernel"][1, 1, :, :4] == np.eye(4)).all()


# Shares and other people's layers


def test_the_share_counts_what_a_source_left():
    parent, child = _chain(_conv(4)), _chain(_conv(8, width=5))
    model = _model(child)
    share = _start(model, rules.by_number, _offers(_trained(parent), lambda b: b)).share
    stem = 9 * 3 * 4 + 2 * 4
    layer, head = 9 * 4 * 4 + 2 * 4, 4 * 5 + 5
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_weights)
    assert share == pytest.approx((stem + layer + head) / trainable)


def _long_skip(layer, inputs, context):
    """A user's operation with a name that ends like the skips', an Add and biases of its own."""
    outputs = keras.layers.DepthwiseConv2D(3, padding="same", name=context.name("depthwise"))(
        inputs
    )
    outputs = keras.layers.LayerNormalization(name=context.name("ln"))(outputs)
    outputs = keras.layers.Add(name=context.name("add"))([outputs, inputs])
    return keras.layers.Conv2D(layer.channels, 1, name=context.name("conv"))(outputs)


def test_a_users_operation_is_warm_started_too():
    def made(stem: int, seed: int = 1) -> keras.Model:
        spec = _chain(LayerSpec("long_skip", channels=4), _conv(4), stem=stem)
        builders = BUILDERS | {"long_skip": _long_skip}
        return build_model(spec, _SHAPE, 5, seed=seed, builders=builders)

    labels = rules.by_lineage(["i0", "i1"])
    parent, child = made(4, seed=2), made(4)
    assert _start(child, labels, _offers(parent, labels)).share == 1
    _assert_same_function(child, parent)
    # Of other shapes a layer norm stays fresh; the rest fits all the same.
    assert 0 < _start(made(6), labels, _offers(parent, labels)).share < 1


# Operations of users


def _scaled_conv(bias: bool) -> keras.Model:
    """A network whose one block has a layer without weights, and perhaps a bias."""
    image = keras.Input((6, 6, 3), name="image")
    h = keras.layers.Conv2D(4, 3, padding="same", use_bias=bias, name="layer1_own_conv")(image)
    h = keras.layers.Rescaling(0.5, name="layer1_own_scale")(h)
    h = keras.layers.Dense(4, name="somewhere")(keras.layers.Flatten(name="layer1_own_flat")(h))
    return keras.Model(image, keras.layers.Dense(5, name="head_dense")(h))


def _started_from(child: keras.Model, source: keras.Model) -> WarmStart:
    nodes, weights = graph.layout_of(source), graph.weights_of(source)
    found = offered(nodes, weights, rules.by_number, "parent", 0.5)
    values = {entry.key: value for entry, value in found}
    entries = [entry for entry, _ in found]
    fresh = graph.weights_of(child)
    nodes = graph.layout_of(child)
    return warm_start.initial_weights(
        nodes, fresh, rules.by_number, entries, lambda entry: values[entry.key]
    )


def test_layers_without_weights_may_stand_in_a_block():
    source, child = _scaled_conv(True), _scaled_conv(True)
    weights = _started_from(child, source).weights
    expected = graph.weights_of(source)
    for name in ("layer1_own_conv", "head_dense"):
        for variable, value in weights[name].items():
            np.testing.assert_array_equal(value, expected[name][variable])


def test_a_layer_without_a_place_keeps_its_own_weights():
    source, child = _scaled_conv(True), _scaled_conv(True)
    own = graph.weights_of(child)["somewhere"]
    np.testing.assert_array_equal(
        _started_from(child, source).weights["somewhere"]["kernel"], own["kernel"]
    )


@pytest.mark.parametrize("bias", [True, False])
def test_a_block_of_other_variables_does_not_fit(bias):
    child = _scaled_conv(bias)
    own = graph.weights_of(child)["layer1_own_conv"]
    weights = _started_from(child, _scaled_conv(not bias)).weights["layer1_own_conv"]
    assert weights.keys() == own.keys()
    np.testing.assert_array_equal(weights["kernel"], own["kernel"])


def test_without_a_source_a_batch_norm_stays_as_it_was():
    image = keras.Input((6, 6, 3), name="image")
    h = keras.layers.BatchNormalization(name="layer1_own_bn")(image)
    h = keras.layers.GlobalAveragePooling2D(name="head_pool")(h)
    model = keras.Model(image, keras.layers.Dense(5, name="head_dense")(h))
    fresh = graph.weights_of(model)
    found = warm_start.initial_weights(graph.layout_of(model), fresh, rules.by_number, [], None)
    for name, values in fresh.items():
        for variable, value in values.items():
            np.testing.assert_array_equal(found.weights[name][variable], value)


def test_an_inserted_layer_after_crelu_is_identity_while_training_too():
    """The batch norm's own statistics of a batch are those that it was given."""
    relu = LayerSpec("conv2d", 3, channels=8, activation="crelu")
    spec = LayerwiseSpec((relu,), 8)
    child_spec = LayerwiseSpec((relu, LayerSpec("conv2d", 3, channels=8, activation="relu")), 8)
    parent = _model(spec)
    images = np.random.default_rng(3).normal(size=(64, *_SHAPE)).astype(np.float32)
    for _ in range(40):  # statistics of these images
        parent(images, training=True)
    found = _started_from(child := _model(child_spec), parent)
    graph.assign(child, found.weights)
    deviation = np.square(graph.weights_of(child)["layer2_conv2d_bn"]["gamma"])
    inner = keras.Model(child.input, child.get_layer("layer2_conv2d_conv").output)
    seen = inner(images, training=False).numpy().var(axis=(0, 1, 2))
    np.testing.assert_allclose(deviation, seen, rtol=0.5)
