"""What is measured of the machine."""

import math

import pytest

from epnas_tf.architecture.budget import Budget
from epnas_tf.training import calibrate


def test_the_rate_is_a_quarter_of_an_octave_and_plausible():
    rate = calibrate.measure_gflops()
    assert 4 * math.log2(rate) == pytest.approx(round(4 * math.log2(rate)), abs=0.01)
    assert 0.25 <= rate <= 2**17


def test_the_rate_makes_the_estimate_right_for_the_reference_network(monkeypatch):
    monkeypatch.setattr(calibrate, "_update_seconds", lambda *_: {32: 0.05})
    rate = calibrate.measure_gflops()
    budget = Budget((32, 32, 3), 10, images=32 * 100, machine_gflops=rate)
    cost = budget.cost(calibrate._REFERENCE)
    assert 60 * budget.minutes(cost) == pytest.approx(100 * 0.05, rel=0.1)


# --- the micro-batch -----------------------------------------------------------------------------


def _fake(monkeypatch, seconds):
    """Makes the timings these; returns the pieces that were asked for, an entry per call."""
    asked = []

    def update_seconds(input_shape, num_classes, pieces):
        asked.append(pieces)
        return {piece: seconds[piece] for piece in pieces}

    monkeypatch.setattr(calibrate, "_update_seconds", update_seconds)
    return asked


@pytest.mark.parametrize(
    ("seconds", "piece"),
    [
        ({32: 3.0, 64: 1.0, 128: 2.0, 1024: 4.0}, 64),
        ({32: 1.0, 64: 1.04, 128: 1.06, 1024: 2.0}, 64),
        ({32: 1.0, 64: 9.0, 128: 1.05, 1024: 1.06}, 128),
        ({32: 1.0, 64: 1.0, 128: 1.0, 1024: 1.0}, 1024),
        ({512: 1.0}, 512),
    ],
)
def test_the_largest_of_the_fastest_pieces_is_chosen(seconds, piece):
    assert calibrate.fastest(seconds) == piece


@pytest.mark.parametrize(
    ("size", "batch_size", "pieces"),
    [
        (32, 1024, (32, 64, 128, 256, 1024)),
        (32, 256, (32, 64, 128, 256)),
        (32, 320, (32, 64, 320)),
        (32, 4096, (32, 64, 128, 256)),
        (64, 1024, (32, 64, 128, 256)),
        (96, 1024, (32, 64)),
    ],
)
def test_pieces_divide_the_batch_and_fit_into_memory(monkeypatch, size, batch_size, pieces):
    asked = _fake(monkeypatch, dict.fromkeys(pieces, 1.0))
    chosen = calibrate.measure_micro_batch((size, size, 3), batch_size)
    assert asked == [pieces]
    assert chosen == (0 if pieces[-1] == batch_size else pieces[-1])


def test_a_piece_smaller_than_the_batch_is_its_size(monkeypatch):
    _fake(monkeypatch, {32: 2.0, 64: 1.0, 128: 3.0, 256: 4.0, 1024: 5.0})
    assert calibrate.measure_micro_batch((32, 32, 3), 1024) == 64


@pytest.mark.parametrize(
    ("size", "batch_size", "micro"), [(32, 128, 0), (32, 255, 0), (32, 1000, 0), (224, 1024, 32)]
)
def test_nothing_is_timed_where_there_is_no_choice(monkeypatch, size, batch_size, micro):
    asked = _fake(monkeypatch, {})
    assert calibrate.measure_micro_batch((size, size, 3), batch_size) == micro
    assert asked == []


def test_each_piece_has_the_time_of_its_fastest_update(monkeypatch):
    taken = iter([9.0, 9.0, 9.0, 5.0, 2.0, 7.0, 4.0, 3.0, 8.0])
    monkeypatch.setattr(calibrate, "_timed", lambda update: next(taken))
    seconds = calibrate._update_seconds((4, 4, 1), 2, (32, 64, 256))
    assert seconds == {32: 4.0, 64: 2.0, 256: 7.0}


def test_a_measured_micro_batch_divides_the_batch():
    micro = calibrate.measure_micro_batch((8, 8, 1), 256, num_classes=2)
    assert micro in (0, 32, 64, 128)


def test_timed_updates_change_no_weight():
    model = calibrate.build_model(calibrate._REFERENCE, (8, 8, 3), 10)
    losses = [float(calibrate._update(model, 10, 64, piece)()) for piece in (64, 64)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert math.isfinite(float(calibrate._update(model, 10, 64, 32)()))
