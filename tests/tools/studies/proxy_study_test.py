"""proxy_study: what is trained by its flags, and what is written of it."""

from __future__ import annotations

import json

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.studies import good_networks, named_networks, retraining
from tests.studies.search_files import network
from tests.tools.studies.commands import command

_CHOSEN = {f"n{index}": network(index + 1) for index in range(4)}


@pytest.fixture(name="trained")
def _trained(monkeypatch):
    """Recipes and seeds that were trained, in order; each network gets a row of its own."""
    calls = []

    def train(path, recipe, networks, seeds, jobs):
        calls.append((recipe.text, list(seeds), jobs))
        with path.open("a") as file:
            for place, spec in enumerate(networks.values()):
                numbers = {"accuracy": 0.5 + place / 10, "params": 1, "flops": 1, "seed": seeds[0]}
                lists = {"losses": [1.0], "training_accuracies": [0.5], "all_seconds": 30.0}
                row = {"key": spec.key, "recipe": recipe.text, "network": "n"} | numbers | lists
                file.write(json.dumps(row) + "\n")

    monkeypatch.setattr(retraining, "train_missing", train)
    return calls


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """What networks were chosen from."""
    calls = []

    def chosen(given, searches, count):
        calls.append((list(given), searches, count))
        return _CHOSEN

    monkeypatch.setattr(good_networks, "chosen", chosen)
    return calls


@pytest.fixture(name="run")
def _run(tmp_path):
    def run(*flags):
        command("proxy_study").main(["proxy_study", f"--output={tmp_path}/out", *flags])

    return run


def test_proxies_and_the_truth_are_trained_and_reported(run, trained, asked, tmp_path, capsys):
    flags = ("--proxies=today;slow:--schedule=quick --epochs=9", "--jobs=2", "--flip=false")
    run(*flags, "--truth_seeds=2", "--count=7", "--searches=a,b")
    common = "--dataset=cifar10"
    assert trained == [
        (f"{common} --train_fraction=0.1111 --flip=false --schedule=quick", [1000], 2),
        (f"{common} --flip=false --schedule=quick --epochs=9", [1000], 2),
        (f"{common} --flip=false --schedule=plain --epochs=30", [0, 1], 2),
    ]
    assert asked == [([], ["a", "b"], 7)]
    text = (tmp_path / "out" / "report.md").read_text()
    assert text in capsys.readouterr().out
    assert "0 of 4 networks have their truth" in text  # their second seed is missing
    trained.clear()
    run(*flags, "--report_only")
    assert (trained, len(asked)) == ([], 1)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "4 of 4 networks have their truth" in text
    assert "| slow | validation accuracy | 4 | 30.0 | 1.00 [1.00, 1.00] |" in text


def test_networks_are_chosen_once(run, trained, asked, tmp_path):
    run("--report_only")
    assert named_networks.read([tmp_path / "out" / "networks.json"]) == _CHOSEN
    run("--report_only", "--count=9")
    assert len(asked) == 1


def test_some_may_be_trained_before_others(run, trained, asked):
    run("--proxies=today;once", "--only=truth")
    assert [seeds for _, seeds, _ in trained] == [[0]]
    with pytest.raises(ConfigError, match="--only=nobody: must be of today, once, truth"):
        run("--proxies=today;once", "--only=nobody")


@pytest.mark.parametrize("flags", [["--networks=nowhere.json"], ["--searches=nowhere"]])
def test_what_networks_cannot_be_chosen_from_is_refused(run, trained, flags):
    with pytest.raises(ConfigError, match="nowhere"):
        run(*flags)
    assert trained == []
