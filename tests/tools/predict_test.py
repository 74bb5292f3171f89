"""The command epnas_predict: a table, lines of JSON, exit codes; bad input is one line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.predicting.colours import NAMES, of_any_size, save

try:
    from epnas_tf.tools import predict
except ImportError:  # from a checkout
    from tools import predict


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    of_any_size().save(folder / "model.keras")
    (folder / "labels.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(name="images", scope="module")
def _images(tmp_path_factory):
    """A red image, one that is none, and a blue one."""
    folder = tmp_path_factory.mktemp("images")
    save(folder / "a.png", 200, 20, 20)
    (folder / "b.png").write_text("no image")
    save(folder / "c.png", 20, 20, 200)
    return folder


def _run(*arguments):
    return predict.main(["epnas_predict", *map(str, arguments)])


def test_a_table(capsys, model, images):
    assert _run(model, images / "a.png", images / "c.png", "--top=1") == 0
    said = capsys.readouterr()
    head, *rows = said.out.splitlines()
    assert head.split() == ["image", "class", "probability"]
    assert [row.split()[:2] for row in rows] == [
        [str(images / "a.png"), "rot"],
        [str(images / "c.png"), "blau"],
    ]
    assert all(0.9 < float(row.split()[2]) <= 1 for row in rows)
    assert not said.err


def test_json_and_a_broken_image(capsys, model, images):
    assert _run("--json", model, images) == 1
    said = capsys.readouterr()
    first, broken, last = map(json.loads, said.out.splitlines())
    assert [row["name"] for row in first["classes"]][0] == "rot"
    assert [row["index"] for row in last["classes"]][0] == 2
    assert broken == {
        "image": str(images / "b.png"),
        "error": "not an image that can be read",
    }
    assert said.err == (
        f"epnas_predict: {images / 'b.png'}: not an image that can be read\n"
        "epnas_predict: 1 of 3 images could not be read\n"
    )


def test_labels_of_ones_own(capsys, model, images, tmp_path):
    (tmp_path / "own.txt").write_text("red\ngreen\nblue\n")
    assert _run(model, images / "a.png", f"--labels={tmp_path / 'own.txt'}") == 0
    assert " red " in capsys.readouterr().out


def test_a_model_without_names_is_said(capsys, model, images, tmp_path):
    (tmp_path / "m.keras").write_bytes((model / "model.keras").read_bytes())
    assert _run(tmp_path / "m.keras", images / "a.png") == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split()[1] == "0"
    assert "classes are numbers" in said.err and said.err.count("\n") == 1


def test_bad_input_is_one_line_that_names_it(capsys, model, images):
    for arguments, words in (
        ([], "a model and at least one image"),
        ([model], "a model and at least one image"),
        (["none.keras", images], "none.keras, which does not exist"),
        ([images / "a.png", images], "a.png, which is none"),
        ([model, images, "--top=0"], "--top=0"),
        ([model, images, "--tops=1"], "tops"),
        ([model, images, "--labels=none.txt"], "none.txt"),
    ):
        assert _run(*arguments) == 2, arguments
        said = capsys.readouterr()
        assert said.err.startswith("epnas_predict: ") and words in said.err
        assert said.err.count("\n") == 1 and not said.out


def test_images_may_begin_with_a_dash(capsys, model, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "--a.png").write_bytes((images / "a.png").read_bytes())
    assert _run("--top=1", "--", model, "--a.png") == 0
    assert "--a.png" in capsys.readouterr().out


@pytest.mark.parametrize("spelling", ["--help", "-h", "--helpfull"])
def test_help_is_printed(spelling, capsys):
    assert _run(spelling) == 0
    assert "epnas_predict export/" in capsys.readouterr().out


def test_a_terminal_that_lacks_a_character_gets_an_escape(monkeypatch, model, tmp_path):
    green = save(tmp_path / "a.png", 20, 200, 20)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    assert _run(model, green) == 0
    assert b"gr\\xfcn" in written.getvalue()


def test_ctrl_c_is_an_exit_code(capsys, model, images, monkeypatch):
    def stopped(self, images):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("epnas_tf.predicting.classifier.Classifier.files", stopped)
    assert _run(model, images) == 130
    assert "stopped by SIGINT" in capsys.readouterr().err


def test_the_command_in_a_process_of_its_own(model, images):
    """Nothing but the prediction is printed: no notes of TensorFlow's on its build."""
    command = [sys.executable, "-m", predict.__name__, model, images / "a.png", "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(finished.stdout)["classes"][0]["name"] == "rot"
    assert "rebuild TensorFlow" not in finished.stderr
