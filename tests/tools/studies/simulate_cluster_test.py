"""simulate_cluster: a table of a search's own times, and what is refused."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from tests.studies import search_files
from tests.tools.studies.commands import command


@pytest.fixture(name="folder")
def _folder(tmp_path):
    search_files.write(tmp_path, [search_files.row(f"e01s00b{n}", n, 0.5) for n in range(4)])
    return tmp_path


def _run(folder, *flags):
    command("simulate_cluster").main(["simulate_cluster", f"--work_dir={folder}", *flags])


def test_a_line_per_number_of_workers(folder, capsys):
    _run(folder, "--workers=1,8,16", "--branches=8", "--proposal_seconds=0")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 networks of 30 seconds (median), 0 promotions")
    assert lines[-3:] == [
        "| 1 | 100%, 120 | 100%, 120 | 100%, 120 |",
        "| 8 | 100%, 960 | 100%, 960 | 100%, 960 |",
        "| 16 | 50%, 960 | 100%, 1,920 | 100%, 1,920 |",
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workers=0"], "--workers=0: must be numbers of at least 1"),
        (["--workers=8,x"], "--workers=8,x: invalid literal"),
        (["--policy=random"], "--policy=random: must be one of the command's own flags"),
    ],
)
def test_what_cannot_be_simulated_is_refused(folder, flags, message):
    with pytest.raises(ConfigError, match=message):
        _run(folder, *flags)


def test_a_folder_without_trials_is_named(tmp_path):
    with pytest.raises(ConfigError, match="--work_dir=.*none"):
        _run(tmp_path / "none")
