"""history.csv: a line per epoch, its time across runs, and the time that is left."""

import csv

import pytest

from epnas_tf.final.history import History
from epnas_tf.training.epochs import EpochResult

_EPOCHS = [EpochResult(0, 2.0, 0.25), EpochResult(1, 1.0, 0.5, 0.75), EpochResult(2, 0.5, 0.625)]


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _rows(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_epochs_are_told_with_their_time_and_what_is_left(tmp_path):
    clock = _Clock()
    history = History(f"{tmp_path}/history.csv", 5, clock)
    clock.now = 10.0
    history.add(_EPOCHS[:1])
    assert history.line(_EPOCHS[:1]) == (
        "epoch 1/5 | loss 2.0000 | training 0.2500 | 10.0 s, ETA 40 seconds"
    )
    for done, now in ((2, 14.0), (3, 20.0)):
        clock.now = now
        history.add(_EPOCHS[:done])
    # The first epoch of a run builds graphs, and says nothing of the others.
    assert history.line(_EPOCHS).endswith("| 6.0 s, ETA 10 seconds")
    assert "training 0.5000, validation 0.7500 |" in history.line(_EPOCHS[:2])
    assert history.seconds == 20.0
    rows = _rows(tmp_path / "history.csv")
    assert [row["seconds"] for row in rows] == ["10.000", "4.000", "6.000"]
    assert rows[1] == {
        **{"epoch": "2", "loss": "1.0", "accuracy": "0.500000"},
        **{"validation_accuracy": "0.750000", "seconds": "4.000"},
    }
    assert rows[0]["validation_accuracy"] == ""


def test_a_later_run_keeps_the_times_of_earlier_ones(tmp_path):
    clock, path = _Clock(), f"{tmp_path}/history.csv"
    history = History(path, 3, clock)
    for done in (1, 2):
        clock.now += 3.0
        history.add(_EPOCHS[:done])
    again = History(path, 3, clock)  # the state of epoch 2 was lost
    clock.now += 5.0
    again.add(_EPOCHS[:2])
    assert [row["seconds"] for row in _rows(path)] == ["3.000", "5.000"]
    assert again.seconds == 8.0


@pytest.mark.parametrize("text", ["", "epoch,seconds\n1,many\n", "no,table\n1,2\n", "\0"])
def test_a_file_that_says_nothing_costs_the_times_alone(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    history = History(str(path), 3)
    history.add(_EPOCHS[:2])
    assert [row["seconds"] == "" for row in _rows(path)] == [True, False]
