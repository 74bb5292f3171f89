"""What a search knows where it is told nothing."""

from __future__ import annotations

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.searching.knowledge import Knowledge


def test_where_nothing_is_known_nothing_speaks_against_a_network():
    known = Knowledge()
    spec = LayerwiseSpec((LayerSpec("max_pool", pool=2),))
    assert known.violation(spec) == 0
    assert not known.skipped(spec)
    assert known.describe is None and not known.prior
