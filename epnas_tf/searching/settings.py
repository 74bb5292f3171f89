"""The settings of how a search goes on and learns, and the paper's choices of them.

The defaults are what docs/SEARCH_STUDY.md measured to need the fewest trained networks.
"""

from __future__ import annotations

import dataclasses

from epnas_tf.fields import MAY_CHANGE, MAY_GROW, Settings, setting
from epnas_tf.searching.algorithms import ALGORITHMS
from epnas_tf.searching.policies import POLICIES

# Steps per episode, and episodes (paper, section 4.1).
STEPS = {"layerwise": 10, "module": 5}
EPISODES = 15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes(Settings):
    """How long a search is, and the root of its randomness."""

    branches: int = setting(4, "networks changed side by side in a step", least=1)
    episodes: int = setting(
        0,
        "episodes; each starts from the best of the one before (0: as many as the time is enough "
        "for, 15 without --max_hours)",
        least=0,
        auto=True,
        resume=MAY_GROW,
    )
    steps: int = setting(0, "steps per episode (0: 10 layerwise, 5 module)", least=0, auto=True)
    seed: int = setting(0, "root of all randomness", least=0, common=True)

    def total(self, pattern: str) -> int:
        """Returns the number of trials of a whole search: B + E * T * B (DECISIONS 7)."""
        episodes, steps = self.episodes or EPISODES, self.steps or STEPS[pattern]
        return self.branches * (1 + episodes * steps)


