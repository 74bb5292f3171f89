"""What a trained network leaves: its blocks' values, and whose channels they read."""

from __future__ import annotations

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.modeling import build_model
from epnas_tf.sharing import graph, rules
from epnas_tf.sharing.offers import offered
from epnas_tf.sharing.rules import Entry, Run, Values


def _conv(channels: int, activation: str = "relu", src2: int = -1) -> LayerSpec:
    return LayerSpec("conv2d", 3, None, channels, activation, src2)


def _offered(*layers: LayerSpec) -> dict[str, tuple[Entry, Values]]:
    model = build_model(LayerwiseSpec(layers, 4), (8, 8, 3), 5)
    nodes, weights = graph.layout_of(model), graph.weights_of(model)
    return {e.label: (e, v) for e, v in offered(nodes, weights, rules.by_number, "e01s00b0", 0.5)}


def test_a_block_tells_its_source_and_what_its_layers_read():
    entry, values = _offered(_conv(8), _conv(6))["layer2_conv2d"]
    assert (entry.source, entry.accuracy) == ("e01s00b0", 0.5)
    assert entry.shapes == rules.shapes_of(values)
    assert entry.shapes["conv"] == {"kernel": (3, 3, 8, 6)}
    made = Run("layer1_conv2d/conv", 8), Run("layer2_conv2d/conv", 6)
    assert entry.inputs == {"conv": made[:1], "bn": made[1:]}


def test_crelus_halves_are_two_runs_of_one_maker():
    entry, _ = _offered(_conv(8, "crelu"), _conv(6))["layer2_conv2d"]
    assert entry.inputs["conv"] == (Run("layer1_conv2d/conv", 4),) * 2


def test_a_projection_tells_what_it_is_added_to():
    entry, _ = _offered(_conv(8, src2=0))["layer1_skip"]
    assert entry.inputs == {
        "conv": (Run("stem/conv", 4),),
        "bn": (Run("layer1_skip/conv", 8),),
        "main": (Run("layer1_conv2d/conv", 8),),
    }


def test_a_skip_without_parameters_tells_its_channels_all_the_same():
    found = _offered(_conv(4, src2=0))
    entry, values = found["layer1_skip"]
    assert (entry.shapes, values) == ({}, {})
    assert entry.inputs == {"main": (Run("layer1_conv2d/conv", 4),), "skip": (Run("stem/conv", 4),)}
    # A sum's channels are those of what is added to.
    assert found["head"][0].inputs["dense"] == (Run("layer1_conv2d/conv", 4),)
