"""What a proposal's trial is told: tries, memory, shared parameters, what judges it."""

from __future__ import annotations

import epnas_tf.backend

from typing import TYPE_CHECKING

from epnas_tf.searching import lineage
from epnas_tf.searching.lineage import Names
from epnas_tf.searching.trials import Proposal
from epnas_tf.tuner import durable
from epnas_tf.tuner.trial_data import Assignment

if TYPE_CHECKING:  # the oracle imports this module
    from epnas_tf.tuner.oracle import EPNASOracle


class Assigner:
    """Makes the assignments of an oracle's proposals."""

    def __init__(self, oracle: EPNASOracle):
        self._oracle = oracle
        self._names: dict[str, Names] = {}

    def __call__(self, proposal: Proposal, worker: str) -> Assignment:
        """Returns what the next trial of a proposal must know."""
        oracle, slot = self._oracle, proposal.slot
        settings, log = oracle.settings, oracle.log
        tries = log.tries(slot)
        excused = log.tries(slot, durable.STOPPED, durable.LOST)
        own = slot.of_fold  # what rises inherits nothing and is stopped by no rule
        by_lineage = own and settings.parameter_sharing == "lineage"
        shared = own and settings.parameter_sharing != "none"
        judged = own and settings.stop_hopeless
        return Assignment(
            proposal,
            attempt=1 + tries,
            worker=worker,
            failures=tries - excused if excused else None,
            remembered=log.remembered(proposal),
            generation=slot.steps_before(oracle.steps) if shared else None,
            names=self._layer_names(proposal) if by_lineage else (),
            reference=log.curves_before(slot, oracle.steps) if judged else None,
        )

    def _layer_names(self, proposal: Proposal) -> Names:
        """Returns the names of a network's layers or branches by lineage."""
        for trial in self._oracle.search.history:
            if trial.slot.name not in self._names:
                self._names[trial.slot.name] = lineage.names_of(trial.proposal, self._names)
        return lineage.names_of(proposal, self._names)

    def forget(self) -> None:
        """Lets what follows from the trials be worked out anew."""
        self._names = {}
