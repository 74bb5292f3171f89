"""Recipes: what the shipped flagfiles say, each number with its source."""

import pytest

from epnas_tf import flagfiles
from epnas_tf.fields import ConfigError, SettingError
from epnas_tf.final import recipes
from epnas_tf.final.settings import AUTO, BOTH

_NAMES = flagfiles.recipes()
# PAPER_NOTES, section 4.
_PNAS = {
    **{
        "epochs": 600,
        "train_on": BOTH,
        "batch_size": 32,
        "learning_rate": 0.025,
        "decay": "cosine",
    },
    **{"clip_norm": 5.0, "weight_decay": 5e-4, "crop_padding": 4, "flip": "true"},
    **{"cutout": 16, "drop_path": 0.4, "auxiliary_weight": 0.4, "mixup": 0.0},
    **{"brightness": 0.0, "contrast": 0.0, "label_smoothing": 0.0, "epoch_images": 0},
}


@pytest.mark.parametrize("name", _NAMES)
def test_a_recipe_is_whole_and_says_all_that_decides_its_length(name):
    said = recipes.values(name)
    assert recipes.read(name) == recipes.read(name, **said)
    lengths = {"schedule", "epochs", "epoch_images", "batch_size", "learning_rate", "warmup_epochs"}
    assert lengths <= said.keys()
    assert said["train_on"] in (AUTO, BOTH)


@pytest.mark.parametrize("name", _NAMES)
def test_a_recipe_begins_with_its_command_time_and_result(name):
    lines = flagfiles.recipe_file(name).read_text().splitlines()
    labels = [line.split()[1] for line in lines[:8] if line.startswith("# ") and ":" in line]
    assert labels[:3] == ["Command:", "Time:", "Result:"]
    assert lines[0].startswith("# Command:  epnas_retrain --work_dir=W")
    assert f"--recipe={name}" in lines[0] or name == "default"


@pytest.mark.parametrize("name", _NAMES)
def test_every_number_stands_below_its_reason(name):
    for block in flagfiles.recipe_file(name).read_text().split("\n\n"):
        assert block.startswith("# "), f"no reason before {block.splitlines()[0]}"


def test_the_recipe_of_pnas_has_its_constants():
    assert {key: getattr(recipes.read("pnas_cifar"), key) for key in _PNAS} == _PNAS


def test_others_override_and_are_checked():
    assert recipes.read("default", epochs=3, warmup_epochs=1).epochs == 3
    with pytest.raises(SettingError, match=r"warmup_epochs is above --epochs=3, got 5"):
        recipes.read("default", epochs=3)
    with pytest.raises(ConfigError, match=r"--recipe=best: must be one of .*default.*short"):
        recipes.read("best")
