"""Whatever a user has set of Keras and TensorFlow, a search is the same, and it stays set."""

from __future__ import annotations

import contextlib
import inspect
import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import debug_mode
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.ops.numpy_ops import np_config, np_dtypes, np_math_ops

from epnas_tf import global_state
from epnas_tf.architecture.space import layerwise_space
from epnas_tf.architecture.spec import BranchSpec, CellSpec, LayerSpec, LayerwiseSpec
from epnas_tf.data import dataset as data_lib
from epnas_tf.fields import ConfigError
from epnas_tf.modeling import build_model, cost_of_model
from epnas_tf.modeling.build import with_normalisation
from epnas_tf.modeling.layers import BUILDERS
from epnas_tf.searching.policies.lstm import LSTMPolicy
from epnas_tf.training import devices, memory, trainer
from epnas_tf.training.schedule import Schedule


def _numpy(**settings):
    """Switches NumPy behaviour on, but for the methods of tensors: they could not be taken off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np_math_ops, "enable_numpy_methods_on_tensor", lambda: None)
        np_config.enable_numpy_behavior(**settings)


_AMP = "auto_mixed_precision_onednn_bfloat16"
_KERAS = {
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
    "mixed_float16": lambda: keras.config.set_dtype_policy("mixed_float16"),
    "mixed_bfloat16": lambda: keras.config.set_dtype_policy("mixed_bfloat16"),
    "float64": lambda: keras.config.set_dtype_policy("float64"),
    "floatx float16": lambda: keras.config.set_floatx("float16"),
    "floatx float64": lambda: keras.config.set_floatx("float64"),
    "epsilon": lambda: keras.config.set_epsilon(0.1),
    "distribution": lambda: keras.distribution.set_distribution(object()),
}
_TENSORFLOW = {
    "eager functions": lambda: tf.config.run_functions_eagerly(True),
    "numpy behaviour": _numpy,
    "all promotions": lambda: _numpy(dtype_conversion_mode="all", prefer_float32=True),
    "jit": lambda: tf.config.optimizer.set_jit(True),
    "16 bits": lambda: tf.config.optimizer.set_experimental_options({_AMP: True}),
    "debugged data": tf.data.experimental.enable_debug_mode,
    "checked numbers": tf.debugging.enable_check_numerics,
}
# What no search ever reads.
_OTHERS = {
    "seeds": lambda: keras.utils.set_random_seed(7),
    "tracebacks": keras.config.disable_traceback_filtering,
    "steps": lambda: keras.config.set_max_steps_per_epoch(1),
}
_ALL = _KERAS | _TENSORFLOW | _OTHERS
# Not together: the first policy is overwritten by the next, and NumPy's promotion by another.
_AT_ONCE = [name for name in _ALL if name not in ("mixed_bfloat16", "float64", "numpy behaviour")]


def _attribute(name):
    return keras.src.backend.common.global_state.get_global_attribute(name)


def _readings():
    """Returns what is set now."""
    policy = _attribute("dtype_policy")
    return {
        "format": keras.config.image_data_format(),
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "policy": policy and policy.name,
        "distribution": _attribute("distribution"),
        "eager": tf.config.functions_run_eagerly(),
        "jit": tf.config.optimizer.get_jit(),
        "16 bits": bool(tf.config.optimizer.get_experimental_options().get(_AMP)),
        "debug": debug_mode.DEBUG_MODE,
        "promotion": ops.get_dtype_conversion_mode(),
        "slicing": ops._numpy_style_slicing,
        "prefers float32": np_dtypes.is_prefer_float32(),
        "callbacks": list(context.context().op_callbacks),
        "tracebacks": keras.config.is_traceback_filtering_enabled(),
        "steps": keras.config.max_steps_per_epoch(),
        "random": (random.getstate(), np.random.get_state()[1].tolist()),
    }


@contextlib.contextmanager
def _set(*names):
    """Sets these globals within it."""
    policy, states = _attribute("dtype_policy"), (random.getstate(), np.random.get_state())
    try:
        for name in names:
            _ALL[name]()
        yield
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.enable_traceback_filtering()
        keras.config.set_max_steps_per_epoch(None)
        for name, value in (("dtype_policy", policy), ("distribution", None)):
            keras.src.backend.common.global_state.set_global_attribute(name, value)
        tf.config.run_functions_eagerly(False)
        tf.config.optimizer.set_jit(False)
        tf.config.optimizer.set_experimental_options({_AMP: False})
        debug_mode.toggle_debug_mode(False)
        ops.set_dtype_conversion_mode("off")
        ops._numpy_style_slicing = False
        np_dtypes.set_prefer_float32(False)
        tf.debugging.disable_check_numerics()
        tf.random.set_seed(None)
        random.setstate(states[0])
        np.random.set_state(states[1])


@pytest.fixture(name="theirs", params=_ALL)
def _theirs(request):
    """One global after the other, as a user has set it."""
    with _set(request.param):
        yield request.param


@pytest.fixture(name="ours", scope="module")
def _ours():
    return _readings() | {"policy": "float32"}


# --- how they are set aside


def test_within_all_is_as_nobody_had_changed_it_and_afterwards_as_they_had(ours, theirs):
    before = _readings()
    assert before != ours
    read_by_nobody = {name: before[name] for name in ("tracebacks", "steps", "random")}
    with global_state.set_aside():
        assert _readings() == ours | read_by_nobody
    assert _readings() == before
    with pytest.raises(ZeroDivisionError), global_state.set_aside("mixed_bfloat16"):
        assert keras.config.dtype_policy().compute_dtype == "bfloat16"
        raise ZeroDivisionError
    assert _readings() == before
    with global_state.tensorflow_set_aside():
        assert (_readings() == before) == (theirs not in _TENSORFLOW)
    assert _readings() == before


def test_a_policy_that_nobody_has_set_stays_unset():
    def make():
        with global_state.set_aside():
            keras.layers.Dense(1)
        made.append(_attribute("dtype_policy"))

    made = []
    thread = threading.Thread(target=make)  # each thread has its own
    thread.start()
    thread.join()
    assert made == [None]


def test_periods_that_overlap_in_two_threads_end_with_the_last():
    entered, leave = threading.Event(), threading.Event()

    def search():
        with global_state.set_aside():
            entered.set()
            leave.wait(60)

    with _set("channels_first"):
        other = threading.Thread(target=search)
        with global_state.set_aside():
            other.start()
            entered.wait(60)
        assert keras.config.image_data_format() == "channels_last"
        leave.set()
        other.join()
        assert keras.config.image_data_format() == "channels_first"


def test_what_is_set_within_stays():
    with _set("channels_first", "epsilon"):
        with global_state.set_aside():
            keras.config.set_epsilon(0.3)
        assert keras.config.epsilon() == 0.3
        assert keras.config.image_data_format() == "channels_first"


# --- what a search does

_DECORATED = global_state.set_aside()(_numpy).__code__  # of any function

_LAYERS = LayerwiseSpec(
    (
        LayerSpec("conv2d", 3, channels=4, activation="crelu"),
        LayerSpec("dep_sep_conv2d", 3, channels=4, activation="swish", src2=0),
        LayerSpec("max_pool", pool=2),
        LayerSpec("avg_pool", pool=3),
    ),
    stem_filters=2,
)
_CELLS = CellSpec((BranchSpec("conv-maxpool", 3, pool=3, channels=2, src2=0),), filters=2)


def _own(layer, inputs, context):
    """Is a user's builder that says neither data format nor type."""
    outputs = keras.layers.Conv2D(layer.channels, 3, padding="same", kernel_initializer="ones")
    return keras.layers.BatchNormalization()(keras.layers.MaxPooling2D(2)(outputs(inputs)))


