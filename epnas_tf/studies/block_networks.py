"""Networks of blocks: convolutions in a row, with the strides and shortcuts that no spec has.

So published networks are values too, as specs are: counted without being built.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json

from epnas_tf.architecture import cost as cost_lib
from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.cost_rules import Cost, Shape


@dataclasses.dataclass(frozen=True)
class Conv:
    """A convolution with SAME padding, and what follows it.

    Attributes:
      width: of its square kernel, in pixels.
      channels: of its output; None where it is depthwise, a kernel per channel of its input.
      stride: in both directions.
      activation: by Keras' name; None for none.
      norm: whether batch norm follows, before the activation.
      bias: whether it has a bias of its own.
    """

    width: int
    channels: int | None = None
    stride: int = 1
    activation: str | None = None
    norm: bool = True
    bias: bool = False

    def __post_init__(self) -> None:
        if self.bias and self.channels is None:
            raise ValueError("bias must be off where a convolution is depthwise")

    def out_shape(self, shape: Shape) -> Shape:
        """Returns the shape of what comes out of a map of this shape."""
        height, width = (-(-size // self.stride) for size in shape[:2])
        return height, width, self.channels or shape[2]

    def cost(self, shape: Shape) -> Cost:
        """Returns its cost on a map of this shape."""
        out, kernel = self.out_shape(shape), (self.width, self.width)
        if self.channels is None:
            cost = cost_rules.depthwise_cost(shape, out, kernel)
        else:
            cost = cost_rules.conv_cost(shape, out, kernel, bias=self.bias)
        return cost + cost_rules.batch_norm_cost(out[2]) if self.norm else cost


@dataclasses.dataclass(frozen=True)
class Block:
    """Convolutions in a row, with a shortcut around them or without.

    Attributes:
      convs: in order.
      shortcut: what the block's input goes through before it is added to their output, nothing
        where empty; None where nothing is added.
      activation: of the sum, by Keras' name; None for none.
    """

    convs: tuple[Conv, ...]
    shortcut: tuple[Conv, ...] | None = None
    activation: str | None = None

    def out_shape(self, shape: Shape) -> Shape:
        """Returns the shape of what comes out of a map of this shape.

        Raises:
          ValueError: the shortcut has another one.
        """
        out = _out_shape(self.convs, shape)
        if self.shortcut is not None and _out_shape(self.shortcut, shape) != out:
            other = _out_shape(self.shortcut, shape)
            raise ValueError(f"a shortcut must have the shape of its block, {out}, got {other}")
        return out

    def cost(self, shape: Shape) -> Cost:
        """Returns its cost on a map of this shape; to add is free (DECISIONS 5)."""
        return _cost(self.convs, shape) + _cost(self.shortcut or (), shape)


@dataclasses.dataclass(frozen=True)
class BlockNetwork:
    """Blocks in a row, then global average pooling and a dense layer that returns logits."""

    blocks: tuple[Block, ...]

    @functools.cached_property
    def key(self) -> str:
        """The network's name in files: 16 hex digits of the hash of what it is."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def cost(self, input_shape: Shape, num_classes: int) -> Cost:
        """Returns its cost for images of this [height, width, channels].

        Raises:
          ValueError: a shortcut does not fit.
        """
        total, shape = Cost(), input_shape
        for block in self.blocks:
            total += block.cost(shape)
            shape = block.out_shape(shape)
        return total + cost_lib.head(shape, num_classes)


def _out_shape(convs: tuple[Conv, ...], shape: Shape) -> Shape:
    for conv in convs:
        shape = conv.out_shape(shape)
    return shape


def _cost(convs: tuple[Conv, ...], shape: Shape) -> Cost:
    total = Cost()
    for conv in convs:
        total += conv.cost(shape)
        shape = conv.out_shape(shape)
    return total
