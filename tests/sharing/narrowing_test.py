"""Which filters a narrower child keeps."""

from __future__ import annotations

import numpy as np

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.sharing import graph, narrowing, rules, sources
from epnas_tf.sharing.offers import offered


def _conv(channels: int, src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels, "relu", src2)


def _parts(*layers: LayerSpec):
    model = build_model(LayerwiseSpec(layers, 4), (8, 8, 3), 5)
    return graph.layout_of(model), graph.weights_of(model)


def _kept(parent, child, split: bool = False) -> dict[str, np.ndarray]:
    """Returns what a child keeps of a parent, of which layers 1 and 3 may be of two trials."""
    left = offered(*parent, rules.by_number, "a", 0.5)
    names = {"layer3_conv2d": "b"} if split else {}
    entries = {
        entry.label: rules.Entry.from_dict(entry.to_dict() | {"donor": names.get(entry.label, "a")})
        for entry, _ in left
    }
    values = {entry.label: value for entry, value in left}
    found = sources.choose(
        *child, rules.by_number, entries.values(), lambda entry: values[entry.label]
    )
    return narrowing.kept_filters(child[0], rules.by_number, found)


def test_a_wider_layer_keeps_all_and_a_narrower_the_strongest():
    parent, child = _parts(_conv(8), _conv(8)), _parts(_conv(16), _conv(4))
    kept = _kept(parent, child)
    assert kept["layer1_conv2d_conv"].tolist() == [*range(8), *[-1] * 8]
    kernel = parent[1]["layer2_conv2d_conv"]["kernel"]
    assert (kept["layer2_conv2d_conv"] == rules.strongest([kernel], 4)).all()
    assert kept["head_dense"].tolist() == list(range(5))


def test_what_is_added_keeps_the_same_filters_if_it_is_of_one_source():
    parent = _parts(_conv(8), _conv(8), _conv(8, src2=1))
    child = _parts(_conv(4), _conv(8), _conv(4, src2=1))
    ends = [f"layer{number}_conv2d_conv" for number in (1, 3)]
    kernels = [parent[1][name]["kernel"] for name in ends]
    kept = _kept(parent, child)
    for name in ends:
        assert (kept[name] == rules.strongest(kernels, 4)).all()
    kept = _kept(parent, child, split=True)
    for name, kernel in zip(ends, kernels, strict=True):
        assert (kept[name] == rules.strongest([kernel], 4)).all()
