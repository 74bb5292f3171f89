"""One child from spec to numbers: skip or build, train, measure, reward."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from epnas_tf import global_state
from epnas_tf.architecture.budget import NOT_FINITE, STOPPED_EARLY, TRAINED, Budget
from epnas_tf.architecture.spec import Spec
from epnas_tf.data.dataset import Data
from epnas_tf.modeling import build_model
from epnas_tf.modeling.layers import BUILDERS, Builder
from epnas_tf.sharing import graph
from epnas_tf.sharing.access import Sharing
from epnas_tf.training import memory, trainer
from epnas_tf.training.early_stopping import StopRule
from epnas_tf.training.epochs import Updates
from epnas_tf.training.schedule import Schedule
from epnas_tf.training.state import State
from epnas_tf.training.trainer import TrainResult


class BuildError(Exception):
    """A network that a user's builders could not build."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came of a child.

    Attributes:
      accuracy: validation accuracy after the last epoch run, chance where it was not trained.
      reward: what networks are compared by times the penalties, always finite.
      status: "trained", or why not to the end: one of `budget.STATUSES`.
      seconds: time of its training and validation steps.
      training: its epochs, None where it was not trained.
      reason: what went wrong, for a person to read.
      warm_share: share of the parameters that came from the shared dictionary.
      offer: hash of what it left there, 0 for nothing.
      balanced_accuracy: where networks are compared by it; None where by plain accuracy.
      epochs: that it was trained for, 0 where it was not.
    """

    accuracy: float
    reward: float
    status: str
    seconds: float = 0.0
    training: TrainResult | None = None
    reason: str = ""
    warm_share: float = 0.0
    offer: int = 0
    balanced_accuracy: float | None = None
    epochs: int = 0


def build_child(
    spec: Spec,
    budget: Budget,
    strategy: tf.distribute.Strategy,
    builders: Mapping[str, Builder] = BUILDERS,
    seed: int = 0,
    dtype_policy: str = global_state.FLOAT32,
    identity_init: bool = False,
) -> keras.Model:
    """Returns the untrained network, made in the strategy's scope.

    Raises:
      BuildError: a builder raised ValueError.
    """
    try:
        with strategy.scope():
            return build_model(
                spec,
                budget.input_shape,
                budget.num_classes,
                seed=seed,
                builders=builders,
                synchronized=strategy.num_replicas_in_sync > 1,
                dtype_policy=dtype_policy,
                identity_init=identity_init,
            )
    except ValueError as error:
        raise BuildError(f"network {spec.key} cannot be built: {error}") from error


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """Everything that the evaluation of a child needs besides its spec and seed.

    Attributes:
      data: what it is trained and measured on.
      schedule: how it is trained.
      strategy: where.
      budget: what it may cost.
      builders: of its operations.
      balanced: whether networks are compared by balanced accuracy.
      dtype_policy: in which children compute.
      on_updates: hears how far a child's training is (`trainer.train`).
    """

    data: Data
    schedule: Schedule
    strategy: tf.distribute.Strategy
    budget: Budget
    builders: Mapping[str, Builder] = dataclasses.field(default_factory=lambda: BUILDERS)
    balanced: bool = False
    dtype_policy: str = global_state.FLOAT32
    on_updates: Callable[[Updates], None] | None = None

    def evaluate(
        self,
        spec: Spec,
        seed: int,
        keep: Callable[[keras.Model], None] | None = None,
        sharing: Sharing | None = None,
        stop_rule: StopRule | None = None,
        epochs: int | None = None,
        state: State | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> Evaluation:
        """Trains and measures a network, or says why it is not worth it.

        Args:
          spec: the network.
          seed: decides its initial weights, the order of the images and their augmentation.
          keep: called with the model once it is trained, before it is taken down.
          sharing: the shared parameters that it starts from and adds to; None for fresh ones.
          stop_rule: ends a training early that falls far behind; None for no such rule.
          epochs: of this training; the schedule's if None.
          state: of a shorter training of this network and seed, to go on from (`trainer.train`).
          on_state: called with the state from which a longer one can go on.

        Raises:
          BuildError: the network cannot be built.
        """
        reason = self.budget.reason_to_skip(spec)
        if reason is not None:
            return self.untrained(spec, reason)
        schedule = dataclasses.replace(self.schedule, epochs=epochs or self.schedule.epochs)
        with memory.child_graphs():
            model = self._build(spec, seed)
            warm_share = _begin(sharing, model) if sharing is not None else 0.0
            result = trainer.train(
                model,
                self.data,
                schedule,
                self.strategy,
                seed=seed,
                on_epoch=None if stop_rule is None else stop_rule.on_epoch,
                on_updates=self.on_updates,
                state=state,
                on_state=on_state,
            )
            whole = result.finite and len(result.epochs) == schedule.epochs
            balanced = result.balanced_accuracy if self.balanced else None
            compared = result.validation_accuracy if balanced is None else balanced
            if keep is not None and whole:
                keep(model)
            if sharing is not None and whole:
                sharing.end(model, compared)
            del model
        if result.finite:
            status = TRAINED if whole else STOPPED_EARLY
            reward = self.budget.reward(compared, spec)
            evaluation = Evaluation(result.validation_accuracy, reward, status)
            evaluation = dataclasses.replace(evaluation, balanced_accuracy=balanced)
        else:
            evaluation = self.untrained(spec, NOT_FINITE)
        return dataclasses.replace(
            evaluation,
            seconds=result.train_seconds,
            training=result,
            warm_share=warm_share,
            offer=sharing.offers[-1].digest if sharing is not None and whole else 0,
            epochs=len(result.epochs),
        )

    def _build(self, spec: Spec, seed: int) -> keras.Model:
        traits = (seed, self.dtype_policy, self.schedule.identity_init)
        return build_child(spec, self.budget, self.strategy, self.builders, *traits)

    def untrained(self, spec: Spec, status: str, reason: str = "") -> Evaluation:
        """Returns what stands for a network without a measured accuracy (DECISIONS 10)."""
        chance = self.budget.chance
        reward, balanced = self.budget.reward(chance, spec), chance if self.balanced else None
        return Evaluation(chance, reward, status, reason=reason, balanced_accuracy=balanced)


def _begin(sharing: Sharing, model: keras.Model) -> float:
    try:
        return sharing.begin(model)
    except graph.LayoutError as error:
        raise BuildError(f"{error} (or search with --parameter_sharing=none)") from error
