"""The masks leave nothing out: the choices of small spaces lead to all that `apply` accepts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from epnas_tf.architecture import choices, morph
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.morph import Insert, Keep, Morph, Remove, Scale
from epnas_tf.architecture.ops import OPS, OpDef
from epnas_tf.architecture.space import Field, SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, Item, LayerSpec, LayerwiseSpec, Spec

_OPS = {"half": OpDef((), halves=True), "id": OpDef(()), "add": OPS["add"]}
_SMALL_LAYERWISE = layerwise_space(
    (4, 4),
    layer_types=("conv2d", "max_pool", "add"),
    filter_widths=(1, 3),
    pool_widths=(2,),
    channels=(16,),
    activations=("relu",),
    max_layers=4,
    parts=2,
)
_SMALL_MODULE = module_space(
    branch_types=("conv-conv", "maxpool-none"),
    filter_widths=(1, 3),
    pool_widths=(2,),
    channels=(8, 12),
    max_branches=3,
    parts=2,
)
_SMALL_OWN = SearchSpace(
    "layerwise",
    (Field("op", ("half", "id", "add"), scaled=True), Field("src2")),
    max_items=4,
    parts=3,
    ops=_OPS,
    image_size=(8, 8),
)
_SMALL_FIXED = SearchSpace(
    "layerwise",
    (Field("op", ("half", "id"), scaled=True),),
    max_items=3,
    parts=3,
    fixed_length=True,
    ops=_OPS,
    image_size=(4, 4),
)


def _layer(op: str, src2: int = -1, **values: object) -> LayerSpec:
    if op == "conv2d":
        values = {"width": 3, "channels": 16, "activation": "relu"} | values
    return LayerSpec.from_dict({"op": op, "src2": src2, **values})


def _reachable(spec: Spec, space: SearchSpace) -> set[Morph]:
    """Returns every action that the choices lead to: each prefix of answers is tried."""
    found = set()
    prefixes: list[list[int]] = [[]]
    while prefixes:
        prefix = prefixes.pop()
        given_so_far = iter(prefix)

        def answer(choice: Choice, given_so_far: Iterator[int] = given_so_far) -> int:
            index = next(given_so_far, None)
            if index is None:
                raise _OpenEndError([i for i, allowed in enumerate(choice.mask) if allowed])
            return index

        try:
            found.add(choices.decide(spec, space, answer))
        except _OpenEndError as end:
            prefixes += [[*prefix, index] for index in end.options]
    return found


class _OpenEndError(Exception):
    def __init__(self, options: list[int]):
        super().__init__(options)
        self.options = options


def _all_items(space: SearchSpace) -> list[Item]:
    """Returns all items of known values, fitting together or not."""
    names = [field.name for field in space.fields]
    columns = [choices.heads(space)[name] for name in names]
    absent = {"op": (), "propagate": (), "src1": ()}
    if space.pattern == "layerwise":
        absent["src2"] = ()
    columns = [
        (*column, *absent.get(name, (None,))) for name, column in zip(names, columns, strict=True)
    ]
    return [
        space.new_item({n: v for n, v in zip(names, row, strict=True) if v is not None})
        for row in itertools.product(*columns)
    ]


def _accepted(spec: Spec, space: SearchSpace) -> set[Morph]:
    """Returns every action of known values that `apply` accepts."""
    tables = [
        [
            entry and Scale(part, entry.field, entry.by, entry.to)
            for entry in morph.scale_table(space)
        ]
        for part in range(space.parts)
    ]
    places = range(space.max_items + 1)
    edits = [Keep(), *map(Remove, places)]
    edits += [Insert(place, item) for place in places for item in _all_items(space)]
    accepted = set()
    for row in itertools.product(*tables):
        scales = tuple(scale for scale in row if scale is not None)
        if morph.legal(spec, Morph(scales), space):
            scaled = morph.apply(spec, Morph(scales), space)
            accepted |= {Morph(scales, edit) for edit in edits if morph.legal(scaled, edit, space)}
    return accepted


@pytest.mark.parametrize(
    ("space", "spec"),
    [
        (_SMALL_LAYERWISE, LayerwiseSpec((_layer("conv2d"),))),
        (
            _SMALL_LAYERWISE,
            LayerwiseSpec((_layer("conv2d"), _layer("max_pool", 0, pool=2), _layer("add", 1))),
        ),
        (_SMALL_LAYERWISE, LayerwiseSpec((_layer("conv2d", 0), *[_layer("conv2d", width=1)] * 3))),
        (_SMALL_MODULE, CellSpec((BranchSpec("conv-conv", 3, None, 8, 0, 0),))),
        (
            _SMALL_MODULE,
            CellSpec(
                (BranchSpec("maxpool-none", None, 2, 8), BranchSpec("conv-conv", 1, None, 12, 1, 0))
            ),
        ),
        (_SMALL_OWN, LayerwiseSpec((_layer("id"), _layer("id"), _layer("add", 0)))),
        (_SMALL_OWN, LayerwiseSpec((_layer("half"), _layer("id", 0), _layer("half", 0)))),
        (_SMALL_FIXED, LayerwiseSpec((_layer("id"),) * 3)),
    ],
)
def test_masks_leave_out_nothing_that_apply_accepts(space, spec):
    space.check(spec)
    assert _reachable(spec, space) == _accepted(spec, space)
