"""How long and how fast a child is trained: schedules and their learning rates, no TensorFlow.

Two are the paper's (PAPER_NOTES section 4): `plain` is the usual one, `aggressive` takes batches
eight times as large, at a slightly higher rate per image, and stops after 10 epochs. `quick`, few
epochs of small batches, is what ranks networks best at about a fifth of the cost of `plain`
(docs/PREDICTION_STUDY.md). All follow one cosine that ends at 0 where training stops, so that every
child is measured at the end of its annealing. A trapezoid ends there too; its rate is the same as a
longer training's until it falls, so that the longer one can go on from there (`training/state.py`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from epnas_tf import fields
from epnas_tf.fields import SettingError
from epnas_tf.training.settings import (
    TRAPEZOID,
    Optimisation,
    Regularisation,
    ScheduleSettings,
)


def _require(holds: bool, setting: str, reason: str) -> None:
    if not holds:
        raise SettingError(setting, reason)


@dataclasses.dataclass(frozen=True)
class Schedule(Optimisation, Regularisation):
    """A training recipe: stochastic gradient descent with momentum.

    Attributes:
      name: what a person calls it.
      epochs: parts that the training is counted in; a pass over the training split each, but for
        `epoch_images`.
      batch_size: images per update, over all replicas.
      learning_rate: the highest rate.
      warmup_epochs: epochs during which the rate rises linearly to the top.
      micro_batch_size: images per forward pass on one replica; an update sums the gradients of as
        many as its batch needs. 0 takes the whole batch at once.
      momentum: share of the last update kept in the next.
      nesterov: whether the momentum looks ahead.
      epoch_images: training images per epoch, 0 for all. Epochs of fewer than all cut one stream of
        whole shuffled passes: three of 5,000 see 15,000 different images where there are so many.
      weight_decay: L2 factor on kernels; biases and batch norm are left alone.
      clip_norm: largest global norm of an update's gradient; 0 clips nothing.
      class_weight: `balanced` weighs images of small classes more in the loss, `none` all alike.
      label_smoothing: share of an image's label that is spread over all classes.
      ema_decay: share of the average of the weights that an update leaves; 0 averages nothing.
      low_resolution: share of the updates, the first ones, that see images of half the size.
      identity_init: whether a network's convolutions begin as the identity.
      mixup: alpha of the share by which the images of a batch are blended; 0 blends none.
      bias_rate: factor on the rate of batch norm's biases.
      decay: whether the rate falls along a `cosine` or at the end alone (`trapezoid`).
      decay_share: share of the updates in which the rate of a trapezoid falls.
      drop_path: share of the images that lack a path of the last cell or skip in the last update.
      auxiliary_weight: weight of the loss of an auxiliary head; 0 has none.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    warmup_epochs: int = 0
    micro_batch_size: int = 0
    momentum: float = 0.9
    nesterov: bool = True
    epoch_images: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.epochs >= 1, "epochs", f"must be at least 1, got {self.epochs}")
        _require(self.batch_size >= 1, "batch_size", f"must be at least 1, got {self.batch_size}")
        _require(
            math.isfinite(self.learning_rate) and self.learning_rate > 0,
            "learning_rate",
            f"must be positive, got {self.learning_rate}",
        )
        _require(
            0 <= self.warmup_epochs <= self.epochs,
            "warmup_epochs",
            f"must be in 0..epochs ({self.epochs}), got {self.warmup_epochs}",
        )
        _require(
            self.micro_batch_size >= 0
            and (self.micro_batch_size == 0 or self.batch_size % self.micro_batch_size == 0),
            "micro_batch_size",
            f"must be 0 or divide batch_size ({self.batch_size}), got {self.micro_batch_size}",
        )
        _require(0 <= self.momentum < 1, "momentum", f"must be in [0, 1), got {self.momentum}")
        _require(
            self.epoch_images >= 0, "epoch_images", f"must be at least 0, got {self.epoch_images}"
        )
        _require(
            not (self.auxiliary_weight and self.low_resolution),
            "auxiliary_weight",
            "must be 0 with low_resolution: the head sees a whole map, of one size, "
            f"got {self.auxiliary_weight}",
        )

    def images_per_epoch(self, num_images: int) -> int:
        """Returns how many images an epoch has, of so many training images."""
        return min(self.epoch_images or num_images, num_images)

    def steps_per_epoch(self, num_images: int) -> int:
        """Returns the updates of an epoch, whole batches, of so many training images."""
        return self.images_per_epoch(num_images) // self.batch_size

    def images(self, num_images: int) -> int:
        """Returns how many images all epochs have, of so many training images.

        Those of half the height and width count as a quarter, as they do in operations.
        """
        full = 1 - 0.75 * self.low_resolution
        return round(full * self.epochs * self.images_per_epoch(num_images))

    def low_until(self, steps_per_epoch: int) -> int:
        """Returns the number of updates that see images of half the size."""
        return round(self.low_resolution * self.epochs * steps_per_epoch)

    def falls_from(self, steps_per_epoch: int) -> int:
        """Returns the number of updates before the first whose rate falls."""
        total, warmup = self.epochs * steps_per_epoch, self.warmup_epochs * steps_per_epoch
        if self.decay != TRAPEZOID:
            return warmup
        return max(warmup, total - max(1, round(self.decay_share * total)))

    def same_until(self, epochs: int, steps_per_epoch: int) -> int:
        """Returns how many updates a training of other epochs has in common with this one."""
        if epochs == self.epochs:
            return self.epochs * steps_per_epoch
        if self.low_resolution or self.drop_path:  # they go by the share of all updates
            return 0
        fewer = min(max(epochs, self.warmup_epochs), self.epochs)
        return dataclasses.replace(self, epochs=max(fewer, 1)).falls_from(steps_per_epoch)


