"""Files of weights: they come back as they were, whatever the path, and name what they are not."""

import keras
import pytest

from epnas_tf.workdir import storage, weights


def _network(units=3):
    keras.utils.set_random_seed(units)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])


@pytest.mark.parametrize("scheme", ["", "ram://"])
def test_weights_come_back_as_they_were(tmp_path, scheme):
    path = f"{scheme}{tmp_path}/models/e01s00b0.weights.h5"
    network, other = _network(), _network()
    other.set_weights([value + 1 for value in network.get_weights()])
    weights.write(network, path)
    weights.read_into(other, path)
    pairs = zip(network.get_weights(), other.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_what_is_no_file_of_these_weights_is_named(tmp_path):
    path = str(tmp_path / "e01s00b0.weights.h5")
    storage.write_atomic(path, b"corrupt")
    with pytest.raises(ValueError, match="e01s00b0.weights.h5 is corrupt or not written by this"):
        weights.read_into(_network(), path)
    weights.write(_network(4), path)
    with pytest.raises(ValueError, match="e01s00b0.weights.h5 is corrupt or not written by this"):
        weights.read_into(_network(3), path)


@pytest.mark.parametrize("scheme", ["", "ram://"])
def test_a_whole_model_is_written_for_keras_to_load(tmp_path, scheme):
    path, network = f"{scheme}{tmp_path}/final/model.keras", _network()
    weights.write_model(network, path)
    local = tmp_path / "copy.keras"
    local.write_bytes(storage.read_bytes(path))
    for loaded in (keras.models.load_model(local), weights.read_model(path)):
        pairs = zip(network.get_weights(), loaded.get_weights(), strict=True)
        assert all((a == b).all() for a, b in pairs)
