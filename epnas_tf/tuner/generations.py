"""The shared parameter dictionary beside the trials: which offers make which generation.

A trial's `offer` metric is the hash of the file that it wrote before it ended. When a step is whole
its offers are taken in, in the order of slots; a step that ended just before the process did is
taken in when the search is resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epnas_tf.sharing import rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.tuner.trial_data import Record


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

        A trial whose file was lost after its step was taken in gets a later generation: the one
        of its step is gone.

        Raises:
          ValueError: the dictionary is at an earlier generation.
        """
        if self.store.generation != values["generation"]:
            self.store.reload()
        self._check(int(values["generation"]))
        names = values.get("names", "").split()
        labels = rules.by_lineage(names) if names else rules.by_number
        return Sharing(self.store, labels, values["slot"], int(values["attempt"]))

    def take_in(self, records: Iterable[Record]) -> None:
        """Commits the steps that are whole and were not committed yet; records are in order.

        Raises:
          ValueError: the dictionary lacks generations of which the offers are gone.
        """
        whole = [step for step in _steps(records) if len(step) == self._branches]
        if whole:
            self._check(whole[-1][0].slot.steps_before(self._steps))
        for step in whole:
            self.store.commit(1 + step[0].slot.steps_before(self._steps), _offers(step))

    def lacking(self, records: Iterable[Record]) -> list[Record]:
        """Returns the trials of the last step whose offers are missing or torn but needed."""
        steps = _steps(records)
        if not steps or steps[-1][0].slot.steps_before(self._steps) != self.store.generation:
            return []
        return [r for r in steps[-1] if r.offer and not self.store.holds(_offer(r))]

    def _check(self, wanted: int) -> None:
        if self.store.generation < wanted:
            raise ValueError(
                f"{self.store.folder} must hold generation {wanted} of the shared parameters, got "
                f"{self.store.generation}: put the folder back, or search anew elsewhere"
            )


def _steps(records: Iterable[Record]) -> list[list[Record]]:
    grouped = itertools.groupby(records, key=lambda record: record.slot.name.partition("b")[0])
    return [list(step) for _, step in grouped]


def _offer(record: Record) -> Offer:
    return Offer(f"{record.slot.name}-{record.attempt}", int(record.offer))


def _offers(step: Sequence[Record]) -> list[Offer]:
    return [_offer(record) for record in step if record.offer]
