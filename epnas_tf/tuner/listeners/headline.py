"""What a search says of its data and its children before the first trial."""

from __future__ import annotations

import math

import numpy as np

from epnas_tf.data.dataset import Data
from epnas_tf.data.labels import shortened
from epnas_tf.report import classes
from epnas_tf.searching.finals import Lineup
from epnas_tf.training import accuracies
from epnas_tf.tuner.session import Plan

# Of as many validation images, an accuracy is known to 4 points; of fewer, a person should know.
_ENOUGH = 500


def lines(plan: Plan, networks: int, work_dir: str) -> list[str]:
    """Returns the lines.

    Args:
      plan: what is about to be done.
      networks: that will be tried, as far as they are known.
      work_dir: folder of the search's files.
    """
    data = plan.data
    shape = "x".join(str(size) for size in data.input_shape)
    largest = accuracies.largest_class(data.validation, data.num_classes)
    uneven = "" if largest is None else f", {classes.share_text(largest)}"
    said = [
        f"{data.name}: {len(data.train)} training{_test(data)} and {len(data.validation)} "
        f"validation images of {shape}, {data.num_classes} classes{_names(data)}{uneven}; "
        f"at most {networks} networks in {work_dir}",
        _child(plan),
    ]
    if len(data.validation) < _ENOUGH:
        said.append(_uncertain(len(data.validation)))
    if uneven:
        said.append(_uneven_training(data))
    return said + [f"note: {note}" for note in data.notes]


def finals(lineup: Lineup) -> str:
    """Returns what is said of the end of a search when it begins."""
    start = "none" if lineup.start is None else lineup.start.first.name
    names = [slot.first.name for slot in lineup.networks]
    return (
        f"the end: {', '.join(names)} (best start: {start}) are measured again at the highest "
        f"rung, {len(lineup.planned)} trainings in all"
    )


def _test(data: Data) -> str:
    return "" if data.test is None else f", {len(data.test)} test"


def _names(data: Data) -> str:
    return "" if data.classes.numbered else f" ({shortened(data.classes.names)})"


def _uneven_training(data: Data) -> str:
    counts = np.bincount(data.train.labels, minlength=data.num_classes)
    of = shortened(
        f"{name} {count}" for name, count in zip(data.classes.names, counts, strict=True)
    )
    return (
        f"note: classes are uneven ({of} training images): --objective=balanced_accuracy and "
        "--class_weight=balanced let small ones count as much as large ones"
    )


def _child(plan: Plan) -> str:
    schedule, asked = plan.schedule, plan.asked.batch_size
    cut = f" (for so few images, not of {asked})" if asked > schedule.batch_size else ""
    images, training = schedule.images_per_epoch(len(plan.data.train)), len(plan.data.train)
    part = f" of {images} of the {training} training images each" if images < training else ""
    return (
        f"a child: epochs {schedule.epochs}{part}, batches of {schedule.batch_size}{cut}, "
        f"learning rate {schedule.learning_rate:.3g}"
    )


def _uncertain(images: int) -> str:
    """Says how well an accuracy is known, where it is least so: at a half."""
    width = 1.96 * math.sqrt(0.25 / images)
    cure = ": too few to compare networks by" if width > 0.1 else ""
    return f"note: on {images} validation images an accuracy is known to +-{width:.2f} (95%){cure}"
