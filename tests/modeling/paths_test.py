"""Which paths of a network may be dropped."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec, Spec
from epnas_tf.modeling import build_model, paths
from epnas_tf.modeling.paths import Path


def _found(spec: Spec) -> tuple[Path, ...]:
    return paths.find(build_model(spec, (12, 12, 3), 10))


def _conv(**fields) -> BranchSpec:
    return BranchSpec("conv-none", width=1, channels=8, **fields)


def _layer(src2: int = -1, channels: int = 4) -> LayerSpec:
    return LayerSpec("conv2d", 1, channels=channels, activation="relu", src2=src2)


def test_operations_beside_each_other_are_paths_and_deeper_ones_are_deeper():
    both = BranchSpec("conv-maxpool", width=1, pool=2, channels=2, src1=0, src2=0)
    found = _found(CellSpec((both,), cells_per_stage=2, filters=2))
    assert found == tuple(
        Path(f"cell{cell}_branch1_{operation}_relu", (cell + 1) / 6)
        for cell in range(6)
        for operation in ("op0_conv", "op1_maxpool")
    )


@pytest.mark.parametrize(
    "branches",
    [
        (_conv(),),
        # One after the other: without either of them nothing is left of an image.
        (_conv(propagate=0), _conv(src1=1)),
        (BranchSpec("1x7-7x1-none", channels=2),),
    ],
)
def test_what_nothing_goes_around_is_no_path(branches):
    assert _found(CellSpec(branches, filters=2)) == ()


def test_a_path_goes_around_others_or_leads_to_some():
    # The second reads the first and goes out with it: around it, but not the first, is a way.
    found = _found(CellSpec((_conv(propagate=1), _conv(src1=1, propagate=1)), filters=2))
    assert [path.layer for path in found] == [f"cell{i}_branch2_op0_conv_relu" for i in range(3)]


def test_an_operation_of_several_convolutions_is_one_path_to_its_end():
    wide = BranchSpec("1x7-7x1-none", channels=2)
    found = _found(CellSpec((wide, _conv()), filters=2))
    ends = ["branch1_op0_1x7-7x1_7x1_relu", "branch2_op0_conv_relu"]
    assert {path.layer for path in found} == {f"cell{i}_{end}" for i in range(3) for end in ends}


def test_in_a_chain_a_path_is_what_a_skip_goes_around():
    layers = (_layer(), _layer(0), LayerSpec("max_pool", pool=2), _layer(2, channels=8), _layer())
    assert _found(LayerwiseSpec(layers, stem_filters=4)) == (
        Path("layer2_skip_add", 0.5, before=True),
        Path("layer4_skip_add", 1.0, before=True),
    )
    assert _found(LayerwiseSpec((_layer(),) * 3)) == ()


def test_what_is_added_to_itself_is_no_path():
    twice = LayerSpec("add", src2=1)
    assert _found(LayerwiseSpec((_layer(), twice, _layer(0)))) == (
        Path("layer3_skip_add", 1.0, before=True),
    )


def test_without_any_one_path_logits_still_depend_on_the_image():
    branches = (_conv(propagate=1), _conv(src1=1, propagate=0), _conv(src1=2, propagate=1))
    model = build_model(CellSpec(branches, filters=2), (6, 6, 3), 4, seed=1)
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    found = {path.layer for path in paths.find(model)}
    for layer in model.layers:
        if not layer.name.endswith("_op0_conv_relu"):
            continue
        weights = model.get_layer(layer.name.replace("relu", "bn")).gamma
        before = weights.numpy()
        weights.assign(0 * before)  # the layer then returns the same for any image
        one, other = model(images, training=False).numpy()
        assert (np.abs(one - other).max() > 1e-6) == (layer.name in found), layer.name
        weights.assign(before)
    assert 0 < len(found) < 9


def test_a_network_of_no_spec_has_no_paths():
    image = keras.Input((4, 4, 3))
    assert paths.find(keras.Model(image, keras.layers.Dense(3)(image))) == ()
