"""The command epnas_retrain: bad input is one line and exit code 2, good input is trained."""

import os
import signal
import subprocess
import sys
import time

import pytest

import epnas_tf
from epnas_tf import fields, flagfiles
from epnas_tf.data.settings import DataSettings
from epnas_tf.fields import ConfigError
from epnas_tf.final.settings import Recipe, RetrainConfig

try:
    from epnas_tf.tools import retrain
except ImportError:  # from a checkout
    from tools import retrain


def _fails_in_one_line(capsys, *arguments: str) -> str:
    assert retrain.main(["epnas_retrain", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("epnas_retrain: ")
    return captured.err


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--tiral=e01s01b0", ["tiral", "trial"]),
        ("--epochs=many", ["--epochs=many"]),
        ("--preset=digits_quickstart", ["preset"]),
        ("leftover", ["leftover"]),
    ],
)
def test_bad_input_is_one_line_that_names_it(capsys, argument, words):
    line = _fails_in_one_line(capsys, argument)
    assert all(word in line for word in words)


def test_what_the_flags_say_reaches_the_training(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setitem(vars(epnas_tf), "retrain", lambda **said: asked.append(said))
    (tmp_path / "own.flags").write_text("--seed=3\n--epochs=7\n")
    arguments = ["--work_dir=w", f"--flagfile={tmp_path}/own.flags", "--epochs=8", "--overwrite"]
    assert retrain.main(["epnas_retrain", *arguments]) == 0
    assert asked == [{"work_dir": "w", "seed": 3, "epochs": 8, "overwrite": True}]


def test_what_is_refused_is_one_line_and_other_errors_keep_their_traceback(capsys, monkeypatch):
    def refuse(**said):
        raise ConfigError("--trial=x: unknown")

    def break_down(**said):
        raise ValueError("in the middle of training")

    monkeypatch.setitem(vars(epnas_tf), "retrain", refuse)
    assert "--trial=x: unknown" in _fails_in_one_line(capsys, "--work_dir=w", "--trial=x")
    monkeypatch.setitem(vars(epnas_tf), "retrain", break_down)
    assert retrain.main(["epnas_retrain", "--work_dir=w"]) == 1
    errors = capsys.readouterr().err
    assert 'raise ValueError("in the middle of training")' in errors
    assert errors.endswith(
        "whole epochs are kept, the same command goes on once its cause is gone\n"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_an_exit_code_of_its_own(monkeypatch, capsys, number, code):
    def asked_to_stop(**said):
        os.kill(os.getpid(), number)
        time.sleep(10)

    monkeypatch.setitem(vars(epnas_tf), "retrain", asked_to_stop)
    assert retrain.main(["epnas_retrain", "--work_dir=w", "--overwrite"]) == code
    name = signal.Signals(number).name
    assert capsys.readouterr().err.endswith(
        f"stopped by {name}; whole epochs are kept, the same command goes on without --overwrite\n"
    )


def test_the_help_names_the_recipes_and_every_flag_once(capsys):
    whose = {each.name: "the search's" for each in fields.settings_in(DataSettings)}
    whose |= {each.name: "the recipe's" for each in fields.settings_in(Recipe)}
    wanted = [
        f"--{each.name} ({whose[each.name]})"
        if each.name in whose
        else fields.flag(each.name, each.default)
        for each in fields.settings_in(RetrainConfig)
    ]
    for spelling, most in (("--help", 10), ("--helpfull", len(wanted))):
        with pytest.raises(SystemExit):
            retrain.main(["epnas_retrain", spelling])
        text = capsys.readouterr().out
        assert ", ".join(flagfiles.recipes()) in text
        assert not any(preset in text for preset in flagfiles.presets())
        explained = [line.strip() for line in text.splitlines() if line.startswith("  --")]
        assert explained == [each for each in wanted if each in explained]
        assert len(explained) <= most and (most == 10 or explained == wanted)
        assert {len(line) <= 100 for line in text.splitlines()} == {True}


def test_bad_input_costs_no_import_of_tensorflow():
    code = (
        f"import sys; from {retrain.__name__} import main;"
        "code = main(['epnas_retrain', '--seed=x']);"
        "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 2
    assert finished.stderr == "epnas_retrain: --seed=x: must be a whole number\n"
