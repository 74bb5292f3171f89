"""A configuration's open questions, answered once: by stored search, data, machine.

What is answered is stored with the search and taken from there when it goes on: results change in
their last bits with threads and micro-batch, and the rate decides what is too slow to be trained.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from epnas_tf import config as config_lib
from epnas_tf import fields, randomness
from epnas_tf.architecture.budget import Budget, ChildLimits
from epnas_tf.architecture.settings import LimitSettings, SpaceSettings
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.config import SearchConfig
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.data.names import DatasetName, absolute
from epnas_tf.data.settings import DataSettings
from epnas_tf.fields import ConfigError, SettingError, Settings, flag
from epnas_tf.searching import time_plan
from epnas_tf.searching.settings import EPISODES, RUNG_FACTORS, STEPS, RungSettings
from epnas_tf.training import calibrate, schedule
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner import planning, sources
from epnas_tf.tuner.run_limits import DEFAULT_HOURS
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import COPIES, WorkDir

# The setting that says which operations a pattern's space has.
_TYPES = {"layerwise": "layer_types", "module": "branch_types"}


@contextlib.contextmanager
def blamed_on(config: Settings, name: str) -> Iterator[None]:
    """Turns what a room raises into an error that names a flag and its value.

    Args:
      config: has the values.
      name: the setting to blame where the error does not name one.
    """
    try:
        yield
    except ConfigError:
        raise
    except SettingError as error:
        blamed = error.setting if hasattr(config, error.setting) else name
        raise ConfigError(f"{flag(blamed, getattr(config, blamed))}: {error}") from error
    except (ValueError, OSError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{flag(name, getattr(config, name))}: {reason}") from error


def load_data(config: SearchConfig) -> Data:
    """Returns the data set of a search; raises ConfigError where there is none."""
    return load_images(config, config.seed)


def load_images(config: Settings, split_seed: int, **changes: Any) -> Data:
    """Returns the data set that a configuration names.

    Args:
      config: has the settings of `DataSettings`.
      split_seed: the root of the split into parts.
      **changes: of these settings.

    Raises:
      ConfigError: there is no such data set.
    """
    with blamed_on(config, "dataset"):
        asked = fields.values_of(config, DataSettings) | changes
        seed = randomness.seed_of(split_seed, "data")
        return data_lib.load(asked.pop("dataset"), seed=seed, **asked)


# Files


def check_places(config: SearchConfig) -> None:
    """Raises ConfigError for a work_dir among the images, or that a search would read itself."""
    if DatasetName.parse(config.dataset).contains(config.work_dir):
        raise ConfigError(
            f"{flag('work_dir', config.work_dir)}: must not lie among the images of "
            f"{flag('dataset', config.dataset)}, whose folders are classes"
        )
    own = _real(config.work_dir)
    for name in COPIES:
        value = getattr(config, name)
        if any(f"{_real(path)}/".startswith(f"{own}/") for path in sources.marks_of(value)):
            raise ConfigError(
                f"{flag(name, value)}: must not lie in {flag('work_dir', config.work_dir)}, which "
                "this search writes and --overwrite deletes: copy it elsewhere, or give another "
                "--work_dir"
            )


def _real(path: str) -> str:
    return path.rstrip("/") if storage.is_remote(path) else os.path.realpath(path)


def from_anywhere(config: SearchConfig) -> SearchConfig:
    """Returns a configuration whose files are found whatever the current folder."""
    paths = {name: _absolute(getattr(config, name)) for name in ("data_dir", *COPIES)}
    dataset = str(DatasetName.parse(config.dataset).absolute())
    return dataclasses.replace(config, dataset=dataset, **paths)


def _absolute(value: Any) -> Any:
    """Returns a path, or several, that mean the same from everywhere."""
    return absolute(value) if isinstance(value, str) else tuple(map(absolute, value))


def stored_config(asked: SearchConfig) -> SearchConfig | None:
    """Returns the configuration of the search in work_dir, None if there is none.

    Raises:
      ConfigError: it is another configuration than the one asked for, or work_dir is a file.
    """
    work_dir = WorkDir(asked.work_dir)
    where = flag("work_dir", asked.work_dir)
    if tf.io.gfile.exists(work_dir.path) and not tf.io.gfile.isdir(work_dir.path):
        raise ConfigError(f"{where}: must be a folder, is a file")
    if asked.finish and (asked.overwrite or not storage.exists(work_dir.flags)):
        but = ", which --overwrite would delete" if asked.overwrite else ""
        raise ConfigError(f"{flag('finish', True)}: {where} must hold a search{but}")
    if asked.overwrite:
        return None
    if not asked.resume and (storage.exists(work_dir.flags) or storage.exists(work_dir.project)):
        raise ConfigError(
            f"{where}: holds a search; --resume goes on if it is of this configuration, "
            "--overwrite deletes it"
        )
    if not storage.exists(work_dir.flags):
        return None
    try:
        stored = config_lib.from_flags_text(storage.read_text(work_dir.flags))
    except ValueError as error:
        raise ConfigError(
            f"{where}: {work_dir.flags} is corrupt or not written by this search: {error}"
        ) from error
    config_lib.refuse_other(stored, vars(asked))
    for name in COPIES:
        if _absolute(getattr(asked, name)) != getattr(stored, name):
            _refuse_missing(asked, name)
    return dataclasses.replace(config_lib.gone_on(stored, asked), max_hours=_hours(asked, stored))


# What a search reads once


def _missing(config: SearchConfig, name: str) -> list[str]:
    """Returns the files that a setting of what is read once names and that are not there."""
    with blamed_on(config, name):
        return [p for p in sources.marks_of(getattr(config, name)) if not storage.exists(p)]


def _refuse_missing(config: SearchConfig, name: str) -> None:
    missing = _missing(config, name)
    if missing:
        raise ConfigError(
            f"{flag(name, getattr(config, name))}: {missing[0]} does not exist; left out, the "
            "search goes on with what it has read"
        )


def to_be_read(settled: SearchConfig, asked: SearchConfig) -> SearchConfig:
    """Returns a configuration that names no source whose copy in work_dir will do.

    That is where nothing was asked for, or what was has vanished since.

    Args:
      settled: of the search, with what was stored.
      asked: what this run was given.
    """
    project = None if asked.overwrite else project_file.read(WorkDir(settled.work_dir))
    copied = () if project is None else project.copies
    changes: dict[str, Any] = {}
    for name in copied:
        value = getattr(asked, name)
        if not value or _missing(asked, name):
            changes[name] = type(value)()
    return dataclasses.replace(settled, **changes)


def read_sources(
    config: SearchConfig, space: SearchSpace
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Returns by setting what a search is to read once, and what to say of it.

    Raises:
      ConfigError: it cannot be read, or is not of the space.
    """
    readers = {"initial_specs": sources.read_initial_specs, "prior": sources.read_prior}
    values: dict[str, Any] = {}
    said: dict[str, list[str]] = {}
    for name, read in readers.items():
        if getattr(config, name):
            with blamed_on(config, name):
                values[name], said[name] = read(getattr(config, name), space)
    return values, said


