"""A trial that ended with a result, as plain data: what journal, console and search take of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf.architecture.budget import STATUSES, TRAINED, Budget
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.searching.trials import Proposal, Result, Slot, rank_key


@dataclasses.dataclass(frozen=True)
class Record:
    """A trial with a result.

    Attributes:
      trial_id: Keras Tuner's.
      attempt: which try of the slot this was, from 1.
      worker: id of the tuner that ran it.
      proposal: the network, its slot, parent and action, the slot whose result stands for it.
      result: accuracy, reward, feasibility, status.
      cost: what the network costs.
      seconds: time of training and validation steps.
      overhead_seconds: the rest of the trial's time.
      reason: what went wrong, for a person to read.
      inherited: share of the parameters that came from the shared dictionary.
      offer: hash of what it left there, 0 for nothing.
      curve: training accuracy after each epoch, where it was asked for.
    """

    trial_id: str
    attempt: int
    worker: str
    proposal: Proposal
    result: Result
    cost: Cost
    seconds: float
    overhead_seconds: float
    reason: str = ""
    inherited: float = 0.0
    offer: float = 0.0
    curve: tuple[float, ...] = ()

    @property
    def slot(self) -> Slot:
        """The trial's place in the search."""
        return self.proposal.slot

    @property
    def accuracy(self) -> float:
        """Validation accuracy, chance where the network was not trained."""
        assert self.result.accuracy is not None
        return self.result.accuracy

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""
        return self.result.status == TRAINED

    def order(self) -> tuple[bool, float, Slot]:
        """Returns the key that sorts the best trial first."""
        return rank_key(self.result.feasible, self.result.reward, self.slot)


def proposal_of(values: Mapping[str, Any], space: SearchSpace) -> Proposal:
    """Returns the proposal that a trial's values hold, as it was logged."""
    logged = {"slot": values["slot"], "spec": json.loads(values["spec"])}
    if values["action"]:
        logged |= {"parent": values["parent"], "action": json.loads(values["action"])}
    if values.get("reuse"):  # trials of earlier versions have no such value
        logged["reuse"] = values["reuse"]
    return Proposal.from_dict(logged, space)


def values_of(proposal: Proposal, attempt: int, worker: str) -> dict[str, Any]:
    """Returns the values that carry a proposal: text and numbers only, as Keras Tuner asks."""
    logged = proposal.to_dict()
    action = logged.get("action")
    return {
        "slot": logged["slot"],
        "attempt": attempt,
        "worker": worker,
        "parent": logged.get("parent") or "",
        "action": "" if action is None else json.dumps(action, sort_keys=True),
        "reuse": logged.get("reuse") or "",
        "spec": proposal.spec.to_json(),
    }


def record_of(
    trial_id: str,
    values: Mapping[str, Any],
    metrics: Mapping[str, float],
    space: SearchSpace,
    budget: Budget,
    reason: str = "",
) -> Record:
    """Returns the record of a trial with these values and metrics."""
    proposal = proposal_of(values, space)
    result = Result(
        proposal.slot,
        metrics["reward"],
        metrics["accuracy"],
        budget.feasible(proposal.spec),
        STATUSES[round(metrics["status"])],  # a number, as all of Keras Tuner's metrics
    )
    return Record(
        trial_id,
        int(values["attempt"]),
        str(values["worker"]),
        proposal,
        result,
        budget.cost(proposal.spec),
        metrics["seconds"],
        metrics["overhead_seconds"],
        reason,
        # Trials of earlier versions have no such metrics.
        metrics.get("inherited", 0.0),
        metrics.get("offer", 0.0),
        curve_in(metrics),
    )


def curve_metrics(curve: Sequence[float]) -> dict[str, float]:
    """Returns a curve as metrics, of which each is a number: curve_001, curve_002, ..."""
    return {f"curve_{epoch:03d}": value for epoch, value in enumerate(curve, start=1)}


def curve_in(metrics: Mapping[str, float]) -> tuple[float, ...]:
    """Returns the curve that `curve_metrics` put among a trial's metrics."""
    names = sorted(name for name in metrics if name.startswith("curve_"))
    return tuple(metrics[name] for name in names)
