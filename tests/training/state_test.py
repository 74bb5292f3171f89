"""What a training hands out to go on from, as bytes."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest

from epnas_tf.training import state
from epnas_tf.training.schedule import schedule
from epnas_tf.training.state import State

_PLAN = schedule("plain", decay="trapezoid")


def _of(**changes):
    said = {"network": "n", "seed": 1, "schedule": _PLAN, "images": "ab", "variation": {"pad": 4}}
    return state.described(**(said | changes))


@pytest.fixture(name="stored")
def _stored() -> State:
    variables = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64))
    epochs = np.array([[2.0, 0.25, np.nan], [1.0, 0.5, 0.75]])
    return State(_of(), 14, epochs, np.array([1.5, 3], np.float32), variables)


def test_a_state_comes_back_from_its_bytes(stored):
    found = state.from_bytes(state.to_bytes(stored))
    assert (found.of, found.updates, found.digest) == (stored.of, 14, stored.digest)
    for one, other in zip(found.variables, stored.variables, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    np.testing.assert_array_equal(found.epochs, stored.epochs)
    np.testing.assert_array_equal(found.sums, stored.sums)
    assert state.to_bytes(found) == state.to_bytes(stored)


def test_the_hash_is_of_all_that_it_holds(stored):
    others = [
        dataclasses.replace(stored, updates=15),
        dataclasses.replace(stored, of=_of(seed=2)),
        dataclasses.replace(stored, sums=stored.sums + 1),
        dataclasses.replace(stored, epochs=stored.epochs[:1]),
        dataclasses.replace(stored, variables=stored.variables[:1]),
        dataclasses.replace(stored, variables=(stored.variables[0].T, stored.variables[1])),
    ]
    assert len({each.digest for each in (stored, *others)}) == 7


@pytest.mark.parametrize("change", ["cut", "empty", "updates", "pickle", "lacking"])
def test_what_is_no_state_is_refused(stored, change):
    content = state.to_bytes(stored)
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    if change == "updates":
        text = arrays["head"].tobytes().replace(b'"updates": 14', b'"updates": 15')
        arrays["head"] = np.frombuffer(text, np.uint8)
    elif change == "pickle":
        arrays["0"] = np.array([object()])
    else:
        del arrays["sums"]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = {"cut": content[:-30], "empty": b""}.get(change, buffer.getvalue())
    with pytest.raises(ValueError, match="is corrupt or not written by this search"):
        state.from_bytes(content)


def test_a_longer_training_of_the_same_is_no_other(stored):
    shapes = [(2, 3), ()]
    longer = dataclasses.replace(_PLAN, epochs=60)
    state.refuse_other(stored, _of(schedule=longer), 14, shapes)
    for changes in ({"seed": 2}, {"images": "ac"}, {"variation": {"pad": 0}}, {"network": "m"}):
        with pytest.raises(ValueError, match=f"same training, it has {next(iter(changes))} "):
            state.refuse_other(stored, _of(**changes), 14, shapes)
    with pytest.raises(ValueError, match="of the same network, its variables have other shapes"):
        state.refuse_other(stored, _of(), 14, shapes[:1])
    with pytest.raises(ValueError, match="at most 13 updates, .* got 14: a longer training can"):
        state.refuse_other(stored, _of(), 13, shapes)
