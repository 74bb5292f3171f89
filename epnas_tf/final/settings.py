"""The settings of a final training: of a recipe, and of a run of it."""

from __future__ import annotations

import dataclasses

from epnas_tf.data.settings import DataSettings, VariationSettings
from epnas_tf.fields import OF_ONE_RUN, CommandSettings, ConfigError, Settings, setting
from epnas_tf.training.settings import (
    DeviceSettings,
    Precision,
    Regularisation,
    ScheduleSettings,
)

AUTO, TRAIN, BOTH = "auto", "train", "train_and_validation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedOn(Settings):
    """What of the images a final training learns from."""

    train_on: str = setting(
        AUTO,
        "parts of the images that are trained on; the validation part too needs a test part to "
        "measure on (auto: the validation part where there is a test part)",
        choices=(AUTO, TRAIN, BOTH),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(Precision, Regularisation, ScheduleSettings, TrainedOn, VariationSettings):
    """How a network is trained to the end: all but the network, the images, seed and machine."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(Settings):
    """Which network is trained, by which recipe, and where its files are."""

    work_dir: str = setting(
        "", "folder of the search that found the network", common=True, resume=OF_ONE_RUN
    )
    trial: str = setting(
        "", "the network's trial, such as e01s03b5 (empty: the best)", common=True, auto=True
    )
    spec: str = setting(
        "",
        "instead of --work_dir: file of a network as JSON, or a best.json; needs --dataset and "
        "--out_dir",
        common=True,
        resume=OF_ONE_RUN,
    )
    out_dir: str = setting(
        "",
        "folder of the training's files (empty: WORK_DIR/final/TRIAL-RECIPE-SEED)",
        common=True,
        resume=OF_ONE_RUN,
    )
    recipe: str = setting(
        "default",
        "shipped flagfile to begin with: short (minutes), default (hours), pnas_cifar and "
        "imagenet (days); other flags override it",
        common=True,
    )
    seed: int = setting(
        0, "root of initial weights, order of images and variation", least=0, common=True
    )
    split_seed: int = setting(
        0,
        "seed of the split into parts, for --spec; a search's own with --work_dir",
        least=0,
        auto=True,
    )
    overwrite: bool = setting(
        False, "delete the training in its folder and begin anew", resume=OF_ONE_RUN
    )
    verbosity: int = setting(
        1, "0: the result, 1: a line per epoch", choices=(0, 1), resume=OF_ONE_RUN
    )


# A dataclass lists the fields of its last base first.
@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrainConfig(
    CommandSettings,
    DeviceSettings,
    Precision,
    Regularisation,
    ScheduleSettings,
    TrainedOn,
    VariationSettings,
    DataSettings,
    Network,
):
    """All settings of a final training; raises ConfigError where they cannot be run."""

    def check_together(self) -> None:
        """Refuses a network that is named twice or not at all, and a spec without its images."""
        if bool(self.work_dir) == bool(self.spec):
            raise ConfigError(
                "--work_dir=FOLDER (of a search) or --spec=FILE (a network) must be given, got "
                + ("both" if self.spec else "neither")
            )
        if self.spec and not self.out_dir:
            self.refuse("spec", "needs --out_dir, where the training's files go", self.spec)
        if self.spec and self.trial:
            self.refuse("trial", "needs --work_dir, whose trial it is", self.trial)
