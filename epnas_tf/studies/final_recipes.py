"""How networks are trained to the end in a study, said in the flags of epnas_retrain."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

from epnas_tf import command_line, fields, flagfiles, resolve
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.settings import LimitSettings
from epnas_tf.data.settings import DataSettings
from epnas_tf.fields import CommandSettings, Settings, flag, setting, settings_in
from epnas_tf.final import recipes, training
from epnas_tf.final.settings import Recipe
from epnas_tf.resolve import blamed_on
from epnas_tf.studies.block_networks import BlockNetwork
from epnas_tf.studies.courses import FinalCourse
from epnas_tf.studies.networks import Network

# Settings of what is added to a network where its layers' names tell the place, as a spec's do.
_OF_SPECS = ("drop_path", "auxiliary_weight")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Split(Settings):
    seed: int = setting(0, "seed of the split into parts", least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Config(CommandSettings, LimitSettings, Recipe, _Split, DataSettings):
    """Images, recipe, and the limits that scaled baselines keep."""


@dataclasses.dataclass(frozen=True)
class FinalRecipe:
    """A recipe of epnas_retrain, with what was changed of it.

    Attributes:
      text: what it is known by in the rows of studies: its name, the data set and every flag that
        is not as in the recipe or by default, but for `data_dir` and limits.
      config: its settings.
      named: whether a person asked for this very batch.
    """

    text: str
    config: _Config
    named: bool

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """What scaled baselines keep."""
        return tuple(fields.pick(self.config, LimitSettings).constraints())

    def refuse_unfit(self, given: Mapping[str, Network]) -> None:
        """Raises ConfigError where the recipe asks for what networks of blocks cannot have."""
        blocks = [name for name, network in given.items() if isinstance(network, BlockNetwork)]
        for name in _OF_SPECS:
            value = getattr(self.config, name)
            if value and blocks:
                rule = f"must be 0 for networks without a spec, got {', '.join(blocks)}"
                self.config.refuse(name, f"{rule} (--baselines=plain leaves them out)", value)

    def course(self) -> FinalCourse:
        """Returns its images and its schedule, fitted to them.

        Raises:
          ConfigError: there are no such images, or the schedule does not fit.
        """
        recipe = fields.pick(self.config, Recipe)
        data = resolve.load_images(self.config, self.config.seed)
        with blamed_on(self.config, "dataset"):
            parts = training.parts_of(data, recipe)
        with blamed_on(self.config, "batch_size"):
            plan = training.plan_of(recipe, parts.data, named=self.named)
        return FinalCourse(parts, plan, recipe.dtype_policy)


def parse(name: str, flags: Sequence[str]) -> FinalRecipe:
    """Returns a recipe with what some flags change of it; of two alike the later counts.

    Args:
      name: of the recipe, as --recipe of epnas_retrain takes it.
      flags: of images, schedule, variation and limits.

    Raises:
      ConfigError: there is no such recipe, or a flag is none, or not allowed.
    """
    own = recipes.values(name)
    command = command_line.Command("", _Config, ("Recipes", flagfiles.recipes()), "")
    said = command_line.said(["", *flags], command)
    config = _Config(**{**own, **said})
    limits = {field.name for field in settings_in(LimitSettings)}
    changed = [
        flag(field.name, getattr(config, field.name))
        for field in settings_in(config)
        if field.name not in {"data_dir", *limits}
        and (
            field.name == "dataset"
            or getattr(config, field.name) != own.get(field.name, field.default)
        )
    ]
    named = "batch_size" in said and own.get("batch_size") != said["batch_size"]
    return FinalRecipe(shlex.join([flag("recipe", name), *changed]), config, named)
