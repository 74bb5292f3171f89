"""What children are trained on: threads, accelerators, and whether the same bits come again.

Threads and determinism are settled before TensorFlow starts and for the whole process; a strategy
is made once.
"""

from __future__ import annotations

import functools
import os

import tensorflow as tf

from epnas_tf.fields import SettingError
from epnas_tf.training.settings import STRATEGIES


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
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=tpu)
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
        except (ValueError, OSError, tf.errors.OpError) as error:
            reason = str(error).partition("\n")[0]
            raise SettingError(
                "strategy", f"tpu must find a TPU, tpu={tpu!r} gave: {reason}"
            ) from error
        return tf.distribute.TPUStrategy(resolver)
    raise SettingError("strategy", f"must be one of {STRATEGIES}, got {name!r}")
