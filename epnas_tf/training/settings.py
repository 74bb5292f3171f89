"""The settings of a child's training and of the machine it runs on.

What holds for any length and rate stands in `Optimisation`, and what final training has besides in
`Regularisation`: a schedule has these fields too, so that they are stored with it. The rest names a
schedule or changes it; 0 and -1 leave it as it is.
"""

from __future__ import annotations

import dataclasses

from epnas_tf.fields import MAY_CHANGE, Settings, flag, setting

STRATEGIES = ("none", "mirrored", "tpu")
COSINE, TRAPEZOID = "cosine", "trapezoid"
DTYPE_POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimisation(Settings):
    """What a training begins with, what an update does, and how its rate falls."""

    decay: str = setting(
        COSINE,
        "how the rate falls after the warm-up: along a cosine, or not at all until it goes to 0 in "
        "a straight line (trapezoid, arXiv:2405.18392), so that a longer training can go on from "
        "there",
        choices=(COSINE, TRAPEZOID),
    )
    decay_share: float = setting(
        0.2, "share of the updates in which the rate of a trapezoid falls", above=0, most=1
    )
    weight_decay: float = setting(1e-4, "decay of kernels", least=0)
    clip_norm: float = setting(5.0, "longest gradient (0: any)", least=0)
    class_weight: str = setting(
        "none",
        "weight of an image in the training loss: 1, or (balanced) the more the fewer images its "
        "class has: images / (classes * the class' images), at most 10",
        choices=("none", "balanced"),
    )
    label_smoothing: float = setting(
        0.0,
        "share of an image's label that is spread over all classes in the training loss "
        "(arXiv:1512.00567)",
        least=0,
        most=0.9,
    )
    ema_decay: float = setting(
        0.0,
        "share of the average of all weights and batch norm's statistics that an update leaves, "
        "such as 0.99; it is what is measured and stored (0: no average; arXiv:1803.05407)",
        least=0,
        most=0.9999,
    )
    low_resolution: float = setting(
        0.0,
        "share of the updates, the first ones, that see images of half the height and width "
        "(arXiv:2104.00298)",
        least=0,
        most=0.9,
    )
    identity_init: bool = setting(
        False,
        "let convolutions begin as the identity on the channels of both input and output "
        "(arXiv:2404.00498)",
    )
    mixup: float = setting(
        0.0,
        "alpha of the distribution Beta(alpha, alpha) of an update's share, by which its images "
        "and labels are blended with others of the batch, such as 0.2 (0: not at all; "
        "arXiv:1710.09412)",
        least=0,
        most=100,
    )
    bias_rate: float = setting(
        1.0, "factor on the rate of batch norm's biases (arXiv:2404.00498)", above=0, most=1000
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regularisation(Settings):
    """What keeps a final training from learning its images by heart; children are too short."""

    drop_path: float = setting(
        0.0,
        "share of the images for which a path of the last cell, or what the last skip goes "
        "around, is left out in the last update; in proportion to depth and time before "
        "(arXiv:1707.07012)",
        least=0,
        most=0.9,
    )
    auxiliary_weight: float = setting(
        0.0,
        "weight of the loss of a second classifier at two thirds of the network's depth, such as "
        "0.4, in training alone (0: none; arXiv:1707.07012)",
        least=0,
        most=10,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleSettings(Optimisation):
    """How long and how fast a child is trained."""

    schedule: str = setting(
        "",
        "how a child is trained: quick (some thousand images for a few epochs, which ranks "
        "networks cheaply), plain (more epochs of all images), aggressive (large batches, as in "
        "the paper); empty: quick, plain for digits",
        choices=("", "quick", "plain", "aggressive"),
        auto=True,
    )
    epochs: int = setting(0, "epochs per child (0: the schedule's)", least=0, auto=True)
    batch_size: int = setting(0, "images per update (0: the schedule's)", least=0, auto=True)
    epoch_images: int = setting(
        -1,
        "training images per epoch; the next ones of shuffled passes (-1: the schedule's, 0: all)",
        least=-1,
        auto=True,
    )
    micro_batch_size: int = setting(
        0,
        "images at once, summed up to a batch (0: the batch, or what is fastest of a large one)",
        least=0,
        auto=True,
    )
    learning_rate: float = setting(
        0.0, "highest rate (0: the schedule's, in proportion to the batch)", least=0, auto=True
    )
    warmup_epochs: int = setting(-1, "epochs of warm-up (-1: the schedule's)", least=-1, auto=True)

    def check_together(self) -> None:
        """Refuses micro-batches that leave a rest and a warm-up longer than the training."""
        batch, epochs = self.batch_size, self.epochs
        if self.micro_batch_size and batch % self.micro_batch_size:
            rule = f"must divide {flag('batch_size', batch)}"
            self.refuse("micro_batch_size", rule, self.micro_batch_size)
        if epochs and self.warmup_epochs > epochs:
            self.refuse("warmup_epochs", f"is above {flag('epochs', epochs)}", self.warmup_epochs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlyStopping(Settings):
    """When a child's training is not worth its end (the median rule)."""

    stop_hopeless: float = setting(
        0.0,
        "median rule: stop a child whose training accuracy is this far below the median of the "
        "step before (0: never)",
        least=0,
        most=0.9,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceSettings(Settings):
    """Where children are trained."""

    strategy: str = setting("none", "devices of a child", choices=STRATEGIES)
    tpu: str = setting("", "TPU name or address, for --strategy=tpu", resume=MAY_CHANGE)
    deterministic: bool = setting(
        False, "let TensorFlow refuse operations whose results may differ between runs"
    )
    threads_per_child: int = setting(0, "threads per child (0: all cores)", least=0, auto=True)

    def check_together(self) -> None:
        """Refuses a TPU's name where none is used."""
        if self.tpu and self.strategy != "tpu":
            self.refuse("tpu", f"needs --strategy=tpu, got {self.strategy}", self.tpu)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Precision(Settings):
    """What children compute in."""

    dtype_policy: str = setting(
        DTYPE_POLICIES[0],
        "what layers compute in; variables, logits and loss are float32",
        choices=DTYPE_POLICIES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speed(Settings):
    """What time estimates go by."""

    machine_gflops: float = setting(0.0, "speed of training (0: measured)", least=0, auto=True)
