"""A user's own space, for tests of what must hold for every space."""

from __future__ import annotations

from epnas_tf.architecture import cost_rules
from epnas_tf.architecture.ops import OPS, OpDef
from epnas_tf.architecture.space import Field, SearchSpace

# Every complication at once: an operation is set by scaling and may then halve the map or need a
# source, other fields are its own, one ordered and one not.
_OPS = {
    "dense": OpDef(("units",), cost=lambda layer, shape: cost_rules.dense_cost(shape[2], 8)),
    "gate": OpDef(("kind",)),
    "half": OpDef((), halves=True),
    "id": OpDef(()),
    "add": OPS["add"],
}
OWN = SearchSpace(
    "layerwise",
    (
        Field("op", tuple(_OPS), scaled=True),
        Field("units", (8, 16, 24), ordered=True, scaled=True),
        Field("kind", ("soft", "hard"), scaled=True),
        Field("src2"),
    ),
    max_items=5,
    parts=3,
    ops=_OPS,
    image_size=(8, 8),
)
