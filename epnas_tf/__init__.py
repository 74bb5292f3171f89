"""EPNAS: progressive neural architecture search under resource limits, for TensorFlow and Keras.

The names below are loaded when first used, so that `import epnas_tf` alone, and all that describes,
counts or changes networks, costs no import of TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from epnas_tf.version import __version__ as __version__

if TYPE_CHECKING:
    from epnas_tf.architecture.cost import cost
    from epnas_tf.architecture.limits import Constraint
    from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
    from epnas_tf.config import SearchConfig
    from epnas_tf.final.result import FinalResult
    from epnas_tf.final.run import retrain
    from epnas_tf.handover.export import export
    from epnas_tf.modeling import build_model
    from epnas_tf.modeling.counting import cost_of_model
    from epnas_tf.predicting.classifier import Classifier
    from epnas_tf.predicting.predictions import Prediction
    from epnas_tf.result import SearchResult
    from epnas_tf.run import search
    from epnas_tf.searching.progressive import ProgressiveSearch
    from epnas_tf.searching.settings import Learning
    from epnas_tf.tuner.earlier import read_prior
    from epnas_tf.tuner.listeners.told import TrialRecord
    from epnas_tf.tuner.oracle import EPNASOracle
    from epnas_tf.tuner.tuner import EPNASTuner

__all__ = [
    "Classifier",
    "Constraint",
    "EPNASOracle",
    "EPNASTuner",
    "FinalResult",
    "Learning",
    "Prediction",
    "ProgressiveSearch",
    "SearchConfig",
    "SearchResult",
    "SearchSpace",
    "TrialRecord",
    "build_model",
    "cost",
    "cost_of_model",
    "export",
    "layerwise_space",
    "module_space",
    "read_prior",
    "retrain",
    "search",
]

# The module each public name comes from.
_HOMES = {
    "Classifier": "epnas_tf.predicting.classifier",
    "Constraint": "epnas_tf.architecture.limits",
    "EPNASOracle": "epnas_tf.tuner.oracle",
    "EPNASTuner": "epnas_tf.tuner.tuner",
    "FinalResult": "epnas_tf.final.result",
    "Learning": "epnas_tf.searching.settings",
    "Prediction": "epnas_tf.predicting.predictions",
    "ProgressiveSearch": "epnas_tf.searching.progressive",
    "SearchConfig": "epnas_tf.config",
    "SearchResult": "epnas_tf.result",
    "SearchSpace": "epnas_tf.architecture.space",
    "TrialRecord": "epnas_tf.tuner.listeners.told",
    "build_model": "epnas_tf.modeling",
    "cost": "epnas_tf.architecture.cost",
    "cost_of_model": "epnas_tf.modeling.counting",
    "export": "epnas_tf.handover.export",
    "layerwise_space": "epnas_tf.architecture.space",
    "module_space": "epnas_tf.architecture.space",
    "read_prior": "epnas_tf.tuner.earlier",
    "retrain": "epnas_tf.final.run",
    "search": "epnas_tf.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
