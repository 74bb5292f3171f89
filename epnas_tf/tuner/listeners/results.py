"""Writes what the search knows into its work_dir: trials.csv, best.json, steps.jsonl, weights.

All of it is derived from the trials' own files and rewritten whole, so that a resumed search leaves
the same files as one that was never interrupted.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from collections.abc import Sequence
from typing import Any

from epnas_tf.architecture import morph
from epnas_tf.architecture.limits import Constraint
from epnas_tf.tuner import durable
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import Record
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

COLUMNS = (
    *("slot", "attempt", "trial_id", "episode", "step", "branch", "parent", "action"),
    *("spec_key", "accuracy", "reward", "params", "flops", "intensity", "traffic_bytes"),
    *("feasible", "status", "seconds", "overhead_seconds", "worker", "reused", "inherited"),
    "reason",
)

_REASON = 300  # characters of what went wrong with a trial


class Journal:
    """A listener of the oracle that keeps a work_dir's files up to date."""

    def __init__(self, work_dir: WorkDir, keep_models: int):
        self._work_dir = work_dir
        self._keep_models = keep_models
        self._steps_written = -1

    def __call__(self, oracle: EPNASOracle, finished: Record) -> None:
        """Brings the files up to date after a trial."""
        self.write(oracle)

    def write(self, oracle: EPNASOracle) -> None:
        """Writes all files anew and deletes the weights that are no longer among the best."""
        best = oracle.best_records()
        storage.write_atomic(self._work_dir.trials_csv, csv_text(oracle.records()))
        if best:
            values = best_values(best[0], oracle.constraints)
            storage.write_atomic(self._work_dir.best, json.dumps(values, indent=2) + "\n")
        steps = oracle.search.step_log
        if len(steps) != self._steps_written:
            lines = "".join(json.dumps(step) + "\n" for step in steps)
            storage.write_atomic(self._work_dir.steps, lines)
            self._steps_written = len(steps)
        self._prune(oracle, best)

    def _prune(self, oracle: EPNASOracle, best: Sequence[Record]) -> None:
        """Deletes all weights but those of the best trials and of running ones; no other file."""
        kept = {record.slot.name for record in best[: self._keep_models]}
        kept |= {durable.values(trial)["slot"] for trial in oracle.ongoing_trials.values()}
        for name in storage.names(self._work_dir.models):
            if name.endswith(".weights.h5") and name.partition(".")[0] not in kept:
                storage.remove(os.path.join(self._work_dir.models, name))


def row(record: Record) -> dict[str, Any]:
    """Returns a trial's line of trials.csv."""
    slot, cost = record.slot, record.cost
    return {
        "slot": slot.name,
        "attempt": record.attempt,
        "trial_id": record.trial_id,
        "episode": slot.episode,
        "step": slot.step,
        "branch": slot.branch,
        "parent": record.proposal.parent or "",
        "action": morph.describe(record.proposal.action),
        "spec_key": record.proposal.spec.key,
        "accuracy": f"{record.accuracy:.6f}",
        "reward": repr(record.result.reward),  # exact: the table is sorted by it
        "params": cost.params,
        "flops": cost.flops,
        "intensity": f"{cost.intensity:.3f}",
        "traffic_bytes": cost.traffic_bytes,
        "feasible": int(record.result.feasible),
        "status": record.result.status,
        "seconds": f"{record.seconds:.3f}",
        "overhead_seconds": f"{record.overhead_seconds:.3f}",
        "worker": record.worker,
        "reused": record.proposal.reuse or "",
        "inherited": f"{record.inherited:.4f}",
        "reason": " ".join(record.reason.split())[:_REASON],
    }


def csv_text(records: Sequence[Record]) -> str:
    """Returns trials.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(record) for record in records)
    return text.getvalue()


def best_values(record: Record, constraints: Sequence[Constraint]) -> dict[str, Any]:
    """Returns best.json: the network, how it did, what it costs, the limits it was held to."""
    return {
        "slot": record.slot.name,
        "spec_key": record.proposal.spec.key,
        "spec": record.proposal.spec.to_dict(),
        "validation_accuracy": record.accuracy,
        "reward": record.result.reward,
        "feasible": record.result.feasible,
        "cost": dataclasses.asdict(record.cost) | {"intensity": record.cost.intensity},
        "limits": [dataclasses.asdict(constraint) for constraint in constraints],
    }
