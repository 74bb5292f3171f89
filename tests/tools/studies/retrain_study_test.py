"""retrain_study: which networks are meant, and what is printed of them."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.fields import ConfigError
from epnas_tf.studies import named_networks, rescoring, retraining
from tests.tools.studies.commands import command


def _network(channels: int) -> LayerwiseSpec:
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 2)


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """What was asked to be trained: recipe, names, seeds, jobs."""
    calls = []

    def train(path, recipe, networks, seeds, jobs):
        calls.append((recipe.text, list(networks), list(seeds), jobs))

    monkeypatch.setattr(retraining, "train_missing", train)
    return calls


@pytest.fixture(name="run")
def _run(tmp_path):
    networks = {"plain": _network(2), "plainer": _network(4), "cell": _network(6)}
    named_networks.write(tmp_path / "networks.json", networks)

    def run(*flags):
        files = [f"--networks={tmp_path}/networks.json", f"--output={tmp_path}/out.jsonl"]
        command("retrain_study").main(["retrain_study", *files, *flags])

    return run


def test_networks_of_a_file_are_trained_by_the_plain_recipe(run, asked):
    run("--without=c*", "--seeds=2", "--jobs=3")
    recipe = "--dataset=cifar10 --train_fraction=0.1111 --schedule=plain"
    assert asked == [(recipe, ["plain", "plainer"], [0, 1], 3)]


def test_flags_of_a_search_change_the_recipe(run, asked):
    run("--names=plain", "--train_fraction=1", "--epochs=30")
    assert asked == [
        ("--dataset=cifar10 --schedule=plain --epochs=30", ["plain"], [0, 1, 2], 1),
    ]


def test_the_best_of_searches_is_trained_by_the_folders_name(run, asked, monkeypatch):
    chosen = []

    def found(work_dir, trial, minutes):
        chosen.append((work_dir.path, trial, minutes))
        return "e01s00b0", _network(8)

    monkeypatch.setattr(rescoring, "chosen", found)
    run("--names=epnas*", "--work_dirs=runs/epnas_1,runs/epnas_2", "--minutes=10")
    assert asked[0][1] == ["epnas_1", "epnas_2"]
    assert chosen == [("runs/epnas_1", "", 10.0), ("runs/epnas_2", "", 10.0)]


def test_a_network_is_really_trained_and_told(run, tmp_path, monkeypatch, capsys):
    # TensorFlow has started here, perhaps with others.
    monkeypatch.setattr(retraining.devices, "use_threads", lambda count: count)
    flags = ["--dataset=digits", "--train_fraction=0.1", "--epochs=1", "--seeds=1"]
    run("--names=plain", *flags, "--against=plain")
    text = (tmp_path / "out.md").read_text()
    assert text in capsys.readouterr().out
    assert "by `--dataset=digits --train_fraction=0.1 --schedule=plain --epochs=1`" in text
    assert len(text.splitlines()) == 5
    run("--names=plain", *flags, "--report_only")
    assert "trainings to do" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--names=nobody"], "must name at least one network"),
        (["--against=nobody"], "--against=nobody: must be one of plain, plainer, cell"),
        (["--networks=nowhere.json"], r"nowhere\.json"),
        (["--seeds=0"], "seeds"),
        (["--nosuch=1"], "Unknown command line flag 'nosuch'"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, asked, flags, words):
    with pytest.raises(ConfigError, match=words):
        run(*flags)
    assert asked == []
