"""What passes between oracle and tuner: a trial's assignment, its outcome, both of a completed one.

Keras Tuner carries an assignment as the values of a trial's hyperparameters and an outcome as its
metrics: text and numbers only. No key of either is written or read anywhere else.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from epnas_tf import untrusted
from epnas_tf.architecture import limits
from epnas_tf.architecture.budget import STATUSES, TRAINED
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import MOST
from epnas_tf.searching.trials import Proposal, Rank, Result, Slot, rank_of

OBJECTIVE = "reward"

Curve = tuple[float, ...]
_CURVE = "curve_"


@dataclasses.dataclass(frozen=True)
class Remembered:
    """The result of an earlier trial of the same network, which stands for a new one."""

    accuracy: float
    reward: float
    status: str
    epochs: int
    balanced_accuracy: float | None = None

    def to_json(self) -> str:
        """Returns its values in order, but for one that is not there."""
        return json.dumps([value for value in dataclasses.astuple(self) if value is not None])


@dataclasses.dataclass(frozen=True)
class Assignment:
    """What a trial must know.

    Attributes:
      proposal: its network and slot, how it was made, the slot whose result stands for it.
      attempt: which try of the slot this is, from 1.
      worker: id of the tuner that runs it.
      failures: how many earlier tries died; None for all of them.
      remembered: the result that stands for it, in a worker too, which has no other trials.
      generation: of the shared parameters that it starts from; None where none are shared.
      names: of its layers or branches by lineage, empty where they go by number.
      reference: training curves of the step before, which the median rule holds it against.
    """

    proposal: Proposal
    attempt: int
    worker: str
    failures: int | None = None
    remembered: Remembered | None = None
    generation: int | None = None
    names: tuple[str, ...] = ()
    reference: tuple[Curve, ...] | None = None

    @property
    def slot(self) -> Slot:
        """The trial's place in the search."""
        return self.proposal.slot

    @property
    def deaths(self) -> int:
        """How many earlier tries count against the slot."""
        return self.attempt - 1 if self.failures is None else self.failures

    def to_values(self) -> dict[str, Any]:
        """Returns the values that carry it."""
        logged = self.proposal.to_dict()
        action = logged.get("action")
        values: dict[str, Any] = {
            "slot": logged["slot"],
            "attempt": self.attempt,
            "worker": self.worker,
            "parent": logged.get("parent") or "",
            "action": "" if action is None else json.dumps(action, sort_keys=True),
            "reuse": logged.get("reuse") or "",
            "spec": self.proposal.spec.to_json(),
        }
        optional = {
            "rung": self.slot.rung or None,
            "wave": self.proposal.wave,
            "failures": self.failures,
            "remembered": self.remembered and self.remembered.to_json(),
            "generation": self.generation,
            "names": " ".join(self.names) or None,
            "reference": None if self.reference is None else json.dumps(self.reference),
        }
        return values | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_values(cls, values: Mapping[str, Any], space: SearchSpace) -> Assignment:
        """Returns the assignment that a trial's values carry.

        Raises:
          ValueError: a value is missing or not allowed, or the network is not of the space.
        """
        attempt = values.get("attempt")
        if not isinstance(attempt, int) or not 1 <= attempt <= MOST:
            raise ValueError(f"attempt must be a number from 1 to {MOST}, got {attempt!r:.80}")
        for name in ("slot", "worker", "parent", "action", "spec"):
            if not isinstance(values.get(name), str):
                raise ValueError(f"{name} must be text, got {values.get(name)!r:.80}")
        for name in ("slot", "parent", "reuse"):
            _check_slot(name, values.get(name))
        wave = values.get("wave")
        if wave is not None and (not isinstance(wave, int) or not 0 <= wave <= MOST):
            raise ValueError(f"wave must be a number from 0 to {MOST}, got {wave!r:.80}")
        try:
            return cls(_proposal(values, space), attempt, values["worker"], **_context(values))
        except (TypeError, AttributeError) as error:
            raise ValueError(f"these are no trial's values: {error!r:.200}") from error


