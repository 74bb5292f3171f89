"""Frees what TensorFlow and Keras keep of a network after its last use.

Every `tf.custom_gradient` traced in a graph (swish, an all-reduce) enters a registry of the whole
process and pins its graph for ever: 30 to 40 MiB per child, whatever is deleted (KERAS_TUNER
section 5; tensorflow#97697). What a child added is taken out again at its end.

Two caches grow with each new shape of a tensor, not with each child: TensorFlow's kernels, emptied
here now and then, and oneDNN's compiled primitives, which nothing can empty. Of these each thread
that runs operations keeps the last 1,024, about 100 MiB (TF_ENABLE_ONEDNN_OPTS=0 does without).
"""

from __future__ import annotations

import epnas_tf.backend

import contextlib
import ctypes
import gc
import itertools
import sys
from collections.abc import Iterator

import keras
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

# Children from one emptying of the caches to the next.
EMPTIED_EVERY = 50
_ended = itertools.count(1)
# Whether the last child ended in an exception, whose frames held on to it when it was to be freed.
_left_behind = False


@contextlib.contextmanager
def child_graphs() -> Iterator[None]:
    """Stands around the whole life of one child: build, train, measure.

    Graphs traced within it cannot be differentiated afterwards; models and graphs of before it,
    such as a policy's, are left alone.
    """
    global _left_behind
    if _left_behind:
        gc.collect()  # else it is set aside below, and so is that of the next one
        _left_behind = False
    registry = _gradient_registry()
    before = set(registry)
    # So that a user's unnamed layers are named alike in every child, whatever was built before:
    # sums in a graph follow its names, in their last bits.
    _reset_names()
    # What exists now is not looked at when the child's remains are collected, which takes 0.02 s
    # instead of 0.28; it is looked at again in between.
    gc.freeze()
    try:
        yield
    except BaseException:
        _left_behind = True
        raise
    finally:
        for name in [name for name in registry if name not in before]:
            if name.startswith("CustomGradient-"):
                del registry[name]
        # Not Keras' clear_session: it empties TensorFlow's cache of kernels, and every older graph,
        # such as the policy's, would be optimised anew (0.7 s for an LSTM) after each child. A
        # child's functions leave the cache when they are collected.
        gc.collect()
        gc.unfreeze()
        if next(_ended) % EMPTIED_EVERY == 0:
            _empty_caches()


def _empty_caches() -> None:
    """Frees what was kept for shapes of earlier children, and gives freed memory to the system."""
    with contextlib.suppress(AttributeError):  # no public name either
        context.context().clear_kernel_cache()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # a C library other than glibc
            ctypes.CDLL(None).malloc_trim(0)


def _gradient_registry() -> dict[str, object]:
    """TensorFlow's registry, which has no public name; empty where a version has another."""
    try:
        return ops.gradient_registry._registry
    except AttributeError:
        return {}


def _reset_names() -> None:
    """Starts Keras' numbers of unnamed layers anew; there is no public way to do only this."""
    with contextlib.suppress(AttributeError):
        keras.src.utils.naming.reset_uids()
