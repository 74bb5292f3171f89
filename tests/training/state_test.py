"""What a training hands out to go on from, as bytes."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest

from epnas_tf.training import state
from epnas_tf.training.schedule import schedule
from epnas_tf.training.state import State, Training

# Of 20 epochs of 5 updates; the rate falls in the last 20 of them.
_TRAINING = Training("n", 1, schedule("plain", decay="trapezoid"), 5, "ab", {"pad": 4})
_SHAPES = [(2, 3), ()]


def _with(**changes):
    """The training with another schedule, or something else of it that is another."""
    plan = dataclasses.replace(_TRAINING.schedule, **changes.pop("schedule", {}))
    return dataclasses.replace(_TRAINING, schedule=plan, **changes)


@pytest.fixture(name="stored")
def _stored() -> State:
    variables = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64))
    epochs = np.array([[2.0, 0.25, np.nan], [1.0, 0.5, 0.75]])
    sums = np.array([1.5, 3], np.float32)
    return State(_TRAINING.described, 14, epochs, sums, variables)


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
        dataclasses.replace(stored, of=_with(seed=2).described),
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


@pytest.mark.parametrize("changes", [{}, {"schedule": {"name": "other"}}])
def test_a_training_goes_on_from_its_own_states(stored, changes):
    last = dataclasses.replace(stored, updates=100)
    for each in (stored, last):
        _with(**changes).refuse_other(each, _SHAPES)


def test_a_longer_training_goes_on_from_where_the_rate_of_the_shorter_falls(stored):
    longer, shorter = _with(schedule={"epochs": 60}), _with(schedule={"epochs": 4})
    at = {updates: dataclasses.replace(stored, updates=updates) for updates in (16, 17, 80, 81)}
    longer.refuse_other(at[80], _SHAPES)
    shorter.refuse_other(at[16], _SHAPES)
    for training, updates, most in ((longer, 81, 80), (shorter, 17, 16)):
        epochs = f"of {training.schedule.epochs} epochs to go on .* as one of 20"
        with pytest.raises(ValueError, match=f"at most {most} updates for a .* {epochs}"):
            training.refuse_other(at[updates], _SHAPES)


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"decay": "cosine"}, 0),
        ({"decay": "cosine", "warmup_epochs": 2}, 10),
        ({"low_resolution": 0.5}, 0),  # of a longer one more updates see small images
    ],
)
def test_other_lengths_may_have_little_in_common(stored, changes, most):
    shorter, longer = (_with(schedule=changes | {"epochs": count}) for count in (20, 60))
    at = dataclasses.replace(stored, of=shorter.described, updates=most)
    longer.refuse_other(at, _SHAPES)
    shorter.refuse_other(dataclasses.replace(at, updates=100), _SHAPES)
    with pytest.raises(ValueError, match=f"at most {most} updates"):
        longer.refuse_other(dataclasses.replace(at, updates=most + 1), _SHAPES)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"images": "ac"}, {"variation": {"pad": 0}}, {"network": "m"}, {"steps": 6}],
)
def test_the_state_of_another_training_is_refused(stored, changes):
    with pytest.raises(ValueError, match=f"same training, it has {next(iter(changes))} "):
        _with(**changes).refuse_other(stored, _SHAPES)


def test_the_state_of_another_network_or_of_nothing_is_refused(stored):
    with pytest.raises(ValueError, match="of the same network, its variables differ in shape"):
        _TRAINING.refuse_other(stored, _SHAPES[:1])
    lacking = {name: value for name, value in stored.of.items() if name != "epochs"}
    with pytest.raises(ValueError, match="must say its training's epochs, got None"):
        _TRAINING.refuse_other(dataclasses.replace(stored, of=lacking), _SHAPES)
