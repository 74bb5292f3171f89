"""What the settings of what a search reads once name: their files, read and put in words."""

from __future__ import annotations

import epnas_tf.backend

from collections.abc import Sequence

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import initial_specs as initial_specs_lib
from epnas_tf.searching import prior as prior_lib
from epnas_tf.searching.prior import Prior
from epnas_tf.tuner import earlier, read_once
from epnas_tf.workdir import specs_file
from epnas_tf.workdir.layout import WorkDir


def read_initial_specs(path: str, space: SearchSpace) -> tuple[tuple[Spec, ...], list[str]]:
    """Returns the networks of a file, each once, and what to say of them.

    Raises:
      OSError: there is no file; TensorFlow's error where the path has a scheme.
      ValueError: it holds no networks, or one that is not of the space.
    """
    specs = specs_file.read(path)
    # Before any is left out: an error counts networks as the file does.
    initial_specs_lib.check(specs, space)
    different = tuple(dict.fromkeys(specs))
    line = read_once.specs_line(different, path)
    repeated = len(specs) - len(different)
    return different, [f"{line} ({repeated} repeated, left out)" if repeated else line]


def read_prior(paths: Sequence[str], space: SearchSpace) -> tuple[Prior, list[str]]:
    """Returns what earlier searches found that is of the space, and what to say of it.

    Raises:
      OSError: a file cannot be read; TensorFlow's error where the path has a scheme.
      ValueError: a folder holds no search, or none of its trained networks is of the space.
    """
    found = [earlier.read(path, space) for path in paths]
    prior = prior_lib.most_telling(tuple(each.trials for each in found))
    said = [read_once.prior_line(prior)]
    for path, each, kept in zip(paths, found, prior, strict=True):
        count = len(each.trials)
        if each.others:
            total = count + each.others
            said.append(f"prior: {count} of {total} networks of {path} are of this space")
        if len(kept) < count:
            said.append(f"prior: of {path} the best and the newest {len(kept)} of {count} networks")
    return tuple(each.trials for each in found), said


def marks_of(value: str | Sequence[str]) -> list[str]:
    """Returns the files without which a setting's sources are not there, or not any more."""
    if isinstance(value, str):
        return [value] if value else []
    return [WorkDir(path).project for path in value]
