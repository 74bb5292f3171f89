"""What a search will take: before it starts, hours, disk and memory; while it runs, time left."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from epnas_tf.report.units import short
from epnas_tf.searching import time_plan
from epnas_tf.searching.time_plan import FULL_NETWORKS, FULL_SECONDS, SETUP_SECONDS, Shares

# Later networks take so many times the training of the random ones that a search begins with.
GROWTH = 1.5
# How sure it is from the start that networks are trained, not skipped or remembered: as if so many
# had been.
_SURE = 8

# Bytes of a trial's own file and its share of the others, on a disk that gives out 4 KiB at a time;
# of a file of weights beside its numbers; of a number.
_TRIAL_BYTES = 8e3
_WEIGHTS_BYTES = 60e3
_FLOAT_BYTES = 4
# Bytes of the process before it sees an image: Python, TensorFlow, Keras.
_PROCESS_BYTES = 900e6

# A search that takes no longer is not worth a word on how to make it shorter.
_LONG = 3600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tally:
    """How far a search is.

    Attributes:
      left: trials without a result, of those that count.
      ended: trials with a result, of those that count.
      trained: of these, those that took training; others were skipped or remembered.
      here: of these, those of this run.
      elapsed: seconds since this run began.
      before: mean seconds of trials trained by earlier runs, 0 without any.
      limit: seconds that this run may take, 0 for any number.
      shares: what of the time is not for new networks.
      finals: seconds of the measurements at the end.
    """

    left: int
    ended: int
    trained: int
    here: int
    elapsed: float
    before: float = 0.0
    limit: float = 0.0
    shares: Shares = Shares()
    finals: float = 0.0

    @property
    def each(self) -> float:
        """Seconds of this run for each network that it trained, as before where it trained none."""
        return self.elapsed / self.here if self.here else self.before


def seconds_left(tally: Tally) -> float | None:
    """Returns about how long a search still takes, None where nothing tells.

    What costs nothing, skipped and remembered networks, says nothing of the time that a trained one
    takes; it says how many of those that are left may be trained.
    """
    rest = max(0.0, tally.limit - tally.elapsed) if tally.limit else None
    if not tally.left:
        return tally.finals if rest is None else min(tally.finals, rest)
    if not tally.each:
        return rest
    share = (tally.trained + _SURE) / (tally.ended + _SURE)
    needed = tally.left * share * tally.each + tally.finals
    return needed if rest is None else min(needed, rest)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needs:
    """What is known of a search that is about to begin or to go on.

    Attributes:
      networks: how many are still to be trained, at most.
      first: estimated seconds of training of the next ones; 0 each where no rate is known.
      each: mean seconds of those that earlier runs trained, 0 without any.
      limit: seconds that this run may take, 0 for any number.
      default: whether that limit is the one that a search has by default.
      images: that a child is trained on.
      shares: what of the time is not for new networks.
      models: networks whose weights are kept.
      params: numbers in one of them.
      trials: how many there will be in all.
      shared_bytes: most that shared parameters may take, 0 where none are shared.
      image_bytes: of images and labels.
      tensor_bytes: of their copies as tensors.
      child_bytes: of a child's training.
    """

    networks: int
    first: Sequence[float] = ()
    each: float = 0.0
    limit: float = 0.0
    default: bool = False
    images: int = 0
    shares: Shares = Shares()
    models: int = 0
    params: float = 0.0
    trials: int = 0
    shared_bytes: float = 0.0
    image_bytes: float = 0.0
    tensor_bytes: float = 0.0
    child_bytes: float = 0.0

    @property
    def seconds(self) -> float | None:
        """Estimated time of the search without a limit, None where no rate is known."""
        if self.each:
            return self.networks * self.each
        if not any(self.first):
            return None
        known = self.first[: self.networks]
        later = (self.networks - len(known)) * GROWTH * sum(known) / len(known)
        setups = self.networks * SETUP_SECONDS * self.shares.setups
        return (sum(known) + later) / (1 - self.shares.promotions) + setups

    @property
    def child(self) -> float:
        """Estimated seconds of a typical child's training, 0 where no rate is known."""
        return sum(self.first) / len(self.first) if self.first else 0.0

    @property
    def expected(self) -> int:
        """Networks to expect within the limit, at most those that are left."""
        if self.each:
            return min(self.networks, max(1, int(self.limit / self.each)))
        return min(self.networks, time_plan.expected(self.limit, self.child, self.shares))

    @property
    def disk(self) -> float:
        """Estimated bytes on disk, but for shared parameters."""
        weights = self.models * (GROWTH * self.params * _FLOAT_BYTES + _WEIGHTS_BYTES)
        return weights + self.trials * _TRIAL_BYTES

    @property
    def memory(self) -> float:
        """Estimated bytes in memory."""
        return _PROCESS_BYTES + self.image_bytes + self.tensor_bytes + self.child_bytes


