"""How long a search takes, by the trials of this run: what is measured for `report/forecast.py`."""

from __future__ import annotations

import statistics

from epnas_tf.report import forecast
from epnas_tf.report.forecast import Needs, Tally
from epnas_tf.tuner import planning
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.run_limits import DEFAULT_HOURS
from epnas_tf.tuner.session import Plan
from epnas_tf.tuner.trial_data import CompletedTrial, Outcome

# Validation is a forward pass; a training step costs three (architecture/budget.py).
_PASSES = 3


class Timing:
    """Tells the trials of this run from those of earlier ones."""

    def __init__(self) -> None:
        self._earlier: frozenset[str] = frozenset()

    def begin(self, oracle: EPNASOracle) -> None:
        """Takes the trials that there are for those of earlier runs."""
        self._earlier = frozenset(trial.trial_id for trial in oracle.completed())

    def tally(self, oracle: EPNASOracle) -> Tally:
        """Returns how far the search is."""
        trained = [trial for trial in oracle.completed() if _took_training(trial)]
        earlier = [trial.outcome for trial in trained if trial.trial_id in self._earlier]
        trained = [trial for trial in trained if trial.slot.of_fold]
        here = sum(trial.trial_id not in self._earlier for trial in trained)
        return Tally(
            left=oracle.total - oracle.done,
            ended=oracle.done,
            trained=len(trained),
            here=here,
            elapsed=oracle.watch.elapsed(),
            before=_each(earlier, len(trained) - here),
            limit=oracle.watch.seconds,
            shares=planning.shares(oracle.settings),
            finals=60 * oracle.finals.minutes(),
        )

    def left(self, oracle: EPNASOracle) -> float | None:
        """Returns about how many seconds the search still takes, None where nothing tells."""
        return forecast.seconds_left(self.tally(oracle))

    def needs(self, oracle: EPNASOracle, plan: Plan, keep_models: int) -> Needs:
        """Returns what the search will take from here on; draws the next networks."""
        tally, data, budget = self.tally(oracle), plan.data, plan.budget
        if not tally.left:
            return Needs(networks=0)
        asked = [proposal for proposal in oracle.search.ask() if proposal.slot.of_fold]
        specs = [proposal.spec for proposal in asked]
        costs = [budget.cost(spec) for spec in specs if budget.reason_to_skip(spec) is None]
        passes = 1 + len(data.validation) / (_PASSES * max(budget.images, 1))
        parts = [part for part in (data.train, data.validation, data.test) if part is not None]
        image_bytes = [part.images.nbytes + part.labels.nbytes for part in parts]
        settings = oracle.settings
        shares = settings.parameter_sharing != "none"
        return Needs(
            networks=tally.left,
            first=[60 * budget.minutes(cost) * passes for cost in costs],
            each=tally.before,
            limit=tally.limit,
            default=tally.limit == 3600 * DEFAULT_HOURS,
            images=budget.images,
            shares=tally.shares,
            models=keep_models,
            params=statistics.fmean(cost.params for cost in costs) if costs else 0.0,
            trials=tally.left + tally.ended,
            shared_bytes=(settings.max_disk or 0.0) / 2 if shares else 0.0,
            image_bytes=sum(image_bytes),
            tensor_bytes=sum(image_bytes[:2]),
            child_bytes=max(map(budget.memory, costs), default=0.0),
        )


def _each(earlier: list[Outcome], networks: int) -> float:
    """Returns what earlier runs took for each network, what rose included; 0 without one."""
    seconds = sum(outcome.seconds + outcome.overhead_seconds for outcome in earlier)
    return seconds / networks if networks else 0.0


def _took_training(trial: CompletedTrial) -> bool:
    """Says whether a trial was trained, if not to the end: others cost next to nothing."""
    return trial.outcome.seconds > 0
