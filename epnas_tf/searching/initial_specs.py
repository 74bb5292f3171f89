"""The networks that a user starts a search from: what they must be, and their plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.fields import SettingError, text_of


def checked(specs: Iterable[Spec], space: SearchSpace, branches: int) -> tuple[Spec, ...]:
    """Returns the networks that step 0 begins with.

    Args:
      specs: the user's, in their order.
      space: the networks that the search may visit.
      branches: places of step 0.

    Raises:
      SettingError: one is not of the space or stands there twice, or they are too many.
    """
    given = tuple(specs)
    try:
        check(given, space)
    except ValueError as error:
        raise SettingError("initial_specs", f"must be networks of the space: {error}") from error
    places = {spec: number for number, spec in reversed(list(enumerate(given, start=1)))}
    for number, spec in enumerate(given, start=1):
        if places[spec] != number:
            raise SettingError(
                "initial_specs",
                f"must be different networks, got network {places[spec]} as network {number} too",
            )
    if len(given) > branches:
        raise SettingError(
            "initial_specs",
            f"must be at most {branches}, one per branch, got {len(given)} networks: leave some "
            f"out, or say --branches={len(given)}",
        )
    return given


def check(specs: Sequence[Spec], space: SearchSpace) -> None:
    """Raises ValueError, naming the first network, where one is not of the space."""
    for number, spec in enumerate(specs, start=1):
        try:
            space.check(spec)
            _check_stack(spec, space)
        except ValueError as error:
            raise ValueError(f"network {number} of {len(specs)}: {error!s:.300}") from error


def _check_stack(spec: Spec, space: SearchSpace) -> None:
    """Refuses another stem or stacking: no change of a search leads from it to another one."""
    ours = space.new_spec(spec.items)
    for field in dataclasses.fields(spec)[1:]:  # the items come first
        want, got = getattr(ours, field.name), getattr(spec, field.name)
        if want != got:
            default = ", as where a network does not say it" * (got == field.default)
            raise ValueError(
                f"{field.name} must be {want}, as the space has it, got {got}{default}: change the "
                f"network, or say --{field.name}={text_of(got)}"
            )


def to_plain(specs: Iterable[Spec]) -> list[dict[str, Any]]:
    """Returns networks as plain data."""
    return [spec.to_dict() for spec in specs]


def from_plain(values: Any, space: SearchSpace, branches: int) -> tuple[Spec, ...]:
    """Returns the networks that `to_plain` described; raises ValueError where they are none."""
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise ValueError(f"it must be a list of networks, got {values!r:.80}")
    return checked(map(spec_from_dict, values), space, branches)