SCHEDULES = {
    "plain": Schedule("plain", epochs=20, batch_size=128, learning_rate=0.05),
    "aggressive": Schedule(
        "aggressive", epochs=10, batch_size=1024, learning_rate=0.5, warmup_epochs=1
    ),
    "quick": Schedule("quick", epochs=3, batch_size=32, learning_rate=0.05, epoch_images=5_000),
}

# `quick` was chosen with 5,000 images, and costs the same where there are more. Fewer would not be
# enough updates to tell networks apart: they are seen more often, until this many are seen in all.
_QUICK_IMAGES = 15_000
_MOST_EPOCHS = 40
_LEAST_BATCH = 8

# What a small data set needs instead of the values above, by (data set, schedule).
_ADAPTED: dict[tuple[str, str], dict[str, Any]] = {
    # 1,079 images of 8x8 pixels: 330 updates bring a net of 17,000 parameters to 0.986 to 0.992.
    ("digits", "plain"): {"epochs": 10, "batch_size": 32, "learning_rate": 0.05},
}


def changed(plan: Schedule, **overrides: Any) -> Schedule:
    """Returns the schedule with some fields replaced.

    A batch size without a learning rate takes the rate along in proportion, as the paper's section
    3.4 keeps it (DECISIONS 17).

    Raises:
      SettingError: a value is out of its range.
    """
    if "batch_size" in overrides and "learning_rate" not in overrides:
        ratio = overrides["batch_size"] / plan.batch_size
        overrides = overrides | {"learning_rate": plan.learning_rate * ratio}
    return dataclasses.replace(plan, **overrides)


def schedule(name: str, **overrides: Any) -> Schedule:
    """Returns the schedule of this name with some fields replaced.

    Raises:
      SettingError: the name is unknown or a value is out of its range.
    """
    _require(name in SCHEDULES, "schedule", f"must be one of {tuple(SCHEDULES)}, got {name!r}")
    return changed(SCHEDULES[name], **overrides)


