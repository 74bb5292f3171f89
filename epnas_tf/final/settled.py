"""What a final training is asked for: its network, its settings and its folder, settled once."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from epnas_tf import config as config_lib
from epnas_tf import fields
from epnas_tf.data.names import DatasetName, absolute
from epnas_tf.fields import OF_ONE_RUN, ConfigError, flag, settings_in
from epnas_tf.final import found, recipes, result
from epnas_tf.final.found import Found
from epnas_tf.final.result import FinalResult
from epnas_tf.final.settings import Network, RetrainConfig
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import FinalDir, WorkDir

# Settings of images that are always those of the search.
_OF_THE_SEARCH = ("dataset", "image_size", "split_seed")
# Settings that say where a training's files are.
_OF_THE_PLACE = [field.name for field in settings_in(Network)]
_PATHS = ("work_dir", "spec", "out_dir", "data_dir")


def network_of(said: Mapping[str, Any]) -> Found:
    """Returns the network that is meant.

    Args:
      said: settings by name, as a person gave them.

    Raises:
      ConfigError: a setting is unknown or not allowed, or there is no such network.
    """
    known = {field.name for field in settings_in(RetrainConfig)}
    unknown = sorted(said.keys() - known)
    if unknown:
        raise ConfigError(f"must be one of {', '.join(sorted(known))}, got {unknown[0]}")
    asked = RetrainConfig(**said)
    if asked.work_dir:
        network = found.in_search(asked.work_dir, asked.trial)
        if not network.settings and "dataset" not in said:
            raise ConfigError(
                f"{flag('work_dir', asked.work_dir)}: its images were given in Python, and so they "
                "must be here: epnas_tf.retrain(work_dir, data=...)"
            )
        return network
    if "dataset" not in said:
        raise ConfigError(f"{flag('spec', asked.spec)}: needs --dataset, the images to train on")
    return found.in_file(asked.spec)


def settled(said: Mapping[str, Any], network: Found) -> RetrainConfig:
    """Returns the settings: what is said, else as stored, else the recipe's, else the search's.

    Args:
      said: settings by name, as a person gave them.
      network: from `network_of`.

    Raises:
      ConfigError: what is said contradicts the search, or a training that is there.
    """
    _refuse_other_images(said, network)
    own = {"trial": network.slot or ""}
    place = {name: said[name] for name in _OF_THE_PLACE if name in said}
    folder = folder_of(_from_anywhere(RetrainConfig(**place | own)))
    if not said.get("overwrite") and storage.exists(folder.flags):
        return _gone_on(folder, {**said, **own})
    recipe = recipes.values(said.get("recipe", RetrainConfig.recipe))
    return _from_anywhere(RetrainConfig(**{**network.settings, **recipe, **said, **own}))


def folder_of(config: RetrainConfig) -> FinalDir:
    """Returns where the files of a training are."""
    if config.out_dir:
        return FinalDir(config.out_dir)
    name = f"{config.trial}-{config.recipe}-{config.seed}"
    return WorkDir(config.work_dir).final_dir(name)


def ended(config: RetrainConfig, network: Found) -> FinalResult | None:
    """Returns the result of a training that has ended, None where it has not.

    Raises:
      ConfigError: it is another network's, as after the search was begun anew, or corrupt.
    """
    folder = folder_of(config)
    if config.overwrite or not storage.exists(folder.result):
        return None
    try:
        there = result.read(folder.path)
    except ValueError as error:
        raise ConfigError(f"{error} (--overwrite begins anew)") from error
    if there.spec != network.spec:
        raise ConfigError(
            f"{folder.path}: holds a training of network {there.spec.key}, asked for "
            f"{network.spec.key} (another --out_dir begins a new one, --overwrite deletes this one)"
        )
    return there


def command_of(said: Mapping[str, Any]) -> str:
    """Returns the command that says the same and goes on with the training."""
    flags = [flag(name, value) for name, value in said.items() if name != "overwrite"]
    return shlex.join(["epnas_retrain", *flags])


def _from_anywhere(config: RetrainConfig) -> RetrainConfig:
    """Returns settings whose files are found whatever the current folder."""
    places: dict[str, Any] = {name: absolute(getattr(config, name)) for name in _PATHS}
    places["dataset"] = str(DatasetName.parse(config.dataset).absolute())
    return dataclasses.replace(config, **places)


def _refuse_other_images(said: Mapping[str, Any], network: Found) -> None:
    """Raises ConfigError where other images are asked for than those of the search."""
    own = {name: said[name] for name in _OF_THE_SEARCH if name in said}
    if not network.settings or not own:
        return
    stored = RetrainConfig(work_dir="search", **network.settings)
    differing = config_lib.differences(stored, own)
    if differing:
        raise ConfigError(
            f"images must be those of the search: {'; '.join(differing)} (--spec with --out_dir "
            "trains a network on others)"
        )


def _gone_on(folder: FinalDir, said: Mapping[str, Any]) -> RetrainConfig:
    """Returns the settings of the training in a folder, with what is said for this run."""
    try:
        text = storage.read_text(folder.flags)
        stored = RetrainConfig(**fields.read_flags(text, RetrainConfig))
    except ValueError as error:
        raise ConfigError(
            f"{folder.flags} is corrupt or not written by epnas_retrain: {error}"
        ) from error
    differing = config_lib.differences(stored, said)
    if differing:
        raise ConfigError(
            f"{folder.path}: holds a training of other settings: {'; '.join(differing)} (another "
            "--out_dir begins a new one, --overwrite deletes this one)"
        )
    values: dict[str, Any] = {}
    for field in settings_in(stored):
        of_one_run = field.metadata["resume"] == OF_ONE_RUN
        kept = field.default if of_one_run else getattr(stored, field.name)
        value = said.get(field.name, kept)
        left_open = field.metadata["auto"] and value == field.default
        values[field.name] = kept if left_open else value
    return _from_anywhere(RetrainConfig(**values))
