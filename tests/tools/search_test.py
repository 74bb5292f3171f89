"""The command epnas_search: bad input is one line and exit code 2, good input is searched."""

import os
import signal
import subprocess
import sys
import time

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


def test_other_errors_keep_their_traceback_and_say_how_to_go_on(monkeypatch, capsys):
    def break_down(config):
        raise ValueError("in the middle of training")

    monkeypatch.setitem(vars(epnas_tf), "search", break_down)
    assert search.main(["epnas_search", "--work_dir=here"]) == 1
    errors = capsys.readouterr().err
    assert 'raise ValueError("in the middle of training")' in errors
    last = "epnas_search: stopped by the error above; what was finished is kept in here, "
    assert errors.splitlines()[-1] == f"{last}the same command goes on once its cause is gone"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--overwrite"], " without --overwrite"),
        (["--noresume"], " without --noresume"),
        (["--noresume", "--overwrite"], " without --overwrite and without --noresume"),
    ],
)
def test_what_would_not_go_on_is_said_to_be_left_out(monkeypatch, capsys, flags, words):
    def break_down(config):
        raise ValueError("in the middle of training")

    monkeypatch.setitem(vars(epnas_tf), "search", break_down)
    assert search.main(["epnas_search", "--work_dir=here", *flags]) == 1
    assert capsys.readouterr().err.endswith(
        f"the same command{words} goes on once its cause is gone\n"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_an_exit_code_of_its_own(monkeypatch, capsys, number, code):
    def asked_to_stop(config):
        os.kill(os.getpid(), number)
        time.sleep(10)

    before = signal.getsignal(number)
    monkeypatch.setitem(vars(epnas_tf), "search", asked_to_stop)
    assert search.main(["epnas_search", "--work_dir=here"]) == code
    assert signal.getsignal(number) is before
    name = signal.Signals(number).name
    assert f"epnas_search: stopped by {name}; what was finished" in capsys.readouterr().err


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
