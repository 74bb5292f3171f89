"""How networks are trained in a study, said in the flags of a search."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence

from epnas_tf import command_line, fields, resolve
from epnas_tf import config as config_lib
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.settings import LimitSettings
from epnas_tf.data import augment
from epnas_tf.data.dataset import Data
from epnas_tf.data.settings import DataSettings, VariationSettings
from epnas_tf.fields import flag, settings_in
from epnas_tf.studies.courses import SearchCourse
from epnas_tf.training import schedule
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.settings import Precision, ScheduleSettings

# What the figures of docs/RESULTS.md are measured by: 20 epochs of 5,000 images.
PLAIN = ("--dataset=cifar10", "--train_fraction=0.1111", "--schedule=plain")

_NAMES = {
    field.name
    for kind in (DataSettings, VariationSettings, ScheduleSettings, Precision)
    for field in settings_in(kind)
} | {"seed"}  # of the splits


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe.

    Attributes:
      text: what it is known by in the rows of studies: the data set and every flag that is not as
        by default, but for `data_dir`, which is no part of it.
      config: the configuration that it was made of.
    """

    text: str
    config: config_lib.SearchConfig

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """What scaled baselines keep."""
        return tuple(fields.pick(self.config, LimitSettings).constraints())

    def course(self) -> SearchCourse:
        """Returns how networks are trained by it; raises as `load` does."""
        return SearchCourse(*self.load(), self.config.dtype_policy)

    def load(self) -> tuple[Data, Schedule]:
        """Returns its images and its schedule, fitted to them.

        Raises:
          ConfigError: there are no such images, or the schedule does not fit.
        """
        data = resolve.load_data(self.config)
        varied = augment.chosen(data.augmentation, fields.pick(self.config, VariationSettings))
        plan = resolve.make_schedule(self.config, len(data.train))
        named = bool(self.config.batch_size)
        return (
            dataclasses.replace(data, augmentation=varied),
            schedule.fit_to(plan, len(data.train), named=named),
        )


def of_config(config: config_lib.SearchConfig) -> Recipe:
    """Returns the recipe of a configuration."""
    flags = [
        flag(field.name, getattr(config, field.name))
        for field in settings_in(config)
        if field.name == "dataset"
        or (field.name in _NAMES - {"data_dir"} and getattr(config, field.name) != field.default)
    ]
    return Recipe(shlex.join(flags), config)


def parse(flags: Sequence[str]) -> Recipe:
    """Returns the recipe that some flags of a search say; of two alike the later counts.

    Raises:
      ConfigError: one is no flag of a search, or not allowed.
    """
    return of_config(command_line.parse(["", *flags]))
