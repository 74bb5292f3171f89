"""trials.csv, a line per completed trial: its one writer and its one reader."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping

from epnas_tf import untrusted
from epnas_tf.architecture.budget import TRAINED
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.searching.trials import Rank, Slot, rank_of
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

COLUMNS = (
    *("slot", "attempt", "trial_id", "episode", "step", "branch", "parent", "action"),
    *("spec_key", "accuracy", "reward", *(resource.column for resource in RESOURCES.values())),
    *("feasible", "status", "seconds", "overhead_seconds", "worker", "reused", "inherited"),
    *("reason", "rung", "epochs", "wave"),
)

# A further column where networks are compared by it.
BALANCED = "balanced_accuracy"

_REASON = 300  # characters of what went wrong with a trial


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of trials.csv.

    Attributes:
      slot: the trial's place in the search; its episode, step, branch and rung have columns too.
      spec_key: of its network.
      accuracy: on the validation split.
      reward: what networks are compared by times the penalties, exact: rows are sorted by it.
      uses: what the network uses, by resource.
      feasible: whether it keeps every limit.
      status: "trained", or why not.
      seconds: of training and validation steps.
      overhead_seconds: the rest of the trial's time.
      attempt: which try of the slot this was, from 1.
      trial_id: Keras Tuner's.
      parent: slot of the network that it was made from; empty for a starting one.
      action: what was changed, for a person to read.
      worker: id of the tuner that ran it.
      reused: slot whose result stands for it; empty where it has its own.
      inherited: share of the parameters with a warm start.
      reason: what went wrong; files hold one line of it.
      balanced_accuracy: where networks are compared by it; None where by accuracy.
      epochs: that it was trained for.
      wave: the step in which a network rose to this rung, counted over all episodes; None at the
        lowest rung, and where it was measured at an end of the search.
    """

    slot: Slot
    spec_key: str
    accuracy: float
    reward: float
    uses: Mapping[str, float]
    feasible: bool
    status: str
    seconds: float
    overhead_seconds: float
    attempt: int = 1
    trial_id: str = ""
    parent: str = ""
    action: str = ""
    worker: str = ""
    reused: str = ""
    inherited: float = 0.0
    reason: str = ""
    balanced_accuracy: float | None = None
    epochs: int = 0
    wave: int | None = None

    @property
    def trained(self) -> bool:
        """Whether the network was trained to the end."""
        return self.status == TRAINED

    @property
    def rank(self) -> Rank:
        """The key that sorts the best trial first."""
        return rank_of(self.feasible, self.reward, self.slot)

    def cells(self) -> dict[str, str]:
        """Returns the line's text by column."""
        cells = {r.column: r.cell(self.uses[name]) for name, r in RESOURCES.items()}
        if self.balanced_accuracy is not None:
            cells[BALANCED] = f"{self.balanced_accuracy:.6f}"
        return cells | {
            "slot": self.slot.name,
            "attempt": str(self.attempt),
            "trial_id": self.trial_id,
            "episode": str(self.slot.episode),
            "step": str(self.slot.step),
            "branch": str(self.slot.branch),
            "parent": self.parent,
            "action": self.action,
            "spec_key": self.spec_key,
            "accuracy": f"{self.accuracy:.6f}",
            "reward": repr(self.reward),
            "feasible": str(int(self.feasible)),
            "status": self.status,
            "seconds": f"{self.seconds:.3f}",
            "overhead_seconds": f"{self.overhead_seconds:.3f}",
            "worker": self.worker,
            "reused": self.reused,
            "inherited": f"{self.inherited:.4f}",
            "reason": " ".join(self.reason.split())[:_REASON],
            "rung": str(self.slot.rung),
            "epochs": str(self.epochs),
            "wave": "" if self.wave is None else str(self.wave),
        }

    @classmethod
    def from_cells(cls, cells: Mapping[str, str]) -> Row:
        """Returns the row of a line; raises KeyError, TypeError or ValueError where it is none."""
        return cls(
            slot=Slot.parse(cells["slot"]),
            spec_key=cells["spec_key"],
            accuracy=float(cells["accuracy"]),
            reward=float(cells["reward"]),
            uses={name: float(cells[r.column]) for name, r in RESOURCES.items()},
            feasible=cells["feasible"] == "1",
            status=cells["status"],
            seconds=float(cells["seconds"]),
            overhead_seconds=float(cells["overhead_seconds"]),
            attempt=int(cells["attempt"]),
            inherited=float(cells["inherited"]),
            epochs=int(cells["epochs"]),
            wave=int(cells["wave"]) if cells["wave"] else None,
            balanced_accuracy=float(cells[BALANCED]) if cells.get(BALANCED) else None,
            **{name: cells[name] for name in _TEXTS},
        )


_TEXTS = ("trial_id", "parent", "action", "worker", "reused", "reason")


def text(rows: Iterable[Row]) -> str:
    """Returns trials.csv."""
    file = io.StringIO()
    lines = [row.cells() for row in rows]
    columns = COLUMNS + ((BALANCED,) if any(BALANCED in line for line in lines) else ())
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def write(work_dir: WorkDir, rows: Iterable[Row]) -> None:
    """Writes trials.csv."""
    storage.write_atomic(work_dir.trials_csv, text(rows))


def read(work_dir: WorkDir) -> list[Row]:
    """Returns the rows of trials.csv, in the order of their slots.

    Raises:
      ValueError: there is no trials.csv, or it is corrupt or not written by this search.
    """
    if not storage.exists(work_dir.trials_csv):
        raise ValueError(f"no search has finished a trial in {work_dir.path}")
    lines = csv.DictReader(io.StringIO(storage.read_text(work_dir.trials_csv)))
    with untrusted.reading(work_dir.trials_csv):
        return [Row.from_cells(line) for line in lines]
