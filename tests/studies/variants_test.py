"""Named lists of flags."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import variants
from epnas_tf.studies.variants import Variant


def test_variants_are_names_with_flags_of_their_own():
    assert variants.parse("variants", "epnas; random:--policy=random --parents='branch'") == [
        Variant("epnas"),
        Variant("random", ("--policy=random", "--parents=branch")),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a;;b", "must be NAME:flag flag;NAME"),
        ("../up", "must be NAME:flag flag;NAME"),
        ("a;a:--seed=1", "--variants=a;a.*: must name each once, got a twice"),
        ("a:--work_dir='", "No closing quotation"),
    ],
)
def test_other_texts_are_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        variants.parse("variants", text)
