"""What children are trained on."""

import functools
import os
import socket
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from epnas_tf.fields import SettingError
from epnas_tf.training import devices

# Unlike the cached one, it leaves what other tests have.
_make_strategy = devices.make_strategy.__wrapped__


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


def test_the_default_strategy_is_not_the_one_whose_scope_is_around() -> None:
    message = "the scope of a OneDeviceStrategy around it"
    with (
        tf.distribute.OneDeviceStrategy("CPU:0").scope(),
        pytest.raises(SettingError, match=message),
    ):
        _make_strategy("none")
    assert _make_strategy("none") is tf.distribute.get_strategy()


def test_a_scope_is_refused_but_for_the_one_allowed() -> None:
    devices.refuse_scope()
    own, other = tf.distribute.OneDeviceStrategy("CPU:0"), tf.distribute.OneDeviceStrategy("CPU:0")
    with own.scope():
        devices.refuse_scope(but=own)
        for allowed in (None, other):
            with pytest.raises(ValueError, match="strategy must be given .* give strategy="):
                devices.refuse_scope(but=allowed)


def test_unknown_strategies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"strategy must be one of .*, got 'two'"):
        devices.make_strategy("two")


def test_a_missing_tpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(ValueError, match="strategy tpu must find a TPU, tpu='' gave: Please"):
        devices.make_strategy("tpu")


class _Resolver:
    """A TPU's resolver, as `devices` uses it."""

    task_type = "worker"

    def __init__(self, tpu):
        self.tpu = tpu
        _NEVER.wait(60 if tpu == "mute" else 0)

    def cluster_spec(self):
        hosts = self.tpu.removeprefix("grpc://")
        return tf.train.ClusterSpec({"worker": [hosts]} if hosts != "local" else {})


_NEVER = threading.Event()


@pytest.fixture(name="steps")
def _steps(monkeypatch):
    """Plays what TensorFlow does of a TPU; returns what it was asked for."""
    steps = []
    for name, value in {
        "config.experimental_connect_to_cluster": lambda _: steps.append("connect"),
        "tpu.experimental.initialize_tpu_system": lambda _: steps.append("initialise"),
        "distribute.cluster_resolver.TPUClusterResolver": _Resolver,
        "distribute.TPUStrategy": lambda resolver: f"strategy of {resolver.tpu}",
    }.items():
        *parents, last = name.split(".")
        monkeypatch.setattr(functools.reduce(getattr, parents, tf), last, value)
    monkeypatch.setattr(devices, "TPU_SECONDS", 60.0)
    monkeypatch.setattr(devices, "SILENT_SECONDS", 60.0)
    return steps


@pytest.fixture(name="silent", scope="module")
def _silent():
    """The address of a host that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def _refused(monkeypatch, tpu):
    """Returns the error of a TPU that is waited for half a second."""
    monkeypatch.setattr(devices, "TPU_SECONDS", 0.5)
    monkeypatch.setattr(devices, "SILENT_SECONDS", 0.25)
    with pytest.raises(SettingError) as raised:
        _make_strategy("tpu", tpu)
    assert raised.value.setting == "tpu"
    return str(raised.value)


def test_the_look_up_of_a_tpu_is_not_waited_for_without_end(steps, monkeypatch, capsys):
    said = _refused(monkeypatch, "mute")
    assert "'mute' did not within 0.5 seconds (tried to look up its address): check that" in said
    assert capsys.readouterr().err == (
        "waiting for the TPU 'mute', 0.5 seconds at most (look up its address)\n"
    )


def test_a_silent_host_is_not_waited_for_without_end(steps, monkeypatch, silent, capsys):
    said = _refused(monkeypatch, f"grpc://{silent}")
    assert f"(tried to look up its address, then to call {silent}): check that it runs" in said
    assert f"(call {silent})" in capsys.readouterr().err
    assert steps == [], "TensorFlow would wait without end"


def test_nor_is_a_host_that_is_not_there(steps, monkeypatch):
    assert "then to call 127.0.0.1:9)" in _refused(monkeypatch, "grpc://127.0.0.1:9")


def test_a_tpu_that_answers_is_taken_in_silence(steps, capsys):
    server = tf.distribute.Server({"worker": ["127.0.0.1:0"]}, protocol="grpc", start=True)
    assert _make_strategy("tpu", server.target) == f"strategy of {server.target}"
    assert steps == ["connect", "initialise"]
    assert capsys.readouterr().err == ""


def test_the_tpu_of_this_machine_is_not_called(steps, monkeypatch):
    monkeypatch.setattr(devices, "_call", None)
    assert _make_strategy("tpu", "local") == "strategy of local"
    assert steps == ["connect", "initialise"]


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("no client"), TimeoutError()])
def test_what_the_look_up_of_a_tpu_raises_is_told(steps, monkeypatch, error):
    def broken(tpu):
        raise error

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", broken)
    with pytest.raises(SettingError, match=f"must find a TPU, tpu='a' gave: {error}"):
        _make_strategy("tpu", "a")
