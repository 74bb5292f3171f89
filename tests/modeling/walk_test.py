"""The graph of a model, run once more."""

from __future__ import annotations

import keras
import pytest

from epnas_tf.modeling import walk


def _names(model: keras.Model) -> list[str]:
    seen: list[str] = []

    def call(operation, *args, **kwargs):
        seen.append(operation.name)
        return operation.compute_output_spec(*args, **kwargs)

    outputs = walk.again(model, call)
    assert outputs.shape == model.outputs[0].shape
    return seen


def test_every_call_comes_in_its_order_shared_layers_and_bare_operations_too():
    twice = keras.layers.Dense(3, name="twice")
    image = keras.Input((3,))
    model = keras.Model(image, twice(keras.ops.relu(twice(image)) + 1))
    names = _names(model)
    assert [name for name in names if name == "twice"] == ["twice"] * 2
    assert (names[0], names[-1], len(names)) == ("twice", "twice", 4)


def test_a_sequential_model_is_run_as_a_graph():
    layers = [keras.layers.Dense(2, name=name) for name in ("first", "second")]
    assert _names(keras.Sequential([keras.Input((3,)), *layers])) == ["first", "second"]


def test_what_is_put_in_goes_through():
    image = keras.Input((3,))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.ReLU()(image)))
    assert walk.again(model, lambda _, given: given + 1, [5]) == 7


def test_a_model_without_a_graph_is_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(ValueError, match="must be functional or sequential, got 'mine' of class O"):
        walk.again(Own(name="mine"), lambda *_: None)
