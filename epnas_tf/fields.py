"""Settings as fields of a dataclass: declared once, read from text, written as text, checked.

Each room declares the settings that take effect in it, as a frozen dataclass that extends
`Settings`; the configuration of a search is composed of them. A field's metadata holds its help and
its rules; its annotation says how its text is read. The kinds of settings are those of `KINDS`.
"""

from __future__ import annotations

import dataclasses
import decimal
import itertools
import math
import numbers
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

# The annotations a setting may have, and how messages name what is expected.
KINDS = {
    "str": "one line of text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "float | None": "a size such as 20k, 1M or 1.5G, or none",
    "tuple[int, ...]": "whole numbers separated by commas",
    "tuple[str, ...]": "names separated by commas",
}


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class SettingError(ValueError):
    """A setting, by name, that breaks a rule; rooms raise it, whoever knows the flags says which.

    Attributes:
      setting: name of the setting, as its field and its flag have it.
      reason: the rule and the value, such as "must be at least 1, got 0".
    """

    def __init__(self, setting: str, reason: str):
        super().__init__(f"{setting} {reason}")
        self.setting, self.reason = setting, reason


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the flag and the value."""


# What a search that goes on may be given: the same value, a larger one, any, or any that is not
# stored because it was said for one run.
SAME, MAY_GROW, MAY_CHANGE, OF_ONE_RUN = "same", "may_grow", "may_change", "of_one_run"
# Paths of what it has read and copied: nothing, or any place of the same content.
COPIED = "copied"


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[Any, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    rising: bool = False,
    **traits: Any,
) -> Any:
    """Declares a setting.

    Args:
      default: its value where nothing is said.
      help: one phrase for `--help`, units included.
      choices: the only values, or entries of a table, that it may have.
      least: smallest value.
      above: bound that it must exceed.
      most: largest value.
      rising: whether a table's entries must rise.
      **traits: `auto`: the default stands for a value that the search chooses; `common`: one of the
        few flags that most people need; `resume`: what a search that goes on may be given.
    """
    rules = {"choices": choices, "least": least, "above": above, "most": most, "rising": rising}
    known = {"auto": False, "common": False, "resume": SAME}
    assert traits.keys() <= known.keys(), traits
    return dataclasses.field(default=default, metadata={"help": help, **rules, **known, **traits})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that belong together; raises SettingError where one breaks a rule.

    Values come in the field's own type: NumPy's numbers and lists become Python's, and "20k" a
    number. Rules between settings stand in `check_together` of the class that declares them.
    """

    def __post_init__(self) -> None:
        for field in settings_in(self):
            given = getattr(self, field.name)
            try:
                value = _typed_as(str(field.type), given)
            except TypeError:
                given = repr(given) if isinstance(given, str) else given  # it may be of two lines
                self.refuse(field.name, f"must be {KINDS[str(field.type)]}", given)
            broken = broken_rule(field, value)
            if broken:
                self.refuse(field.name, broken, value)
            object.__setattr__(self, field.name, value)
        for owner in type(self).__mro__:
            if "check_together" in vars(owner):
                owner.check_together(self)  # type: ignore[attr-defined]

    def refuse(self, name: str, rule: str, value: Any) -> NoReturn:
        """Raises the error of a setting that breaks a rule."""
        raise SettingError(name, f"{rule}, got {text_of(value)}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommandSettings(Settings):
    """The settings of a command, whose errors name the flag; its class comes first among bases."""

    def refuse(self, name: str, rule: str, value: Any) -> NoReturn:
        """Raises the error that names a setting's flag."""
        raise ConfigError(f"{flag(name, value)}: {rule}")


def settings_in(kind: Any) -> list[dataclasses.Field[Any]]:
    """Returns the fields of a dataclass, or of a value of one, that are settings."""
    return [field for field in dataclasses.fields(kind) if "help" in field.metadata]


def values_of(config: Any, kind: type[Settings], *, resume: Collection[str] = ()) -> dict[str, Any]:
    """Returns by name what a larger configuration says of a kind's settings.

    Args:
      config: has a field of each name.
      kind: the settings in question.
      resume: only settings that a search that goes on may be given like this; all if empty.
    """
    return {
        field.name: getattr(config, field.name)
        for field in settings_in(kind)
        if not resume or field.metadata["resume"] in resume
    }


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def pick(config: Any, kind: type[SomeSettings]) -> SomeSettings:
    """Returns the settings of one kind out of a larger configuration."""
    return kind(**values_of(config, kind))


def parse_size(text: str) -> float:
    """Returns the number meant by a size such as 1M, 20k, 1.5G or 3e6 (k, M, G, T: decimal).

    Raises:
      ValueError: if the text is no finite number.
    """
    powers = {"k": 3, "m": 6, "g": 9, "t": 12}
    power = powers.get(text[-1:].lower(), 0)
    try:
        # Decimal, because 1.1 * 1e6 is not 1100000 in binary fractions.
        size = float(decimal.Decimal(text[:-1] if power else text).scaleb(power))
    except decimal.DecimalException:
        raise ValueError(f"not a size: {text!r}") from None
    if not math.isfinite(size):
        raise ValueError(f"not a finite size: {text!r}")
    return size


def read(field: dataclasses.Field[Any], text: str) -> Any:
    """Returns the value that a flag's text stands for."""
    try:
        return _read_as(str(field.type), text)
    except (ValueError, KeyError):
        raise ConfigError(f"--{field.name}={text}: must be {KINDS[str(field.type)]}") from None


def _read_as(kind: str, text: str) -> Any:
    if kind.startswith("tuple"):
        item = kind.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_read_as(item, part.strip()) for part in text.split(",")) if text else ()
    if kind == "float | None" and text in ("", "none"):
        return None
    if kind == "bool":
        return _TRUTHS[text.lower()]
    if kind.startswith("float"):
        return parse_size(text)
    return int(text) if kind == "int" else text


