"""The command epnas_report: bad input is one line and exit code 2, a work_dir gives its table."""

import io
import sys

import pytest

from epnas_tf.final import result
from epnas_tf.report import table
from epnas_tf.workdir import layout, storage
from tests.final.results import made

try:
    from epnas_tf.tools import report
except ImportError:  # from a checkout
    from tools import report


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--tops=3", ["tops", "top"]),
        ("--top=0", ["--top=0"]),
        ("--work_dir=no/such/folder", ["--work_dir=no/such/folder", "trials.csv"]),
        ("leftover", ["leftover"]),
    ],
)
def test_bad_input_is_one_line_that_names_it(capsys, argument, words):
    assert report.main(["epnas_report", argument]) == 2
    line = capsys.readouterr().err
    assert line.startswith("epnas_report: ")
    assert line.count("\n") == 1
    assert all(word in line for word in words)


def test_the_table_of_the_work_dir_is_printed(capsys, monkeypatch, tmp_path):
    storage.write_atomic(layout.WorkDir(str(tmp_path)).trials_csv, "slot\n")
    monkeypatch.setattr(table, "render", lambda work_dir, top: f"{top} rows of {work_dir}")
    assert report.main(["epnas_report", f"--work_dir={tmp_path}", "--top=3"]) == 0
    assert capsys.readouterr().out == f"3 rows of {tmp_path}\n"
    result.write(made(layout.WorkDir(str(tmp_path)).final_dir("x").path))
    assert report.main(["epnas_report", f"--work_dir={tmp_path}"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("| e01s03b2r2 | default | 3 | 100 | 0.8750 |")


def test_a_terminal_that_lacks_a_character_gets_an_escape(monkeypatch, tmp_path):
    storage.write_atomic(layout.WorkDir(str(tmp_path)).trials_csv, "slot\n")
    monkeypatch.setattr(table, "render", lambda work_dir, top: "b\u00fccher")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    assert report.main(["epnas_report", f"--work_dir={tmp_path}"]) == 0
    assert written.getvalue() == b"b\\xfccher\n"


@pytest.mark.parametrize("spelling", ["--help", "-h", "--helpfull"])
def test_help_is_printed(spelling, capsys):
    assert report.main(["epnas_report", spelling]) == 0
    assert "epnas_report --work_dir=" in capsys.readouterr().out
