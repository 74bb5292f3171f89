"""What a single operation costs: the arithmetic behind `cost.cost` and `cost_of_model`.

Counted as the project's DECISIONS 5 settle it (after the paper's Table 5; see PAPER_NOTES
section 5): a multiply-add is two FLOPs; batch norm, activations and additions are fused into
their neighbours and free but for their parameters; every other operation reads its inputs and
weights from memory and writes its output, in float32, for a batch of one image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

Shape = tuple[int, int, int]  # height, width, channels

BYTES_PER_ELEMENT = 4


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a network or an operation costs to hold and to run on one image.

    Attributes:
      params: trainable parameters.
      flops: floating-point operations an image; a multiply-add is two.
      traffic_bytes: bytes moved: weights, inputs and outputs of each operation, float32.
    """

    params: int = 0
    flops: int = 0
    traffic_bytes: int = 0

    @property
    def intensity(self) -> float:
        """Compute intensity in FLOPs per byte, 0 where nothing is moved."""
        return self.flops / self.traffic_bytes if self.traffic_bytes else 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.params + other.params,
            self.flops + other.flops,
            self.traffic_bytes + other.traffic_bytes,
        )


def total(costs: Iterable[Cost]) -> Cost:
    """Returns the cost of several operations together."""
    params = flops = traffic_bytes = 0
    for cost in costs:
        params += cost.params
        flops += cost.flops
        traffic_bytes += cost.traffic_bytes
    return Cost(params, flops, traffic_bytes)


def elements(shape: tuple[int, ...]) -> int:
    """Returns the number of elements of a shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def _moved(*counts: int) -> int:
    return BYTES_PER_ELEMENT * sum(counts)


def conv_cost(
    in_shape: Shape, out_shape: Shape, kernel: tuple[int, int], groups: int = 1, bias: bool = False
) -> Cost:
    """Returns the cost of a convolution; `kernel` is height and width in pixels."""
    weights = elements(kernel) * in_shape[2] * out_shape[2] // groups
    params = weights + (out_shape[2] if bias else 0)
    flops = 2 * out_shape[0] * out_shape[1] * weights
    return Cost(params, flops, _moved(elements(in_shape), params, elements(out_shape)))


def depthwise_cost(
    in_shape: Shape, out_shape: Shape, kernel: tuple[int, int], bias: bool = False
) -> Cost:
    """Returns the cost of a depthwise convolution (output channels = input's x multiplier)."""
    weights = elements(kernel) * out_shape[2]
    params = weights + (out_shape[2] if bias else 0)
    flops = 2 * out_shape[0] * out_shape[1] * weights
    return Cost(params, flops, _moved(elements(in_shape), params, elements(out_shape)))


def separable_cost(
    in_shape: Shape,
    out_shape: Shape,
    kernel: tuple[int, int],
    multiplier: int = 1,
    bias: bool = False,
) -> Cost:
    """Returns the cost of a depthwise and a pointwise convolution, the map between them moved."""
    middle = (out_shape[0], out_shape[1], in_shape[2] * multiplier)
    return depthwise_cost(in_shape, middle, kernel) + conv_cost(middle, out_shape, (1, 1), 1, bias)


def dense_cost(inputs: int, outputs: int, bias: bool = True) -> Cost:
    """Returns the cost of a dense layer."""
    params = inputs * outputs + (outputs if bias else 0)
    return Cost(params, 2 * inputs * outputs, _moved(inputs, params, outputs))


def pool_cost(in_shape: Shape, out_shape: tuple[int, ...], window: tuple[int, int]) -> Cost:
    """Returns the cost of a pooling: one operation for each element of each window."""
    flops = elements(window) * elements(out_shape)
    return Cost(0, flops, _moved(elements(in_shape), elements(out_shape)))


def batch_norm_cost(channels: int, scale: bool = True, center: bool = True) -> Cost:
    """Returns the cost of a batch normalisation: parameters only, it is folded at inference."""
    return Cost(params=channels * (int(scale) + int(center)))
