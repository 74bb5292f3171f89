"""Settings as fields of a dataclass: declared once, read from text, written as text, checked.

A field's metadata holds its help and its rules; its annotation says how its text is read. The
kinds of settings are those of `KINDS`; nothing else may be declared.
"""

from __future__ import annotations

import dataclasses
import decimal
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

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


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[Any, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    auto: bool = False,
) -> Any:
    """Declares a setting; `auto` says that the default stands for a value chosen by the search."""
    rules = {"choices": choices, "least": least, "above": above, "most": most}
    return dataclasses.field(default=default, metadata={"help": help, "auto": auto, **rules})


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


def typed(field: dataclasses.Field[Any], value: Any) -> Any:
    """Returns the value in the field's own type (NumPy's numbers and lists become Python's)."""
    try:
        return _typed_as(str(field.type), value)
    except TypeError:
        kind = KINDS[str(field.type)]
        raise ConfigError(f"--{field.name}={value!r}: must be {kind}") from None


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


def check(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises ConfigError where a value, or an entry of a table, breaks a rule of its setting."""
    items = value if isinstance(value, tuple) else (value,)
    if len(set(items)) < len(items):
        raise ConfigError(f"{flag(field.name, value)}: must name each entry once")
    for item in items:
        broken = _broken_rule(field.metadata, item)
        if broken:
            raise ConfigError(f"{flag(field.name, value)}: {broken}")


def _broken_rule(rules: Mapping[str, Any], item: Any) -> str | None:
    if rules["choices"] and item not in rules["choices"]:
        allowed = ", ".join(text_of(choice) or "empty" for choice in rules["choices"])
        return f"must be one of {allowed}"
    if item is None:
        return None
    if rules["least"] is not None and item < rules["least"]:
        return f"must be at least {rules['least']}"
    if rules["above"] is not None and item <= rules["above"]:
        return f"must be above {rules['above']}"
    if rules["most"] is not None and item > rules["most"]:
        return f"must be at most {rules['most']}"
    return None
