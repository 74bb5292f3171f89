"""What children are trained on: threads, accelerators, and whether the same bits come again.

Threads and determinism are settled before TensorFlow starts and for the whole process; a strategy
is made once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from concurrent import futures
from typing import TypeAlias

import grpc
import tensorflow as tf

from epnas_tf.fields import SettingError
from epnas_tf.training.settings import STRATEGIES

Resolver: TypeAlias = tf.distribute.cluster_resolver.TPUClusterResolver

# TensorFlow itself waits for a TPU without end. One that starts up takes a minute or two.
TPU_SECONDS = 150.0
# A wait beyond this is explained.
SILENT_SECONDS = 10.0


def refuse_nondeterminism() -> None:
    """Lets TensorFlow take only operations that give the same bits again; for good."""
    tf.config.experimental.enable_op_determinism()


def use_threads(count: int) -> int:
    """Lets an operation use this many threads and returns the number; 0 takes all cores.

    Raises:
      SettingError: TensorFlow has started with another number, which cannot be changed.
    """
    cores = os.cpu_count() or 1
    wanted = count or cores
    current = tf.config.threading.get_intra_op_parallelism_threads() or cores
    if wanted != current:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(wanted)
        except RuntimeError as error:
            raise SettingError(
                "threads", f"must be set before TensorFlow starts; it has {current}, got {wanted}"
            ) from error
    return wanted


def refuse_scope(but: tf.distribute.Strategy | None = None) -> None:
    """Raises SettingError within the scope of a strategy: the search enters one of its own.

    Args:
      but: a strategy whose scope is allowed.
    """
    entered = tf.distribute.get_strategy()
    if tf.distribute.has_strategy() and entered is not but:
        raise SettingError(
            "strategy",
            f"must be given to the search, which got the scope of a {type(entered).__name__} "
            "around it instead: give strategy=... and leave `with strategy.scope()`",
        )


@functools.cache
def make_strategy(name: str, tpu: str = "") -> tf.distribute.Strategy:
    """Returns the process' strategy of this name, always the same object.

    One object, because the collectives of a second MirroredStrategy mix with those of the first
    (KERAS_TUNER section 6).

    Args:
      name: `none`; `mirrored`, over all GPUs, or all logical CPUs where there are none; `tpu`.
      tpu: the TPU's name or address as TPUClusterResolver takes it; `local` on a TPU VM.

    Raises:
      SettingError: the name is unknown or there is no such TPU.
    """
    if name == "none":
        refuse_scope()  # it would be taken for the default one, and kept
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "tpu":
        return tf.distribute.TPUStrategy(_find_tpu(tpu))
    raise SettingError("strategy", f"must be one of {STRATEGIES}, got {name!r}")


def _find_tpu(tpu: str) -> Resolver:
    """Returns a TPU, ready; raises SettingError where there is none or none answers in time."""
    try:
        # First, since TensorFlow would wait for its answer without end and hold Python's lock.
        resolver = _within(TPU_SECONDS, tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except SettingError:
        raise
    except (ValueError, OSError, ImportError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingError(
            "strategy",
            f"tpu must find a TPU, tpu={tpu!r} gave: {reason} (tpu is a name that this machine's "
            "Google Cloud project knows, an address grpc://host:port, or local on a TPU VM)",
        ) from error
    return resolver


def _within(seconds: float, tpu: str) -> Resolver:
    """Returns what `_reach` returns, raises what it raises, or SettingError when time is up.

    Nothing can end a look-up under way: its thread is left behind and dies with the process.
    """
    tried: list[str] = []
    done: futures.Future[Resolver] = futures.Future()

    def reach() -> None:
        try:
            done.set_result(_reach(tpu, tried))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=reach, name="tpu", daemon=True).start()
    silent = min(SILENT_SECONDS, seconds)
    futures.wait([done], silent)
    if not done.done() and seconds > silent:
        words = f"waiting for the TPU {tpu!r}, {seconds:g} seconds at most ({tried[-1]})"
        print(words, file=sys.stderr, flush=True)
        futures.wait([done], seconds - silent)
    if done.done():
        return done.result()
    raise SettingError(
        "tpu" if tpu else "strategy",
        f"must lead to a TPU that answers, {tpu!r} did not within {seconds:g} seconds "
        f"(tried to {', then to '.join(tried)}): check that it runs, its name or grpc:// address, "
        "and the network in between; on a TPU VM the TPU is --tpu=local",
    )


def _reach(tpu: str, tried: list[str]) -> Resolver:
    """Returns a TPU's resolver once its hosts answer; notes in `tried` what it is about to do."""
    tried.append("look up its address")
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu)
    for address in resolver.cluster_spec().as_dict().get(resolver.task_type, []):
        tried.append(f"call {address}")
        _call(address)
    return resolver


def _call(address: str) -> None:
    """Returns when a host has answered, whatever it says."""
    with grpc.insecure_channel(address) as channel, contextlib.suppress(grpc.RpcError):
        # The first call that TensorFlow makes.
        status = channel.unary_unary("/tensorflow.WorkerService/GetStatus")
        status(b"", wait_for_ready=True, timeout=2 * TPU_SECONDS)  # the caller gives up before
