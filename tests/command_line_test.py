"""The command line: flags, presets, help, and what a command that goes on takes from a search."""

import dataclasses
import pathlib
import re

import pytest

from epnas_tf import command_line, flagfiles
from epnas_tf import config as config_lib
from epnas_tf.config import ConfigError, SearchConfig


def _differences(stored: SearchConfig, asked: SearchConfig) -> list[str]:
    return config_lib.differences(stored, vars(asked))


def _parse(*arguments: str) -> SearchConfig:
    return command_line.parse(["epnas_search", *arguments])


def _message(*arguments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _parse(*arguments)
    return str(caught.value)


def test_no_flags_are_the_defaults():
    assert _parse() == SearchConfig()


def test_flags_are_read():
    config = _parse(
        "--pattern=layerwise",
        "--max_params=1M",
        "--min_intensity",
        "30",
        "--channels=16,32,64",
        "--activations=relu,crelu",
        "--seed=7",
        "--seed=8",
    )
    assert config == SearchConfig(
        max_params=1_000_000.0,
        min_intensity=30.0,
        channels=(16, 32, 64),
        activations=("relu", "crelu"),
        seed=8,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max_params=abc"], "--max_params=abc: must be a size such as 20k, 1M or 1.5G, or none"),
        (["--max_params=0"], "--max_params=0: must be above 0"),
        (
            ["--min_params=2M", "--max_params=1M"],
            "--min_params=2M: is above --max_params=1M",
        ),
        (
            ["--min_traffic=2", "--max_traffic=1"],
            "--min_traffic=2: is above --max_traffic=1",
        ),
        (["--pattern=graph"], "--pattern=graph: must be one of layerwise, module"),
        (["--schedule=fast"], "--schedule=fast: must be one of empty, quick, plain, aggressive"),
        (["--branches=0"], "--branches=0: must be at least 1"),
        (["--branches=two"], "--branches=two: must be a whole number"),
        (
            ["--reuse_duplicates=2"],
            "flag --reuse_duplicates=2: ('Non-boolean argument to boolean flag', '2')",
        ),
        (["--check_table_mix=1.5"], "--check_table_mix=1.5: must be at most 1"),
        (["--penalty_base=0"], "--penalty_base=0: must be above 0"),
        (["--train_fraction=0"], "--train_fraction=0: must be above 0"),
        (["--channels=32,16"], "--channels=32,16: must rise from each entry to the next"),
        (["--activations=relu,relu"], "--activations=relu,relu: must name each entry once"),
        (["--branch_types=conv-none"], "--branch_types=conv-none: needs --pattern=module"),
        (
            ["--pattern=module", "--layer_types=conv2d"],
            "--layer_types=conv2d: needs --pattern=layerwise",
        ),
        (
            ["--batch_size=100", "--micro_batch_size=64"],
            "--micro_batch_size=64: must divide --batch_size=100",
        ),
        (
            ["--epochs=1", "--warmup_epochs=2"],
            "--warmup_epochs=2: is above --epochs=1",
        ),
        (["--tpu=local"], "--tpu=local: needs --strategy=tpu, got none"),
        (
            ["--max_parms=1M"],
            "Unknown command line flag 'max_parms'. Did you mean --max_params?",
        ),
        (["--seed"], "Missing value for flag --seed"),
        (["digits"], "'digits' is no flag; flags are written --name=value"),
        (["--noresume=1"], "--noresume=1 does not take an argument"),
        ([f"--{'x' * 10**6}"], f"Unknown command line flag '{'x' * 80}'."),
        (["--[[["], "Unknown command line flag '[[['."),
    ],
)
def test_errors_name_the_flag_and_the_value(arguments, message):
    assert _message(*arguments) == message


def test_help_lists_every_flag_once_with_its_default(capsys):
    with pytest.raises(SystemExit) as caught:
        _parse("--helpfull")
    assert not caught.value.code
    lines = capsys.readouterr().out.splitlines()
    flags = [line.strip() for line in lines if line.startswith("  --")]
    assert flags == config_lib.to_flags_text(SearchConfig()).splitlines()
    assert {len(line) <= 100 for line in lines} == {True}


