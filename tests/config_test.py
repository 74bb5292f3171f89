"""The configuration: checks that name flag and value, an exact round trip, what may change."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epnas_tf import command_line
from epnas_tf import config as config_lib
from epnas_tf.architecture import ops
from epnas_tf.config import ConfigError, SearchConfig


def _parse(*arguments: str) -> SearchConfig:
    return command_line.parse(["epnas_search", *arguments])


def _message(*arguments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _parse(*arguments)
    return str(caught.value)


def _differences(stored: SearchConfig, asked: SearchConfig) -> list[str]:
    return config_lib.differences(stored, vars(asked))


def test_a_configuration_is_a_value():
    first = SearchConfig(channels=[16, 32], max_params=20_000)
    assert first == SearchConfig(channels=(16, 32), max_params=20_000.0)
    assert len({first, SearchConfig()}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.seed = 3


def test_odd_channels_are_refused_where_crelu_may_double_them():
    assert _message("--channels=15,32").startswith("--channels=15,32: must be even")
    assert _parse("--channels=15,32", "--activations=relu").channels == (15, 32)
    assert _parse("--channels=15,32", "--pattern=module").channels == (15, 32)


@pytest.mark.parametrize("flags", [["--rungs=2,6", "--epochs=3"], ["--epochs=3", "--rungs=2"]])
def test_rungs_that_begin_with_other_epochs_are_refused_and_both_are_named(flags):
    rungs = next(flag for flag in flags if "rungs" in flag)
    assert _message(*flags) == f"{rungs}: must begin with --epochs=3"


def test_rungs_may_be_given_with_their_epochs_or_alone():
    assert _parse("--rungs=3,9", "--epochs=3").rungs == (3, 9)
    assert (_parse("--rungs=3,9").rungs, _parse("--rungs=3,9").epochs) == ((3, 9), 0)
    assert _parse("--epochs=3").rungs == ()


def test_python_callers_get_the_same_errors():
    with pytest.raises(ValueError, match=r"^--seed=1\.5: must be a whole number$"):
        SearchConfig(seed=1.5)
    with pytest.raises(ConfigError, match="^--min_params=2k: is above --max_params=1k$"):
        SearchConfig(min_params=2000, max_params=1000)


def test_choices_are_those_of_the_architecture():
    choices = {field.name: field.metadata["choices"] for field in dataclasses.fields(SearchConfig)}
    assert choices["activations"] == ops.ACTIVATIONS
    assert choices["layer_types"] == tuple(ops.OPS)
    assert choices["branch_types"] == tuple(ops.BRANCHES)


_LIMITS = st.none() | st.floats(1e-3, 1e15)


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)


_SIZES = st.sets(st.integers(1, 512), max_size=5).map(sorted)


_FREE = {
    "work_dir": _WORDS,
    "dataset": _WORDS,
    "train_fraction": st.floats(1e-3, 1),
    "channels": _SIZES.map(lambda sizes: [2 * size for size in sizes]),
    "filter_widths": _SIZES,
    "activations": st.permutations(ops.ACTIVATIONS).map(lambda names: names[:3]),
    "max_params": _LIMITS,
    "min_flops": _LIMITS,
    "max_intensity": _LIMITS,
    "max_child_minutes": st.floats(1e-3, 1e6),
    "policy": st.sampled_from(["lstm", "random"]),
    "seed": st.integers(0, 2**63),
    "check_table_mix": st.floats(0, 1),
    "policy_learning_rate": st.floats(1e-9, 1e3),
    "warmup_epochs": st.integers(-1, 9),
    "strategy": st.sampled_from(["none", "mirrored", "tpu"]),
}


_CONFIGS = st.fixed_dictionaries({}, optional=_FREE).map(lambda values: SearchConfig(**values))


@settings(deadline=None, derandomize=True)
@given(_CONFIGS)
def test_flags_text_reloads_exactly(config):
    text = config_lib.to_flags_text(config)
    assert len(text.splitlines()) == len(dataclasses.fields(SearchConfig))
    assert config_lib.from_flags_text(text) == config


def test_flags_text_of_another_version_names_the_unknown_flag():
    with pytest.raises(ConfigError, match="'--colour=blue' is no setting"):
        config_lib.from_flags_text("--seed=1\n--colour=blue\n")


def test_the_same_settings_do_not_differ():
    stored = SearchConfig(seed=3, max_params=1e6)
    assert _differences(stored, SearchConfig(seed=3, max_params=1e6)) == []


def test_differences_are_named_with_both_values():
    stored = SearchConfig(seed=3, max_params=1e6)
    assert _differences(stored, SearchConfig(seed=4)) == [
        "--max_params=none (stored: 1M)",
        "--seed=4 (stored: 3)",
    ]


def test_what_is_left_to_the_search_agrees_with_what_was_chosen():
    stored = SearchConfig(threads_per_child=2, machine_gflops=31.5, micro_batch_size=64, steps=5)
    assert _differences(stored, SearchConfig()) == []
    assert _differences(stored, SearchConfig(threads_per_child=4)) == [
        "--threads_per_child=4 (stored: 2)"
    ]


def test_repeated_networks_are_reused_unless_told_and_always_so_in_one_search():
    assert SearchConfig().reuse_duplicates is True
    for text in ("--reuse_duplicates=0", "--noreuse_duplicates", "--reuse_duplicates=false"):
        asked = _parse(text)
        assert asked.reuse_duplicates is False
        differing = _differences(SearchConfig(), asked)
        assert differing == ["--reuse_duplicates=false (stored: true)"]


def test_more_episodes_extend_a_search_and_fewer_do_not():
    stored = SearchConfig(episodes=3)
    assert _differences(stored, SearchConfig(episodes=4)) == []
    assert _differences(stored, SearchConfig(episodes=2)) == ["--episodes=2 (stored: 3)"]


@pytest.mark.parametrize("line", ["--flagfile=/etc/passwd", "--preset=x", "seed=1", "--seed", "x"])
def test_the_flags_of_a_work_dir_name_no_other_file(line):
    with pytest.raises(ConfigError, match="is no setting"):
        config_lib.from_flags_text(f"--seed=1\n{line}\n")


def test_place_and_budget_may_change():
    asked = SearchConfig(work_dir="moved", data_dir="other", max_hours=2, max_trials=9, verbosity=0)
    assert _differences(SearchConfig(), asked) == []


def test_files_of_images_may_have_moved_but_not_become_another_kind():
    stored = SearchConfig(dataset="folder:/a")
    assert _differences(stored, SearchConfig(dataset="folder:/b")) == []
    for other in ("npz:/a", "digits", "folder"):
        expected = [f"--dataset={other} (stored: folder:/a)"]
        assert _differences(stored, SearchConfig(dataset=other)) == expected


def test_what_was_read_once_may_stand_elsewhere_or_be_left_out_but_not_come_later():
    stored = SearchConfig(initial_specs="/a/starts.json", prior=("/a", "/b"))
    moved = SearchConfig(initial_specs="/b/starts.json", prior=("/c",))
    for asked in (moved, SearchConfig()):
        assert _differences(stored, asked) == []
    assert config_lib.gone_on(stored, SearchConfig()) == stored
    assert config_lib.gone_on(stored, moved) == moved
    assert _differences(SearchConfig(), moved) == [
        "--initial_specs=/b/starts.json (stored: )",
        "--prior=/c (stored: )",
    ]


def test_sizes_are_text_in_python_too():
    assert SearchConfig(max_params="20k", max_disk="1.5G") == SearchConfig(
        max_params=20_000, max_disk=1.5e9
    )


@pytest.mark.parametrize("folder", ["a\0b", "\udcff", " a", "a\nb"])
def test_a_path_that_no_flagfile_could_hold_is_refused(folder):
    with pytest.raises(ConfigError, match="--work_dir=.*: must be one line of text"):
        SearchConfig(work_dir=folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "the same command goes on"),
        ({"overwrite": True}, "the same command without --overwrite goes on"),
        ({"resume": False}, "the same command without --noresume goes on"),
    ],
)
def test_what_goes_on_is_said_of_the_flags_that_would_not(settings, words):
    assert config_lib.same_command(SearchConfig(**settings)) == words


def test_a_change_of_the_command_is_said_last():
    said = config_lib.same_command(SearchConfig(overwrite=True), "with a larger one")
    assert said == "the same command without --overwrite and with a larger one goes on"
    said = config_lib.same_command(SearchConfig(), "with a larger one")
    assert said == "the same command with a larger one goes on"
