"""JSON that others may have written: plain data within limits, or a ValueError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import untrusted

_SETTINGS = settings(deadline=None, derandomize=True, max_examples=200)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_LEAVES = _LEAVES.filter(lambda value: not isinstance(value, float) or abs(value) < float("inf"))
_VALUES = st.recursive(_LEAVES, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=9)
# Characters that JSON is made of come up more often than they would by chance.
_SOUP = st.text(st.sampled_from('{}[]",:0123456789.eE-+ truefalsnNaIity\\u\n'))


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def _read(text):
    """Returns what was read, or None where it was refused; any other error is the test's."""
    try:
        return untrusted.parse_json(text)
    except ValueError:
        return None


@_SETTINGS
@given(st.text() | _SOUP)
def test_any_text_gives_what_json_would_or_a_value_error(text):
    found = _read(text)
    assert found is None or found == json.loads(text)


@_SETTINGS
@given(st.binary() | _SOUP.map(str.encode))
def test_any_bytes_give_what_json_would_or_a_value_error(data):
    found = _read(data)
    assert found is None or found == json.loads(data)


@_SETTINGS
@given(_VALUES)
def test_what_is_within_the_limits_comes_back(values):
    text = json.dumps(values)
    assert untrusted.parse_json(text) == values
    assert untrusted.parse_json(text.encode()) == values


@_SETTINGS
@given(st.dictionaries(st.text(), _VALUES))
def test_an_object_comes_back(values):
    assert untrusted.parse_object(json.dumps(values)) == values


@_SETTINGS
@given(_VALUES.filter(lambda values: not isinstance(values, dict)))
def test_anything_but_an_object_is_refused_where_one_is_asked_for(values):
    with pytest.raises(ValueError, match="must be a JSON object, got"):
        untrusted.parse_object(json.dumps(values))


@_SETTINGS
@given(st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "-1e309"]), _VALUES)
def test_numbers_that_are_not_finite_are_refused_wherever_they_stand(number, values):
    for text in (number, f"[{json.dumps(values)}, {number}]", f'{{"x": {{"y": [{number}]}}}}'):
        with pytest.raises(ValueError, match="JSON must hold finite numbers, got"):
            untrusted.parse_json(text)


@pytest.mark.parametrize("text", ['"NaN"', "1e308", "-1e-999", "0.0", '{"Infinity": 0}'])
def test_what_only_looks_like_it_is_taken(text):
    assert untrusted.parse_json(text) == json.loads(text)


@pytest.mark.parametrize("whole", [10**400, -(10**4000), 2**63])
def test_whole_numbers_of_many_digits_are_numbers(whole):
    assert untrusted.parse_json(str(whole)) == whole


def test_whole_numbers_of_far_too_many_digits_are_refused():
    with pytest.raises(ValueError, match="Exceeds the limit"):
        untrusted.parse_json("1" * 10**6)


def test_depth_has_a_limit():
    deepest = untrusted.MAX_DEPTH - 1  # the last level is that of what the innermost list holds
    assert untrusted.parse_json(_nested(deepest)) == json.loads(_nested(deepest))
    for depth in (deepest + 2, 500, 100_000, 3_000_000):
        with pytest.raises(ValueError, match="JSON must be at most 32 levels deep"):
            untrusted.parse_json(_nested(depth))
    with pytest.raises(ValueError, match="JSON must be at most 32 levels deep"):
        untrusted.parse_json('{"x":' * 40 + "1" + "}" * 40)


def test_many_values_side_by_side_are_not_deep():
    assert untrusted.parse_json(f"[{'[],' * 10_000}[]]") == [[]] * 10_001


def test_size_has_a_limit(monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_CHARACTERS", 10)
    assert untrusted.parse_json('"12345678"') == "12345678"
    for text in ('"123456789"', b'"123456789"'):
        with pytest.raises(ValueError, match="JSON must have at most 10 characters, got 11"):
            untrusted.parse_json(text)


def test_messages_are_short_however_long_the_text():
    with pytest.raises(ValueError, match="must be a JSON object") as caught:
        untrusted.parse_object(json.dumps("x" * 10**6))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("data", [b"\xff\xfe", b'"\xc3"', b"\0\0\0"])
def test_bytes_that_are_no_text_are_refused(data):
    with pytest.raises(ValueError, match=r"codec|Expecting|Unexpected"):
        untrusted.parse_json(data)