def test_the_short_help_begins_with_ten_flags_and_names_every_other_once(capsys):
    with pytest.raises(SystemExit) as caught:
        _parse("--help")
    assert not caught.value.code
    text = capsys.readouterr().out
    common, _, others = text.partition("All others")
    explained = [line.strip() for line in common.splitlines() if line.startswith("  --")]
    every = config_lib.to_flags_text(SearchConfig()).splitlines()
    assert len(explained) == 10
    assert explained == [flag for flag in every if flag in explained]
    names = re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"(?m)^ {6}(.*)$", others)))
    assert names == [flag[2:].partition("=")[0] for flag in every if flag not in explained]
    assert {len(line) <= 100 for line in text.splitlines()} == {True}


@pytest.fixture
def presets(tmp_path, monkeypatch):
    (tmp_path / "small.flags").write_text("# few trials\n--branches=2\n\n--episodes=3\n")
    (tmp_path / "large.flags").write_text("--branches=16\n")
    monkeypatch.setattr(flagfiles, "_folder", lambda: pathlib.Path(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--preset=small", "--branches=4"],
        ["--branches=4", "--preset=small"],
        ["--branches=4", "--preset", "small"],
    ],
)
def test_the_command_line_overrides_a_preset_wherever_it_stands(presets, arguments):
    assert _parse(*arguments) == SearchConfig(branches=4, episodes=3)


def test_an_unknown_preset_lists_those_that_exist(presets):
    assert _message("--preset=medium") == "--preset=medium: must be one of large, small"


def test_flagfiles_are_read_in_their_place(tmp_path):
    path = tmp_path / "my.flags"
    path.write_text("--branches=2\n--seed=5\n")
    assert _parse("--branches=4", f"--flagfile={path}", "--seed=6") == SearchConfig(
        branches=2, seed=6
    )


def test_a_missing_flagfile_is_named(tmp_path):
    assert "No such file or directory: '/no/such.flags'" in _message("--flagfile=/no/such.flags")


def test_flags_text_is_a_flagfile(tmp_path):
    config = SearchConfig(work_dir="größe", max_params=20_000, channels=(16, 32), seed=3)
    path = tmp_path / "flags.txt"
    path.write_text(config_lib.to_flags_text(config))
    assert _parse(f"--flagfile={path}") == config


def _go_on(*arguments: str) -> SearchConfig:
    return command_line.parse_to_go_on(["epnas_search", *arguments])


def _store(folder: pathlib.Path, *arguments: str) -> SearchConfig:
    """Stores a configuration as a search does."""
    stored = _parse(f"--work_dir={folder}", *arguments)
    (folder / "flags.txt").write_text(config_lib.to_flags_text(stored))
    return stored


def test_what_a_resuming_command_does_not_say_stays_as_it_was(tmp_path):
    stored = _store(
        *(tmp_path, "--dataset=cifar10", "--episodes=3", "--max_params=1M"),
        *("--keep_models=7", "--max_disk=20G", "--deterministic", "--noreuse_duplicates"),
    )
    assert _go_on(f"--work_dir={tmp_path}") == stored
    asked = _go_on(f"--work_dir={tmp_path}", "--episodes=15", "--max_params=none")
    assert asked == dataclasses.replace(stored, episodes=15, max_params=None)
    assert _differences(stored, asked) == ["--max_params=none (stored: 1M)"]
    asked = _go_on(f"--work_dir={tmp_path}", "--nodeterministic")
    assert _differences(stored, asked) == ["--deterministic=false (stored: true)"]


def test_a_flagfile_says_what_is_in_it(tmp_path):
    stored = _store(tmp_path, "--seed=5", "--keep_models=7")
    more = tmp_path / "more.flags"
    more.write_text("--seed=6\n")
    asked = _go_on(f"--work_dir={tmp_path}", f"--flagfile={more}")
    assert asked == dataclasses.replace(stored, seed=6)


def test_where_there_is_no_search_the_command_line_says_all(tmp_path):
    arguments = (f"--work_dir={tmp_path}", "--seed=5")
    assert _go_on(*arguments) == _parse(*arguments)


def test_only_a_command_that_goes_on_looks_into_the_work_dir(tmp_path):
    _store(tmp_path, "--seed=5")
    assert _parse(f"--work_dir={tmp_path}").seed == 0


