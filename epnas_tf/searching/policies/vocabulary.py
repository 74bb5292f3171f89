"""Choices as tokens: the arrays in which a policy's network meets `architecture.choices`.

Each option of each head is a token. The scale LSTM knows the entries of the scale table, the
insert LSTM all other options one after the other, head by head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from epnas_tf.architecture import choices
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.space import SearchSpace


class Steps(NamedTuple):
    """Choices of several networks, padded to the same number of steps.

    Attributes:
      token: int32 [networks, steps], the option taken; 0 where there is no choice.
      valid: float32 [networks, steps], 1 where there is a choice.
      mask: bool [networks, steps, tokens], the legal options.
      prior: float32 [networks, steps, tokens], the check table's distribution.
      mix: float32 [networks, steps], weight of the check table.
    """

    token: np.ndarray
    valid: np.ndarray
    mask: np.ndarray
    prior: np.ndarray
    mix: np.ndarray


class Vocabulary:
    """The tokens of a space."""

    def __init__(self, space: SearchSpace, check_table_mix: float):
        if not 0 <= check_table_mix <= 1:
            raise ValueError(f"check_table_mix must be in 0..1, got {check_table_mix}")
        self._space = space
        self._check_table_mix = check_table_mix
        heads = choices.heads(space)
        self.scale_size = len(heads["scale"])
        self._offsets = {"scale": 0}
        self.edit_size = 0
        for head, options in heads.items():
            if head != "scale":
                self._offsets[head] = self.edit_size
                self.edit_size += len(options)
        # decision, place, and at most every field of an item
        self.edit_steps = 2 + len(space.fields)

    def offset(self, head: str) -> int:
        """Returns the token of a head's first option."""
        return self._offsets[head]

    def sequences(self, taken: Sequence[list[tuple[Choice, int]]]) -> tuple[Steps, Steps]:
        """Returns the scalings and the edits of encoded actions."""
        scales = [[(c, i) for c, i in row if c.head == "scale"] for row in taken]
        edits = [[(c, i) for c, i in row if c.head != "scale"] for row in taken]
        return (
            self._steps(scales, self._space.parts, self.scale_size),
            self._steps(edits, self.edit_steps, self.edit_size),
        )

    def current(self, asked: Sequence[Choice | None]) -> Steps:
        """Returns one choice of each network, without the steps axis; None asks nothing."""
        scaling = any(choice is not None and choice.head == "scale" for choice in asked)
        size = self.scale_size if scaling else self.edit_size
        rows = [[] if choice is None else [(choice, 0)] for choice in asked]
        return Steps(*(array[:, 0] for array in self._steps(rows, 1, size)))

    def _steps(self, rows: Sequence[Sequence[tuple[Choice, int]]], steps: int, size: int) -> Steps:
        shape = (len(rows), steps)
        token = np.zeros(shape, np.int32)
        valid = np.zeros(shape, np.float32)
        mask = np.zeros((*shape, size), bool)
        prior = np.zeros((*shape, size), np.float32)
        mix = np.zeros(shape, np.float32)
        mask[:, :, 0] = True  # an unused step still needs a distribution
        for i, row in enumerate(rows):
            for j, (choice, index) in enumerate(row):
                first = self._offsets[choice.head]
                options = slice(first, first + len(choice.mask))
                token[i, j], valid[i, j] = first + index, 1.0
                mask[i, j, 0] = False
                mask[i, j, options] = choice.mask
                if choice.head == "place" and self._space.pattern == "layerwise":
                    prior[i, j, options] = self._check_table(choice)
                    mix[i, j] = self._check_table_mix
        return Steps(token, valid, mask, prior, mix)

    def _check_table(self, choice: Choice) -> np.ndarray:
        """Returns the check table over the legal places."""
        assert choice.spec is not None
        table = np.zeros(len(choice.mask))
        fixed = self._space.check_table(len(choice.spec.items))[: len(table)]
        table[: len(fixed)] = fixed
        table *= choice.mask
        return table / table.sum()
