"""The rules of the shared parameters, each against its definition, searched by hypothesis."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf.sharing import rules
from epnas_tf.sharing.graph import Node
from epnas_tf.sharing.rules import Entry, Run

_checked = settings(deadline=None, derandomize=True, max_examples=60, database=None)
_widths = st.sampled_from((1, 2, 3, 4, 5, 7))
_channels = st.integers(1, 5)


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _conv(*shape: int) -> dict[str, dict[str, tuple[int, ...]]]:
    return {"conv": {"kernel": shape}, "bn": {"beta": shape[-1:], "gamma": shape[-1:]}}


def _entry(label: str, *shape: int, source: str = "d", accuracy: float = 0.5) -> Entry:
    return Entry(label, source, accuracy, _conv(*shape), {"conv": (Run("image", shape[-2]),)})


# Which entry


def test_the_key_is_the_label_and_the_shapes_of_the_kernels():
    shapes = {"pointwise": {"kernel": (1, 1, 4, 8)}, "depthwise": {"kernel": (3, 3, 4, 1)}}
    entry = Entry("layer3_dep", "d", 0.5, shapes | {"bn": {"gamma": (8,)}}, {})
    assert entry.key == "layer3_dep 3x3x4x1 1x1x4x8"
    assert Entry("layer3_skip", "d", 0.5, {}, {}).key == "layer3_skip"
    assert Entry("norm", "d", 0.5, {"bn": {"gamma": (8,)}}, {}).key == "norm 8"


def test_an_entry_is_told_as_json():
    entry = Entry("a", "e01s00b1", 0.25, _conv(3, 3, 2, 4), {"conv": (Run("x", 1), Run("y", 1))})
    text = json.dumps(entry.to_dict())
    assert Entry.from_dict(json.loads(text)) == entry


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {},
        {"label": "a", "donor": "d", "accuracy": 1, "shapes": {"conv": [3]}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": None, "shapes": {}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": 10**400, "shapes": {}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": "nan", "shapes": {}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": 1, "shapes": {"c": {"k": [0]}}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": 1, "shapes": {"c": {"k": [2.5]}}, "inputs": {}},
        {"label": "a", "donor": "d", "accuracy": 1, "shapes": {}, "inputs": {"c": [["x", 10**12]]}},
        {"label": "a", "donor": "d", "accuracy": 1, "shapes": {}, "inputs": {"conv": [["x"]]}},
    ],
)
def test_what_is_no_entry_is_refused(broken):
    with pytest.raises(ValueError, match=r"not an entry|not enough values"):
        Entry.from_dict(broken)


@st.composite
def _dictionaries(draw: st.DrawFn) -> list[Entry]:
    """Entries of two labels, distinct in their keys, some of another operation."""
    shape = st.tuples(_widths, _widths, st.integers(1, 12), st.integers(1, 12))
    found: dict[str, Entry] = {}
    for label, sizes in draw(st.lists(st.tuples(st.sampled_from("ab"), shape), max_size=12)):
        entry = _entry(label, *sizes)
        found[entry.key] = entry
    for other in draw(st.sets(st.sampled_from(("dense", "bare")))):
        shapes = {other: {"kernel": (4, 4)}} if other == "dense" else {}
        entry = Entry("a", "d", 0.5, shapes, {})
        found[entry.key] = entry
    return draw(st.permutations(list(found.values())))


def _ratio(wanted: tuple[int, ...], stored: tuple[int, ...]) -> Fraction:
    """The exponential of the distance, exactly."""
    ratios = [Fraction(max(a, b), min(a, b)) for a, b in zip(wanted, stored, strict=True)]
    return math.prod(ratios, start=Fraction(1))


@_checked
@given(_dictionaries(), st.tuples(_widths, _widths, st.integers(1, 12), st.integers(1, 12)))
def test_the_closest_entry_of_the_label_is_chosen(entries, sizes):
    chosen = rules.choose("a", _conv(*sizes), entries)
    fitting = [e for e in entries if e.label == "a" and "conv" in e.shapes]
    if not fitting:
        assert chosen is None
        return
    best = min(fitting, key=lambda e: (_ratio(sizes, e.shapes["conv"]["kernel"]), e.key))
    assert chosen is best
    exact = [entry for entry in fitting if entry.shapes["conv"]["kernel"] == sizes]
    assert not exact or chosen is exact[0]


def test_equal_distances_go_by_key():
    # log(3 / 2) and log(2 / 3) differ in their last bit.
    entries = [_entry("a", 3, 3, 8, 8), _entry("a", 3, 3, 12, 12)]
    for order in (entries, entries[::-1]):
        chosen = rules.choose("a", _conv(3, 3, 8, 12), order)
        assert chosen is not None
        assert chosen.key == "a 3x3x12x12"


def test_nothing_is_chosen_where_nothing_fits():
    assert rules.choose("a", _conv(3, 3, 4, 4), []) is None
    assert rules.choose("a", _conv(3, 3, 4, 4), [_entry("b", 3, 3, 4, 4)]) is None
    other = Entry("a", "d", 0.5, {"dense": {"kernel": (4, 4)}}, {})
    assert rules.choose("a", _conv(3, 3, 4, 4), [other]) is None
    assert math.isinf(rules.distance(_conv(3, 3, 4, 4), other.shapes))


_offers = st.lists(
    st.builds(
        lambda label, channels, source, accuracy: _entry(
            label, 3, 3, 4, channels, source=f"d{source}", accuracy=accuracy / 4
        ),
        st.sampled_from("ab"),
        st.sampled_from((4, 8)),
        st.integers(0, 99),
        st.integers(0, 4),
    ),
    max_size=10,
)


@_checked
@given(_offers, _offers, st.randoms(use_true_random=False))
def test_the_more_accurate_wins_a_clash(known, offers, shuffler):
    before = rules.merged({}, known)
    after = rules.merged(before, offers)
    every = known + offers
    assert set(after) == {entry.key for entry in every}
    for key, entry in after.items():
        rivals = [rival for rival in every if rival.key == key]
        first = next(r for r in rivals if r.accuracy == max(rival.accuracy for rival in rivals))
        assert entry is first  # who came first stays at equal accuracy
    assert rules.merged(after, offers) == after
    assert rules.merged(after, after.values()) == after
    assert before == rules.merged({}, known)  # nothing was changed in place

    shuffled = list(offers)
    shuffler.shuffle(shuffled)
    again = rules.merged(before, shuffled)
    assert {k: e.accuracy for k, e in again.items()} == {k: e.accuracy for k, e in after.items()}
    if len({entry.accuracy for entry in every}) == len(every):
        assert again == after


# How it is made to fit


def _outputs(kernel: np.ndarray, size: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    image = _noise(1, *size, kernel.shape[2], seed=1)
    return tf.nn.conv2d(image, kernel, strides, "SAME").numpy()


def _node(size: tuple[int, int], strides: tuple[int, int]) -> Node:
    return Node("layer1_conv2d_conv", "conv", ("image",), 2, size, strides)


@_checked
@given(
    st.tuples(_widths, _widths),
    st.tuples(_widths, _widths),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.sampled_from((1, 2)), st.sampled_from((1, 2))),
)
def test_a_kernel_sees_the_pixels_that_it_saw(own, source, size, strides):
    kernel = _noise(*source, 2, 2)
    at = rules.offsets(_node(size, strides), (*own, 2, 2), kernel.shape)
    fitted = rules.placed(np.ones((*own, 2, 2), np.float32), kernel, at)
    inside = np.zeros((*source, 1, 1), np.float32)  # the source's pixels that the child has too
    rows, columns = (np.arange(n) for n in source)
    inside[
        np.ix_(
            (rows + at[0] >= 0) & (rows + at[0] < own[0]),
            (columns + at[1] >= 0) & (columns + at[1] < own[1]),
        )
    ] = 1
    expected = _outputs(kernel * inside, size, strides)
    np.testing.assert_allclose(_outputs(fitted, size, strides), expected, rtol=0, atol=1e-5)
    if own[0] >= source[0] and own[1] >= source[1]:
        assert inside.all()  # growing loses nothing
        assert np.count_nonzero(fitted) == np.count_nonzero(kernel)


@pytest.mark.parametrize("source", [1, 3, 5, 7])
@pytest.mark.parametrize("own", [1, 3, 5, 7])
def test_without_strides_kernels_are_centred(own, source):
    kernel = _noise(source, source, 1, 1)
    at = rules.offsets(_node((8, 5), (1, 1)), (own, own), (source, source))
    assert at == ((own - source) // 2, (own - source) // 2)
    fitted = rules.placed(np.zeros((own, own, 1, 1), np.float32), kernel, at)
    edge = abs(own - source) // 2
    inner = slice(edge, edge + min(own, source))
    if own <= source:
        assert (fitted == kernel[inner, inner]).all()
    else:
        assert (fitted[inner, inner] == kernel).all()
        assert np.count_nonzero(fitted) == source * source


@pytest.mark.parametrize(("size", "offset"), [(8, 0), (7, 1), (4, 0), (5, 1)])
def test_a_stride_moves_the_centre_on_even_maps(size, offset):
    # Of a 3x3 over an even map SAME pads after it only, so that a 1x1 lies in its corner.
    at = rules.offsets(_node((size, size), (2, 2)), (3, 3), (1, 1))
    assert at == (offset, offset)


@st.composite
def _fits(draw: st.DrawFn):
    """A child's and a source's kernel of any shapes and which channels are which."""
    own = (draw(_channels), draw(_channels))
    source = (draw(_channels), draw(_channels))
    spatial = draw(st.booleans())
    shapes = [(*(draw(st.tuples(_widths, _widths)) if spatial else ()), *s) for s in (own, source)]
    rows, columns = (
        np.array(draw(st.lists(st.integers(-1, theirs - 1), min_size=ours, max_size=ours)))
        for ours, theirs in zip(own, source, strict=True)
    )
    at = draw(st.tuples(st.integers(-3, 3), st.integers(-3, 3)))
    return _noise(*shapes[0], seed=2), _noise(*shapes[1], seed=3), rows, columns, at


@_checked
@given(_fits())
def test_any_kernel_fits_any_other(case):
    own, source, rows, columns, at = case
    fitted = rules.fit_kernel(own, source, rows, columns, at)
    assert (fitted.shape, fitted.dtype) == (own.shape, own.dtype)
    body = rules.placed(own, source, at) if own.ndim == 4 else source
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if column < 0:
                wanted = own[..., i, j]
            elif row < 0:
                wanted = np.zeros_like(own[..., i, j])
            else:
                wanted = body[..., row, column]
            assert (fitted[..., i, j] == wanted).all()


@_checked
@given(st.tuples(_widths, _widths, _channels, _channels), st.booleans())
def test_an_exact_match_is_exact(shape, spatial):
    shape = shape if spatial else shape[2:]
    own, source = _noise(*shape, seed=2), _noise(*shape, seed=3)
    rows, columns = (rules.matching(n, n) for n in shape[-2:])
    assert rules.fit_kernel(own, source, rows, columns).tobytes() == source.tobytes()


@_checked
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2), st.data())
def test_depthwise_kernels_and_statistics_follow_their_channels(own, source, axis, data):
    index = np.array(data.draw(st.lists(st.integers(-1, source - 1), min_size=own, max_size=own)))
    shape = [2, 3, 4]
    values = _noise(*(source if a == axis else n for a, n in enumerate(shape)))
    fresh = _noise(*(own if a == axis else n for a, n in enumerate(shape)), seed=1)
    result = rules.gathered(values, index, axis, fresh)
    assert (result.shape, result.dtype) == (fresh.shape, fresh.dtype)
    for channel, old in enumerate(index):
        wanted = fresh.take(channel, axis) if old < 0 else values.take(old, axis)
        assert (result.take(channel, axis) == wanted).all()


def test_what_fits_has_the_childs_type():
    source = _noise(3, 3, 2, 2).astype(np.float64)
    index = rules.matching(2, 2)
    assert rules.fit_kernel(_noise(3, 3, 2, 2), source, index, index).dtype == np.float32


@_checked
@given(st.integers(1, 9), st.integers(1, 9))
def test_channels_are_paired_by_number(own, source):
    expected = [i if i < source else -1 for i in range(own)]
    assert rules.matching(own, source).tolist() == expected


@_checked
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=1, max_size=3),
    st.integers(1, 6),
)
def test_the_strongest_filters_stay_in_order(weights, count):
    kernels = [np.array([row], np.float32) for row in weights]  # one weight per filter
    kept = rules.strongest(kernels, count)
    norms = [sum(row[f] ** 2 for row in weights) for f in range(6)]
    ranked = sorted(range(6), key=lambda f: (-norms[f], f))
    assert kept.tolist() == sorted(ranked[:count])


# Under which label


def test_labels_by_number_are_names():
    assert rules.by_number("layer3_conv2d") == "layer3_conv2d"


@pytest.mark.parametrize(
    ("block", "label"),
    [
        ("layer1_conv2d", "layer:a_conv2d"),
        ("layer12_skip", "layer:l_skip"),
        ("layer3", "layer3"),
        ("cell2_branch3_op1_conv", "cell2_branch:c_op1_conv"),
        ("cell0_branch2_op0_1x7-7x1_7x1", "cell0_branch:b_op0_1x7-7x1_7x1"),
        ("stem", "stem"),
        ("head", "head"),
        ("layered_conv", "layered_conv"),
    ],
)
def test_labels_by_lineage_have_a_name_for_the_number(block, label):
    assert rules.by_lineage("abcdefghijkl")(block) == label
