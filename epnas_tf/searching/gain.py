"""By how much a network is better than the best start, and how well that is known.

Networks are measured again with further seeds, each with as many; the seed by which a network was
chosen was the luckiest of many and is left out where there are others. Of networks i, measured k
times with seeds j on the same n images v:

  gain      = mean_j y_1j - mean_j y_0j                            y_ij: accuracy
  Var(gain) = 2 s^2 / k  +  1/n max(0, S^2(d) - 1/k mean_v (s_1v^2 + s_0v^2))
              of seeds      of images

s^2 is the variance of y_ij over seeds, pooled over all networks, of N (k - 1) degrees of freedom;
d_v is the difference of the two networks' mean hits of image v and S^2(d) its variance over images,
in pairs; s_iv^2 is the variance of a network's hits of an image over seeds, which is in s^2 already
and would count twice in S^2(d). This is the variance of readers and cases of Gallas (Acad. Radiol.
13, 2006: "One-shot estimate of MRMC variance"), seeds being the readers and images the cases.

The interval is gain +- sqrt(t_s^2 V_s + t_v^2 V_v), the t quantiles of either part's degrees of
freedom (MOVER: Zou and Donner, Stat. Med. 27, 2008). The best of several networks is compared, so
the level is 1 - 0.05 / networks compared (Bonferroni), and 95% holds for whichever is chosen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import special

# What the interval holds for: it lies beside the truth as often.
MISS = 0.05

# What an interval is made of.
BOTH, IMAGES, SEEDS, NOTHING = BASES = ("seeds and images", "images", "seeds", "")


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """A network as it was measured.

    Attributes:
      accuracies: what networks are compared by, of each measurement.
      hits: which images were classified correctly, bool [measurements, images]; None where that is
        not known of each.
    """

    accuracies: Sequence[float]
    hits: np.ndarray | None = None

    @property
    def mean(self) -> float:
        """The mean of its measurements."""
        return math.fsum(self.accuracies) / len(self.accuracies)


@dataclasses.dataclass(frozen=True)
class Gain:
    """What the best network has over the best start.

    Attributes:
      slot: name of the network, as it was proposed: the best, or the next best where the best is
        that start itself.
      over: slot's name of the best start.
      points: the difference of their accuracies in percent points.
      low: of the 95% interval; None where nothing tells.
      high: likewise.
      basis: what the interval is made of: "seeds and images", "images" alone, "seeds" alone, "".
      seeds: measurements of each with further seeds; 0 where all there is are those by which they
        were chosen.
      networks: that were compared, the start among them.
      start_is_best: whether the best network is the start itself.
    """

    slot: str
    over: str
    points: float
    low: float | None
    high: float | None
    basis: str
    seeds: int
    networks: int
    start_is_best: bool = False

    @property
    def sentence(self) -> str:
        """What a person may repeat."""
        if self.start_is_best:
            return (
                f"the best start ({self.over}) is itself the best network; next comes {self.slot}: "
                f"{self.points:+.1f} points ({self.how})"
            )
        if self.low is not None and self.low > 0:
            return (
                f"{self.slot} beats the best start ({self.over}) by {self.points:.1f} points "
                f"({self.how})"
            )
        if self.high is not None and self.high < 0:
            return (
                f"{self.slot} is worse than the best start ({self.over}): {self.points:+.1f} "
                f"points ({self.how})"
            )
        return (
            f"{self.slot} is no better than the best start ({self.over}), as far as is known: "
            f"{self.points:+.1f} points ({self.how})"
        )

    @property
    def how(self) -> str:
        """How well it is known."""
        counted = f"{self.networks} networks measured"
        if self.seeds:
            plural = "s" if self.seeds > 1 else ""
            counted += f" with {self.seeds} more seed{plural}"
        else:
            counted += " once, as they were chosen"
        if self.low is None or self.high is None:
            return f"nothing tells how sure; {counted}"
        alone = f" of the {self.basis} alone" if self.basis in (IMAGES, SEEDS) else ""
        return f"95%{alone}: {self.low:.1f} to {self.high:.1f}; {counted}"


def interval(
    network: Measured,
    start: Measured,
    others: Sequence[Measured] = (),
    classes: np.ndarray | None = None,
) -> tuple[float, float | None, float | None, str]:
    """Returns the gain and its interval's ends in percent points, and what this is made of.

    Args:
      network: what is compared.
      start: with what; measured as often.
      others: among which the network was chosen, measured as often.
      classes: of the images, where the accuracy is the mean over classes; None where it is plain.
    """
    gain = 100 * (network.mean - start.mean)
    tail = 1 - MISS / (1 + len(others)) / 2
    seeds = _of_seeds([network, start, *others])
    images = _of_images(network, start, classes)
    parts = [part for part in (seeds, images) if part is not None]
    if not parts:
        return gain, None, None, NOTHING
    basis = BOTH if len(parts) == 2 else SEEDS if images is None else IMAGES
    squares = [special.stdtrit(degrees, tail) ** 2 * variance for variance, degrees in parts]
    half = 100 * float(np.sqrt(sum(squares)))
    return gain, gain - half, gain + half, basis


def _of_seeds(networks: Sequence[Measured]) -> tuple[float, int] | None:
    """Returns the variance of a difference over seeds and its degrees of freedom, if any."""
    times = len(networks[0].accuracies)
    degrees = len(networks) * (times - 1)
    if not degrees:
        return None
    squares = [(value - each.mean) ** 2 for each in networks for value in each.accuracies]
    return 2 * math.fsum(squares) / degrees / times, degrees


def _of_images(
    network: Measured, start: Measured, classes: np.ndarray | None
) -> tuple[float, int] | None:
    """Returns the variance of a difference over images and its degrees of freedom, if known."""
    if network.hits is None or start.hits is None or network.hits.shape[1] < 2:
        return None
    pair = [np.asarray(each.hits, np.float64) for each in (network, start)]
    differences = pair[0].mean(0) - pair[1].mean(0)
    times, images = pair[0].shape
    twice = np.zeros(images)  # what is over seeds
    if times > 1:
        twice = sum(hits.var(0, ddof=1) for hits in pair) / times
    labels = np.zeros(images, int) if classes is None else classes
    kinds = np.unique(labels)
    variance = 0.0
    for kind in kinds:  # each is a sample of its own
        of = labels == kind
        if of.sum() > 1:
            own = differences[of].var(ddof=1) - twice[of].mean()
            variance += own / of.sum() / len(kinds) ** 2
    degrees = images - len(kinds)
    return (max(0.0, float(variance)), degrees) if degrees else None
