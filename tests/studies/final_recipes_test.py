"""Recipes of epnas_retrain in a study: what they are known by, and what is trained by them."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.limits import Constraint
from epnas_tf.fields import ConfigError
from epnas_tf.final import recipes
from epnas_tf.studies import final_recipes, known_networks


def test_a_recipe_is_known_by_its_name_and_what_is_changed():
    flags = ["--data_dir=there", "--epochs=40", "--max_params=1k", "--seed=3"]
    recipe = final_recipes.parse("default", ["--dataset=cifar10", *flags])
    assert recipe.text == "--recipe=default --dataset=cifar10 --seed=3 --epochs=40"
    assert recipe.config.data_dir == "there"
    assert recipe.constraints == (Constraint("params", None, 1000.0),)
    own = recipes.values("default")
    as_it_is = [f"--epochs={own['epochs']}", "--dataset=cifar10"]
    assert final_recipes.parse("default", as_it_is).text == "--recipe=default --dataset=cifar10"


@pytest.mark.parametrize(
    ("name", "flags", "words"),
    [
        ("nosuch", [], "--recipe=nosuch: must be one of default"),
        ("short", ["--rate=1"], "Unknown command line flag 'rate'"),
        ("short", ["--max_params=1k", "--min_params=2k"], "--min_params=2k: is above --max_p"),
    ],
)
def test_what_cannot_be_followed_is_refused(name, flags, words):
    with pytest.raises(ConfigError, match=words):
        final_recipes.parse(name, flags)


def test_images_and_schedule_are_those_of_a_final_training():
    flags = ["--dataset=digits", "--train_fraction=0.5", "--epochs=2"]
    course = final_recipes.parse("short", flags).course()
    assert len(course.data.train) > 500  # the validation part too
    assert not course.parts.validates
    assert (course.plan.epochs, course.plan.ema_decay) == (2, 0.99)
    part = final_recipes.parse("short", [*flags, "--train_on=train"]).course()
    assert part.parts.validates
    assert len(part.data.train) < len(course.data.train)


def test_a_batch_that_is_asked_for_is_kept():
    flags = ["--dataset=digits", "--train_fraction=0.1", "--epoch_images=64"]
    fitted = final_recipes.parse("short", [*flags, "--batch_size=32"]).course()
    assert fitted.plan.batch_size == 8
    asked = final_recipes.parse("short", [*flags, "--batch_size=40"]).course()
    assert asked.plan.batch_size == 40


def test_what_is_added_to_a_spec_alone_is_refused_for_networks_of_blocks():
    recipe = final_recipes.parse("short", ["--dataset=digits", "--drop_path=0.2"])
    plain = known_networks.named(["plain"], (), lambda: ((8, 8, 1), 10))
    recipe.refuse_unfit(plain)
    words = r"--drop_path=0\.2: must be 0 for networks without a spec, got resnet8 \("
    with pytest.raises(ConfigError, match=words):
        recipe.refuse_unfit(plain | {"resnet8": known_networks.resnet8()})
    final_recipes.parse("short", ["--dataset=digits"]).refuse_unfit(
        {"resnet8": known_networks.resnet8()}
    )


def test_images_that_are_not_there_are_told():
    with pytest.raises(ConfigError, match="--dataset=/nowhere"):
        final_recipes.parse("short", ["--dataset=/nowhere"]).course()
