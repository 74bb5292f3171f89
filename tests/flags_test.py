"""Every shipped flagfile: it parses, its header is whole, and the paper's values are exact."""

import pathlib

import pytest

from epnas_tf import command_line, fields, flagfiles
from epnas_tf.config import SearchConfig
from epnas_tf.searching.settings import (
    PAPER,
    PAPER_LSTM,
    PAPER_STARTS,
    Learning,
    LSTMSettings,
    StartSettings,
)

_ROOT = pathlib.Path(__file__).parents[1]
_FILES = sorted(
    path for path in (_ROOT / "flags").glob("*.flags") if not path.stem.startswith("retrain_")
)

# The paper, section 4.1 and Tables 2 and 3; PAPER_NOTES for the learning rate of `plain`.
_PAPER = {
    "dataset": "cifar10",
    "train_fraction": 1.0,
    "branches": 8,
    "episodes": 15,
    "policy": "lstm",
    "policy_learning_rate": 0.0006,
    "check_table_mix": 1.0,
    "penalty_base": 0.9,
    "reuse_duplicates": 0,
    "filter_widths": (1, 3, 5, 7),
    "pool_widths": (2, 3),
}
_LAYERWISE = {
    "pattern": "layerwise",
    "steps": 10,
    "layer_types": ("conv2d", "dep_sep_conv2d", "max_pool", "avg_pool", "add"),
    "channels": (16, 32, 64, 96, 128, 256),
    "activations": ("relu", "crelu", "elu", "selu", "swish"),
}
_MODULE = {
    "pattern": "module",
    "steps": 5,
    "branch_types": (
        "conv-conv",
        "conv-maxpool",
        "conv-avgpool",
        "conv-none",
        "maxpool-none",
        "avgpool-none",
        "1x7-7x1-none",
    ),
    "channels": (8, 12, 16, 24, 32),
}
_PLAIN = {
    **{"schedule": "plain", "epochs": 20, "batch_size": 128, "learning_rate": 0.05},
    **{"parameter_sharing": "none", "stop_hopeless": 0.0},
}
_PREDICTION = {
    **{"schedule": "aggressive", "epochs": 10, "batch_size": 1024, "learning_rate": 0.5},
    **{"parameter_sharing": "dictionary", "stop_hopeless": 0.0},
}


def _preset(name: str) -> SearchConfig:
    return command_line.parse(["epnas_search", f"--preset={name}"])


def test_presets_are_the_files_of_the_checkout():
    assert flagfiles.presets() == [path.stem for path in _FILES]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_flagfile_parses_and_as_a_preset_is_the_same(path):
    config = command_line.parse(["epnas_search", f"--flagfile={path}"])
    assert config == _preset(path.stem)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_flagfile_begins_with_its_command_time_and_result(path):
    head = path.read_text().splitlines()[:6]
    labels = [line.split()[1] for line in head if line.startswith("# ") and ":" in line]
    assert labels[:3] == ["Command:", "Time:", "Result:"]
    assert any(f"epnas_search --preset={path.stem}" in line for line in head)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.stem)
def test_a_flagfile_names_no_place_of_one_machine(path):
    names = [line.split("=")[0] for line in path.read_text().splitlines() if line[:2] == "--"]
    assert len(names) == len(set(names))
    assert not {"--data_dir", "--work_dir", "--tpu", "--flagfile", "--preset"} & set(names)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("paper_cifar10_layerwise", _PAPER | _LAYERWISE | _PLAIN),
        ("paper_cifar10_layerwise_prediction", _PAPER | _LAYERWISE | _PREDICTION),
        ("paper_cifar10_module", _PAPER | _MODULE | _PLAIN),
        ("paper_cifar10_module_prediction", _PAPER | _MODULE | _PREDICTION),
    ],
)
def test_the_papers_settings_are_exact(name, settings):
    config = _preset(name)
    assert {key: getattr(config, key) for key in settings} == settings


@pytest.mark.parametrize("name", [path.stem for path in _FILES if path.stem.startswith("paper")])
def test_the_paper_learns_by_its_own_rule(name):
    config = _preset(name)
    assert fields.pick(config, Learning) == PAPER
    assert fields.pick(config, LSTMSettings) == PAPER_LSTM
    assert fields.pick(config, StartSettings) == PAPER_STARTS
    assert (config.policy_epochs, config.reuse_duplicates) == (1, 0)


@pytest.mark.parametrize("name", [path.stem for path in _FILES if path.stem.startswith("paper")])
def test_every_value_of_the_paper_has_its_source(name):
    lines = (_ROOT / "flags" / f"{name}.flags").read_text().splitlines()
    for block in "\n".join(lines).split("\n\n"):
        first = block.splitlines()[0]
        assert first.startswith("# "), f"no source before {first}"


def test_the_quickstart_is_what_it_promises():
    config = _preset("digits_quickstart")
    trials = config.branches * (1 + config.episodes * config.steps)
    assert config.dataset == "digits"
    assert config.max_params == 20_000
    assert trials >= 24


@pytest.mark.parametrize("name", ["cifar10_layerwise_smoke", "cifar10_module_smoke"])
def test_the_smoke_searches_take_5000_images(name):
    config = _preset(name)
    assert config.dataset == "cifar10"
    assert round(config.train_fraction * 45_000) == pytest.approx(5_000, abs=5)
    assert config.max_flops is not None
