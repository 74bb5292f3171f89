"""The settings of the oracle and of the tuner: those of the rooms below, and their own."""

from __future__ import annotations

import dataclasses

from epnas_tf.architecture.budget import ChildLimits
from epnas_tf.architecture.settings import BALANCED, RewardSettings
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import MAY_CHANGE, Settings, setting
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
class TunerSettings(ChildLimits, VariationSettings, Precision, Speed, Attempts, Results):
    """How each trial is carried out, and what is kept of it."""
