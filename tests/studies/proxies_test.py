"""The table of proxies."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import proxies, recipes


def test_each_proxy_is_another_recipe():
    every = proxies.methods(";".join(proxies.PROXIES), proxies.TRUTH)
    assert list(every) == [*proxies.PROXIES, "truth"]
    texts = [recipes.parse(flags).text for flags in every.values()]
    assert len(set(texts)) == len(texts)


def test_names_stand_for_the_table_and_others_bring_their_flags():
    assert proxies.methods("today;slow:--schedule=quick --epochs=9", "--epochs=30") == {
        "today": ("--schedule=quick", "--train_fraction=0.1111"),
        "slow": ("--schedule=quick", "--epochs=9"),
        "truth": ("--epochs=30",),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [("unheard_of", "unheard_of has no flags"), ("truth:--epochs=1", "is not the name of a proxy")],
)
def test_other_names_are_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        proxies.methods(text, "")
