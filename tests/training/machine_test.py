"""What is measured of the machine."""

import math
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from epnas_tf.training import machine


def test_the_rate_is_a_power_of_two_and_plausible():
    rate = machine.measure_gflops()
    assert math.log2(rate) == round(math.log2(rate))
    assert 0.25 <= rate <= 2**17


def test_the_rate_is_that_of_the_fastest_repeat(monkeypatch):
    taken = iter([9.0, 0.0755, 9.0, 9.0, 9.0])
    monkeypatch.setattr(machine, "_timed", lambda convolve, images: next(taken))
    # 2 * 64 * 32 * 32 * 9 * 32 * 32 = 1.208 GFLOP in 75.5 ms.
    assert machine.measure_gflops() == 16.0


def test_threads_that_tensorflow_has_are_returned():
    tf.constant(0)  # TensorFlow has started
    current = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    assert machine.use_threads(current) == current


def test_threads_cannot_change_once_tensorflow_has_started():
    tf.constant(0)
    with pytest.raises(ValueError, match="before TensorFlow starts; it has .*, got 997"):
        machine.use_threads(997)


def test_threads_are_set_in_a_fresh_process():
    code = (
        "import tensorflow as tf\n"
        "from epnas_tf.training import machine\n"
        "print(machine.use_threads(1), tf.config.threading.get_intra_op_parallelism_threads())\n"
        "print(machine.use_threads(1))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split() == ["1", "1", "1"]
