"""Every file name below a work_dir, and which of them are a search's to delete."""

from __future__ import annotations

import dataclasses
import os
import re

from epnas_tf.workdir import labels_txt, storage

# The folder of final trainings below a work_dir.
FINAL = "final"
# What a search reads once: each has a copy of its own, named as the setting.
COPIES = ("initial_specs", "prior")


@dataclasses.dataclass(frozen=True)
class WorkDir:
    """The names of a search's files, all below `path`."""

    path: str

    @property
    def flags(self) -> str:
        """The configuration, one flag per line; reloads exactly."""
        return os.path.join(self.path, "flags.txt")

    @property
    def trials_csv(self) -> str:
        """One line per completed trial, rewritten from the log."""
        return os.path.join(self.path, "trials.csv")

    @property
    def best(self) -> str:
        """The best network so far: spec, accuracy, cost."""
        return os.path.join(self.path, "best.json")

    @property
    def steps(self) -> str:
        """One JSON line per finished step: what the policy did and learnt."""
        return os.path.join(self.path, "steps.jsonl")

    @property
    def project(self) -> str:
        """What all trials have in common: images, space, sizes, limits, schedule."""
        return os.path.join(self.path, "project.json")

    def copy(self, name: str) -> str:
        """What the search read once for a setting of `COPIES`, as it was at its first start."""
        return os.path.join(self.path, f"{name}.json")

    @property
    def lock(self) -> str:
        """Held by the one process that searches here."""
        return os.path.join(self.path, "lock")

    @property
    def models(self) -> str:
        """The folder of the best trials' weights."""
        return os.path.join(self.path, "models")

    @property
    def shared_params(self) -> str:
        """The folder of the shared parameter dictionary."""
        return os.path.join(self.path, "shared_params")

    @property
    def finals(self) -> str:
        """The folder of what was classified correctly at the highest rung."""
        return os.path.join(self.path, "finals")

    def hits(self, slot: str) -> str:
        """Which validation images the trial `slot` classified correctly."""
        return os.path.join(self.finals, f"{slot}.npz")

    def model(self, slot: str) -> str:
        """The weights of the trial `slot`, for instance e01s03b5."""
        return os.path.join(self.models, f"{slot}.weights.h5")

    @property
    def final(self) -> str:
        """The folder of final trainings; no file of the search, which never deletes it."""
        return os.path.join(self.path, FINAL)

    def final_dir(self, name: str) -> FinalDir:
        """The files of the final training of this name, for instance e01s03b5-default-0."""
        return FinalDir(os.path.join(self.final, name))

    def trial(self, trial_id: str) -> str:
        """What Keras Tuner keeps of a trial, by its own name of it."""
        return os.path.join(self.path, f"trial_{trial_id}", "trial.json")

    def clear(self) -> None:
        """Deletes a search's files and no others; whoever calls it holds the lock.

        What makes it a search goes first: one that a kill left half deleted is not taken for whole.
        """
        for name in sorted(storage.names(self.path), key=lambda name: name != "project.json"):
            if _FILES.fullmatch(name):
                storage.remove(os.path.join(self.path, name))
        for name in storage.names(self.path):
            inside = _written_inside(name)
            if inside is not None:
                _clear_folder(os.path.join(self.path, name), inside)

    def sweep(self) -> None:
        """Deletes what writes that a kill cut short left behind; whoever calls it holds the lock.

        An object store keeps those of trials, whose folders would be listed one by one.
        """
        for name in storage.names(self.path):
            if _CUT_SHORT.search(name) and _FILES.fullmatch(name):
                storage.remove(os.path.join(self.path, name))
            inside = _written_inside(name)
            if inside is None or (storage.is_remote(self.path) and name.startswith("trial_")):
                continue
            folder = os.path.join(self.path, name)
            for file in storage.names(folder):
                if _CUT_SHORT.search(file) and inside.fullmatch(file):
                    storage.remove(os.path.join(folder, file))


@dataclasses.dataclass(frozen=True)
class FinalDir:
    """The names of a final training's files, all in `path`."""

    path: str

    @property
    def flags(self) -> str:
        """The configuration, one flag per line; reloads exactly."""
        return os.path.join(self.path, "flags.txt")

    @property
    def state(self) -> str:
        """Where the training stands after its last epoch; gone once all is done."""
        return os.path.join(self.path, "state.npz")

    @property
    def history(self) -> str:
        """A line per epoch."""
        return os.path.join(self.path, "history.csv")

    @property
    def model(self) -> str:
        """The trained network as a Keras model of pixels."""
        return os.path.join(self.path, "model.keras")

    @property
    def confusion(self) -> str:
        """How many images of each class were taken for which."""
        return os.path.join(self.path, "confusion.csv")

    @property
    def labels(self) -> str:
        """The classes, in the order of the model's outputs."""
        return os.path.join(self.path, labels_txt.NAME)

    @property
    def result(self) -> str:
        """What came of it; the last file to be written."""
        return os.path.join(self.path, "result.json")

    @property
    def lock(self) -> str:
        """Held by the one process that trains here."""
        return os.path.join(self.path, "lock")

    def clear(self) -> None:
        """Deletes the training's files and no others; whoever calls it holds the lock.

        The result goes first: what a kill left half deleted is not taken for whole.
        """
        for path in self._files:
            if storage.exists(path):
                storage.remove(path)
        self.sweep()

    def sweep(self) -> None:
        """Deletes what writes that a kill cut short left behind; the lock is held."""
        own = {os.path.basename(path) for path in self._files}
        for name in storage.names(self.path):
            if _CUT_SHORT.search(name) and _CUT_SHORT.sub("", name) in own:
                storage.remove(os.path.join(self.path, name))

    @property
    def _files(self) -> tuple[str, ...]:
        return (
            *(self.result, self.flags, self.state, self.history),
            *(self.model, self.confusion, self.labels),
        )


# What a search writes: files in its work_dir, and folders with the files in each.
_TEMPORARY = r"(\.[0-9a-f]{8}\.tmp)?"
_CUT_SHORT = re.compile(r"\.[0-9a-f]{8}\.tmp$")
_FILES = re.compile(
    r"(project\.json|flags\.txt|oracle\.json|tuner0\.json|trials\.csv|best\.json|steps\.jsonl"
    rf"|({'|'.join(COPIES)})\.json)" + _TEMPORARY
)
_FOLDERS = tuple(
    (re.compile(folder), re.compile(f"({files}){_TEMPORARY}"))
    for folder, files in (
        (r"trial_\d+", r"trial\.json"),
        ("models", r".*\.weights\.h5"),
        ("shared_params", r"index\.json|.*\.npz"),
        ("finals", r"e\d+s\d+b\d+r\d+(m\d+)?\.npz"),
    )
)


def _written_inside(folder: str) -> re.Pattern[str] | None:
    """Returns which files a search writes into a folder of its work_dir, None for a foreign one."""
    return next((files for name, files in _FOLDERS if name.fullmatch(folder)), None)


def _clear_folder(folder: str, files: re.Pattern[str]) -> None:
    for name in storage.names(folder):
        if files.fullmatch(name):
            storage.remove(os.path.join(folder, name))
    if storage.names(folder) or os.path.islink(folder):  # to a larger disk, perhaps: theirs to keep
        return
    storage.remove_folder(folder)
