"""A file of networks that a person or another search wrote: its one reader."""

from __future__ import annotations

import json
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.workdir import best_json, storage

_FORMS = "a list of networks, a network, a network per line, or the best.json of a search"


def read(path: str) -> tuple[Spec, ...]:
    """Returns the networks of a file, in its order, with those that it holds twice.

    The file is JSON: a list of networks, one network, one per line, or the best.json of a search.

    Raises:
      OSError: there is none; TensorFlow's error where the path has a scheme.
      ValueError: the file is none of these, which names the network that is wrong.
    """
    entries = _entries(path, storage.read_text(path))
    if not entries:
        raise ValueError(f"it must hold {_FORMS}, got no network")
    return tuple(_spec(entry, number, len(entries)) for number, entry in enumerate(entries, 1))


def _entries(path: str, text: str) -> list[Any]:
    """Returns the networks of a text, not yet looked at."""
    try:
        values = untrusted.parse_json(text)
    except json.JSONDecodeError as error:
        return _lines(text, error)
    if isinstance(values, list):
        return values
    if isinstance(values, dict) and "spec" in values:
        untrusted.check_format(path, values, best_json.FORMAT)
        return [values["spec"]]
    return [values]


def _lines(text: str, error: json.JSONDecodeError) -> list[Any]:
    """Returns the networks of a text that is not JSON as a whole, but may be line by line."""
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        entries = [untrusted.parse_json(line) for line in lines]
    except json.JSONDecodeError:
        raise ValueError(f"it must hold {_FORMS}, got no JSON: {error}") from error
    return entries


def _spec(entry: Any, number: int, count: int) -> Spec:
    try:
        if not isinstance(entry, dict):
            raise ValueError(f"a network must be a JSON object, got {entry!r:.80}")
        return spec_from_dict(entry)
    except ValueError as error:
        raise ValueError(f"network {number} of {count}: {error!s:.400}") from error
