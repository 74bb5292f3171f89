"""Sizes and the other kinds of settings: what is read, what is written, what is refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sample(fields.Settings):
    text: "str" = fields.setting("", "any text")
    whole: "int" = fields.setting(1, "from 1 to 9", least=1, most=9)
    share: "float" = fields.setting(0.5, "above 0", above=0)
    limit: "float | None" = fields.setting(None, "above 0", above=0)
    sizes: "tuple[int, ...]" = fields.setting((), "at least 1", least=1, rising=True)
    names: "tuple[str, ...]" = fields.setting((), "some", choices=("red", "blue"))


_FIELDS = {field.name: field for field in dataclasses.fields(_Sample)}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1M", 1_000_000),
        ("20k", 20_000),
        ("20K", 20_000),
        ("1.5G", 1_500_000_000),
        ("2T", 2e12),
        ("0.1k", 100),
        ("1.1M", 1_100_000),
        ("42", 42),
        ("3e6", 3_000_000),
        ("0.25", 0.25),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert fields.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "abc", "1MB", "1 M x", "nan", "inf", "1e999", "--1"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="size"):
        fields.parse_size(text)


@settings(deadline=None, derandomize=True)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_exactly(value):
    assert fields.parse_size(fields.text_of(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (1e6, "1M"), (1.5e6, "1500k"), (0.9, "0.9"), (2.0, "2"), ((16, 32), "16,32")],
)
def test_values_are_written_shortly(value, text):
    assert fields.text_of(value) == text


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", "a,b c", "a,b c"),
        ("whole", "7", 7),
        ("share", "1e-4", 1e-4),
        ("limit", "none", None),
        ("limit", "", None),
        ("limit", "80M", 8e7),
        ("sizes", "16, 32,64", (16, 32, 64)),
        ("sizes", "", ()),
        ("names", "red,blue", ("red", "blue")),
    ],
)
def test_texts_are_read_by_their_kind(name, text, value):
    assert fields.read(_FIELDS[name], text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("whole", "1.5", "--whole=1.5: must be a whole number"),
        ("share", "much", "--share=much: must be a number"),
        ("limit", "abc", "--limit=abc: must be a size such as 20k, 1M or 1.5G, or none"),
        ("sizes", "16,,64", "--sizes=16,,64: must be whole numbers separated by commas"),
    ],
)
def test_unreadable_text_names_the_flag_and_the_text(name, text, message):
    with pytest.raises(fields.ConfigError) as caught:
        fields.read(_FIELDS[name], text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("whole", 0, "whole must be at least 1, got 0"),
        ("whole", 10, "whole must be at most 9, got 10"),
        ("share", 0.0, "share must be above 0, got 0"),
        ("limit", -1e6, "limit must be above 0, got -1000000"),
        ("sizes", (0, 2), "sizes must be at least 1, got 0,2"),
        ("sizes", (2, 2), "sizes must name each entry once, got 2,2"),
        ("sizes", (3, 2), "sizes must rise from each entry to the next, got 3,2"),
        ("names", ("green",), "names must be one of red, blue, got green"),
    ],
)
def test_broken_rules_name_the_setting_the_value_and_the_rule(name, value, message):
    with pytest.raises(fields.SettingError) as caught:
        _Sample(**{name: value})
    assert str(caught.value) == message
    assert caught.value.setting == name


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("whole", np.int64(3), 3),
        ("share", 1, 1.0),
        ("share", np.float32(0.5), 0.5),
        ("sizes", [np.int32(16), 32], (16, 32)),
        ("limit", 1000, 1000.0),
    ],
)
def test_values_take_their_own_type(name, value, expected):
    result = getattr(_Sample(**{name: value}), name)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 3),
        ("text", "two\nlines"),
        ("text", " spaced "),
        ("text", " "),
        ("whole", 1.0),
        ("whole", True),
        ("share", "0.5"),
        ("share", float("nan")),
        ("limit", float("inf")),
        ("sizes", 16),
        ("sizes", ("16",)),
        ("names", "red"),
        ("names", ("\udcff",)),  # a byte of the command line that is no UTF-8
        ("names", ("a\0b",)),
    ],
)
def test_values_of_another_type_are_refused(name, value):
    with pytest.raises(fields.SettingError, match=f"^{name} must be .*, got "):
        _Sample(**{name: value})


# --- settings of several owners -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class _More(fields.Settings):
    most: "int" = fields.setting(9, "largest", resume=fields.MAY_GROW)

    def check_together(self) -> None:
        if self.most < getattr(self, "whole", 0):
            self.refuse("most", f"is below {fields.flag('whole', self.whole)}", self.most)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _All(_More, _Sample):
    """Both."""


def test_a_larger_configuration_holds_its_owners_settings_once_and_in_order():
    names = [field.name for field in fields.settings_in(_All)]
    assert names == [*(field.name for field in fields.settings_in(_Sample)), "most"]
    whole = _All(whole=3, most=5)
    assert fields.pick(whole, _More) == _More(most=5)
    assert fields.values_of(whole, _Sample)["whole"] == 3
    assert fields.values_of(whole, _All, resume=(fields.MAY_GROW,)) == {"most": 5}


def test_rules_between_settings_are_those_of_the_owner():
    with pytest.raises(fields.SettingError, match="most is below --whole=3, got 2"):
        _All(whole=3, most=2)
    assert _Sample(whole=3).whole == 3