def for_dataset(dataset: str, name: str = "", images: int = 0, **overrides: Any) -> Schedule:
    """Returns the schedule of this name as it suits the data set, with some fields replaced.

    Args:
      dataset: what it is called.
      name: of the schedule; empty for `quick`, or `plain` where that is adapted to the set.
      images: training images, for the epochs of `quick`; 0 takes there to be many.
      **overrides: fields of the schedule.

    Raises:
      SettingError: the name is unknown or a value is out of its range.
    """
    name = name or ("plain" if (dataset, "plain") in _ADAPTED else "quick")
    plan = changed(schedule(name, **_ADAPTED.get((dataset, name), {})), **overrides)
    if name == "quick" and images and "epochs" not in overrides:
        least = min(math.ceil(_QUICK_IMAGES / plan.images_per_epoch(images)), _MOST_EPOCHS)
        plan = dataclasses.replace(plan, epochs=max(plan.epochs, least))
    return plan


# Settings of a schedule that may be left to it, and what says so.
LEFT_OPEN = {
    field.name: field.default
    for field in fields.settings_in(ScheduleSettings)
    if field.metadata["auto"] and field.name != "schedule"
}


def said_in(settings: ScheduleSettings) -> dict[str, Any]:
    """Returns what settings say of a schedule and do not leave to it."""
    said = {name: getattr(settings, name) for name in LEFT_OPEN}
    return {name: value for name, value in said.items() if value != LEFT_OPEN[name]}


def of_settings(settings: ScheduleSettings, dataset: str, images: int = 0) -> Schedule:
    """Returns the schedule that settings name, with what they say in the place of its own values.

    Args:
      settings: of a child or a final training.
      dataset: what the images are called.
      images: for training, as `for_dataset` takes them.

    Raises:
      SettingError: a value is out of its range.
    """
    own = (field.name for field in fields.settings_in(Schedule))
    others = {name: getattr(settings, name) for name in own if hasattr(settings, name)}
    return for_dataset(dataset, settings.schedule, images, **said_in(settings), **others)


def fit_to(plan: Schedule, num_images: int, replicas: int = 1, *, named: bool = False) -> Schedule:
    """Returns the schedule with a batch that suits the number of training images (DECISIONS 69).

    The batch is the smaller of the one asked for and a sixteenth of an epoch's images, but at least
    8 as far as there are so many: batch norm makes nothing of fewer, and networks would be ranked
    by chance. It is rounded down to whole micro-batches on every replica; the learning rate keeps
    its ratio to the batch. Where it is less than one micro-batch per replica, it is taken whole.

    Args:
      plan: the schedule.
      num_images: of the training split.
      replicas: that share a batch.
      named: whether a person asked for this very batch: it is kept up to an epoch's images.

    Raises:
      ValueError: there are no images or replicas, or fewer images per epoch than replicas.
    """
    if replicas < 1:
        raise ValueError(f"replicas must be at least 1, got {replicas}")
    images = plan.images_per_epoch(num_images)
    if images < replicas:
        raise ValueError(
            f"an epoch must hold at least one training image per replica ({replicas}), got {images}"
        )
    suited = images if named else max(images // 16, _LEAST_BATCH, replicas)
    most = min(max(plan.batch_size, replicas), suited, images)
    micro = plan.micro_batch_size if replicas * plan.micro_batch_size <= most else 0
    unit = replicas * max(micro, 1)
    batch = max(most // unit, 1) * unit
    return changed(plan, batch_size=batch, micro_batch_size=micro)


def learning_rate_at(step: int, plan: Schedule, steps_per_epoch: int) -> float:
    """Returns the rate of an update: a linear warm-up, then one cosine or trapezoid to 0.

    `step` counts updates from 0. The warm-up's last update runs at the full rate, and the rate
    would reach 0 at the update after the last (PAPER_NOTES section 4).

    Raises:
      ValueError: the step lies outside the schedule.
    """
    total = plan.epochs * steps_per_epoch
    warmup = plan.warmup_epochs * steps_per_epoch
    if not 0 <= step < total:
        raise ValueError(f"step must be in 0..{total - 1}, got {step}")
    if step < warmup:
        return plan.learning_rate * (step + 1) / warmup
    falls = plan.falls_from(steps_per_epoch)
    progress = max(step - falls, 0) / (total - falls)
    if plan.decay == TRAPEZOID:
        return plan.learning_rate * (1 - progress)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