def _context(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a trial must know besides its proposal."""
    reference, remembered = values.get("reference"), values.get("remembered")
    return {
        "failures": values.get("failures"),
        "remembered": None if remembered is None else Remembered(*json.loads(remembered)),
        "generation": values.get("generation"),
        "names": tuple(values.get("names", "").split()),
        "reference": None if reference is None else tuple(map(tuple, json.loads(reference))),
    }


def _check_slot(name: str, value: Any) -> None:
    """Raises ValueError where this is neither a slot's only name nor, but for `slot`, empty."""
    if not value and name != "slot":
        return
    slot = Slot.parse(value) if isinstance(value, str) else None
    # Another spelling would be another trial of the slot, and a long one no name of a file.
    if slot is None or slot.name != value or max(dataclasses.astuple(slot)) > MOST:
        raise ValueError(f"{name} must be a slot's name such as e01s03b5, got {value!r:.80}")


def _proposal(values: Mapping[str, Any], space: SearchSpace) -> Proposal:
    """Returns the proposal as it was logged; raises ValueError where it is not of the space."""
    logged = {"slot": values["slot"], "spec": untrusted.parse_object(values["spec"])}
    if values["action"]:
        action = untrusted.parse_object(values["action"])
        logged |= {"parent": values["parent"], "action": action}
    if values.get("reuse"):
        logged["reuse"] = values["reuse"]
    if values.get("wave") is not None:
        logged["wave"] = values["wave"]
    proposal = Proposal.from_dict(logged, space)
    space.check(proposal.spec)
    # A stack of a million cells takes hours to count.
    if proposal.spec != space.new_spec(proposal.spec.items):
        raise ValueError(f"stem and stacking must be those of the space, got {values['spec']:.80}")
    return proposal


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
      accuracy: validation accuracy, chance where the network was not trained.
      reward: what networks are compared by times the penalties, what the search maximises.
      status: "trained", or why not: one of `budget.STATUSES`.
      uses: what the network uses, by resource.
      seconds: time of training and validation steps.
      overhead_seconds: the rest of the trial's time.
      inherited: share of the parameters with a warm start.
      offer: hash of what it left to others, 0 for nothing.
      curve: training accuracy after each epoch, where it was asked for.
      reason: what went wrong, for a person to read; no metric carries it.
      balanced_accuracy: where networks are compared by it; None where by accuracy.
      epochs: that it was trained for, 0 where it was not.
      training_accuracy: of the last of them, in training mode.
      loss_sum: of their mean training losses (training speed estimate, Ru et al. 2021).
    """

    accuracy: float
    reward: float
    status: str
    uses: Mapping[str, float]
    seconds: float = 0.0
    overhead_seconds: float = 0.0
    inherited: float = 0.0
    offer: int = 0
    curve: Curve = ()
    reason: str = ""
    balanced_accuracy: float | None = None
    epochs: int = 0
    training_accuracy: float = 0.0
    loss_sum: float = 0.0

    @property
    def objective(self) -> float:
        """What networks are compared by before penalties: balanced accuracy where it is known."""
        return self.accuracy if self.balanced_accuracy is None else self.balanced_accuracy

    def to_metrics(self) -> dict[str, float]:
        """Returns the metrics that carry it, each a number."""
        curve = {f"{_CURVE}{n:03d}": value for n, value in enumerate(self.curve, start=1)}
        numbers = {name: float(getattr(self, name)) for name in _NUMBERS}
        uses = {name: float(use) for name, use in self.uses.items()}
        balanced = self.balanced_accuracy
        if balanced is not None:
            numbers[_BALANCED] = float(balanced)
        return numbers | {"status": float(STATUSES.index(self.status))} | uses | curve

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float], reason: object = "") -> Outcome:
        """Returns the outcome that a trial's metrics carry.

        Args:
          metrics: by name.
          reason: what stands beside them for a person to read; a file's may be anything.

        Raises:
          ValueError: a metric is missing or not allowed.
        """
        for name in (*_NUMBERS, "status", *RESOURCES, *metrics):
            value = metrics.get(name)
            if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
                raise ValueError(f"{name:.80} must be a finite number, got {value!r:.80}")
        status = metrics["status"]
        if status not in range(len(STATUSES)):
            raise ValueError(f"status must be in 0..{len(STATUSES) - 1}, got {status}")
        for name in ("accuracy", "reward", _BALANCED):  # the reward: times penalties of at most 1
            if not 0 <= metrics.get(name, 0) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {metrics[name]}")
        for name in _WHOLE:  # not "in range": a float would be counted up to
            if not 0 <= metrics[name] < 2**53 or metrics[name] % 1:
                raise ValueError(f"{name} must be a whole number below 2**53, got {metrics[name]}")
        return cls(
            **{name: metrics[name] for name in _NUMBERS if name not in _WHOLE},
            offer=int(metrics["offer"]),
            epochs=int(metrics["epochs"]),
            status=STATUSES[round(status)],
            uses={name: metrics[name] for name in RESOURCES},
            curve=tuple(metrics[name] for name in sorted(metrics) if name.startswith(_CURVE)),
            reason=str(reason or ""),
            balanced_accuracy=metrics.get(_BALANCED),
        )


_BALANCED = "balanced_accuracy"
_WHOLE = ("offer", "epochs")
_NUMBERS = (
    *("reward", "accuracy", "seconds", "overhead_seconds", "inherited"),
    *("training_accuracy", "loss_sum", *_WHOLE),
)


@dataclasses.dataclass(frozen=True)
class CompletedTrial:
    """A trial that ended with a result.

    Attributes:
      trial_id: Keras Tuner's.
      assignment: what it was to do.
      outcome: what came of it.
      feasible: whether its network keeps every limit.
    """

    trial_id: str
    assignment: Assignment
    outcome: Outcome
    feasible: bool

    @property
    def proposal(self) -> Proposal:
        """Its network, and how it was made."""
        return self.assignment.proposal

    @property
    def slot(self) -> Slot:
        """Its place in the search."""
        return self.proposal.slot

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""
        return self.outcome.status == TRAINED

    @property
    def spec_key(self) -> str:
        """Tells its network from others."""
        return self.proposal.spec.key

    @property
    def rank(self) -> Rank:
        """The key that sorts the best trial first."""
        return rank_of(self.feasible, self.outcome.reward, self.slot)

    @property
    def result(self) -> Result:
        """What the search is told."""
        outcome = self.outcome
        status = outcome.status
        return Result(self.slot, outcome.reward, outcome.objective, self.feasible, status)


def completed(
    trial_id: str, assignment: Assignment, outcome: Outcome, constraints: Sequence[Constraint]
) -> CompletedTrial:
    """Returns a trial held against the limits."""
    within = all(limits.excess_of(outcome.uses[c.metric], c) == 0 for c in constraints)
    return CompletedTrial(trial_id, assignment, outcome, within)
