"""Which setting a final training has: what is said, what is stored, the recipe's, the search's."""

import dataclasses

import pytest

from epnas_tf import fields
from epnas_tf.fields import ConfigError
from epnas_tf.final import recipes, result, settled
from epnas_tf.workdir import storage
from tests.final.results import made


def _settled(**said):
    network = settled.network_of(said)
    return settled.settled(said, network), network


def test_what_is_said_counts_then_the_recipe_then_the_search(searched):
    config, network = _settled(work_dir=str(searched), recipe="short", epochs=7, contrast=0.5)
    assert config.trial == network.slot
    assert (config.epochs, config.contrast) == (7, 0.5)  # said
    assert config.batch_size == recipes.values("short")["batch_size"]
    assert (config.brightness, config.split_seed, config.seed) == (0.25, 5, 0)  # the search's
    assert (config.dataset, config.train_fraction) == ("digits", 1.0)
    own, _ = _settled(work_dir=str(searched), recipe="pnas_cifar")
    assert own.brightness == 0  # the recipe's, over the search's
    folder = settled.folder_of(config)
    assert folder.path == f"{searched}/final/{network.slot}-short-0"


def test_paths_mean_the_same_from_everywhere(searched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = {"spec": str(searched / "best.json"), "dataset": "folder:photos", "out_dir": "out"}
    config, _ = _settled(**said)
    assert config.dataset == f"folder:{tmp_path}/photos"
    assert settled.folder_of(config).path == f"{tmp_path}/out"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"work_dir": "w", "colour": 1}, "must be one of .*work_dir, got colour"),
        ({"work_dir": "w", "epochs": "many"}, "--epochs='many': must be a whole number"),
        ({"spec": "s", "out_dir": "o"}, "--spec=s: needs --dataset"),
    ],
)
def test_what_cannot_be_followed_is_named(said, message):
    with pytest.raises(ConfigError, match=message):
        settled.network_of(said)


@pytest.mark.parametrize("said", [{"dataset": "mnist"}, {"image_size": 9}, {"split_seed": 6}])
def test_a_search_keeps_its_images(searched, said):
    (name,) = said
    with pytest.raises(ConfigError, match=f"images must be those of the search: --{name}="):
        _settled(work_dir=str(searched), **said)
    same = {"dataset": "digits", "split_seed": 5, "image_size": 8}
    assert _settled(work_dir=str(searched), **same)[0].dataset == "digits"


def _begun(search, **said):
    """The settings of a training that has begun, stored in its folder."""
    config, network = _settled(work_dir=str(search), recipe="short", **said)
    stored = dataclasses.replace(config, threads_per_child=1)
    folder = settled.folder_of(config)
    storage.write_atomic(folder.flags, fields.flags_text(stored))
    return stored, network, folder


def test_a_training_that_goes_on_is_as_it_began(search):
    stored, _, folder = _begun(search, epochs=9, learning_rate=0.02)
    again, _ = _settled(work_dir=str(search), recipe="short", data_dir="/elsewhere", verbosity=0)
    assert again == dataclasses.replace(stored, data_dir="/elsewhere", verbosity=0)
    message = r"short-0: holds a training of other settings: --epochs=8 \(stored: 9\) \(another --o"
    with pytest.raises(ConfigError, match=message):
        _settled(work_dir=str(search), recipe="short", epochs=8)
    anew, _ = _settled(work_dir=str(search), recipe="short", epochs=8, overwrite=True)
    assert (anew.epochs, anew.learning_rate) == (8, recipes.values("short")["learning_rate"])
    storage.write_atomic(folder.flags, "--epochs=x\n")
    with pytest.raises(ConfigError, match=r"flags\.txt is corrupt or not written by epnas_retrain"):
        _settled(work_dir=str(search), recipe="short")


def test_a_training_that_has_ended_is_read(search):
    stored, network, folder = _begun(search)
    assert settled.ended(stored, network) is None
    result.write(made(folder.path, spec=network.spec))
    assert settled.ended(stored, network).recipe == "default"
    assert settled.ended(dataclasses.replace(stored, overwrite=True), network) is None
    result.write(made(folder.path))
    with pytest.raises(ConfigError, match="holds a training of network .*, asked for"):
        settled.ended(stored, network)
    storage.write_atomic(folder.result, "{}")
    with pytest.raises(ConfigError, match=r"result\.json .*--overwrite begins anew"):
        settled.ended(stored, network)


def test_images_that_were_given_must_be_given_again(search):
    (search / "flags.txt").unlink()  # as of a search from Python
    with pytest.raises(ConfigError, match=r"were given in Python, .* data=\.\.\.\)"):
        settled.network_of({"work_dir": str(search)})
    assert settled.network_of({"work_dir": str(search), "dataset": "arrays"}).slot


def test_the_command_says_what_was_said():
    said = {"work_dir": "my search", "epochs": 3, "overwrite": True, "learning_rate": 0.5}
    assert settled.command_of(said) == (
        "epnas_retrain '--work_dir=my search' --epochs=3 --learning_rate=0.5"
    )
