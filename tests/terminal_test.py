"""What is written for a person to read is written whatever the terminal can show."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from epnas_tf import terminal


class _Stream(io.StringIO):
    encoding = "utf-8"

    def __init__(self, live: bool):
        super().__init__()
        self.isatty = lambda: live


def test_what_a_terminal_has_not_is_written_as_an_escape():
    code = "from epnas_tf.terminal import say; say('caf\\xe9 \\u2588 \\udcff'); say('next')"
    for encoding, expected in (
        ("ascii", rb"caf\xe9 \u2588 \udcff"),
        ("latin-1", b"caf\xe9 \\u2588 \\udcff"),
        ("utf-8", "caf\xe9 \u2588 \\udcff".encode()),
    ):
        environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": ":".join(sys.path)}
        finished = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        assert finished.stdout.splitlines() == [expected, b"next"]


def test_what_others_print_is_escaped_for_a_while(monkeypatch):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(KeyError), terminal.escaping():
        print("caf\xe9")
        raise KeyError
    assert written.getvalue() == b"caf\\xe9\n"
    with pytest.raises(UnicodeEncodeError):
        print("caf\xe9")


def test_a_stream_without_an_encoding_takes_all():
    assert terminal.shown("caf\xe9", object()) == "caf\xe9"
    assert terminal.draws_unicode(io.StringIO())
    assert not terminal.draws_unicode(io.TextIOWrapper(io.BytesIO(), "ascii"))


@pytest.mark.parametrize(
    ("live", "term", "expected"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_a_person_watches_a_terminal_that_can_draw(monkeypatch, live, term, expected):
    monkeypatch.setenv("TERM", term)
    assert terminal.is_live(_Stream(live)) is expected


def test_a_notebook_is_no_terminal():
    assert not terminal.is_live(object())  # nor is what has no isatty at all
