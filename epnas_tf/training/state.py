"""What a training hands out, so that it, or a longer one, goes on from there.

The stream of images and their variations are keyed by the seed alone: a training that goes on has
the bits of one that was not interrupted. A trapezoid's rate is constant until it falls: a training
of three times the epochs is the same up to there, and goes on from the state of the shorter one. A
state is a cache; one that is lost costs time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epnas_tf import untrusted
from epnas_tf.training.schedule import Schedule

_LENGTH = "epochs"  # of a schedule: what a longer training has more of
_FORMAT = 1
_HEAD, _EPOCHS, _SUMS = "head", "epochs", "sums"
# An archive may be of a few bytes and unpack to more than any memory.
_MAX_UNPACKED = 4 * 2**30


class StateError(ValueError):
    """The state of a training is corrupt, or of another one than the one that would go on."""


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where a training stands.

    Attributes:
      of: what it is a state of, as plain data (`Training`); no other training goes on from it.
      updates: done so far.
      epochs: float64 [whole epochs, 3]: loss, accuracy, validation accuracy, not a number where
        that was not measured.
      sums: float32 [2]: of the losses and hits of the updates of the epoch that is not whole.
      variables: of the network and its optimizer, in their order.
    """

    of: Mapping[str, Any]
    updates: int
    epochs: np.ndarray
    sums: np.ndarray
    variables: tuple[np.ndarray, ...]

    @functools.cached_property
    def digest(self) -> str:
        """Hex digits of the hash of its content."""
        found = hashlib.sha256(_head(self).encode())
        for array in (self.epochs, self.sums, *self.variables):
            found.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
        return found.hexdigest()


@dataclasses.dataclass(frozen=True)
class Training:
    """What decides the bits of a training, for its states to be told from those of others.

    Attributes:
      network: its name.
      seed: of the training.
      schedule: how it goes.
      steps: updates of an epoch.
      images: fingerprint of the training split.
      variation: how images are varied.
    """

    network: str
    seed: int
    schedule: Schedule
    steps: int
    images: str
    variation: Mapping[str, Any]

    @property
    def described(self) -> dict[str, Any]:
        """The same as plain data; a schedule's name changes nothing and is left out."""
        values = dataclasses.asdict(self)
        del values["schedule"]["name"]
        return dict(json.loads(json.dumps(values | {_LENGTH: values["schedule"].pop(_LENGTH)})))

    def refuse_other(self, state: State, shapes: Sequence[tuple[int, ...]]) -> None:
        """Raises StateError where this training cannot go on from a state.

        Args:
          state: from this training, or from one that was the same up to there.
          shapes: of this training's variables.
        """
        own = self.described
        differing = [
            f"{name} {state.of.get(name)!r:.200}, not {own[name]!r:.200}"
            for name in own
            if name != _LENGTH and state.of.get(name) != own[name]
        ]
        if differing:
            found = "; ".join(differing)
            raise StateError(f"the state must be of the same training, it has {found}")
        if [array.shape for array in state.variables] != list(shapes):
            raise StateError("the state must be of the same network, its variables differ in shape")
        epochs = state.of.get(_LENGTH)
        if not isinstance(epochs, int):
            raise StateError(f"the state must say its training's epochs, got {epochs!r:.80}")
        most = self.schedule.same_until(epochs, self.steps)
        if state.updates > most:
            raise StateError(
                f"the state must be of at most {most} updates for a training of "
                f"{self.schedule.epochs} epochs to go on from it: up to there it is the same as "
                f"one of {epochs}, got {state.updates}"
            )


def to_bytes(state: State) -> bytes:
    """Returns a state as an .npz that holds the hash of its content."""
    head = np.frombuffer(_head(state, digest=state.digest).encode(), np.uint8)
    arrays = {_HEAD: head, _EPOCHS: state.epochs, _SUMS: state.sums}
    arrays |= {str(index): array for index, array in enumerate(state.variables)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def from_bytes(content: bytes) -> State:
    """Returns the state that `to_bytes` wrote; raises StateError for anything else."""
    try:
        size = untrusted.unpacked_bytes(io.BytesIO(content))
        if size > _MAX_UNPACKED:
            raise ValueError(f"it must unpack to at most {_MAX_UNPACKED} bytes, got {size}")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            head = untrusted.parse_object(archive[_HEAD].tobytes())
            variables = tuple(archive[str(index)] for index in range(len(archive.files) - 3))
            state = State(
                head["of"], int(head["updates"]), archive[_EPOCHS], archive[_SUMS], variables
            )
        if head["format"] != _FORMAT or head["digest"] != state.digest:
            raise ValueError("its format or hash differs")
    except untrusted.BAD_ARCHIVE as error:
        raise StateError(
            f"the state of a training is corrupt or not written by this search: {error!r:.200}"
        ) from error
    return state


def _head(state: State, **others: str) -> str:
    said = {"format": _FORMAT, "of": state.of, "updates": state.updates} | others
    return json.dumps(said, sort_keys=True)
