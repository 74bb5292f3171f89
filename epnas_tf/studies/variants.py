"""Named lists of flags: what a study compares."""

from __future__ import annotations

import dataclasses
import re
import shlex

from epnas_tf.fields import ConfigError, flag


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to search or to train.

    Attributes:
      name: of its files and its line in reports.
      flags: its own, beside those that all variants share.
    """

    name: str
    flags: tuple[str, ...] = ()


def parse(name: str, text: str) -> list[Variant]:
    """Returns what a text such as "epnas;random:--algorithm=random --branches=4" names.

    Args:
      name: of the flag that holds it.
      text: a name each, with flags behind a colon.

    Raises:
      ConfigError: a name is missing, odd or given twice, or what follows it is no list of flags.
    """
    found: list[Variant] = []
    for part in text.split(";"):
        own, _, flags = part.strip().partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", own):
            raise ConfigError(
                f"{flag(name, text)}: must be NAME:flag flag;NAME:..., each name of letters, "
                f"digits and _.-, got {own!r}"
            )
        if own in [each.name for each in found]:
            raise ConfigError(f"{flag(name, text)}: must name each once, got {own} twice")
        try:
            found.append(Variant(own, tuple(shlex.split(flags))))
        except ValueError as error:
            raise ConfigError(f"{flag(name, text)}: {error}") from error
    return found
