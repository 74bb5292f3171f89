"""The settings of a final training: composed, each once, and checked together."""

import pytest

from epnas_tf import fields
from epnas_tf.fields import ConfigError
from epnas_tf.final.settings import Recipe, RetrainConfig


def test_a_run_has_all_settings_of_a_recipe_once():
    own = [field.name for field in fields.settings_in(RetrainConfig)]
    assert len(own) == len(set(own))
    assert {field.name for field in fields.settings_in(Recipe)} < set(own)


def test_settings_come_back_from_their_text():
    config = RetrainConfig(work_dir="w", trial="e01s00b1", epochs=3, brightness=0.5, flip="false")
    text = fields.flags_text(config)
    assert RetrainConfig(**fields.read_flags(text, RetrainConfig)) == config


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "--work_dir=FOLDER .* or --spec=FILE .* must be given, got neither"),
        ({"work_dir": "w", "spec": "s", "out_dir": "o"}, "must be given, got both"),
        ({"spec": "s"}, "--spec=s: needs --out_dir"),
        ({"spec": "s", "out_dir": "o", "trial": "e01s00b0"}, "--trial=e01s00b0: needs --work_dir"),
        ({"work_dir": "w", "seed": -1}, "--seed=-1: must be at least 0"),
        (
            {"work_dir": "w", "epochs": 2, "warmup_epochs": 3},
            "--warmup_epochs=3: is above",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(said, message):
    with pytest.raises(ConfigError, match=message):
        RetrainConfig(**said)
