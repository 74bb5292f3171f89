"""train_bench: its networks, what its tables hold. No timing is checked."""

from __future__ import annotations

import dataclasses

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.studies import train_bench


def _tiny():
    layer = LayerSpec("conv2d", width=1, channels=2, activation="relu")
    networks = {"narrow": LayerwiseSpec((layer,), stem_filters=2)}
    sizes = {"micro_batch": 4, "batch": 4, "large_batch": 8, "keras_batches": (8,), "epochs": 1}
    return train_bench.Bench(train_bench.noise(16, 8), networks, **sizes)


def _sections(text):
    """Returns the cells of each section's table, by the section's title."""
    return {
        part.partition("\n")[0]: [
            [cell.strip() for cell in line.split("|")[1:-1]]
            for line in part.splitlines()
            if line.startswith("|") and "---" not in line
        ]
        for part in text.split("## ")[1:]
    }


def test_the_networks_are_of_both_patterns_and_of_the_presets_size():
    budget = Budget((32, 32, 3), 10)
    costs = {name: budget.cost(spec) for name, spec in train_bench.NETWORKS.items()}
    assert {spec.pattern for spec in train_bench.NETWORKS.values()} == {"layerwise", "module"}
    assert all(5_000 < cost.params < 150_000 for cost in costs.values()), costs
    assert all(5e6 < cost.flops < 25e6 for cost in costs.values()), costs


def test_the_report_holds_four_tables():
    rates, first, child, share = _sections(train_bench.report(_tiny())).values()
    assert rates[0] == [
        *("network", "batch 4", "8 in pieces of 4", "8 in one piece", "pieces / whole")
    ]
    assert first[0] == ["network", "ours", "keras", "ours / keras"]
    assert child[0] == ["network", "ours", "keras 8", "ours / keras 8"]
    assert share[0] == ["network", "MFLOPs", *rates[0][1:4]]
    for table in (rates, first, child):
        assert [row[0] for row in table[1:]] == ["narrow", "geometric mean"]
        figures = [float(cell) for cell in table[1][1:]]
        assert all(figure > 0 for figure in figures)
        assert table[2][1:] == [""] * (len(figures) - 1) + [table[1][-1]]
    assert share[1][0] == "narrow"
    assert all(cell.endswith("%") for cell in share[1][2:])


def test_the_least_of_the_repeats_counts_and_contestants_take_turns():
    taken = {"ours": iter([3.0, 1.0, 2.0]), "keras": iter([4.0, 6.0, 5.0])}
    turns = []

    def contestant(name):
        return lambda: turns.append(name) or next(taken[name])

    bench = dataclasses.replace(_tiny(), repeats=3)
    figures = bench.measured(lambda spec: {name: contestant(name) for name in taken})
    assert figures == {"narrow": {"ours": 1.0, "keras": 4.0}}
    assert turns == ["ours", "keras"] * 3


def test_ratios_have_a_geometric_mean():
    figures = {"a": {"ours": 1.0, "keras": 2.0}, "b": {"ours": 8.0, "keras": 4.0}}
    lines = train_bench._compared(figures, [("ours", "keras")]).splitlines()
    assert lines[0] == "| network | ours | keras | ours / keras |"
    assert lines[2:] == ["| a | 1 | 2 | 0.50 |", "| b | 8 | 4 | 2.00 |", lines[-1]]
    assert lines[-1] == "| geometric mean |  |  | 1.00 |"