def test_a_moved_work_dir_is_the_one_that_was_said(tmp_path):
    stored = _store(tmp_path, "--seed=5")
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert _go_on(f"--work_dir={moved}") == dataclasses.replace(stored, work_dir=str(moved))


@pytest.mark.parametrize("flag", ["--max_trials=5", "--max_hours=2", "--verbosity=0"])
def test_what_was_said_for_one_run_is_not_said_for_the_next(tmp_path, flag):
    _store(tmp_path, flag)
    assert _go_on(f"--work_dir={tmp_path}") == SearchConfig(work_dir=str(tmp_path))


def test_what_was_read_once_is_not_named_again_where_no_flag_names_it(tmp_path):
    _store(tmp_path, "--initial_specs=/gone/starts.json", "--prior=/gone/a,/gone/b")
    assert _go_on(f"--work_dir={tmp_path}") == SearchConfig(work_dir=str(tmp_path))
    asked = _go_on(f"--work_dir={tmp_path}", "--prior=/c")
    assert (asked.initial_specs, asked.prior) == ("", ("/c",))


@pytest.mark.parametrize("flag", ["--noresume", "--overwrite"])
def test_a_new_search_takes_nothing_from_the_old_one(tmp_path, flag):
    _store(tmp_path, "--seed=5")
    assert _go_on(f"--work_dir={tmp_path}", flag).seed == 0


@pytest.mark.parametrize(
    ("stored", "said", "differing"),
    [
        (["--epochs=20", "--warmup_epochs=5"], "--epochs=3", "--epochs=3 (stored: 20)"),
        (["--activations=relu"], "--pattern=module", "--pattern=module (stored: layerwise)"),
        (["--min_params=20k", "--max_params=1M"], "--max_params=10k", "10k (stored: 1M)"),
    ],
)
def test_what_does_not_go_with_the_rest_is_another_search(tmp_path, stored, said, differing):
    _store(tmp_path, *stored)
    with pytest.raises(ConfigError) as caught:
        _go_on(f"--work_dir={tmp_path}", said)
    message = str(caught.value)
    assert message.startswith(f"--work_dir={tmp_path}: holds a search of another configuration: ")
    assert differing in message


def test_what_goes_with_nothing_is_named_as_ever(tmp_path):
    _store(tmp_path)
    with pytest.raises(ConfigError, match="^--tpu=x: needs --strategy=tpu, got none$"):
        _go_on(f"--work_dir={tmp_path}", "--tpu=x")


@pytest.mark.parametrize("text", ["--seed=", "garbage", "--flagfile=/etc/passwd\n"])
def test_flags_that_cannot_be_read_are_left_to_the_search(tmp_path, text):
    (tmp_path / "flags.txt").write_text(text)
    assert _go_on(f"--work_dir={tmp_path}").seed == 0


@pytest.mark.parametrize("parse", [_parse, _go_on])
@pytest.mark.parametrize("work_dir", ["gs://bucket", "gs://bucket/", "ram://x//", "gs://"])
def test_a_bucket_is_no_work_dir_but_a_folder_in_it_is(work_dir, parse):
    scheme, _, bucket = work_dir.partition("://")
    example = f"{scheme}://{bucket.strip('/') or 'bucket'}/search"
    with pytest.raises(ConfigError) as caught:
        parse(f"--work_dir={work_dir}")
    expected = f"--work_dir={work_dir}: must be a folder in a bucket, such as {example}"
    assert str(caught.value) == expected
    assert SearchConfig(work_dir=example).work_dir == example


def test_a_store_that_cannot_be_read_is_left_to_the_search():
    """TensorFlow knows no such scheme; a store that is out of reach raises alike."""
    assert _go_on("--work_dir=nosuch://bucket/search").work_dir == "nosuch://bucket/search"


@pytest.mark.parametrize(
    "content", [b"--work_dir=\xff\n", b"--noseed=1\n", b"--" + b"x" * 10**6, b"--seed=\0\n"]
)
def test_a_broken_flagfile_is_a_config_error(tmp_path, content):
    path = tmp_path / "flags.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        _parse(f"--flagfile={path}")
    assert len(str(caught.value)) < 1000
