"""The shared parameter dictionary beside the trials: which offers make which generation.

A trial's `offer` metric is the hash of the file that it wrote before it ended. When a step is whole
its offers are taken in, in the order of slots; a step that ended just before the process did is
taken in when the search is resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epnas_tf.searching.trials import Slot
from epnas_tf.training import shared_params
from epnas_tf.training.param_store import Offer, ParamStore
from epnas_tf.training.sharing import Sharing
from epnas_tf.tuner.record import Record


def generation_of(slot: Slot, steps: int) -> int:
    """Returns the generation that a slot's step starts from: the number of steps before it."""
    return 0 if slot.step == 0 else (slot.episode - 1) * steps + slot.step


class Dictionary:
    """The dictionary of a search of steps of B branches.

    Attributes:
      store: its files.
    """

    def __init__(self, store: ParamStore, *, branches: int, steps: int):
        self.store = store
        self._branches, self._steps = branches, steps

    def sharing(self, values: Mapping[str, Any]) -> Sharing:
        """Returns a trial's access to the dictionary as it stood when its step began.

        Raises:
          ValueError: the dictionary is at another generation.
        """
        wanted = int(values["generation"])
        if self.store.generation != wanted:
            self.store.reload()
        if self.store.generation != wanted:
            raise ValueError(
                f"{values['slot']} needs generation {wanted} of the shared parameters, "
                f"got {self.store.generation}"
            )
        names = values.get("names", "").split()
        labels = shared_params.by_lineage(names) if names else shared_params.by_number
        return Sharing(self.store, labels, values["slot"], int(values["attempt"]))

    def take_in(self, records: Iterable[Record]) -> None:
        """Commits the steps that are whole and were not committed yet; records are in order."""
        for slot, group in itertools.groupby(records, key=lambda r: (r.slot.episode, r.slot.step)):
            step = list(group)
            generation = 1 + generation_of(Slot(*slot, 0), self._steps)
            if len(step) == self._branches:
                self.store.commit(generation, _offers(step))

    def lacks(self, slot: str, attempt: int, digest: float) -> bool:
        """Says whether a finished trial's offer is missing though its step still needs it."""
        needed = generation_of(Slot.parse(slot), self._steps) >= self.store.generation
        return bool(digest) and needed and not self.store.holds(_offer(slot, attempt, digest))


def _offer(slot: str, attempt: int, digest: float) -> Offer:
    return Offer(f"{slot}-{attempt}", int(digest))


def _offers(step: Sequence[Record]) -> list[Offer]:
    return [_offer(r.slot.name, r.attempt, r.offer) for r in step if r.offer]
