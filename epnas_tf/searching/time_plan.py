"""A plan for the time there is: how large networks may be, how long trained, how many come.

Arithmetic on plain numbers: from a budget of seconds follow a ceiling on a child's estimated time,
the images it sees at the lowest rung, the rungs, and the steps and episodes that fill the time. It
is asked once, when a search begins; what it answers is stored with the search, and nothing of it
follows from the clock afterwards.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

# A search of so many seconds or more has at least so many networks; a shorter one as many in
# proportion. First larger networks come of more time; beyond an hour more of them too.
FULL_SECONDS, FULL_NETWORKS = 900.0, 60
_LONG_SECONDS = 3600.0

# Seconds of a child beside its training, and of the policy's and predictor's share in it: building,
# tracing, writing (2 to 4 on two cores); of a search before its first child.
SETUP_SECONDS = 3.0
_START_SECONDS = 5.0

# Work of a typical promotion, in that of its network at the lowest rung: most rise by one rung.
_PROMOTION = 4.0
# Trainings at the highest rung that the end must have time for: with fewer than two further seeds
# of the best start and of one finalist, nothing tells how much seeds matter.
_FINAL_TRAININGS = 4

# With time for so many networks at the second rung, all are trained for as long as that: after the
# first, good networks look alike (docs/RESULTS.md). Fewer are too few to choose among.
_ENOUGH_NETWORKS = 20

# Networks as large as the limits allow see fewer images than the schedule would show them, down to
# these; then networks become smaller; where there are no smaller ones, they see still fewer images.
# Where no limit bounds the time of a network, images and networks become fewer and smaller alike.
_ENOUGH_IMAGES, _LEAST_IMAGES = 2_500, 1_000
# So many epochs are kept where that leaves each the least images.
_FEW_EPOCHS = 3
# A typical network takes so much of the ceiling: others take more.
_TYPICAL = 0.7
# A child for which no time is left takes some all the same.
_LEAST_CHILD = 1.0
# How often the gap is halved in which the fastest networks lie.
_HALVINGS = 3
# What a child may take where there is no time limit.
_ENDLESS_CHILD = 600.0

# Episodes are planned for so many times the networks expected: the estimate is good to a factor of
# two, and what would be left of the time would be lost.
_SPARE = 2.0

# Validation is a forward pass, a training step costs three.
_PASSES = 3


@dataclasses.dataclass(frozen=True)
class Shares:
    """What of a search's time is not for new networks.

    Attributes:
      promotions: most of the search's work that longer trainings of the best may have.
      finals: of the time, for measuring the finalists with more seeds.
    """

    promotions: float = 0.0
    finals: float = 0.0

    @property
    def setups(self) -> float:
        """How often a network is set up: once, and whenever it rises."""
        return 1 + self.promotions / (1 - self.promotions) / _PROMOTION

    def usable(self, seconds: float) -> float:
        """Returns the seconds in which networks are trained."""
        return max(0.0, seconds * (1 - self.finals) - _START_SECONDS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """What a plan is made from.

    Attributes:
      seconds: of the run.
      validation_images: of the validation split.
      epochs: of the schedule.
      epoch_images: images of an epoch.
      typical: from the most seconds that training on an image may take to those that a typical
        network within that takes, None where no network is so fast.
      bounded: whether the limits bound the time of a network.
      rungs: how many times as long as the lowest each is; the highest are left out where there is
        no time to bring a network there and to measure two again at the end.
      fixed_rungs: whether all of them stay.
      shares: what is not for new networks, where there is more than one rung.
      branches: networks per step.
      steps: most steps per episode.
      max_child_seconds: a fixed ceiling on a child's training, None where it is to be planned.
      fixed_length: whether a child's epochs stay as the schedule has them.
    """

    seconds: float
    validation_images: int
    epochs: int
    epoch_images: int
    typical: Callable[[float], float | None]
    bounded: bool = True
    rungs: Sequence[float] = (1,)
    fixed_rungs: bool = False
    shares: Shares = Shares()
    branches: int = 4
    steps: int = 10
    max_child_seconds: float | None = None
    fixed_length: bool = False

    @property
    def images(self) -> int:
        """Images that a child sees by the schedule."""
        return self.epochs * self.epoch_images

    def passes(self, images: float) -> float:
        """Returns how many images' training a child costs that sees so many."""
        return images + self.validation_images / _PASSES


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimePlan:
    """How a search uses its time.

    Attributes:
      networks: to be expected, promotions not counted.
      child_seconds: of a typical child at the lowest rung, validation included.
      max_child_seconds: the ceiling on a child's estimated training there.
      epochs: of the lowest rung.
      epoch_images: images of an epoch.
      rungs: how many there are.
      steps: per episode.
      episodes: more than are expected to end.
    """

    networks: int
    child_seconds: float
    max_child_seconds: float
    epochs: int
    epoch_images: int
    rungs: int
    steps: int
    episodes: int


def wanted(seconds: float) -> float:
    """Returns how many networks a search of so many seconds should have, at least."""
    part = min(1.0, seconds / FULL_SECONDS) * math.sqrt(max(1.0, seconds / _LONG_SECONDS))
    return max(1.0, FULL_NETWORKS * part)


def ceiling(seconds: float, shares: Shares = Shares()) -> float:
    """Returns the seconds that a child may take; were all to take them, enough would come.

    Args:
      seconds: of the search, 0 for any number.
      shares: what is not for new networks.
    """
    if not seconds:
        return _ENDLESS_CHILD
    each = shares.usable(seconds) / wanted(seconds) - shares.setups * SETUP_SECONDS
    return max(each * (1 - shares.promotions), _LEAST_CHILD)


