"""What the rivals of EPNAS share: starting networks, limits, rungs and what stands in for nothing.

They predict nothing: networks are compared, and rise, by what was measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence, Set
from typing import Any

import numpy as np

from epnas_tf import fields
from epnas_tf.architecture.morph import Morph
from epnas_tf.architecture.neighbours import Edit
from epnas_tf.architecture.spec import Spec
from epnas_tf.searching import candidates
from epnas_tf.searching.algorithms import Task
from epnas_tf.searching.candidates import Choice
from epnas_tf.searching.fold import Fold
from epnas_tf.searching.predictor import Predictor
from epnas_tf.searching.settings import Sizes
from epnas_tf.searching.starts import Begin
from epnas_tf.searching.trials import Proposal, Slot, Trial, ranked

# What a network that would be skipped counts as outside the limits: as twice what is allowed.
SKIPPED = 1.0
# The place of a proposal that may be no stepping stone outside the limits: rivals use none.
_NO_STONE = 0

Worth = tuple[float, bool, float]


class Rival(Fold):
    """A search that compares networks by what was measured at the lowest rung, where all were."""

    def __init__(self, task: Task):
        """Starts a search before its first step."""
        sizes, knowledge = fields.pick(task.settings, Sizes), task.knowledge
        super().__init__(task.space, sizes, task.rungs, starts=task.starts, knowledge=knowledge)
        self._keeps_limits = task.settings.keeps_limits
        self._reuses = task.settings.reuse_duplicates
        unskipped = dataclasses.replace(knowledge, violation=self._outside)
        self._random = Begin(self.space, task.starts, unskipped, self._expected)

    def rising(self) -> list[Trial]:
        """Returns which networks may rise: by successive halving, all rungs side by side."""
        return self.standing.halved(self._best_first(super().rising()))

    def worth(self, trial: Trial) -> Worth:
        """Returns what networks are compared by, more for the better one.

        Kept limits come first, as for the parents of EPNAS; then the reward at the lowest rung.
        """
        violation = self._knowledge.violation(trial.proposal.spec) if self._keeps_limits else 0.0
        return -violation, trial.result.feasible, trial.result.reward

    def _expected(self, specs: Sequence[Spec]) -> np.ndarray | None:
        known = self._knowledge
        return Predictor(self.space, known.describe, known.prior).expected_before(specs)

    def _learn(self, trials: Sequence[Trial]) -> dict[str, Any]:
        return {}

    # Proposing

    def _changed(self, changed: Sequence[Trial], edits: Sequence[Iterable[Edit]]) -> list[Proposal]:
        """Returns for each place of the step a change that is new and keeps what limits are kept.

        What finds none is drawn as a random start is.

        Args:
          changed: the network of each place, or one for all of them.
          edits: single changes of each, those to be preferred first.
        """
        specs = [trial.proposal.spec for trial in changed]
        actions = [[Morph((), edit) for edit in own] for own in edits]
        made = candidates.of_actions(specs, actions, self.space)
        outside = all(self._knowledge.violation(spec) > 0 for spec in specs)
        known = self._known().__contains__
        choice = Choice(made, self._knowledge, self._keeps_limits, known, outside)
        proposals: dict[Slot, Proposal] = {}
        for slot in self.slots():
            branch = slot.branch if len(changed) > 1 else None
            allowed = choice.allowed(_NO_STONE, branch)
            if allowed.any():
                child = choice.take(int(np.argmax(allowed)), branch)
                parent = changed[child.branch].slot.name
                proposals[slot] = Proposal(slot, child.spec, parent, child.action)
        return self._filled(proposals)

    def _filled(self, proposals: dict[Slot, Proposal]) -> list[Proposal]:
        """Returns a proposal for each place: random networks where there is none yet."""
        taken = self._known() | {proposal.spec for proposal in proposals.values()}
        for slot in self.slots():
            if slot not in proposals:
                proposals[slot] = self._another(slot, taken)
                taken.add(proposals[slot].spec)
        return [proposals[slot] for slot in self.slots()]

    def _another(self, slot: Slot, taken: Set[Spec]) -> Proposal:
        """Returns a random network; the best again where nothing new is worth a place."""
        keys = frozenset(spec.key for spec in taken)
        spec = self._random.drawn(self._rng("draw", slot.branch), keys)
        best = self._best_first(self.history)[0]
        if spec not in taken and self._worth_training(spec, best.proposal.spec):
            return Proposal(slot, spec)
        same = self._first_trained().get(best.spec_key) if self._reuses else None
        return Proposal(slot, best.proposal.spec, best.slot.name, Morph(), same)

    def _worth_training(self, spec: Spec, best: Spec) -> bool:
        """Says whether a random network keeps what limits are kept, or comes nearer to them."""
        if not self._keeps_limits:
            return not self._knowledge.skipped(spec)
        outside = self._outside(spec)
        return outside == 0 or outside < self._outside(best)

    def _known(self) -> set[Spec]:
        """Returns all networks that were proposed."""
        return {trial.proposal.spec for trial in self.history}

    def _best_first(self, trials: Sequence[Trial]) -> list[Trial]:
        """Returns the trained of these, the best first; all where none was trained."""
        return sorted(ranked(trials), key=self.worth, reverse=True) or list(trials)

    def _outside(self, spec: Spec) -> float:
        """Returns how far a network is from being worth a training, 0 for not at all."""
        return self._knowledge.violation(spec) + SKIPPED * self._knowledge.skipped(spec)