def lines(needs: Needs) -> list[str]:
    """Returns what to say before a search: what it takes and, of a long one, how to shorten it."""
    if not needs.networks:
        return []
    held = f"images {short(needs.image_bytes)}B, as tensors {short(needs.tensor_bytes)}B more"
    said = [
        f"expected: {_time(needs)}; disk {_disk(needs)}; memory {short(needs.memory)}B ({held})",
        *_few(needs),
    ]
    if needs.seconds is not None and not 0 < needs.limit <= _LONG:
        said += _shorter(needs.seconds, needs.networks, needs.trials)
    return said


def after_first_step(tally: Tally) -> list[str]:
    """Returns what is said again after the first step, when the first networks took their time."""
    left = seconds_left(tally)
    if not tally.left or left is None:
        return []
    took = duration(tally.elapsed)
    networks = tally.left
    if tally.limit:  # what rises takes its share from now on
        networks = min(networks, int(left / tally.each * (1 - tally.shares.promotions)))
    said = f"the first step took {took}: about {duration(left)} more for {networks} networks"
    return [said, *_shorter(left, tally.left, tally.left + tally.ended)]


def duration(seconds: float) -> str:
    """Returns a time as people say it: "40 seconds", "3.5 hours"."""
    units = (("second", 1, 90), ("minute", 60, 90), ("hour", 3600, 48), ("day", 86400, 1e9))
    unit, size = next((unit, size) for unit, size, most in units if seconds < most * size)
    digits = 1 if seconds < 10 * size and size >= 3600 else 0
    number = f"{seconds / size:.{digits}f}".removesuffix(".0")
    return f"{number} {unit}" + ("" if number == "1" else "s")


def _time(needs: Needs) -> str:
    """Returns how many networks there will be and how long that takes."""
    seconds, limit, most = needs.seconds, needs.limit, f"at most {needs.networks} networks"
    if limit and (seconds is None or seconds > limit):
        default = ", the default" * needs.default
        hours = f"{duration(limit)} (--max_hours={limit / 3600:g}{default})"
        if seconds is None:
            return f"{most}, {hours} at most"
        return f"about {needs.expected} networks in {hours}: {_why(needs)}"
    again = needs.networks > len(needs.first)  # there is more than the first step
    if seconds is None:
        how_long = "how long is said after the first step" if again else "how long is not known"
    elif needs.each:
        how_long = f"about {duration(seconds)} (as before)"
    else:
        how_long = (
            f"about {duration(seconds)} (a guess{', said again after the first step' * again})"
        )
    return f"{most}, {how_long}"


def _why(needs: Needs) -> str:
    """Returns what a limited time is spent on."""
    if needs.each:
        return f"{duration(needs.each)} each, as before"
    said = [f"about {duration(needs.child)} each on {needs.images} images"]
    if needs.shares.promotions:
        said.append(f"{needs.shares.promotions:.0%} of the training for longer ones of the best")
    if needs.shares.finals:
        said.append(f"{duration(needs.shares.finals * needs.limit)} for the finals")
    return ", ".join(said)


def _few(needs: Needs) -> list[str]:
    """Says why so few networks come, where the time should be enough for more."""
    enough = needs.limit < FULL_SECONDS or needs.expected >= min(FULL_NETWORKS, needs.networks)
    if enough or needs.each or not needs.child:
        return []
    return [
        f"note: fewer than {FULL_NETWORKS} networks, at {duration(needs.child)} each and "
        f"{SETUP_SECONDS:g} to build it: smaller images (--image_size), fewer of them "
        "(--epochs, --epoch_images), tighter limits or a larger --max_hours let more come"
    ]


def _disk(needs: Needs) -> str:
    shared = f" and shared parameters up to {short(needs.shared_bytes)}B"
    return f"{short(needs.disk)}B{shared if needs.shared_bytes else ''}"


def _shorter(seconds: float, networks: int, trials: int) -> list[str]:
    """Returns how to make a long search shorter; the trials that are done count as well."""
    if seconds <= _LONG:
        return []
    most = trials - networks + max(1, int(float(f"{networks * _LONG / seconds:.2g}")))
    return [
        f"to make it shorter: --max_hours=1 or --max_trials={most} (a later run goes on), fewer "
        "--episodes (more may follow) or a smaller --train_fraction"
    ]
