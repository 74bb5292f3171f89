"""The command epnas_search: bad input is one line and exit code 2, good input is searched."""

import subprocess
import sys

import pytest

import epnas_tf
from epnas_tf.config import ConfigError, SearchConfig

try:
    from epnas_tf.tools import search
except ImportError:  # from a checkout
    from tools import search


def _fails_in_one_line(capsys, *arguments: str) -> str:
    assert search.main(["epnas_search", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("epnas_search: ")
    return captured.err


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--max_parms=1M", ["max_parms", "max_params"]),
        ("--max_params=abc", ["--max_params=abc"]),
        ("--preset=nope", ["--preset=nope", "digits_quickstart"]),
        ("--flagfile=no/such.flags", ["no/such.flags"]),
        ("leftover", ["leftover"]),
    ],
)
def test_bad_input_is_one_line_that_names_it(capsys, argument, words):
    line = _fails_in_one_line(capsys, argument)
    assert all(word in line for word in words)


def test_the_configuration_reaches_the_search(monkeypatch):
    asked = []
    monkeypatch.setitem(vars(epnas_tf), "search", asked.append)
    assert search.main(["epnas_search", "--seed=3", "--max_params=20k"]) == 0
    assert asked == [SearchConfig(seed=3, max_params=20_000)]


def test_what_the_search_refuses_before_training_is_one_line(capsys, monkeypatch):
    def refuse(config):
        raise ConfigError(f"--dataset={config.dataset}: unknown")

    monkeypatch.setitem(vars(epnas_tf), "search", refuse)
    assert "--dataset=mnits: unknown" in _fails_in_one_line(capsys, "--dataset=mnits")


def test_other_errors_keep_their_traceback(monkeypatch):
    def break_down(config):
        raise ValueError("in the middle of training")

    monkeypatch.setitem(vars(epnas_tf), "search", break_down)
    with pytest.raises(ValueError, match="in the middle"):
        search.main(["epnas_search"])


def test_bad_input_and_help_cost_no_import_of_tensorflow():
    code = (
        f"import sys; from {search.__name__} import main;"
        "code = main(['epnas_search', '--seed=x']);"
        "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr == "epnas_search: --seed=x: must be a whole number\n"


def test_the_module_runs_as_a_program():
    finished = subprocess.run(
        [sys.executable, "-m", search.__name__, "--branches=0"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr == "epnas_search: --branches=0: must be at least 1\n"
