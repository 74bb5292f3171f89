"""The network that is trained to its end, its images, and what a search says of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from epnas_tf import config as config_lib
from epnas_tf import fields, resolve, untrusted
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import Spec
from epnas_tf.data.augment import Augmentation
from epnas_tf.data.dataset import Data
from epnas_tf.data.settings import DataSettings, VariationSettings
from epnas_tf.fields import ConfigError, flag
from epnas_tf.final.settings import RetrainConfig
from epnas_tf.tuner import session
from epnas_tf.workdir import networks, project_file, specs_file, storage
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.project_file import Project


@dataclasses.dataclass(frozen=True)
class Found:
    """A network and where it comes from.

    Attributes:
      spec: the network.
      slot: its trial; None where it comes from a file.
      settings: what of the images and their variation is as in the search.
      limits: that the search kept.
      project: what the search's trials had in common; None where it comes from a file.
      fraction: share of the training split that the search used.
    """

    spec: Spec
    slot: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    limits: tuple[Constraint, ...] = ()
    project: Project | None = None
    fraction: float = 1.0


def in_search(path: str, trial: str) -> Found:
    """Returns a network of a search.

    Args:
      path: the search's folder.
      trial: name of a slot; empty for the best.

    Raises:
      ConfigError: there is no such search or trial, or a file of it is corrupt.
    """
    work_dir, refusals = WorkDir(path), _refusals(path)
    try:
        slot, spec = networks.chosen(work_dir, trial)
        project = project_file.read(work_dir)
        if project is None:
            raise ValueError(f"it must hold a search, got no {work_dir.project}")
        with untrusted.reading(work_dir.project):
            limits = tuple(Constraint(**limit) for limit in project.settings["constraints"])
        found = Found(spec, slot, limits=limits, project=project)
        if not storage.exists(work_dir.flags):  # a search from Python, whose images were given
            return found
        config = config_lib.from_flags_text(storage.read_text(work_dir.flags))
    except refusals as error:
        name, value = ("trial", trial) if trial else ("work_dir", path)
        raise ConfigError(f"{flag(name, value)}: {error}") from error
    settings = fields.values_of(config, DataSettings) | fields.values_of(config, VariationSettings)
    fraction = settings.pop("train_fraction")
    settings["split_seed"] = config.seed
    return dataclasses.replace(found, settings=settings, fraction=fraction)


def in_file(path: str) -> Found:
    """Returns the network of a file; raises ConfigError where it holds none, or several."""
    refusals = _refusals(path)
    try:
        specs = specs_file.read(path)
        if len(specs) > 1:
            raise ValueError(f"it must hold one network, got {len(specs)}")
    except refusals as error:
        raise ConfigError(f"{flag('spec', path)}: {error}") from error
    return Found(specs[0])


def images_for(found: Found, config: RetrainConfig, given: Data | None = None) -> Data:
    """Returns the images to train a network on; those of its search, where it has one.

    Args:
      found: the network.
      config: names the images.
      given: the images themselves, where they were given as arrays.

    Raises:
      ConfigError: there are none, or they are not those of the search.
    """
    if given is not None:
        _refuse_others(found, config, given)
        if found.project is None or found.settings:
            return given
        variation = _variation_of(found.project)
        return dataclasses.replace(given, augmentation=variation)
    if found.project is not None and config.train_fraction != found.fraction:
        _refuse_others(found, config, _load(config, found.fraction))
        return _load(config, config.train_fraction)
    data = _load(config, config.train_fraction)
    _refuse_others(found, config, data)
    return data


def _refusals(path: str) -> tuple[type[Exception], ...]:
    """Returns what reading a file may raise that is the file's fault."""
    return (ValueError, *storage.failures(path))


def _load(config: RetrainConfig, fraction: float) -> Data:
    return resolve.load_images(config, config.split_seed, train_fraction=fraction)


def _refuse_others(found: Found, config: RetrainConfig, data: Data) -> None:
    """Raises ConfigError where images are not those of the search, in the same parts."""
    if found.project is None:
        return
    then, now = found.project.images, session.images_of(data)
    phrases = [
        f"{name} {getattr(then, name)} then, {getattr(now, name)} now"
        for name in ("shape", "class_names", "full_scale")
        if getattr(then, name) != getattr(now, name)
    ]
    parts = session.splits_of(data)
    if found.project.settings.get("data") != parts:
        counts = ", ".join(f"{part['images']} for {name}" for name, part in parts.items())
        phrases.append(f"its images or labels have changed ({counts} now)")
    if phrases:
        raise ConfigError(
            f"{flag('dataset', config.dataset)}: must be the images of the search in "
            f"{config.work_dir}: {'; '.join(phrases)}"
        )


def _variation_of(project: Project) -> Augmentation:
    with untrusted.reading("project.json"):
        return Augmentation(**project.settings["augmentation"])
