"""Whether a network is worth training: its cost, limits, reward, and the time it would take.

One `Budget` is shared by the search (which starts within it), the evaluation (which skips what is
far outside) and the files a person reads, so that all speak of the same numbers.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from epnas_tf.architecture import anatomy, cost_rules, limits
from epnas_tf.architecture import cost as costs
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import OPS, OpDef
from epnas_tf.architecture.spec import Spec
from epnas_tf.fields import Settings, setting

# A training step costs three forward passes: forward, gradient of inputs, gradient of weights.
PASSES = 3
# Moving a byte of activations takes as long as this many FLOPs of a convolution. Fitted with
# tools/checks/bench_estimate.py to nets of both patterns; depthwise and pooling nets depend on it.
FLOPS_PER_BYTE = 30.0

# Networks whose cost is kept: those of a step.
KEPT = 2048

# Bytes that training holds for each byte of a network's activations (of a whole batch) and of its
# parameters: outputs and their gradients, batch norm's and the activation's own copies; kernels,
# their gradients, momentum and what is on its way. Fitted with tools/checks/bench_memory.py.
BYTES_PER_ACTIVATION = 3.0
BYTES_PER_PARAMETER = 16.0

# What may become of a child: only trained ones are parents.
TRAINED = "trained"
OVER_LIMITS = "over_limits"
TOO_LONG = "too_long"
NOT_FINITE = "not_finite"
FAILED = "failed"
STOPPED_EARLY = "hopeless"
TOO_LARGE = "too_large"
STATUSES = (TRAINED, OVER_LIMITS, TOO_LONG, NOT_FINITE, FAILED, STOPPED_EARLY, TOO_LARGE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChildLimits(Settings):
    """Which networks are not worth their training."""

    skip_over: float = setting(2.0, "do not train a child this many times over a limit", least=1)
    max_child_minutes: float | None = setting(
        0.0,
        "do not train a child for longer, as estimated (0: a share of --max_hours, 10 without; "
        "none: no limit)",
        least=0,
        auto=True,
    )
    max_child_memory: float | None = setting(
        None, "do not train a child that needs more bytes, such as 4G (none: no limit)", above=0
    )


@dataclasses.dataclass(frozen=True)
class Budget:
    """What networks may cost, for images of one shape.

    Attributes:
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.
      constraints: soft limits on the networks' resources.
      limits: which networks are not trained at all.
      batch: images that are trained on at once.
      images: images a child is trained on, over all its epochs.
      machine_gflops: rate of training in GFLOP/s, 0 if the time is not to be limited.
      ops: operations of a user-defined space; the paper's by default.
    """

    input_shape: Shape
    num_classes: int
    constraints: tuple[Constraint, ...] = ()
    limits: ChildLimits = ChildLimits()
    batch: int = 0
    images: int = 0
    machine_gflops: float = 0.0
    ops: Mapping[str, OpDef] = dataclasses.field(default_factory=lambda: OPS)

    @functools.cached_property
    def _counted(self) -> Callable[[Spec], tuple[list[Cost], Cost]]:
        """A candidate is asked after several times in a step, and by several rules."""
        return functools.lru_cache(maxsize=KEPT)(self._count)

    def _count(self, spec: Spec) -> tuple[list[Cost], Cost]:
        pieces = costs.pieces(spec, self.input_shape, self.num_classes, self.ops)
        return pieces, cost_rules.total(pieces)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def cost(self, spec: Spec) -> Cost:
        """Returns the cost of a network on these images."""
        return self._counted(spec)[1]

    def numbers(self, spec: Spec) -> tuple[float, ...]:
        """Returns what a network is, in numbers (see `anatomy`)."""
        pieces, _ = self._counted(spec)
        return anatomy.numbers(spec, self.input_shape, self.num_classes, self.ops, pieces)

    def feasible(self, spec: Spec) -> bool:
        """Says whether a network keeps every limit."""
        return limits.feasible(self.cost(spec), self.constraints)

    def reward(self, accuracy: float, spec: Spec) -> float:
        """Returns the accuracy, plain or balanced, times the penalties (paper, Eq. 3)."""
        return limits.reward(accuracy, self.cost(spec), self.constraints)

    @property
    def chance(self) -> float:
        """Accuracy of guessing, plain and balanced; that of an untrained network (DECISIONS 10)."""
        return 1.0 / self.num_classes

    @staticmethod
    def work(cost: Cost) -> float:
        """Returns what the time of a network's training is in proportion to, per image, in FLOPs.

        Moving bytes counts as FLOPs: depthwise and pooling layers are slower than theirs.
        """
        return cost.flops + FLOPS_PER_BYTE * cost.traffic_bytes

    def minutes(self, cost: Cost) -> float:
        """Returns the estimated time of training a child, 0 if no rate is known."""
        if not self.machine_gflops:
            return 0.0
        return PASSES * self.images * self.work(cost) / (self.machine_gflops * 1e9) / 60

    def memory(self, cost: Cost) -> float:
        """Returns the estimated bytes that training a child needs beside the process' own."""
        # Every layer's maps are read once and written once, and so are its parameters read.
        activations = max(0, cost.traffic_bytes - 4 * cost.params) / 2
        held = BYTES_PER_ACTIVATION * self.batch * activations
        return held + BYTES_PER_PARAMETER * cost.params

    def violation(self, spec: Spec) -> float:
        """Returns how far a network is outside the limits, the time and the memory, 0 within."""
        cost = self.cost(spec)
        late = _share_over(self.minutes(cost), self.limits.max_child_minutes)
        large = _share_over(self.memory(cost), self.limits.max_child_memory)
        return limits.total_violation(cost, self.constraints) + late + large

    def fullness(self, spec: Spec) -> float:
        """Returns the largest ratio of a use to its upper limit, 0 where there is none."""
        return limits.excess(self.cost(spec), self.constraints)[0]

    def reason_to_skip(self, spec: Spec) -> str | None:
        """Returns OVER_LIMITS, TOO_LONG or TOO_LARGE where a network is not to be trained."""
        cost = self.cost(spec)
        if limits.excess(cost, self.constraints)[0] > self.limits.skip_over:
            return OVER_LIMITS
        if _share_over(self.minutes(cost), self.limits.max_child_minutes):
            return TOO_LONG
        too_large = _share_over(self.memory(cost), self.limits.max_child_memory)
        return TOO_LARGE if too_large else None


def _share_over(need: float, most: float | None) -> float:
    """Returns by how much of a limit a need exceeds it, 0 within or where there is none."""
    return max(0.0, need / most - 1) if most else 0.0
