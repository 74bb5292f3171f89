"""Published networks that found ones are compared with: as they are, and scaled to limits."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from epnas_tf.architecture import limits
from epnas_tf.architecture.cost_rules import Cost, Shape
from epnas_tf.architecture.limits import Constraint
from epnas_tf.studies import named_networks
from epnas_tf.studies.block_networks import Block, BlockNetwork, Conv
from epnas_tf.studies.networks import Network

# What scaled networks keep unless a study says otherwise: those of the comparison on CIFAR-10.
LIMITS = ("--max_params=100k", "--max_flops=25M")

# Scaled networks: channels of the first stage, blocks of each stage, the side of the last map.
_WIDTHS = range(4, 513)
_DEPTHS = range(1, 13)
_LAST_SIDE = 8


class Stage(NamedTuple):
    """Blocks of one width.

    Attributes:
      channels: of their output.
      blocks: how many.
      stride: of the first.
      expansion: how many times wider than its input a block is inside.
    """

    channels: int
    blocks: int
    stride: int = 1
    expansion: int = 6

    @property
    def strides(self) -> list[int]:
        """The stride of each block."""
        return [self.stride] + [1] * (self.blocks - 1)


def resnet8(filters: int = 16) -> BlockNetwork:
    """Returns the ResNet-8 of MLPerf Tiny (github.com/mlcommons/tiny, image_classification).

    Its convolutions have biases, its projections no batch norm. Of the 78,666 parameters that Keras
    shows, 480 are batch norm's statistics, which training does not change: 78,186 are counted here.
    What is the recipe's follows the recipe: weight decay, and batch norm's momentum.

    Args:
      filters: of the first stage; 26 are the benchmark's later network.
    """
    blocks = [Block((Conv(3, filters, activation="relu", bias=True),))]
    for stage in range(3):
        channels, stride = filters * 2**stage, min(stage + 1, 2)
        convs = (
            Conv(3, channels, stride, "relu", bias=True),
            Conv(3, channels, bias=True),
        )
        projection = (Conv(1, channels, stride, norm=False, bias=True),)
        blocks.append(Block(convs, projection if stage else (), "relu"))
    return BlockNetwork(tuple(blocks))


def separable_net(stem: int, stages: Sequence[Stage], stride: int = 1) -> BlockNetwork:
    """Returns a network of depthwise and pointwise convolutions, as MobileNet (arXiv:1704.04861).

    Args:
      stem: filters of its first convolution.
      stages: their expansions have no meaning here.
      stride: of the first convolution.
    """
    blocks = [Block((Conv(3, stem, stride, "relu"),))]
    for stage in stages:
        for step in stage.strides:
            depthwise = Conv(3, stride=step, activation="relu")
            blocks.append(Block((depthwise, Conv(1, stage.channels, activation="relu"))))
    return BlockNetwork(tuple(blocks))


def inverted_residuals(
    stem: int, stages: Sequence[Stage], last: int, stride: int = 1
) -> BlockNetwork:
    """Returns a network of inverted residuals, as MobileNetV2 (arXiv:1801.04381).

    Args:
      stem: filters of its first convolution.
      stages: of Table 2.
      last: filters of the 1x1 convolution at its end.
      stride: of the first convolution.
    """
    blocks = [Block((Conv(3, stem, stride, "relu6"),))]
    inputs = stem
    for stage in stages:
        for step in stage.strides:
            wide = Conv(1, inputs * stage.expansion, activation="relu6")
            depthwise = Conv(3, stride=step, activation="relu6")
            narrow = Conv(1, stage.channels)
            convs = (wide, depthwise, narrow) if stage.expansion > 1 else (depthwise, narrow)
            fits = step == 1 and inputs == stage.channels
            blocks.append(Block(convs, () if fits else None))
            inputs = stage.channels
    blocks.append(Block((Conv(1, last, activation="relu6"),)))
    return BlockNetwork(tuple(blocks))


@dataclasses.dataclass(frozen=True)
class Family:
    """Networks of one kind, of any width and depth.

    Attributes:
      what: they are, for a person to read.
      member: the network of (channels of the first stage, blocks of each stage, stages).
      proportion: width to depth of the published network.
    """

    what: str
    member: Callable[[int, int, int], BlockNetwork]
    proportion: float


def _separable_member(width: int, depth: int, stages: int) -> BlockNetwork:
    return separable_net(-(-width // 2), _doubling(width, depth, stages))


def _inverted_member(width: int, depth: int, stages: int) -> BlockNetwork:
    doubling = _doubling(width, depth, stages)
    first = Stage(width, 1, expansion=1)
    return inverted_residuals(2 * width, [first, *doubling], 4 * doubling[-1].channels)


def _doubling(width: int, depth: int, stages: int) -> list[Stage]:
    return [Stage(width * 2**number, depth, min(number + 1, 2)) for number in range(stages)]


FAMILIES = {
    "depthwise_separable": Family("depthwise-separable nets", _separable_member, 64 / 2.6),
    "mobilenet_v2": Family("nets of inverted residuals", _inverted_member, 20 / 3.4),
}


def scaled(
    family: Family, constraints: Sequence[Constraint], input_shape: Shape, num_classes: int
) -> BlockNetwork:
    """Returns the network of a family that makes most of some limits.

    For each depth that is the widest one within them; of these, the one whose width to depth is
    most like the published network's. The maps are halved, and the channels doubled, until a map's
    shorter side is at most 8.

    Args:
      family: one of FAMILIES.
      constraints: all of them are kept.
      input_shape: height, width and channels of an image.
      num_classes: outputs of the classifier.

    Raises:
      ValueError: there are no limits, or no network keeps them.
    """
    if not constraints:
        raise ValueError(f"{family.what} must have a limit that they are scaled to, got none")
    stages = _stages(input_shape)

    def cost(depth: int, width: int) -> Cost:
        return family.member(width, depth, stages).cost(input_shape, num_classes)

    every = {d: _widest(functools.partial(cost, d), constraints) for d in _DEPTHS}
    widest = {depth: width for depth, width in every.items() if width is not None}
    if not widest:
        least = cost(_DEPTHS[0], _WIDTHS[0])
        raise ValueError(
            f"limits must leave one of the {family.what}, whose smallest has {least.params} "
            f"parameters and {least.flops / 1e6:.2g} MFLOPs"
        )
    depth = min(widest, key=lambda d: abs(math.log(widest[d] / d / family.proportion)))
    return family.member(widest[depth], depth, stages)


def _widest(cost: Callable[[int], Cost], constraints: Sequence[Constraint]) -> int | None:
    """Returns the largest width within the limits, None where there is none.

    Args:
      cost: of a width; the wider, the more of each resource.
      constraints: the limits.
    """

    def too_wide(width: int) -> bool:
        return limits.excess(cost(width), constraints)[0] > 1

    kept = bisect.bisect_left(_WIDTHS, True, key=too_wide)
    width = _WIDTHS[max(kept - 1, 0)]
    return width if limits.feasible(cost(width), constraints) else None


def _stages(input_shape: Shape) -> int:
    side, stages = min(input_shape[:2]), 1
    while side > _LAST_SIDE:
        side, stages = -(-side // 2), stages + 1
    return stages


_AS_PUBLISHED = {"resnet8": resnet8}


def names() -> list[str]:
    """Returns the names of all baselines: published ones, scaled ones, those made by hand."""
    return [*_AS_PUBLISHED, *FAMILIES, *named_networks.read([named_networks.HAND_MADE])]


def named(
    wanted: Iterable[str],
    constraints: Sequence[Constraint],
    images: Callable[[], tuple[Shape, int]],
) -> dict[str, Network]:
    """Returns the baselines of these names.

    Args:
      wanted: of `names`.
      constraints: what the scaled ones keep.
      images: returns the shape and the classes of the images; asked where one is scaled to them.

    Raises:
      ValueError: a network cannot be scaled to the limits.
    """
    hand_made = named_networks.read([named_networks.HAND_MADE])
    found: dict[str, Network] = {}
    for name in wanted:
        if name in FAMILIES:
            found[name] = scaled(FAMILIES[name], constraints, *images())
        else:
            found[name] = _AS_PUBLISHED[name]() if name in _AS_PUBLISHED else hand_made[name]
    return found
