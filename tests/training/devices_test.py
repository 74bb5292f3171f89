"""What children are trained on."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from epnas_tf.training import devices


def test_threads_that_tensorflow_has_are_returned():
    tf.constant(0)  # TensorFlow has started
    current = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    assert devices.use_threads(current) == current


def test_threads_cannot_change_once_tensorflow_has_started():
    tf.constant(0)
    with pytest.raises(ValueError, match="before TensorFlow starts; it has .*, got 997"):
        devices.use_threads(997)


def test_threads_are_set_in_a_fresh_process():
    code = (
        "import tensorflow as tf\n"
        "from epnas_tf.training import devices\n"
        "print(devices.use_threads(1), tf.config.threading.get_intra_op_parallelism_threads())\n"
        "print(devices.use_threads(1))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split() == ["1", "1", "1"]


def test_there_is_one_strategy_per_process() -> None:
    assert devices.make_strategy("none") is devices.make_strategy("none")
    assert devices.make_strategy("mirrored") is devices.make_strategy("mirrored")


def test_unknown_strategies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"strategy must be one of .*, got 'two'"):
        devices.make_strategy("two")


def test_a_missing_tpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(ValueError, match="strategy tpu must find a TPU, tpu='' gave: Please"):
        devices.make_strategy("tpu")