# Data and machine


def resolved(config: SearchConfig, data: Data, threads: int) -> SearchConfig:
    """Returns the configuration with every open question answered.

    Args:
      config: of a search that begins.
      data: its images.
      threads: of an operation, as they were set.

    Raises:
      ConfigError: the schedule does not fit.
    """
    if config.rungs and not config.epochs:
        config = dataclasses.replace(config, epochs=config.rungs[0])
    with blamed_on(config, "schedule"):
        plan = schedule.for_dataset(
            config.dataset, config.schedule, len(data.train), **schedule.said_in(config)
        )
    rate = config.machine_gflops or calibrate.measure_gflops()
    config, plan = _for_the_time(config, data, plan, rate)
    height, width, _ = data.input_shape
    micro = plan.micro_batch_size
    if not micro and plan.batch_size >= calibrate.LEAST_BATCH:
        # Measured once and stored: batch norm sees micro-batches, so results depend on it.
        micro = _micro_batch(plan, data, config)
    return dataclasses.replace(
        config,
        image_size=height if height == width else 0,  # only squares are resized to
        schedule=plan.name,
        # A batch that nobody named stays open: only one that somebody did is kept as it is.
        **{name: getattr(plan, name) for name in schedule.LEFT_OPEN}
        | {"micro_batch_size": micro, "batch_size": config.batch_size},
        threads_per_child=threads,
        machine_gflops=rate,
    )


