"""Which layers lose by integers."""

from __future__ import annotations

from epnas_tf.exporting import losses


def test_layers_that_lose_more_come_first(network):
    found = losses.by_layer(network)
    shares = [loss.share for loss in found]
    assert shares == sorted(shares, reverse=True)
    by_layer = {loss.layer: loss.share for loss in found}
    assert {"stem_conv", "head_dense", "layer2_dep_sep_conv2d_depthwise"} <= by_layer.keys()
    # What only moves numbers loses nothing; what computes loses about half a step of 256.
    assert by_layer["layer3_max_pool_pool"] < 1e-4 < by_layer["stem_conv"] < 0.05
