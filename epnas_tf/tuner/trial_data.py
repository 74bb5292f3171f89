"""A trial that ended with a result, as plain data: what journal, console and search take of it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture.budget import STATUSES, TRAINED, Budget
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import MOST
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
    logged = {"slot": values["slot"], "spec": untrusted.parse_object(values["spec"])}
    if values["action"]:
        action = untrusted.parse_object(values["action"])
        logged |= {"parent": values["parent"], "action": action}
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
        str(reason),  # a file's may be anything
        # Trials of earlier versions have no such metrics.
        metrics.get("inherited", 0.0),
        metrics.get("offer", 0.0),
        curve_in(metrics),
    )


def check_values(values: Mapping[str, Any], space: SearchSpace) -> None:
    """Raises ValueError where these cannot be the values of a trial of a network of the space."""
    attempt = values.get("attempt")
    if not isinstance(attempt, int) or not 1 <= attempt <= MOST:
        raise ValueError(f"attempt must be a number from 1 to {MOST}, got {attempt!r:.80}")
    for name in ("slot", "worker", "parent", "action", "spec"):
        if not isinstance(values.get(name), str):
            raise ValueError(f"{name} must be text, got {values.get(name)!r:.80}")
    for name in ("slot", "parent", "reuse"):
        _check_slot(name, values.get(name))
    spec = proposal_of(values, space).spec
    space.check(spec)
    if spec != space.new_spec(spec.items):  # a stack of a million cells takes hours to count
        raise ValueError(f"stem and stacking must be those of the space, got {values['spec']:.80}")


def _check_slot(name: str, value: Any) -> None:
    """Raises ValueError where this is neither a slot's only name nor, but for `slot`, empty."""
    if not value and name != "slot":
        return
    slot = Slot.parse(value) if isinstance(value, str) else None
    # Another spelling would be another trial of the slot, and a long one no name of a file.
    if slot is None or slot.name != value or max(dataclasses.astuple(slot)) > MOST:
        raise ValueError(f"{name} must be a slot's name such as e01s03b5, got {value!r:.80}")


def check_metrics(metrics: Mapping[str, float]) -> None:
    """Raises ValueError where these cannot be the metrics of a trial with a result."""
    for name in ("reward", "accuracy", "seconds", "overhead_seconds", "status", *metrics):
        value = metrics.get(name)
        if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise ValueError(f"{name:.80} must be a finite number, got {value!r:.80}")
    status = metrics["status"]
    if status not in range(len(STATUSES)):
        raise ValueError(f"status must be in 0..{len(STATUSES) - 1}, got {status}")
    for name in ("accuracy", "reward"):  # an accuracy times penalties of at most 1
        if not 0 <= metrics[name] <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {metrics[name]}")
    offer = metrics.get("offer", 0.0)
    if not 0 <= offer < 2**53 or offer % 1:  # not "in range": a float would be counted up to
        raise ValueError(f"offer must be a whole number below 2**53, got {offer}")


def curve_metrics(curve: Sequence[float]) -> dict[str, float]:
    """Returns a curve as metrics, of which each is a number: curve_001, curve_002, ..."""
    return {f"curve_{epoch:03d}": value for epoch, value in enumerate(curve, start=1)}


def curve_in(metrics: Mapping[str, float]) -> tuple[float, ...]:
    """Returns the curve that `curve_metrics` put among a trial's metrics."""
    names = sorted(name for name in metrics if name.startswith("curve_"))
    return tuple(metrics[name] for name in names)
