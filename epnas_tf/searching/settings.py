"""How a search learns from its trials: every choice as a plain option, and the paper's choices."""

from __future__ import annotations

import dataclasses

UPDATES = ("step", "episode")
BASELINES = ("moving_average", "step_mean", "parent", "critic")
PARENTS = ("branch", "best", "tournament")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learning:
    """What the policy learns from, when, and who chooses among its proposals.

    The defaults are what docs/SEARCH_STUDY.md measured to need the fewest trained networks.

    Attributes:
      update: "step" or "episode": how often the policy learns from trained networks.
      baseline: what the reward is compared with: "moving_average" of the step index, "step_mean",
        the "parent"'s reward, or a "critic", the parent's predicted reward.
      parents: where a step starts: each "branch" from its own child (the best of an episode start
        the next; the paper's), all from the "best" so far, or from winners of a "tournament".
      replay: of how many of the best changes the probability is raised again after each update.
      screen: proposals a branch, of which the predictor picks the one to train; 1 picks none.
      imagined_updates: policy updates a step in the predictor's imagined environment; 0 for none.
      imagined_batch: imagined morphs of each branch's network in such an update.
      skill: least cross-validated rank correlation at which the predictor is trusted.
    """

    update: str = "step"
    baseline: str = "step_mean"
    parents: str = "best"
    replay: int = 0
    screen: int = 64
    imagined_updates: int = 10
    imagined_batch: int = 8
    skill: float = 0.3

    def __post_init__(self) -> None:
        for name, allowed in (("update", UPDATES), ("baseline", BASELINES), ("parents", PARENTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        for name, least in (
            ("replay", 0),
            ("screen", 1),
            ("imagined_updates", 0),
            ("imagined_batch", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not -1 <= self.skill <= 1:
            raise ValueError(f"skill must be in -1..1, got {self.skill}")

    @property
    def predicts(self) -> bool:
        """Whether a reward predictor is needed."""
        return self.screen > 1 or self.imagined_updates > 0 or self.baseline == "critic"


# One update an episode, returns-to-go about a moving average, no predictor (paper, section 3.2).
PAPER = Learning(
    update="episode",
    baseline="moving_average",
    parents="branch",
    screen=1,
    imagined_updates=0,
)

# What goes with the defaults of `Learning` for the LSTM policy, and what the paper says of its own
# (section 4.1; the check table alone decides the place: PAPER_NOTES section 2).
LSTM = {"learning_rate": 2e-3, "check_table_mix": 0.2, "entropy": 0.3, "part_inputs": True}
PAPER_LSTM = {"learning_rate": 6e-4, "check_table_mix": 1.0, "entropy": 0.0, "part_inputs": False}
