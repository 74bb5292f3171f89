"""Lets atheris choose by coverage which of a target's inputs to change next."""

from __future__ import annotations

import inspect
import os
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzzing.running import check
from tests.fuzzing.targets import Target, mutated, write


def run(targets: Sequence[Target], seed: int, seconds: int, folder: str) -> None:
    """Gives a target what atheris chooses; ends the process, with exit code 0 if nothing is found.

    Raises:
      ValueError: there is not one target, or no atheris.
    """
    try:
        import atheris
    except ImportError as error:
        message = "--atheris needs the package atheris (pip install epnas_tf[fuzz])"
        raise ValueError(message) from error
    if len(targets) != 1:
        raise ValueError("--atheris takes one target, such as --targets=spec")
    (target,) = targets
    corpus = f"{folder}/corpus"
    os.makedirs(corpus)
    for number, data in enumerate(target.seeds):
        write(f"{corpus}/{number}", data)
    _instrument(atheris)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(target, random.Random(seed), data)[:max_size]

    limits = [f"-max_total_time={seconds}", f"-seed={seed + 1}", "-max_len=20000"]  # 0 is random
    arguments = ["fuzz", *limits, f"-artifact_prefix={folder}/", corpus]
    atheris.Setup(arguments, lambda data: check(target, data, "atheris"), custom_mutator=change)
    atheris.Fuzz()


def _instrument(atheris: Any) -> None:
    """Lets atheris see which lines of ours, and of the JSON decoder, an input reaches."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("epnas_tf.", "json.")) and not name.startswith("epnas_tf.tools"):
            for holder in (module, *_own(module, inspect.isclass)):
                for function in _own(holder, inspect.isfunction, name):
                    atheris.instrument_func(function)


def _own(holder: Any, kind: Callable[[Any], bool], module: str = "") -> list[Any]:
    """Returns the classes or functions that were written in a module."""
    module = module or holder.__name__
    found = [getattr(value, "__func__", value) for value in vars(holder).values()]
    return [value for value in found if kind(value) and getattr(value, "__module__", "") == module]
