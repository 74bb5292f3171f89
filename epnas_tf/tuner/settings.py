"""The settings of the oracle and of the tuner: those of the rooms below, and their own."""

from __future__ import annotations

import dataclasses

from epnas_tf.architecture.budget import ChildLimits
from epnas_tf.architecture.settings import BALANCED, RewardSettings
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import COPIED, MAY_CHANGE, Settings, setting
from epnas_tf.searching.settings import SearchSettings
from epnas_tf.sharing.settings import SharingSettings
from epnas_tf.training.settings import EarlyStopping, Precision, Speed
from epnas_tf.tuner.run_limits import RunLimits


@dataclasses.dataclass(frozen=True, kw_only=True)
class OracleSettings(SearchSettings, RewardSettings, SharingSettings, EarlyStopping, RunLimits):
    """What decides which trials there are, and what each must know."""

    @property
    def balanced(self) -> bool:
        """Whether networks are compared by balanced accuracy."""
        return self.objective == BALANCED


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempts(Settings):
    """How often a trial is tried."""

    max_attempts: int = setting(
        5, "tries of a trial before it counts as failed", least=1, resume=MAY_CHANGE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results(Settings):
    """What is kept of the trials."""

    keep_models: int = setting(
        3, "best networks whose weights are kept", least=1, resume=MAY_CHANGE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOnce(Settings):
    """What a search reads at its first start, and then has a copy of."""

    initial_specs: str = setting(
        "",
        "file of networks to start from, at most one per branch: JSON (a list of networks, a "
        "network per line) or the best.json of another search",
        auto=True,
        resume=COPIED,
    )
    prior: tuple[str, ...] = setting(
        (),
        "work_dirs of earlier searches of the same space, whose networks the predictor begins with",
        auto=True,
        resume=COPIED,
    )

    def check_together(self) -> None:
        """Refuses what names no folder, or could not be told from two."""
        for path in self.prior:
            if not path or "," in path:
                self.refuse("prior", "must be folders without a comma in their names", self.prior)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TunerSettings(ChildLimits, VariationSettings, Precision, Speed, Attempts, Results):
    """How each trial is carried out, and what is kept of it."""