MIXTURE, PORTFOLIO, RANDOM = "mixture", "portfolio", "random"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StartSettings(Settings):
    """The networks that a search begins with."""

    starts: str = setting(
        MIXTURE,
        "what is trained first: a portfolio of plain, residual and separable networks as large as "
        "the limits allow, random networks (the paper's), or (mixture) half and half, the random "
        "ones near the limits",
        choices=(MIXTURE, PORTFOLIO, RANDOM),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings(Settings):
    """Who chooses the networks, and when a result is taken from memory."""

    algorithm: str = setting(
        "epnas",
        "what searches; the others are there to compare with, from the same starting networks "
        "and under the same limits: ageing evolution, local search, random networks",
        choices=tuple(ALGORITHMS),
    )
    policy: str = setting("lstm", "who chooses the changes", choices=tuple(POLICIES))
    reuse_duplicates: bool = setting(
        True, "answer a repeated network from memory, not by training (false: train again)"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSTMSettings(Settings):
    """The LSTM policy: its optimizer, its inputs and what it is rewarded for besides."""

    check_table_mix: float = setting(
        0.2,
        "weight of the paper's fixed distribution over places of an insertion; the rest is learnt",
        least=0,
        most=1,
    )
    policy_learning_rate: float = setting(2e-3, "learning rate of the policy's Adam", above=0)
    policy_epochs: int = setting(
        1, "Adam steps per update, clipped as in PPO (Schulman et al. 2017) if several", least=1
    )
    policy_clip: float = setting(
        0.2, "largest change of an action's odds by PPO", above=0, most=0.9
    )
    policy_entropy: float = setting(0.3, "weight of the policy's entropy bonus", least=0)
    policy_part_inputs: bool = setting(
        True,
        "show the LSTM that scales groups of layers the group in question (false: the whole "
        "network only)",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learning(Settings):
    """What the policy learns from, when, and who chooses among its proposals."""

    policy_update: str = setting(
        "step", "when the policy learns from trained networks", choices=("step", "episode")
    )
    policy_baseline: str = setting(
        "step_mean",
        "what its rewards are compared with: the mean of earlier rewards at the same step, the "
        "step's mean, the parent's reward or (critic) its predicted one",
        choices=("moving_average", "step_mean", "parent", "critic"),
    )
    replay: int = setting(0, "best changes that are learnt again after a step", least=0)
    parents: str = setting(
        "best",
        "what a step's changes start from: each branch's own network (the paper's), the best so "
        "far, or winners of tournaments",
        choices=("branch", "best", "tournament"),
    )
    limits: str = setting(
        "keep",
        "whether what is proposed keeps the limits, but for a few stepping stones, or (soft, the "
        "paper's) the reward falls with each violation",
        choices=("keep", "soft"),
    )
    screen: int = setting(
        64,
        "the policy's proposals per branch, of which the reward predictor picks (1: no pick)",
        least=1,
    )
    neighbours: int = setting(
        64, "single changes of each parent beside them, most (0: the policy's alone)", least=0
    )
    near_networks: int = setting(
        64,
        "trained networks below which a step makes single changes of its parents alone: of a few "
        "networks nobody can tell how distant ones do (0: the policy's changes come at once)",
        least=0,
    )
    imagined_updates: int = setting(
        10, "policy updates per step on changes with predicted rewards", least=0
    )
    imagined_batch: int = setting(8, "imagined changes per branch in such an update", least=1)
    predictor_skill: float = setting(
        0.3, "rank correlation from which the predictor is trusted", least=-1, most=1
    )

    @property
    def predicts(self) -> bool:
        """Whether a reward predictor is needed."""
        return self.screen > 1 or self.imagined_updates > 0 or self.policy_baseline == "critic"

    @property
    def keeps_limits(self) -> bool:
        """Whether what is proposed keeps the limits, so that accuracy alone is uncertain."""
        return self.limits == "keep"

    def without_updates(self) -> Learning:
        """Returns what is left of the settings for a policy that learns nothing."""
        baseline = "step_mean" if self.policy_baseline == "critic" else self.policy_baseline
        return dataclasses.replace(self, imagined_updates=0, replay=0, policy_baseline=baseline)


# Epochs of the rungs as multiples of the lowest: each as many times the one below as successive
# halving has it (Li et al. 2018).
RUNG_FACTORS = (1, 3, 9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RungSettings(Settings):
    """How long networks are trained, and which are promoted to longer trainings (rungs)."""

    rungs: tuple[int, ...] = setting(
        (),
        "epochs of the rungs, rising: all networks are trained for the first, the most promising "
        "ones are promoted and trained again for longer; one number: no promotions (empty: 1, 3 "
        "and 9 times --epochs, as far as the time reaches)",
        least=1,
        rising=True,
        auto=True,
    )
    promotion_share: float = setting(
        0.5,
        "share of the work, as estimated, that may go to rungs above the first",
        least=0,
        most=0.95,
    )
    finalists: int = setting(
        3,
        "most promising networks that are measured again at the end, beside the best of the first "
        "with up to 2 more seeds (0: none are)",
        least=0,
        resume=MAY_CHANGE,
    )
    finals_share: float = setting(
        0.2, "most work that this may take, as a share of the search's", least=0, resume=MAY_CHANGE
    )

    @property
    def rung_epochs(self) -> tuple[int, ...]:
        """Epochs of each rung; multiples of the lowest where the schedule's are not known yet."""
        return self.rungs or RUNG_FACTORS


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings(Sizes, StartSettings, PolicySettings, LSTMSettings, Learning, RungSettings):
    """Everything that decides which networks are proposed, but for space and limits."""


# One update per episode, returns-to-go about a moving average, no predictor (paper, section 3.2).
PAPER = Learning(
    policy_update="episode",
    policy_baseline="moving_average",
    parents="branch",
    limits="soft",
    screen=1,
    neighbours=0,
    near_networks=0,
    imagined_updates=0,
)

PAPER_STARTS = StartSettings(starts=RANDOM)

# What the paper says of its policy (section 4.1; the check table alone decides the place:
# PAPER_NOTES section 2).
PAPER_LSTM = LSTMSettings(
    policy_learning_rate=6e-4, check_table_mix=1.0, policy_entropy=0.0, policy_part_inputs=False
)
