"""The models that a tuner gives out: compiled, of images as users have them, also when reopened."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import pytest

from epnas_tf import interrupts, randomness
from epnas_tf.architecture.spec import spec_from_json
from epnas_tf.data.augment import normalised
from epnas_tf.searching.progressive import ProgressiveSearch
from epnas_tf.training import devices, trainer
from epnas_tf.tuner import durable


@pytest.fixture(name="pixels", scope="module")
def _pixels(data):
    """The validation part as a user has it."""
    return data.validation.images, data.validation.labels


def _weights_differ(left, right):
    pairs = zip(left.get_weights(), right.get_weights(), strict=True)
    return any((a != b).any() for a, b in pairs)


def test_the_best_model_has_the_logged_accuracy(searched, pixels):
    models = searched.get_best_models(2)
    for record, model in zip(searched.oracle.best()[:2], models, strict=True):
        found = model.evaluate(*pixels, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(record.outcome.accuracy, abs=1e-6)
        logits = model.predict(pixels[0], verbose=0)
        assert logits.shape == (len(pixels[1]), 3)
        assert np.mean(logits.argmax(-1) == pixels[1]) == pytest.approx(record.outcome.accuracy)


def test_it_takes_grey_images_without_their_channel(searched, pixels):
    # Two models: one that has seen a channel is traced for images of any rank, which Keras refuses.
    (model,), (other,) = searched.get_best_models(), searched.get_best_models()
    with_channel = model.predict(pixels[0], verbose=0)
    assert (other.predict(pixels[0][..., 0], verbose=0) == with_channel).all()


def test_a_trained_network_is_of_normalised_images(searched, data, pixels):
    (trial,) = searched.oracle.get_best_trials()
    network, model = searched.models.trained(trial), searched.load_model(trial)
    none = devices.make_strategy("none")
    best = searched.oracle.best()[0]
    assert trainer.accuracy(network, data.validation, data, none) == best.outcome.accuracy
    images = normalised(pixels[0].astype(np.float32) / 255, data.mean, data.std)
    logits = model.predict(pixels[0], verbose=0)
    np.testing.assert_allclose(network(images), logits, rtol=1e-4, atol=1e-4)
    assert (searched.models.of_pixels(network).predict(pixels[0], verbose=0) == logits).all()


def test_trained_again_from_its_seed_it_is_the_same_network(searched):
    (trial,) = searched.oracle.get_best_trials()
    best = searched.oracle.best()[0]
    slot = (best.slot.episode, best.slot.step, best.slot.branch)
    kept = []
    searched._evaluator.evaluate(
        best.proposal.spec,
        randomness.seed_of(0, "child", *slot),
        keep=lambda network: kept.extend(network.get_weights()),
    )
    stored = searched.models.trained(trial).get_weights()
    assert all((a == b).all() for a, b in zip(kept, stored, strict=True))


def test_a_saved_model_reloads_equal_and_compiled(searched, pixels, tmp_path):
    (model,) = searched.get_best_models()
    model.save(tmp_path / "best.keras")
    again = keras.saving.load_model(tmp_path / "best.keras")
    assert (again.predict(pixels[0], verbose=0) == model.predict(pixels[0], verbose=0)).all()
    assert again.evaluate(*pixels, verbose=0) == model.evaluate(*pixels, verbose=0)


def test_hyperparameters_build_a_fresh_model_that_learns(searched, data):
    hyperparameters = searched.get_best_hyperparameters()[0]
    model = searched.hypermodel.build(hyperparameters)
    (trained,) = searched.get_best_models()
    assert _weights_differ(model, trained)
    best = searched.oracle.best()[0]
    assert sum(np.prod(v.shape) for v in model.trainable_weights) == best.outcome.uses["params"]
    x, y = data.train.images, data.train.labels
    before = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    model.fit(x, y, epochs=3, batch_size=8, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < before
    assert len(searched.get_best_hyperparameters(3)) == 3


def test_models_beyond_those_kept_are_refused_clearly(searched):
    third = searched.oracle.best()[2].slot.name
    message = rf"weights of {third} are not in .*models; .* best 2 are kept \(keep_models\)"
    with pytest.raises(ValueError, match=message):
        searched.get_best_models(3)


def test_without_a_search_there_is_nothing_to_build_for(make_tuner, searched):
    (trial,) = searched.oracle.get_best_trials()
    spec = spec_from_json(durable.values(trial)["spec"])
    with pytest.raises(RuntimeError, match=r"search\(\) must be called first"):
        make_tuner().models.untrained(spec)
    with pytest.raises(RuntimeError, match=r"search\(\) must be called first"):
        make_tuner().hypermodel.build(trial.hyperparameters)


# A project that is only looked at


def _files(folder):
    return {path: path.stat().st_mtime_ns for path in pathlib.Path(folder).rglob("*")}


def test_a_reopened_project_is_read_without_its_data(searched, open_searched, pixels, capsys):
    before = _files(searched.project_dir)
    tuner = open_searched()
    assert tuner.oracle.best() == searched.oracle.best()
    (model,), (expected,) = tuner.get_best_models(), searched.get_best_models()
    assert not _weights_differ(model, expected)
    assert model.evaluate(*pixels, verbose=0) == expected.evaluate(*pixels, verbose=0)
    (hyperparameters,) = tuner.get_best_hyperparameters()
    assert hyperparameters.values == searched.get_best_hyperparameters()[0].values
    fresh = tuner.hypermodel.build(hyperparameters)
    assert not _weights_differ(fresh, searched.hypermodel.build(hyperparameters))
    capsys.readouterr()
    tuner.results_summary()
    assert tuner.oracle.best()[0].slot.name in capsys.readouterr().out
    assert tuner.oracle.remaining_trials() == 0
    assert _files(searched.project_dir) == before


def test_the_summary_names_the_limit_that_ended_the_search(make_tuner, data, quick, capsys):
    tuner = make_tuner(max_trials=2)
    tuner.search(data)
    tuner.results_summary()
    expected = "stopped at max_trials=2: a search with a larger one goes on"
    assert capsys.readouterr().out.splitlines()[-1] == expected


def _replays(monkeypatch):
    """Returns a list to which each replay adds how deep in held sections it is."""
    held, replay = [], ProgressiveSearch.replay

    def noted(self, log):
        held.append(interrupts._State.held)
        replay(self, log)

    monkeypatch.setattr(ProgressiveSearch, "replay", noted)
    return held


def test_a_summary_replays_nothing(searched, open_searched, monkeypatch, capsys):
    tuner = open_searched()
    held = _replays(monkeypatch)
    tuner.results_summary()
    assert held == []
    assert "stopped at" not in capsys.readouterr().out


@pytest.mark.parametrize("sharing", ["none", "dictionary"])
def test_the_log_is_replayed_where_a_signal_is_heard(make_tuner, data, quick, sharing, monkeypatch):
    make_tuner(max_trials=3, parameter_sharing=sharing).search(data)
    held = _replays(monkeypatch)
    make_tuner(parameter_sharing=sharing).search(data)
    assert held == [0]


def test_in_16_bits_it_has_the_logged_accuracy_also_under_other_globals(
    make_tuner, plan, images, pixels, tmp_path
):
    one = {"branches": 1, "steps": 1, "max_trials": 1}
    tuner = make_tuner(schedule=plan, dtype_policy="mixed_bfloat16", **one)
    x, y = images
    tuner.search(255 - x, y, validation_data=pixels)
    (best,) = tuner.oracle.best()
    (model,) = tuner.get_best_models()
    assert model.evaluate(*pixels, verbose=0)[1] == pytest.approx(best.outcome.accuracy, abs=1e-6)
    assert model.layers[-1].get_layer("stem_conv").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    model.save(tmp_path / "best.keras")
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(0.1)
    try:
        again = keras.saving.load_model(tmp_path / "best.keras")
        (read,) = tuner.get_best_models()
        found = [m.evaluate(*pixels, verbose=0)[1] for m in (again, read)]
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
    assert found == pytest.approx([best.outcome.accuracy] * 2, abs=1e-6)


def test_models_take_the_labels_that_the_search_took_one_hot(make_tuner, images):
    x, y = images
    given = np.eye(3)[y]
    tuner = make_tuner(episodes=1, steps=1, schedule="quick")
    tuner.search(x, given, epochs=1)
    best, fresh = (
        tuner.get_best_models()[0],
        tuner.hypermodel.build(tuner.get_best_hyperparameters()[0]),
    )
    found = best.evaluate(x, given, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(np.mean(best.predict(x, verbose=0).argmax(1) == y))
    fresh.fit(x, given, verbose=0)
    np.testing.assert_array_equal(tuner.encode_labels(given), given)
    np.testing.assert_array_equal(make_tuner(episodes=1, steps=1).encode_labels(y), given)


def test_labels_of_text_are_mapped_for_models_too(make_tuner, images):
    x, y = images
    named = np.array(["pear", "fig", "apple"])[y]
    tuner = make_tuner(episodes=1, steps=1, schedule="quick")
    with pytest.raises(RuntimeError, match="search.. must be called first"):
        tuner.encode_labels(named)
    tuner.search(x, named, epochs=1)
    encoded = make_tuner(episodes=1, steps=1).encode_labels(named)
    assert encoded.tolist() == (2 - y).tolist()
    best = tuner.get_best_models()[0]
    found = best.evaluate(x, encoded, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(
        np.mean(best.predict(x, verbose=0).argmax(1) == encoded)
    )
    with pytest.raises(
        ValueError, match="y must hold labels of the training split, apple, fig, pear"
    ):
        tuner.encode_labels(["plum"])
