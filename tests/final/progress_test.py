"""A bar in a terminal, lines elsewhere, and nothing left behind."""

import io
import sys

import pytest

from epnas_tf.final.progress import Progress
from epnas_tf.training.epochs import Updates
from tests.tuner.listeners.screen import Terminal


@pytest.fixture(name="printing_to", params=[Terminal, io.StringIO])
def _printing_to(request, monkeypatch):
    """Returns a function that lets this test print to a terminal, or to a file.

    pytest's own stream comes after us.
    """

    def printing_to():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "stdout", request.param())
        return sys.stdout

    return printing_to


def test_a_bar_shows_how_far_it_is_below_the_lines(printing_to):
    stdout = printing_to()
    times, seen = iter([100.0, 100.0, 130.0]), []
    progress = Progress(lambda: next(times))
    with progress.shown():
        progress.on_updates(Updates(epoch=0, epochs=4, done=2, total=16, accuracy=0.25))
        seen.append(getattr(stdout, "lines", []))
        progress.on_updates(Updates(epoch=1, epochs=4, done=8, total=16, accuracy=0.75))
        progress.write("epoch 1/4 | loss 2.0000")
        seen.append(getattr(stdout, "lines", []))
    if not stdout.isatty():
        assert stdout.getvalue() == "epoch 1/4 | loss 2.0000\n"
        return
    assert seen[0][-1].endswith("| epoch 1/4, training acc 0.2500 | ETA ?")
    line, bar = seen[1][-2:]
    assert line == "epoch 1/4 | loss 2.0000"
    assert bar.startswith("training |\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588 ")
    assert bar.endswith("| epoch 2/4, training acc 0.7500 | ETA 0:00:40")
    assert [each for each in stdout.lines if each] == ["epoch 1/4 | loss 2.0000"]


def test_an_error_leaves_no_bar(printing_to):
    stdout = printing_to()
    progress = Progress()
    with pytest.raises(KeyError), progress.shown():
        progress.on_updates(Updates(epoch=0, epochs=1, done=1, total=2, accuracy=0.5))
        raise KeyError
    assert not any(getattr(stdout, "lines", []))
    progress.on_updates(Updates(epoch=0, epochs=1, done=2, total=2, accuracy=0.5))
    assert not any(getattr(stdout, "lines", []))
