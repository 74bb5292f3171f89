"""Sizes and the other kinds of settings: what is read, what is written, what is refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import fields


@dataclasses.dataclass(frozen=True)
class _Sample:
    text: "str" = fields.setting("", "any text")
    whole: "int" = fields.setting(1, "from 1 to 9", least=1, most=9)
    share: "float" = fields.setting(0.5, "above 0", above=0)
    limit: "float | None" = fields.setting(None, "above 0", above=0)
    sizes: "tuple[int, ...]" = fields.setting((), "at least 1", least=1)
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
        ("whole", 0, "--whole=0: must be at least 1"),
        ("whole", 10, "--whole=10: must be at most 9"),
        ("share", 0.0, "--share=0: must be above 0"),
        ("limit", -1e6, "--limit=-1000000: must be above 0"),
        ("sizes", (0, 2), "--sizes=0,2: must be at least 1"),
        ("sizes", (2, 2), "--sizes=2,2: must name each entry once"),
        ("names", ("green",), "--names=green: must be one of red, blue"),
    ],
)
def test_broken_rules_name_the_flag_the_value_and_the_rule(name, value, message):
    with pytest.raises(fields.ConfigError) as caught:
        fields.check(_FIELDS[name], value)
    assert str(caught.value) == message


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
    result = fields.typed(_FIELDS[name], value)
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
    with pytest.raises(fields.ConfigError, match=f"--{name}=.*: must be "):
        fields.typed(_FIELDS[name], value)