def expected(seconds: float, child: float, shares: Shares = Shares()) -> int:
    """Returns how many networks to expect of a search, at least 1.

    Args:
      seconds: of the search.
      child: seconds of a typical child at the lowest rung, validation included.
      shares: what is not for new networks.
    """
    each = child / (1 - shares.promotions) + shares.setups * SETUP_SECONDS
    return max(1, int(shares.usable(seconds) / each))


def plan(given: Given) -> TimePlan:
    """Returns how a search uses its time; what is fixed stays."""
    planned = _from_the_first_rung(given)
    return _from_the_second_rung(given, planned) or planned


def _from_the_second_rung(given: Given, planned: TimePlan) -> TimePlan | None:
    """Returns a plan without the lowest rung, None where that leaves too few networks or rungs.

    Args:
      given: what the plan is made from.
      planned: the plan with it.
    """
    fixed = given.fixed_length or given.fixed_rungs or given.max_child_seconds is not None
    if fixed or len(given.rungs) < 3:
        return None
    times = round(given.rungs[1])
    images = planned.epochs * planned.epoch_images
    child = planned.child_seconds * given.passes(times * images) / given.passes(images)
    networks = expected(given.seconds, child, given.shares)
    rungs = [rung / times for rung in given.rungs[1:]]
    while len(rungs) > 1 and not _reached(given, rungs, child):
        rungs.pop()
    if networks < _ENOUGH_NETWORKS or len(rungs) == 1:
        return None
    steps, episodes = _steps(networks, given)
    return dataclasses.replace(
        planned,
        networks=networks,
        child_seconds=child,
        max_child_seconds=times * planned.max_child_seconds,
        epochs=times * planned.epochs,
        rungs=len(rungs),
        steps=steps,
        episodes=episodes,
    )


def _from_the_first_rung(given: Given) -> TimePlan:
    rungs = len(given.rungs)
    while True:
        shares = given.shares if rungs > 1 else Shares()
        child = _child(given, ceiling(given.seconds, shares))
        seconds = child.each * given.passes(child.images)
        if rungs == 1 or given.fixed_rungs or _reached(given, given.rungs[:rungs], seconds):
            break
        rungs -= 1
    networks = expected(given.seconds, seconds, shares)
    epochs, epoch_images = _epochs(child.images, given)
    steps, episodes = _steps(networks, given)
    return TimePlan(
        networks=networks,
        child_seconds=seconds,
        max_child_seconds=child.most,
        epochs=epochs,
        epoch_images=epoch_images,
        rungs=rungs,
        steps=steps,
        episodes=episodes,
    )


def _reached(given: Given, rungs: Sequence[float], seconds: float) -> bool:
    """Says whether there is time for the highest of some rungs.

    Args:
      given: what the plan is made from.
      rungs: more than one.
      seconds: of a typical child at the lowest.
    """
    shares = given.shares
    each = [times * seconds + SETUP_SECONDS for times in rungs]
    if sum(each[1:]) > shares.promotions * shares.usable(given.seconds):
        return False
    return not shares.finals or _FINAL_TRAININGS * each[-1] <= shares.finals * given.seconds


def _steps(networks: int, given: Given) -> tuple[int, int]:
    """Returns the steps of an episode and the episodes, enough for more than so many networks."""
    steps = min(given.steps, max(1, math.ceil(networks / given.branches) - 1))
    more = _SPARE * networks / given.branches - 1
    return steps, max(1, math.ceil(more / steps))


@dataclasses.dataclass(frozen=True)
class _Child:
    """A typical child: its images, its seconds per image, and the most that one may train."""

    images: int
    each: float
    most: float


def _child(given: Given, seconds: float) -> _Child:
    """Returns what children are like that take at most so many seconds."""

    def most(images: int) -> float:
        fixed = given.max_child_seconds
        return seconds * images / given.passes(images) if fixed is None else fixed

    images = given.images
    largest = given.typical(math.inf)
    if largest is None:  # nothing is known of the networks
        return _Child(images, _TYPICAL * most(images) / images, most(images))
    if not given.fixed_length:
        largest = largest if given.bounded else math.sqrt(largest * _TYPICAL * seconds / images)
        images = _affordable(given, largest, _TYPICAL * seconds, _ENOUGH_IMAGES)
    each = given.typical(most(images) / images)
    if each is None:
        each = _smallest(given.typical, most(images) / images)
        if not given.fixed_length:
            images = _affordable(given, each, seconds, _LEAST_IMAGES)
        each = given.typical(most(images) / images) or each
    return _Child(images, each, max(most(images), each * images))


def _affordable(given: Given, each: float, seconds: float, least: int) -> int:
    """Returns on how many images a child can be trained in a time, at so many seconds each."""
    images = int(seconds / each - given.validation_images / _PASSES)
    return min(given.images, max(images, least))


def _smallest(typical: Callable[[float], float | None], most: float) -> float:
    """Returns the seconds per image of about the fastest networks, which take more than `most`."""
    found = None
    while found is None:
        least, most = most, 2 * most
        found = typical(most)
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        smaller = typical(middle)
        if smaller is None:
            least = middle
        else:
            found, most = smaller, middle
    return found


def _epochs(images: int, given: Given) -> tuple[int, int]:
    """Returns the epochs of a child that sees so many images, and the images of each."""
    if images >= given.images:
        return given.epochs, given.epoch_images
    few = min(given.epochs, _FEW_EPOCHS, max(1, images // _LEAST_IMAGES))
    epochs = max(few, images // given.epoch_images)
    return epochs, min(given.epoch_images, images // epochs)
