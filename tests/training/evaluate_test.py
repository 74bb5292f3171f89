"""One child from spec to numbers: skipped, trained, not finite, not buildable."""

from __future__ import annotations

import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from epnas_tf.architecture.budget import Budget, ChildLimits
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.data import dataset as data_lib
from epnas_tf.modeling.layers import BUILDERS
from epnas_tf.sharing import rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import ParamStore
from epnas_tf.training import evaluate
from epnas_tf.training.early_stopping import StopRule
from epnas_tf.training.epochs import EpochResult
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.trainer import TrainResult

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4)
_SCHEDULE = Schedule("test", epochs=2, batch_size=8, learning_rate=0.1)


def _refuses(layer, inputs, context):
    raise AssertionError("must not be built")


def _four_classes():
    """Four classes that differ in brightness, so that two epochs learn something."""
    rng = np.random.default_rng(1)
    labels = np.arange(160) % 4
    images = 40 + 50 * labels[:, None, None, None] + rng.integers(-20, 20, (160, 8, 8, 1))
    return data_lib.from_arrays(images.astype(np.uint8), labels, validation_split=0.25)


@pytest.fixture(name="make", scope="module")
def _make():
    data = _four_classes()

    def make(*constraints, builders=BUILDERS, schedule=_SCHEDULE, **settings) -> Evaluator:
        limits = ChildLimits(max_child_minutes=settings.pop("max_child_minutes", None))
        budget = Budget(data.input_shape, data.num_classes, constraints, limits, **settings)
        return Evaluator(data, schedule, tf.distribute.get_strategy(), budget, builders)

    return make


def test_a_trained_child_has_its_accuracy_and_penalty(make):
    evaluator = make(Constraint("params", upper=300))  # it has 384: 28% over
    kept = []
    result = evaluator.evaluate(_SPEC, 0, keep=lambda model: kept.append(model.get_weights()))
    assert (result.status, result.reason) == ("trained", "")
    assert result.accuracy == result.training.validation_accuracy > 0.3
    assert result.reward == pytest.approx(result.accuracy * 0.9**0.28)
    assert result.seconds == result.training.train_seconds > 0
    assert len(kept) == 1
    # What is kept is trained: it differs from the fresh network of the same seed.
    fresh = evaluate.build_child(_SPEC, evaluator.budget, evaluator.strategy).get_weights()
    assert any((new != old).any() for new, old in zip(kept[0], fresh, strict=True))


def test_the_seed_decides_the_result(make):
    def run(seed):
        weights = []
        result = make().evaluate(_SPEC, seed, keep=lambda m: weights.extend(m.get_weights()))
        return result.accuracy, weights

    first, again, other = run(3), run(3), run(4)
    assert first[0] == again[0]
    assert all((a == b).all() for a, b in zip(first[1], again[1], strict=True))
    assert any((a != b).any() for a, b in zip(first[1], other[1], strict=True))


@pytest.mark.parametrize(
    ("constraint", "settings", "status"),
    [
        (Constraint("params", upper=100), {}, "over_limits"),
        (
            Constraint("params", upper=10**6),
            {"images": 10**6, "machine_gflops": 1e-3, "max_child_minutes": 1.0},
            "too_long",
        ),
    ],
)
def test_a_skipped_child_is_not_built(make, constraint, settings, status):
    evaluator = make(constraint, builders={"conv2d": _refuses}, **settings)
    result = evaluator.evaluate(_SPEC, 0, keep=_refuses)
    assert result == evaluator.untrained(_SPEC, status)
    assert (result.status, result.accuracy, result.seconds) == (status, 0.25, 0.0)
    assert result.reward == evaluator.budget.reward(0.25, _SPEC)
    assert result.training is None


def test_a_child_that_diverges_is_scored_at_chance(make):
    explosive = Schedule("test", epochs=2, batch_size=8, learning_rate=1e30, clip_norm=0.0)
    evaluator = make(Constraint("params", upper=200), schedule=explosive)
    result = evaluator.evaluate(_SPEC, 0, keep=_refuses)
    assert result.status == "not_finite"
    assert result.accuracy == 0.25
    assert result.reward == pytest.approx(0.25 * 0.9**0.92)
    assert result.seconds > 0  # time was spent on it
    assert not result.training.finite


def test_what_a_users_builder_cannot_build_is_a_build_error(make):
    def broken(layer, inputs, context):
        raise ValueError("kernel larger than the map")

    with pytest.raises(evaluate.BuildError, match=f"{_SPEC.key} cannot .* kernel larger") as caught:
        make(builders={"conv2d": broken}).evaluate(_SPEC, 0)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_programming_error_of_a_builder_stays_what_it_is(make):
    def buggy(layer, inputs, context):
        raise TypeError("no such argument")

    with pytest.raises(TypeError, match="no such argument"):
        make(builders={"conv2d": buggy}).evaluate(_SPEC, 0)


