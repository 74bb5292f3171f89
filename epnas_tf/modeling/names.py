"""Names of layers: written where networks are built, read where parameters are shared.

A name tells a layer's place, operation and role, where it has them:

    stem_conv                        the stem                           conv
    layer3_dep_sep_conv2d_bn         layer 3             dep_sep_conv2d bn
    layer4_skip_add                  layer 4             skip           add
    cell0_concat                     cell 0                             concat
    cell0_branch2_op1_maxpool_pool   branch 2 of cell 0  op1_maxpool    pool

The layers of one place and operation, such as a convolution and its batch norm, make a block.
"""

from __future__ import annotations

import dataclasses
import re

STEM, HEAD, LAYER, CELL, BRANCH = "stem", "head", "layer", "cell", "branch"
# The operation that adds an earlier output to a layer's.
SKIP = "skip"
# Of the head that a network has while it is trained; it is no place of the network itself.
AUXILIARY = "auxiliary"

_NUMBER = "(0|[1-9][0-9]*)"
_PLACE = re.compile(
    rf"(?:({STEM}|{HEAD})|{LAYER}{_NUMBER}|{CELL}{_NUMBER}(?:_{BRANCH}{_NUMBER})?)(?=_|\Z)"
)


def joined(outer: str, inner: str) -> str:
    """Returns the name of what is called `inner` inside `outer`, which may be nothing."""
    return f"{outer}_{inner}" if outer else inner


def layer(number: int) -> str:
    """Returns the place of a layer of a chain, counted from 1."""
    return f"{LAYER}{number}"


def cell(number: int) -> str:
    """Returns the place of a cell, counted from 0."""
    return f"{CELL}{number}"


def branch(number: int) -> str:
    """Returns the place, in its cell, of a branch, counted from 1."""
    return f"{BRANCH}{number}"


def operation(position: int, op: str) -> str:
    """Returns what an operation of a branch is called there; positions count from 0."""
    return f"op{position}_{op}"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in a network a layer stands.

    Attributes:
      kind: STEM, HEAD, LAYER, CELL or BRANCH.
      number: of a layer, cell or branch.
      cell: number of a branch's cell.
    """

    kind: str
    number: int | None = None
    cell: int | None = None

    def __str__(self) -> str:
        return self.numbered("" if self.number is None else str(self.number))

    def numbered(self, number: str) -> str:
        """Returns the place with something else for its number."""
        return joined("" if self.cell is None else cell(self.cell), f"{self.kind}{number}")


@dataclasses.dataclass(frozen=True)
class Block:
    """A place and what is done there.

    Attributes:
      place: None where a name tells none, as a layer's that a user named.
      operation: empty in stem, head and where cells or branches join.
    """

    place: Place | None = None
    operation: str = ""

    def __str__(self) -> str:
        place = "" if self.place is None else str(self.place)
        return joined(place, self.operation) if self.operation else place

    @property
    def is_skip(self) -> bool:
        """Whether it adds an earlier output to a layer's."""
        return self.place is not None and self.place.kind == LAYER and self.operation == SKIP

    @property
    def in_chain(self) -> bool:
        """Whether it stands between two others of a chain."""
        return self.place is not None and self.place.kind == LAYER and not self.is_skip

    def labelled(self, items: tuple[str, ...]) -> str:
        """Returns it with the name of its layer or branch for the number, where it has one.

        Example: layer2_conv2d is layer:b_conv2d where the layers are called a, b and c.
        """
        place = self.place
        if place is None or place.kind not in (LAYER, BRANCH) or not self.operation:
            return str(self)
        assert place.number is not None
        return joined(place.numbered(f":{items[place.number - 1]}"), self.operation)


@dataclasses.dataclass(frozen=True)
class LayerName:
    """A layer's name, taken apart: what it does in which block."""

    block: Block
    role: str

    def __str__(self) -> str:
        return joined(str(self.block), self.role)


def parse(name: str) -> LayerName:
    """Returns the parts of any layer's name, of which `str` gives the name again."""
    block, _, role = name.rpartition("_")
    return LayerName(parse_block(block), role) if block else LayerName(Block(), name)


def parse_block(block: str) -> Block:
    """Returns the parts of any block's name, of which `str` gives the name again."""
    match = _PLACE.match(block)
    if match is None:
        return Block(None, block)
    # An underscore that nothing follows is part of the operation.
    place, rest = _place(*match.groups()), block[match.end() :]
    return Block(None, block) if rest == "_" else Block(place, rest.removeprefix("_"))


def _place(
    kind: str | None, layer_number: str | None, cell_number: str | None, branch_number: str | None
) -> Place:
    if kind is not None:
        return Place(kind)
    if layer_number is not None:
        return Place(LAYER, int(layer_number))
    assert cell_number is not None
    if branch_number is not None:
        return Place(BRANCH, int(branch_number), int(cell_number))
    return Place(CELL, int(cell_number))
