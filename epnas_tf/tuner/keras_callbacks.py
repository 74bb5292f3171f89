"""Callbacks of Keras: a search calls none; what does their work here is named instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NOTHING = "nothing is needed"
_SCHEDULE = "EPNASTuner(..., schedule=Schedule(...)) says how a network is trained"
_TOLD = "search(..., on_trial_end=f) calls f with a record of each trial"

# What to use instead, by the class of a callback; else that of the nearest class that it extends.
_INSTEAD = {
    "EarlyStopping": "EPNASOracle(..., stop_hopeless=0.02) ends networks that fall behind",
    "ModelCheckpoint": "EPNASTuner(..., keep_models=10) keeps the weights of the best networks, "
    "get_best_models() loads them",
    "BackupAndRestore": f"{_NOTHING}: the same search() goes on where it was interrupted",
    "TerminateOnNaN": f"{_NOTHING}: such a network is ended, with the accuracy of guessing",
    "LearningRateScheduler": _SCHEDULE,
    "ReduceLROnPlateau": _SCHEDULE,
    "SwapEMAWeights": f"{_SCHEDULE}; its ema_decay averages the weights",
    "CSVLogger": "trials.csv in the project's folder has a line per trial",
    "ProgbarLogger": "EPNASTuner(..., verbose=1) shows how far the search is",
}


def refusal(callbacks: Any) -> str:
    """Returns why a search takes no callbacks, and what to use instead of these.

    Args:
      callbacks: as `fit` takes them.
    """
    given = callbacks if isinstance(callbacks, Sequence) else getattr(callbacks, "callbacks", None)
    names = {type(each).__name__: _instead_of(each) for each in given or [callbacks]}
    said = "; ".join(f"instead of {name}: {instead}" for name, instead in names.items())
    return (
        "callbacks must be left out: search() trains networks in a loop of its own, which calls "
        f"none of Keras'. {said[:1].upper()}{said[1:]}. A network that was found takes them: "
        "get_best_models()[0].fit(..., callbacks=...)"
    )


def _instead_of(callback: Any) -> str:
    names = (kind.__name__ for kind in type(callback).__mro__)
    return next((_INSTEAD[name] for name in names if name in _INSTEAD), _TOLD)
