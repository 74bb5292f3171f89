"""Signals: the first stops where nothing is half done, the second kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from epnas_tf import interrupts
from epnas_tf.interrupts import Stopped


@pytest.fixture(autouse=True)
def _handlers():
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    yield
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
    interrupts.check()  # nothing is left to stop


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_is_an_exception(number, capfd):
    with (
        pytest.raises(Stopped, match=f"stopped by {number.name}") as caught,
        interrupts.listening(),
    ):
        os.kill(os.getpid(), number)
        raise AssertionError("went on")
    assert caught.value.signum == number
    assert isinstance(caught.value, KeyboardInterrupt)  # no "except Exception" swallows it
    assert capfd.readouterr().err == "stopping in order; a second Ctrl-C or signal kills at once\n"


def test_a_held_section_ends_before_it_stops():
    done = []
    with pytest.raises(Stopped), interrupts.listening():
        with interrupts.held():
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGTERM)
                interrupts.check()
            done.append("inner")
        done.append("outer")
    assert done == ["inner"]


def test_an_error_in_a_held_section_is_seen_first():
    with pytest.raises(ZeroDivisionError), interrupts.listening(), interrupts.held():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError


def test_what_a_destructor_swallows_is_raised_at_the_next_check():
    class Swallowing:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped), interrupts.listening():
        thing = Swallowing()
        with _Ignored():
            del thing
        interrupts.check()
        raise AssertionError("went on")


class _Ignored:
    """Keeps Python's note on an exception in a destructor out of the test's report."""

    def __enter__(self):
        self._hook, sys.unraisablehook = sys.unraisablehook, lambda _: None

    def __exit__(self, *_):
        sys.unraisablehook = self._hook


def test_the_second_signal_kills():
    code = (
        "import os, signal, time\n"
        "from epnas_tf import interrupts\n"
        "with interrupts.listening(), interrupts.held():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == -signal.SIGTERM
    assert ended.stdout == "still here\n"


def test_another_thread_does_not_listen():
    seen = []

    def listen():
        with interrupts.listening(), interrupts.held():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_reader_that_is_gone_changes_nothing(monkeypatch):
    def gone(descriptor, text):
        raise BrokenPipeError

    done = []
    monkeypatch.setattr(interrupts.os, "write", gone)
    with pytest.raises(Stopped), interrupts.listening(), interrupts.held():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("the section")
    assert done == ["the section"]


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.listening():
            os.kill(os.getpid(), signal.SIGINT)
            interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before)
