"""Channels of a tensor: whose they are, which of a source's they are, what they are like."""

from __future__ import annotations

import numpy as np
import pytest

from epnas_tf.sharing import channels
from epnas_tf.sharing.channels import ANYONE, Piece, Tensor
from epnas_tf.sharing.rules import Entry, Run


def _piece(label: str, source: str, *index: int, size: int = 4) -> Piece:
    return Piece(label, source, np.array(index), size)


def _entry(source: str, *runs: Run) -> Entry:
    return Entry("layer2", source, 0.5, {"conv": {}}, {"conv": runs})


def _is(piece: Piece) -> tuple[str, str, list[int], int]:
    return piece.label, piece.source, piece.index.tolist(), piece.size


_KEPT = channels.unknown((_piece("layer1", "a", 0, 2, 3),))


def test_of_one_source_a_reader_takes_the_rows_of_the_kept_filters():
    rows, pieces = channels.aligned(_KEPT, _entry("a", Run("layer1", 4)), "conv", 4)
    assert rows.tolist() == [0, 2, 3]
    assert pieces == _KEPT.pieces


@pytest.mark.parametrize(
    "entry",
    [
        _entry("b", Run("layer1", 4)),  # another source
        _entry("a", Run("layer1", 5)),  # it says another size than its maker
        _entry("a", Run("stem", 4)),  # made by another layer
    ],
)
def test_otherwise_channels_are_paired_by_number(entry):
    rows, pieces = channels.aligned(_KEPT, entry, "conv", 4)
    assert rows.tolist() == [0, 1, 2]
    run = entry.inputs["conv"][0]
    if run.size == 4:
        assert [_is(piece) for piece in pieces] == [(run.label, entry.source, [0, 1, 2], 4)]


def test_channels_beyond_the_sources_are_nobodys():
    wide = channels.unknown((_piece("layer1", "", -1, -1, -1),))
    rows, pieces = channels.aligned(wide, _entry("b", Run("stem", 2)), "conv", 2)
    assert rows.tolist() == [0, 1, -1]
    assert [_is(piece) for piece in pieces] == [("stem", "b", [0, 1], 2), ("", "", [-1], 0)]


def test_runs_of_one_label_are_told_apart_by_their_order():
    tensor = channels.unknown((_piece("x", "a", 1), _piece("image", ANYONE, 0, 1, 2, size=3)))
    both = channels.joined([tensor, tensor])
    runs = (Run("x", 4), Run("image", 3), Run("x", 4))
    assert channels.by_maker(both, runs, "a").tolist() == [1, 4, 5, 6, 8, -1, -1, -1]


def test_the_first_channels_keep_their_pieces():
    pieces = (_piece("x", "a", 3, 1), _piece("y", "a", 0, 2))
    assert [_is(p) for p in channels.first(pieces, 3)] == [
        ("x", "a", [3, 1], 4),
        ("y", "a", [0], 4),
    ]


def test_only_what_a_trial_left_is_warm():
    sources = [_piece("x", source, 0).is_warm for source in ("a", ANYONE, "")]
    assert sources == [True, False, False]


@pytest.mark.parametrize("kind", ["linear", "relu", "elu", "selu", "silu", "tanh"])
def test_an_activation_has_the_moments_of_a_gaussians(kind):
    functions = {
        "linear": lambda x: x,
        "relu": lambda x: np.maximum(x, 0),
        "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
        "selu": lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(x)),
        "silu": lambda x: x / (1 + np.exp(-x)),
        "tanh": np.tanh,
    }
    mean, std = np.array([0.0, -0.5]), np.array([1.0, 2.0])
    found = channels.activated(Tensor((_piece("x", "a", 0, 1),), mean, std), kind)
    drawn = functions[kind](mean + std * np.random.default_rng(0).normal(size=(200_000, 2)))
    np.testing.assert_allclose(found.mean, drawn.mean(0), atol=0.03)
    np.testing.assert_allclose(found.std, drawn.std(0), atol=0.03)


def test_what_a_batch_norm_gives_follows_from_its_weights():
    pieces = (_piece("x", "a", 0, 1),)
    given = channels.normalised(pieces, {"beta": np.array([1.0, 2]), "gamma": np.array([-3.0, 4])})
    assert (given.mean.tolist(), given.std.tolist()) == ([1, 2], [3, 4])
    plain = channels.normalised(pieces, {})
    assert (plain.mean.tolist(), plain.std.tolist()) == ([0, 0], [1, 1])
