"""Files of networks with names: `{"plain": {"pattern": "layerwise", "layers": [...]}, ...}`."""

from __future__ import annotations

import fnmatch
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from epnas_tf import untrusted
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.workdir import storage

Networks = dict[str, Spec]

# Networks that a person would write by hand, within the limits of the preset for CIFAR-10.
HAND_MADE = pathlib.Path(__file__).with_name("hand_made.json")


class _HasKey(Protocol):
    @property
    def key(self) -> str: ...


_Keyed = TypeVar("_Keyed", bound=_HasKey)


def read(paths: Iterable[str | pathlib.Path]) -> Networks:
    """Returns the networks of some files, by name, in the files' order.

    Raises:
      OSError: there is no such file.
      ValueError: a file holds something else, or a name stands for two networks.
    """
    found: Networks = {}
    for path in map(str, paths):
        for name, values in untrusted.parse_object(storage.read_text(path)).items():
            try:
                if not isinstance(values, dict):
                    raise ValueError(f"a network must be a JSON object, got {values!r:.80}")
                add(found, name, spec_from_dict(values))
            except ValueError as error:
                raise ValueError(f"{path}: {name!r:.80}: {error!s:.300}") from error
    return found


def add(networks: dict[str, _Keyed], name: str, network: _Keyed) -> None:
    """Adds a network; raises ValueError where the name stands for another one."""
    if networks.setdefault(name, network) != network:
        both = f"{networks[name].key} and {network.key}"
        raise ValueError(f"{name} must be one network, got {both}")


def write(path: pathlib.Path, networks: Mapping[str, Spec]) -> None:
    """Writes a file of networks, one per line."""
    lines = (f" {json.dumps(name)}: {spec.to_json()}" for name, spec in networks.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    storage.write_atomic(str(path), text)


def matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Returns the names that one of some patterns fits, patterns as of a shell."""
    patterns = list(patterns)
    return [name for name in names if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