def test_an_untrained_child_may_say_why(make):
    evaluator = make()
    result = evaluator.untrained(_SPEC, "failed", "too deep")
    assert (result.status, result.reason, result.accuracy) == ("failed", "too deep", 0.25)
    assert evaluator.untrained(_SPEC, "failed").reason == ""


def test_a_layer_that_is_called_twice_cannot_share_its_parameters(make, tmp_path):
    def twice(layer, inputs, context):
        conv = keras.layers.Conv2D(4, 1, name=context.name("conv"))
        return conv(conv(inputs))

    evaluator = make(builders={"conv2d": twice})
    store = ParamStore(str(tmp_path))
    with pytest.raises(evaluate.BuildError, match="called once.*--parameter_sharing=none"):
        evaluator.evaluate(_SPEC, 0, sharing=Sharing(store, rules.by_number, "e01s00b0"))
    assert evaluator.evaluate(_SPEC, 0).status == "trained"


def test_a_child_far_behind_ends_early_and_is_not_kept(make, tmp_path):
    sharing = Sharing(ParamStore(str(tmp_path)), rules.by_number, "e01s00b0")
    rule = StopRule(0.0, ((1.0, 1.0),) * 3, planned=2)
    kept = []
    result = make().evaluate(_SPEC, 0, kept.append, sharing, rule)
    assert (result.status, len(result.training.epochs)) == ("hopeless", 1)
    assert result.accuracy == result.training.validation_accuracy
    assert (kept, sharing.offers, result.offer) == ([], [], 0)


def test_a_schedule_may_let_children_begin_as_the_identity(make, monkeypatch):
    built = []

    def stop(model, *_, **__):
        built.append(model.get_layer("layer1_conv2d_conv").kernel.numpy())
        raise TimeoutError

    monkeypatch.setattr(evaluate.trainer, "train", stop)
    for schedule in (_SCHEDULE, dataclasses.replace(_SCHEDULE, identity_init=True)):
        with pytest.raises(TimeoutError):
            make(schedule=schedule).evaluate(_SPEC, 0)
    np.testing.assert_array_equal(built[1][1, 1, :, :4], np.eye(4))
    assert (built[0] != 0).all()


def test_whoever_listens_may_end_a_child_which_leaves_nothing_behind(make, tmp_path):
    heard, kept = [], []

    def late(updates):
        heard.append(updates)
        raise TimeoutError("the time is up")

    sharing = Sharing(ParamStore(str(tmp_path)), rules.by_number, "e01s00b0")
    limited = dataclasses.replace(make(), on_updates=late)
    with pytest.raises(TimeoutError, match="the time is up"):
        limited.evaluate(_SPEC, 0, kept.append, sharing)
    assert (len(heard), kept, sharing.offers) == (1, [], [])
    assert make().evaluate(_SPEC, 0).status == "trained"


def test_compared_by_balanced_accuracy_a_child_is_rewarded_by_it(make, monkeypatch):
    found = TrainResult(
        (EpochResult(0, 1.0, 0.5), EpochResult(1, 1.0, 0.5)), 0.95, 0.5, 2, 1, 1, True
    )
    monkeypatch.setattr(evaluate.trainer, "train", lambda *_, **__: found)
    plain = make(Constraint("params", upper=300))  # it has 384: 28% over
    balanced = dataclasses.replace(plain, balanced=True)
    offered = types.SimpleNamespace(offers=[types.SimpleNamespace(digest=1)], ends=[])
    offered.begin = lambda model: 0.0
    offered.end = lambda model, accuracy: offered.ends.append(accuracy)
    results = [each.evaluate(_SPEC, 0, sharing=offered) for each in (plain, balanced)]
    assert [result.accuracy for result in results] == [0.95, 0.95]
    assert [result.balanced_accuracy for result in results] == [None, 0.5]
    assert [result.reward / 0.9**0.28 for result in results] == pytest.approx([0.95, 0.5])
    assert offered.ends == [0.95, 0.5]  # what the dictionary keeps at a clash


def test_chance_is_the_same_for_both_objectives(make):
    plain = make().untrained(_SPEC, "failed")
    balanced = dataclasses.replace(make(), balanced=True).untrained(_SPEC, "failed")
    assert (balanced.accuracy, balanced.reward, balanced.balanced_accuracy) == (0.25, 0.25, 0.25)
    assert dataclasses.replace(balanced, balanced_accuracy=None) == plain
