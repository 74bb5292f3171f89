"""baselines: which networks are meant, by which recipe, and what is printed of them."""

from __future__ import annotations

import pytest

from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.fields import ConfigError
from epnas_tf.studies import known_networks, named_networks, retraining, search_networks
from tests.tools.studies.commands import command

_DIGITS = ["--recipe=short", "--dataset=digits", "--train_fraction=0.1", "--epochs=1"]
_DEFAULT = "--recipe=default --dataset=cifar10"


def _network(channels: int) -> LayerwiseSpec:
    return LayerwiseSpec((LayerSpec("conv2d", 1, channels=channels, activation="relu"),), 2)


@pytest.fixture(autouse=True)
def _any_threads(monkeypatch):
    """TensorFlow has started here, perhaps with others."""
    monkeypatch.setattr(retraining.devices, "use_threads", lambda count: count)


@pytest.fixture(name="asked")
def _asked(monkeypatch):
    """What was asked to be trained: recipe, networks, seeds, jobs."""
    calls = []

    def train(path, recipe, networks, seeds, jobs):
        calls.append((recipe.text, networks, list(seeds), jobs))

    monkeypatch.setattr(retraining, "train_missing", train)
    return calls


@pytest.fixture(name="run")
def _run(tmp_path):
    """Runs the command on three networks of a file."""
    networks = {"own": _network(2), "owner": _network(4), "cell": _network(6)}
    named_networks.write(tmp_path / "networks.json", networks)

    def run(*flags):
        files = [f"--networks={tmp_path}/networks.json", f"--output={tmp_path}/out.jsonl"]
        command("baselines").main(["baselines", *files, *flags])

    return run


def test_networks_of_a_file_are_trained_to_the_end(run, asked):
    run("--baselines=", "--without=c*", "--seeds=2", "--jobs=3")
    networks = {"own": _network(2), "owner": _network(4)}
    assert asked == [(_DEFAULT, networks, [0, 1], 3)]


def test_flags_of_a_search_are_a_recipe_too(run, asked):
    run("--recipe=", "--baselines=plain")
    run("--recipe=", "--baselines=plain", "--train_fraction=1", "--epochs=30")
    assert [recipe for recipe, *_ in asked] == [
        "--dataset=cifar10 --train_fraction=0.1111 --schedule=plain",
        "--dataset=cifar10 --schedule=plain --epochs=30",
    ]


def test_flags_change_the_recipe_and_patterns_name_baselines(run, asked):
    run("--baselines=resnet8,plain*", "--names=own", "--epochs=30")
    ((recipe, networks, seeds, jobs),) = asked
    assert recipe == f"{_DEFAULT} --epochs=30"
    plain = ["plain", "plain_swish", "plain_elu", "plain_pool3", "plain_deep"]
    plain += ["plain_swish_pool3", "plain_deep_swish_pool3"]
    assert list(networks) == ["resnet8", *plain, "own"]
    assert (seeds, jobs) == ([0, 1, 2], 1)


def test_the_baselines_are_scaled_to_the_images_and_limits(run, asked):
    run(*_DIGITS, "--max_params=5k", "--max_flops=none")
    ((_, networks, _, _),) = asked
    names = ["resnet8", "depthwise_separable", "mobilenet_v2", "plain"]
    assert list(networks) == [*names, "own", "owner", "cell"]
    for name in names[1:3]:
        assert networks[name].blocks[0].convs[0].activation is not None
        assert 2500 < networks[name].cost((8, 8, 1), 10).params <= 5000
    assert networks["resnet8"] == known_networks.resnet8()


def test_the_best_of_searches_is_trained_by_the_folders_name(run, asked, monkeypatch):
    chosen = []

    def found(work_dir, trial, minutes):
        chosen.append((work_dir.path, trial, minutes))
        return "e01s00b0", _network(8)

    monkeypatch.setattr(search_networks, "chosen", found)
    searches = "--work_dirs=runs/epnas_1,runs/epnas_2"
    run("--baselines=", "--names=epnas*", searches, "--minutes=10")
    assert list(asked[0][1]) == ["epnas_1", "epnas_2"]
    assert chosen == [("runs/epnas_1", "", 10.0), ("runs/epnas_2", "", 10.0)]


def test_networks_are_really_trained_and_told(run, tmp_path, capsys):
    flags = [
        *_DIGITS,
        "--recipe=short",
        "--seeds=1",
        "--baselines=depthwise_separable",
        "--max_params=1k",
    ]
    run("--names=own", *flags, "--against=own,depthwise_separable")
    text = (tmp_path / "out.md").read_text()
    assert text in capsys.readouterr().out
    assert "by `--recipe=short --dataset=digits --train_fraction=0.1 --epochs=1`" in text
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert sorted(rows[2:]) == ["| depthwise_separable", "| own"]
    run("--names=own", *flags, "--report_only")
    assert "trainings to do" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--baselines=", "--names=nobody"], "must name at least one network"),
        (["--baselines=nobody"], "--baselines=nobody: must name baselines, which are resnet8,"),
        ([*_DIGITS, "--max_params=9"], "must leave one of the depthwise-separable nets"),
        (["--baselines=plain", "--against=x"], "--against=x: must be one of plain, own, owner"),
        (["--baselines=plain", "--networks=nowhere.json"], r"nowhere\.json"),
        (["--seeds=0"], "seeds"),
        (["--recipe=nosuch"], "--recipe=nosuch: must be one of default, imagenet"),
        (["--nosuch=1"], "Unknown command line flag 'nosuch'"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, asked, flags, words):
    with pytest.raises(ConfigError, match=words):
        run(*flags)
    assert asked == []
