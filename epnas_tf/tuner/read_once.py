"""What a search reads once: copied into its folder at the first start, read from there later.

An oracle has each of these as an attribute. Where the folder holds a search, it has what that read;
who gives it anew must give the same.
"""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.fields import SettingError
from epnas_tf.searching import initial_specs, prior
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.workdir import copies
from epnas_tf.workdir.layout import WorkDir


@dataclasses.dataclass(frozen=True)
class _Kind:
    """Something that a search reads once; `name` is its setting, attribute and copy.

    Attributes:
      to_plain: returns a value as plain data.
      from_plain: returns the value that plain data describe.
      kept: returns what a search keeps of a value.
      holds: says whether a value is another one, or what that has become since.
      line: says a value to a person, given where it is from.
    """

    name: str
    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any, EPNASOracle], Any]
    kept: Callable[[Any], Any]
    holds: Callable[[Any, Any], bool]
    line: Callable[[Any, str], str]

    def text_of(self, value: Any) -> str:
        """Returns the text of the copy of a value."""
        try:
            return copies.text_of(self.to_plain(self.kept(value)))
        except ValueError as error:
            raise SettingError(self.name, f"must be smaller: {error}") from error


def specs_line(specs: Sequence[Any], source: str) -> str:
    """Returns what to say of starting networks from a file."""
    return f"{len(specs)} starting network{'s' * (len(specs) > 1)} from {source}"


def prior_line(found: prior.Prior) -> str:
    """Returns what to say of earlier searches."""
    networks, plural = sum(map(len, found)), "es" * (len(found) > 1)
    return f"prior: {networks} networks of {len(found)} earlier search{plural}"


_KINDS = (
    _Kind(
        "initial_specs",
        initial_specs.to_plain,
        lambda values, oracle: initial_specs.from_plain(
            values, oracle.space, oracle.settings.branches
        ),
        kept=tuple,
        holds=lambda new, old: new == old,
        line=specs_line,
    ),
    _Kind(
        "prior",
        prior.to_plain,
        lambda values, oracle: prior.from_plain(values, oracle.space),
        kept=prior.most_telling,
        holds=prior.holds,
        line=lambda found, _: prior_line(found),
    ),
)


def resume(oracle: EPNASOracle, work_dir: WorkDir, known: Mapping[str, str]) -> None:
    """Lets an oracle have what the search in its folder read once.

    Args:
      oracle: of the same settings as that search.
      work_dir: names of its files.
      known: the hashes of its copies.

    Raises:
      SettingError: the oracle was given something else.
      ValueError: a copy is needed, and is missing, corrupt or not written by this search.
    """
    for kind in _KINDS:
        given = getattr(oracle, kind.name)
        if kind.name in known:
            setattr(oracle, kind.name, _agreed(kind, oracle, work_dir, known[kind.name]))
        elif given:
            raise SettingError(
                kind.name,
                f"must be left out: the search in {work_dir.path} began without; another folder "
                "begins a new one, overwriting deletes this one",
            )


def _agreed(kind: _Kind, oracle: EPNASOracle, work_dir: WorkDir, known: str) -> Any:
    """Returns what a search read once; raises as `resume` does."""
    given = getattr(oracle, kind.name)
    if given and copies.digest(kind.text_of(given)) == known:
        return kind.kept(given)
    values = copies.read(work_dir, kind.name, known)
    with untrusted.reading(work_dir.copy(kind.name)):
        copy = kind.from_plain(values, oracle)
        if not copy:
            raise ValueError("it must hold something, nothing is not copied")
    if given and not kind.holds(given, copy):
        raise SettingError(
            kind.name,
            f"must be what this search read at its first start ({work_dir.copy(kind.name)}), got "
            "other content: left out, the search goes on with what it read; another folder begins "
            "a new one, overwriting deletes this one",
        )
    return copy


def digests(oracle: EPNASOracle) -> dict[str, str]:
    """Returns the hashes that the copies of what an oracle has read will have, by setting.

    Raises:
      SettingError: there is too much for a copy.
    """
    return {
        kind.name: copies.digest(kind.text_of(value))
        for kind in _KINDS
        if (value := getattr(oracle, kind.name))
    }


def keep(oracle: EPNASOracle, work_dir: WorkDir) -> None:
    """Copies what an oracle has read into the folder, where it is not yet; the lock is held."""
    for kind in _KINDS:
        value = getattr(oracle, kind.name)
        if value:
            copies.write(work_dir, kind.name, kind.text_of(value))
            setattr(oracle, kind.name, kind.kept(value))


def lines(oracle: EPNASOracle, work_dir: WorkDir, said: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns what is said of what an oracle has read.

    Args:
      oracle: has it.
      work_dir: of the copies.
      said: by setting what else is to be said in its place, by who knows more.
    """
    return [
        line
        for kind in _KINDS
        if (value := getattr(oracle, kind.name))
        for line in said.get(kind.name, [kind.line(value, work_dir.copy(kind.name))])
    ]
