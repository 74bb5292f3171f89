"""What `searching/time_plan.py` needs to know of a search: its data, its schedule, its networks."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
from collections.abc import Callable
from typing import Any

from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.portfolio import UNLIMITED, Portfolio
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.data.dataset import Data
from epnas_tf.searching import time_plan
from epnas_tf.searching.settings import RungSettings
from epnas_tf.searching.time_plan import Given, Shares, TimePlan
from epnas_tf.training.schedule import Schedule

# Networks of which the mean cost is that of a typical child: as many as a search begins with.
_NETWORKS = 4


def plan(
    space: SearchSpace,
    budget: Budget,
    data: Data,
    schedule: Schedule,
    rungs: RungSettings,
    **others: Any,
) -> TimePlan:
    """Returns how a search uses its time.

    Args:
      space: where the networks lie.
      budget: what they may cost; a ceiling on their time is not looked at.
      data: the images.
      schedule: how long a child is trained where there is time enough.
      rungs: how many times as long as the lowest each is.
      **others: fields of `Given`: `seconds`, what is fixed (rungs that a person named are).
    """
    per_epoch = schedule.images_per_epoch(len(data.train))
    fixed = {"fixed_rungs": bool(rungs.rungs)} | others
    planned = time_plan.plan(
        Given(
            validation_images=len(data.validation),
            epochs=schedule.epochs,
            epoch_images=per_epoch,
            typical=typical(space, budget),
            bounded=any(c.metric == UNLIMITED.metric and c.upper for c in budget.constraints),
            rungs=[epochs / rungs.rung_epochs[0] for epochs in rungs.rung_epochs],
            shares=shares(rungs),
            **fixed,
        )
    )
    whole = planned.epoch_images == per_epoch  # said as the schedule says it
    return dataclasses.replace(planned, epoch_images=schedule.epoch_images) if whole else planned


def shares(settings: RungSettings) -> Shares:
    """Returns what of a search's time is not for new networks."""
    if len(settings.rung_epochs) == 1:
        return Shares()
    # The end's share is one of the work before it.
    finals = settings.finals_share / (1 + settings.finals_share) if settings.finalists else 0.0
    return Shares(settings.promotion_share, finals)


def fixed_seconds(minutes: float | None) -> float | None:
    """Returns the ceiling that `max_child_minutes` stands for, None where it is to be planned."""
    if minutes is None:
        return math.inf
    return 60 * minutes if minutes else None


def typical(space: SearchSpace, budget: Budget) -> Callable[[float], float | None]:
    """Returns the function from a ceiling to the time of a typical network within it.

    Both are seconds of training on an image. A search's portfolio tells: as large as all limits
    allow. None stands for a ceiling that no network of it keeps.
    """

    limits = dataclasses.replace(budget.limits, max_child_minutes=None)
    of_an_image = dataclasses.replace(budget, limits=limits, images=1)
    networks = Portfolio(space, of_an_image)

    @functools.lru_cache
    def mean(most: float) -> float | None:
        specs = networks.specs(_NETWORKS, most / 60)
        costs = [60 * of_an_image.minutes(of_an_image.cost(spec)) for spec in specs]
        return statistics.fmean(costs) if costs else None

    return mean