def _built():
    """Returns what tells networks of each pattern, and of a user's builder, and their costs."""
    told = []
    for spec, builders in (
        *((_LAYERS, BUILDERS), (_CELLS, BUILDERS)),
        (LayerwiseSpec(_LAYERS.layers[:1], 2), {**BUILDERS, "conv2d": _own}),
    ):
        with memory.child_graphs():  # so that layers of no name are named alike
            network = build_model(spec, (8, 8, 3), 3, seed=1, builders=builders)
            told.append((network.get_config(), network.get_weights(), cost_of_model(network)))
    network = with_normalisation(network, 255.0, (0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    return told, network.get_config()["layers"][:2]


@pytest.fixture(name="built", scope="module")
def _built_without():
    return _built()


@pytest.mark.parametrize(
    "names", [["channels_first"], ["mixed_float16"], ["floatx float64"], _AT_ONCE]
)
def test_networks_are_built_and_counted_as_without(built, names):
    with _set(*names):
        state = random.getstate()
        told, normaliser = _built()
        assert random.getstate() == state
    assert normaliser == built[1]
    for (config, weights, count), (config_, weights_, count_) in zip(told, built[0], strict=True):
        assert config == config_
        assert [w.tobytes() for w in weights] == [w.tobytes() for w in weights_]
        assert count == count_
        assert count.params == sum(w.size for w in weights) - _statistics(config)


def _statistics(config):
    """Returns how many numbers batch norm holds that are not trained."""
    shapes = [
        layer["build_config"]["input_shape"]
        for layer in config["layers"]
        if layer["class_name"] == "BatchNormalization"
    ]
    return 2 * sum(shape[-1] for shape in shapes)


def _trained():
    """Returns the weights of a network that was trained, and its accuracies."""
    labels = np.arange(40) % 2
    pixels = np.random.default_rng(0).integers(0, 128, (40, 4, 4, 3)) + 127 * labels[:, *[None] * 3]
    data = data_lib.from_arrays(pixels.astype(np.uint8), labels, validation_split=0.2)
    plan, none = Schedule("test", 1, 8, 0.1), devices.make_strategy("none")
    with memory.child_graphs():
        spec = LayerwiseSpec((LayerSpec("conv2d", 1, channels=2, activation="relu"),), 2)
        network = build_model(spec, (4, 4, 3), 2, seed=1)
        result = trainer.train(network, data, plan, none, seed=1)
        again = trainer.accuracy(network, data.validation, data, none)
        told = (result.epochs, result.validation_accuracy, again)
        return told, [weight.tobytes() for weight in network.get_weights()]


def test_a_network_is_trained_and_measured_as_without():
    without = _trained()
    with _set(*_AT_ONCE):
        assert _trained() == without


def _proposed():
    """Returns what a fresh policy proposes, and its weights."""
    layer = LayerSpec("conv2d", 3, channels=16, activation="relu")
    space = layerwise_space((8, 8), layer_types=("conv2d",), max_layers=1, parts=1)
    policy = LSTMPolicy(space, seed=3)
    actions = policy.propose([LayerwiseSpec((layer,))], [np.random.default_rng(0)])
    return actions, [weight.tobytes() for weight in policy.get_weights()]


def test_a_policy_proposes_as_without():
    without = _proposed()
    with _set(*_AT_ONCE):
        assert _proposed() == without


@pytest.mark.parametrize("name", ["__init__", "propose", "update", "log_probability", "statistics"])
def test_all_that_a_policy_computes_is_computed_with_globals_set_aside(name):
    within = inspect.unwrap(getattr(LSTMPolicy, name), stop=lambda f: f.__code__ is _DECORATED)
    assert within.__code__ is _DECORATED


def test_a_search_within_a_graph_is_refused():
    global_state.check_eager()
    with (
        tf.Graph().as_default(),
        pytest.raises(ConfigError, match="must execute eagerly, but .* or a tf.Graph is entered"),
    ):
        global_state.check_eager()
