"""The configuration of a search: the settings of all rooms in one flat value.

Each setting is declared once, by the room in which it takes effect; flags, `--help`, flags.txt, the
checks and what a search that goes on may be given follow from there. The rooms never see a
SearchConfig: they are handed their own settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from epnas_tf import fields
from epnas_tf.architecture.budget import ChildLimits
from epnas_tf.architecture.settings import LimitSettings, RewardSettings, SpaceSettings
from epnas_tf.data.names import DatasetName
from epnas_tf.data.settings import DataSettings, VariationSettings
from epnas_tf.fields import (
    COPIED,
    MAY_CHANGE,
    MAY_GROW,
    OF_ONE_RUN,
    SAME,
    CommandSettings,
    ConfigError,
    Settings,
    flag,
    setting,
    settings_in,
    text_of,
)
from epnas_tf.searching.settings import (
    Learning,
    LSTMSettings,
    PolicySettings,
    RungSettings,
    Sizes,
    StartSettings,
)
from epnas_tf.sharing.settings import SharingSettings
from epnas_tf.training.settings import (
    DeviceSettings,
    EarlyStopping,
    Precision,
    ScheduleSettings,
    Speed,
)
from epnas_tf.tuner.run_limits import RunLimits
from epnas_tf.tuner.settings import Attempts, ReadOnce, Results


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files(Settings):
    """Where a search's files are, and what becomes of those that are there."""

    work_dir: str = setting(
        "epnas_work",
        "folder of the search's files; made if missing",
        common=True,
        resume=OF_ONE_RUN,
    )
    resume: bool = setting(
        True, "go on with the search in work_dir (false: refuse one)", resume=OF_ONE_RUN
    )
    overwrite: bool = setting(
        False, "delete the search in work_dir and begin anew", resume=OF_ONE_RUN
    )

    def check_together(self) -> None:
        """Refuses a bucket itself: its parent, which Keras Tuner asks for, is none."""
        scheme, mark, rest = self.work_dir.partition("://")
        bucket, _, folder = rest.partition("/")
        if mark and not folder.strip("/"):
            example = f"{scheme}://{bucket or 'bucket'}/search"
            rule = f"must be a folder in a bucket, such as {example}"
            self.refuse("work_dir", rule, self.work_dir)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output(Settings):
    """What is printed."""

    verbosity: int = setting(
        1, "0: the result, 1: a line per trial, 2: more", choices=(0, 1, 2), resume=OF_ONE_RUN
    )


# A dataclass lists the fields of its last base first.
@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig(
    CommandSettings,
    Output,
    Results,
    Speed,
    DeviceSettings,
    Precision,
    SharingSettings,
    EarlyStopping,
    ScheduleSettings,
    Learning,
    LSTMSettings,
    PolicySettings,
    Attempts,
    RunLimits,
    RungSettings,
    StartSettings,
    ReadOnce,
    Sizes,
    ChildLimits,
    LimitSettings,
    RewardSettings,
    SpaceSettings,
    VariationSettings,
    DataSettings,
    Files,
):
    """All settings of a search; raises ConfigError where they cannot be run."""

    def check_together(self) -> None:
        """Refuses rungs that do not begin with the epochs that are given too."""
        if self.rungs and self.epochs and self.rungs[0] != self.epochs:
            self.refuse("rungs", f"must begin with {flag('epochs', self.epochs)}", self.rungs)


def to_flags_text(config: SearchConfig) -> str:
    """Returns every setting as a line `--name=value`: a flagfile that reloads exactly."""
    return fields.flags_text(config)


def from_flags_text(text: str) -> SearchConfig:
    """Returns the configuration that `to_flags_text` wrote; raises ConfigError."""
    return SearchConfig(**fields.read_flags(text, SearchConfig))


# Going on with a search


def differences(stored: Settings, asked: Mapping[str, Any]) -> list[str]:
    """Returns how settings contradict a stored configuration, a phrase per flag.

    Left out are those that nothing is asked of, those that may change when it is gone on with, and
    those that are left open: what was chosen then stands.
    """
    return [
        f"{flag(field.name, asked[field.name])} (stored: {text_of(getattr(stored, field.name))})"
        for field in settings_in(stored)
        if field.name in asked
        and not _may_be(field, getattr(stored, field.name), asked[field.name])
    ]


def _may_be(field: dataclasses.Field[Any], old: Any, new: Any) -> bool:
    """Says whether a search that began with the old value of a setting goes on with the new."""
    left_open = field.metadata["auto"] and new == field.default
    if old == new or left_open or field.metadata["resume"] in (MAY_CHANGE, OF_ONE_RUN):
        return True
    if field.metadata["resume"] == MAY_GROW:
        return bool(new > old)
    if field.metadata["resume"] == COPIED:
        return bool(old)  # its content is compared
    # Files may have moved: their content is compared.
    return field.name == "dataset" and DatasetName.parse(new).may_be_moved_from(
        DatasetName.parse(old)
    )


def refuse_other(stored: SearchConfig, asked: Mapping[str, Any]) -> None:
    """Raises ConfigError where settings contradict the stored configuration of a search."""
    differing = differences(stored, asked)
    if differing:
        raise ConfigError(
            f"{flag('work_dir', asked['work_dir'])}: holds a search of another configuration: "
            + "; ".join(differing)
            + " (another --work_dir begins a new one, --overwrite deletes this one)"
        )


def same_command(config: SearchConfig, change: str = "") -> str:
    """Returns what goes on with a search, in words; some flags of a first start would not.

    Args:
      config: of the run that ended.
      change: what has to be another the next time, such as "with a larger one".
    """
    first = {"without --overwrite": config.overwrite, "without --noresume": not config.resume}
    changes = [words for words, said in first.items() if said] + [change] * bool(change)
    return " ".join(["the same command", " and ".join(changes)]).strip() + " goes on"


def gone_on(stored: SearchConfig, asked: SearchConfig) -> SearchConfig:
    """Returns the stored configuration with what `asked` may change of it."""
    free = {
        field.name: getattr(asked, field.name)
        for field in settings_in(stored)
        if field.metadata["resume"] not in (SAME, COPIED) or field.name == "dataset"
    }
    for field in settings_in(stored):
        kind, value = field.metadata["resume"], getattr(asked, field.name)
        left_open = field.metadata["auto"] and value == field.default
        # Nothing said: what was chosen or read once stands.
        if kind in (COPIED, MAY_GROW):
            free[field.name] = getattr(stored, field.name) if left_open else value
    return dataclasses.replace(stored, **free)
