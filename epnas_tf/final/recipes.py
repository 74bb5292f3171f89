"""Recipes of final trainings: shipped flagfiles that say how a network is trained to the end."""

from __future__ import annotations

from typing import Any

from epnas_tf import fields, flagfiles
from epnas_tf.fields import ConfigError, flag
from epnas_tf.final.settings import Recipe


def values(name: str) -> dict[str, Any]:
    """Returns by setting what a recipe says.

    Raises:
      ConfigError: there is no recipe of this name.
    """
    if name not in flagfiles.recipes():
        known = ", ".join(flagfiles.recipes())
        raise ConfigError(f"{flag('recipe', name)}: must be one of {known}")
    text = flagfiles.recipe_file(name).read_text(encoding="utf-8")
    return fields.read_flags(text, Recipe)


def read(name: str, **others: Any) -> Recipe:
    """Returns a recipe with some settings replaced.

    Args:
      name: one of `flagfiles.recipes()`.
      **others: settings that override what it says.

    Raises:
      ConfigError: there is no recipe of this name.
      SettingError: a setting breaks a rule.
    """
    return Recipe(**values(name) | others)
