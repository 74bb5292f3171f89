"""Recipes: what they are known by, and what is trained by them."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import recipes


def test_a_recipe_is_known_by_what_is_not_as_by_default():
    others = ["--epochs=7", "--branches=3", "--work_dir=here", "--train_fraction=1"]
    recipe = recipes.parse([*recipes.PLAIN, "--data_dir=there", *others])
    assert recipe.text == "--dataset=cifar10 --schedule=plain --epochs=7"
    assert recipe.config.data_dir == "there"
    assert recipes.parse(recipe.text.split()).text == recipe.text


def test_the_data_set_is_part_of_it_even_where_it_is_the_default():
    assert recipes.parse([]).text == "--dataset=digits"


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="Unknown command line flag 'rate'"):
        recipes.parse(["--rate=1"])


@pytest.mark.parametrize(
    ("flags", "epochs", "batch"),
    [
        # 107 images: 40 epochs instead of 3 of `quick`, and a batch of a sixteenth at most.
        (["--schedule=quick"], 40, 8),
        (["--schedule=quick", "--epochs=2"], 2, 8),
        (["--schedule=plain", "--batch_size=50"], 10, 50),
    ],
)
def test_the_schedule_is_fitted_to_the_images(flags, epochs, batch):
    data, plan = recipes.parse(["--train_fraction=0.1", "--flip=true", *flags]).load()
    assert len(data.train) < 8 * 16
    assert (plan.epochs, plan.batch_size) == (epochs, batch)
    assert data.augmentation.flip