def flags_text(settings: Settings) -> str:
    """Returns every setting as a line `--name=value`: a flagfile that reloads exactly."""
    lines = (flag(field.name, getattr(settings, field.name)) for field in settings_in(settings))
    return "".join(f"{line}\n" for line in lines)


def read_flags(text: str, kind: type[Settings]) -> dict[str, Any]:
    """Returns by name what the lines of a flagfile say of the settings of a kind.

    Unlike a flagfile of the command line, the text cannot name other files.

    Raises:
      ConfigError: a line is no such setting.
    """
    known = {field.name: field for field in settings_in(kind)}
    values: dict[str, Any] = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("--").partition("=")
        if not line or line.startswith("#"):
            continue
        if not line.startswith("--") or not equals or name not in known:
            raise ConfigError(f"{line[:80]!r} is no setting; a line must be --name=value")
        values[name] = read(known[name], value)
    return values


def flag(name: str, value: Any) -> str:
    """Returns a setting as it stands in a flagfile, and at the head of messages about it."""
    return f"--{name}={text_of(value)}"


def text_of(value: Any) -> str:
    """Returns the text that `read` turns into the value again."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return _number_text(value) if isinstance(value, float) else str(value)


def _number_text(value: float) -> str:
    """Returns the shortest exact text: 1500000.0 is 1500k, 0.9 is 0.9."""
    for suffix, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if unit <= value < 1e15 and value % unit == 0:
            return f"{value / unit:.0f}{suffix}"
    return repr(value).removesuffix(".0")


def _typed_as(kind: str, value: Any) -> Any:
    if kind.startswith("tuple") and isinstance(value, Iterable) and not isinstance(value, str):
        item = kind.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_typed_as(item, part) for part in value)
    if kind == "float | None":
        return None if value is None else _typed_as("float", _size_of(value))
    if kind == "str" and isinstance(value, str) and _is_one_line(value):
        return value
    if kind == "bool" and value in (False, True):
        return bool(value)
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    if kind == "int" and isinstance(value, numbers.Integral):
        return int(value)
    if kind == "float" and isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise TypeError(f"not {KINDS[kind]}: {value!r}")


def _size_of(value: Any) -> Any:
    """Returns the number of a size that is written as people write it, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_size(value)
    except ValueError as error:
        raise TypeError(str(error)) from error


def _is_one_line(text: str) -> bool:
    # A flagfile's lines are stripped when read, and are UTF-8; no path holds a NUL.
    stays = text.encode(errors="ignore").decode() == text and "\0" not in text
    return stays and text == text.strip() and len(text.splitlines()) <= 1


def broken_rule(field: dataclasses.Field[Any], value: Any) -> str:
    """Returns the rule of a setting that a value, or an entry of a table, breaks; "" for none."""
    items = value if isinstance(value, tuple) else (value,)
    if len(set(items)) < len(items):
        return "must name each entry once"
    if field.metadata["rising"] and any(a >= b for a, b in itertools.pairwise(items)):
        return "must rise from each entry to the next"
    return next(filter(None, (_broken_by(field.metadata, item) for item in items)), "")


def _broken_by(rules: Mapping[str, Any], item: Any) -> str:
    if rules["choices"] and item not in rules["choices"]:
        allowed = ", ".join(text_of(choice) or "empty" for choice in rules["choices"])
        return f"must be one of {allowed}"
    if item is None:
        return ""
    if rules["least"] is not None and item < rules["least"]:
        return f"must be at least {rules['least']}"
    if rules["above"] is not None and item <= rules["above"]:
        return f"must be above {rules['above']}"
    if rules["most"] is not None and item > rules["most"]:
        return f"must be at most {rules['most']}"
    return ""