def _hours(asked: SearchConfig, stored: SearchConfig | None = None) -> float:
    """Returns the hours of a run, 0 for any number; by default an hour where nothing says how long.

    Args:
      asked: what the run was given.
      stored: the search that it goes on with; one that began without a limit has none later.
    """
    if asked.max_hours >= 0:
        return asked.max_hours
    sized = asked.max_trials or (stored.max_hours == 0 if stored else asked.episodes)
    return 0.0 if sized else DEFAULT_HOURS


def _for_the_time(
    config: SearchConfig, data: Data, plan: Schedule, rate: float
) -> tuple[SearchConfig, Schedule]:
    """Returns a configuration and its schedule, planned for the time there is.

    What a person named stays; the same plan is never made again (searching/time_plan.py).
    """
    config = dataclasses.replace(config, max_hours=_hours(config))
    fixed = planning.fixed_seconds(config.max_child_minutes)
    ceiling, episodes, steps = time_plan.ceiling(0), EPISODES, STEPS[config.pattern]
    rungs = config.rungs
    if config.max_hours:
        planned = planning.plan(
            make_space(config, data),
            _budget(config, data, plan, rate),
            data,
            plan,
            fields.pick(config, RungSettings),
            seconds=config.max_hours * 3600,
            branches=config.branches,
            steps=config.steps or steps,
            max_child_seconds=fixed,
            fixed_length=bool(config.schedule or config.epochs or config.epoch_images >= 0),
        )
        ceiling, episodes, steps = planned.max_child_seconds, planned.episodes, planned.steps
        plan = schedule.changed(plan, epochs=planned.epochs, epoch_images=planned.epoch_images)
        rungs = rungs or tuple(plan.epochs * times for times in RUNG_FACTORS[: planned.rungs])
    answered = dataclasses.replace(
        config,
        max_child_minutes=config.max_child_minutes if fixed else _rounded_up(ceiling / 60),
        steps=config.steps or steps,
        episodes=config.episodes or episodes,
        rungs=rungs,
    )
    return answered, plan


def _budget(config: SearchConfig, data: Data, plan: Schedule, rate: float) -> Budget:
    """Returns what networks may cost, but for the time that they may take."""
    return Budget(
        data.input_shape,
        data.num_classes,
        fields.pick(config, LimitSettings).constraints(),
        limits=fields.pick(config, ChildLimits),
        batch=plan.micro_batch_size or plan.batch_size,
        machine_gflops=rate,
    )


def _rounded_up(minutes: float) -> float:
    """Returns a time that a person can read in flags.txt."""
    return math.ceil(minutes * 1e3) / 1e3


def _micro_batch(plan: Schedule, data: Data, config: SearchConfig) -> int:
    """Returns the micro-batch that trains fastest here, 0 for the batch in one piece.

    Measured where children are trained by this process' own device: an accelerator takes large
    batches whole, and replicas hold their share unrolled.
    """
    if config.strategy != "none" or tf.config.list_logical_devices("GPU"):
        return 0
    images = schedule.fit_to(plan, len(data.train)).batch_size
    share = 2 ** int(math.log2(images))  # a number that the pieces divide
    piece = calibrate.measure_micro_batch(data.input_shape, share, data.num_classes)
    return piece if piece and plan.batch_size % piece == 0 else 0


def make_space(config: SearchConfig, data: Data) -> SearchSpace:
    """Returns the search space of a configuration; raises ConfigError where it has no network."""
    types = _TYPES[config.pattern]
    with blamed_on(config, types if getattr(config, types) else "pattern"):
        return fields.pick(config, SpaceSettings).space(data.input_shape[:2])


def make_schedule(config: SearchConfig, images: int = 0) -> Schedule:
    """Returns the schedule of a configuration.

    Args:
      config: of a search, resolved; else its schedule is that of so many images.
      images: training images, 0 where the configuration has been resolved.
    """
    return schedule.of_settings(config, config.dataset, images)
