"""The life of a search in its project folder: open, plan, check, lock, recover.

A chief writes: it takes the lock, stores what its trials have in common, brings trials and shared
parameters together after a kill. A worker reads what its chief wrote and runs trials.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from epnas_tf import fields, untrusted
from epnas_tf.architecture.budget import Budget, ChildLimits
from epnas_tf.data.dataset import Data
from epnas_tf.data.settings import VariationSettings
from epnas_tf.fields import MAY_GROW, SAME, Settings
from epnas_tf.searching import time_plan
from epnas_tf.searching.settings import EPISODES, RungSettings
from epnas_tf.sharing.store import ParamStore
from epnas_tf.training import calibrate
from epnas_tf.training.schedule import Schedule, changed
from epnas_tf.training.settings import Speed
from epnas_tf.tuner import durable, planning, read_once
from epnas_tf.tuner.generations import Generations
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.settings import OracleSettings, TunerSettings
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import WorkDir
from epnas_tf.workdir.project_file import Images, Project

# Settings that are known with the data alone.
_LATER = ("schedule", "data", "augmentation")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a search is about to do with its data.

    Attributes:
      data: the images.
      asked: how children were to be trained.
      schedule: how they are, fitted to the number of images.
      budget: what networks may cost.
      project: what all trials have in common.
    """

    data: Data
    asked: Schedule
    schedule: Schedule
    budget: Budget
    project: Project


class Session:
    """A search in its folder, as a worker sees it.

    Attributes:
      work_dir: names of its files.
      project: what its trials have in common; None before the first search.
      generations: the shared parameters; None where none are shared.
    """

    def __init__(self, oracle: EPNASOracle, work_dir: WorkDir, settings: TunerSettings):
        self.work_dir = work_dir
        self.project: Project | None = None
        self.generations: Generations | None = None
        self._oracle, self._settings = oracle, settings
        shares = planning.shares(oracle.settings)
        self._child_seconds = time_plan.ceiling(oracle.watch.seconds, shares)
        self._measured_rate = 0.0

    def open(self) -> None:
        """Reads what the trials have in common: a project can be read without its data.

        Raises:
          ValueError: the folder holds a search of other settings.
        """
        self.project = project_file.read(self.work_dir)
        if self.project is not None:
            with untrusted.reading(self.work_dir.project):
                schedule_of(self.project)
            # What the data decide is compared when they are there.
            later = {name: value for name, value in self.project.settings.items() if name in _LATER}
            self._compare(dataclasses.replace(self.project, settings=self._own() | later))
            read_once.resume(self._oracle, self.work_dir, self.project.copies)
        if self._oracle.settings.parameter_sharing != "none":
            self.generations = self._generations()

    def _generations(self) -> Generations:
        """Opens the shared parameters as they are; nothing is written before a search."""
        settings = self._oracle.settings
        most = None if settings.max_disk is None else settings.max_disk / 2
        store = ParamStore(self.work_dir.shared_params, most)
        return Generations(store, branches=settings.branches, steps=self._oracle.steps)

    def known_project(self) -> Project:
        """Returns the project; raises RuntimeError before the data are known."""
        if self.project is None:
            raise RuntimeError("search() must be called first: it brings the images")
        return self.project

    def budget(self, images: Images, rate: float, trained_on: int = 0, batch: int = 0) -> Budget:
        """Returns what networks may cost.

        Args:
          images: what they are for.
          rate: of training, in GFLOP/s.
          trained_on: images that a child is trained on, over all its epochs.
          batch: images that are trained on at once.
        """
        return Budget(
            images.shape,
            images.num_classes,
            self._oracle.constraints,
            limits=self._child_limits(),
            machine_gflops=rate,
            ops=self._oracle.space.ops,
            images=trained_on,
            batch=batch,
        )

    def fit_to_time(self, data: Data, given: Schedule, *, fixed: object) -> Schedule:
        """Returns a schedule for the time there is, and plans how long a child may take.

        A project keeps what it began with; without a limit in time nothing changes.

        Args:
          data: the images.
          given: how children are to be trained where there is time enough.
          fixed: true where its length stays as it is.
        """
        seconds = self._oracle.watch.seconds
        if self.project is not None and not fixed:
            stored = schedule_of(self.project)
            return changed(given, epochs=stored.epochs, epoch_images=stored.epoch_images)
        answered = fixed and self._settings.max_child_minutes != 0
        if self.project is not None or answered or not seconds or not (rate := self._rate()):
            return given
        planned = planning.plan(
            self._oracle.space,
            self.budget(images_of(data), rate),
            data,
            given,
            fields.pick(self._oracle.settings, RungSettings),
            seconds=seconds,
            max_child_seconds=planning.fixed_seconds(self._settings.max_child_minutes),
            fixed_length=bool(fixed),
            fixed_rungs=True,  # an oracle has them before it knows the data
        )
        self._child_seconds = planned.max_child_seconds
        return changed(given, epochs=planned.epochs, epoch_images=planned.epoch_images)

    def plan(self, data: Data, asked: Schedule, schedule: Schedule) -> Plan:
        """Returns what is to be done with the data; writes nothing.

        Args:
          data: the images.
          asked: how children were to be trained.
          schedule: how they are, fitted to the number of images.

        Raises:
          ValueError: space and data do not fit, or the project holds another search.
        """
        space = self._oracle.space
        if space.image_size not in (None, data.input_shape[:2]):
            raise ValueError(
                f"the space is for images of {space.image_size} pixels, got {data.input_shape[:2]}"
            )
        images, rate = images_of(data), self._rate()
        work = (
            schedule.images(len(data.train)),
            schedule.micro_batch_size or schedule.batch_size,
        )
        budget = self.budget(images, rate, *work)
        settings = self._all(data, schedule)
        project = Project(images, rate, settings, read_once.digests(self._oracle))
        plan = Plan(data, asked, schedule, budget, project)
        self.check(plan)
        return plan

    def _rate(self) -> float:
        """Returns the rate for time estimates: given, or measured once for the project."""
        if self.project is not None:
            return self.project.machine_gflops
        if self._settings.machine_gflops or self._settings.max_child_minutes is None:
            return self._settings.machine_gflops
        self._measured_rate = self._measured_rate or calibrate.measure_gflops()
        return self._measured_rate

    def _child_limits(self) -> ChildLimits:
        """Returns which networks are not trained, as the project has it, else as planned."""
        limits = fields.pick(self._settings, ChildLimits)
        if limits.max_child_minutes != 0:
            return limits
        minutes = self._child_seconds / 60
        if self.project is not None:
            minutes = self.project.settings.get("max_child_minutes", minutes)
        return dataclasses.replace(limits, max_child_minutes=minutes)

    def _all(self, data: Data, schedule: Schedule) -> dict[str, Any]:
        """Returns the settings that decide a search's trials."""
        later = {
            "schedule": dataclasses.asdict(schedule),
            "data": splits_of(data),
            "augmentation": dataclasses.asdict(data.augmentation),
        }
        return self._own() | project_file.plain(later)

    def _own(self) -> dict[str, Any]:
        """Returns those of them that are known without the data."""
        fixed = _fixed(self._oracle.settings, OracleSettings)
        fixed |= {"steps": self._oracle.steps, "episodes": fixed["episodes"] or EPISODES}
        child = _fixed(self._settings, TunerSettings)
        # These have their own place in the project.
        for name in (*_fixed(self._settings, Speed), *_fixed(self._settings, VariationSettings)):
            del child[name]
        child |= vars(self._child_limits())
        limits = {"constraints": [dataclasses.asdict(c) for c in self._oracle.constraints]}
        return project_file.plain(self._oracle.space.describe() | fixed | child | limits)

    def check(self, plan: Plan) -> None:
        """Raises ValueError where the folder holds another search than the planned one."""
        self._compare(plan.project)

    def check_images(self, data: Data) -> None:
        """Raises ValueError where these are not the images that the project's networks know."""
        if self.known_project().settings.get("data") != splits_of(data):
            raise ValueError(
                f"the images and labels must be those of the search in {self.work_dir.path}, split "
                "alike; they have changed"
            )

    def _compare(self, asked: Project) -> None:
        if self.project is None:
            return
        differing = project_file.differences(self.project, asked, _may_grow(OracleSettings))
        if differing:
            raise ValueError(
                f"{self.work_dir.path} holds another search (give the values that it has, or "
                "another folder; overwriting deletes it): " + "; ".join(differing)
            )

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keeps other processes from searching in this folder; a worker's chief does that."""
        yield

    def begin(self, plan: Plan) -> Plan:
        """Takes a checked plan as the project's and returns it."""
        self.project = plan.project
        return plan

    def share(self, *_: Any) -> None:
        """Takes in what the completed trials of whole steps offer; a listener of the oracle."""
        if self.generations is not None:
            self.generations.take_in(self._oracle.completed())


class ChiefSession(Session):
    """A search in its folder, as the one process that writes there sees it."""

    def __init__(self, oracle: EPNASOracle, work_dir: WorkDir, settings: TunerSettings):
        super().__init__(oracle, work_dir, settings)
        self._claimed = False

    def open(self) -> None:
        """Reads what is there and tells the oracle of the images.

        The trials come last: held against other settings, healthy ones would look corrupt.
        """
        super().open()
        self._oracle.reload()
        if self.project is not None:
            self._oracle.bind(self.budget(self.project.images, self.project.machine_gflops))

    def check(self, plan: Plan) -> None:
        """Raises ValueError where the folder holds another search, or trials of one unknown."""
        if self.project is None and any(map(durable.values, self._oracle.trials.values())):
            raise ValueError(
                f"{self.work_dir.path} holds trials but no project.json of theirs: put it back, or "
                "delete them with overwrite=True"
            )
        super().check(plan)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keeps other processes from searching in this folder.

        Raises:
          BlockingIOError: another process searches in it.
        """
        if self._claimed:
            yield
            return
        with storage.exclusive(self.work_dir.lock):
            self.work_dir.sweep()
            self.open()  # another process may have searched since this one looked
            self._claimed = True
            try:
                yield
            finally:
                self._claimed = False

    def begin(self, plan: Plan) -> Plan:
        """Stores the project and recovers what a kill or a loss left; the lock is held.

        Returns:
          the plan, with what another process measured and read that began this search meanwhile.

        Raises:
          ValueError: another process has begun another search meanwhile.
        """
        self.check(plan)
        if self.project is not None and _measured(self.project) != _measured(plan.project):
            plan = self.plan(plan.data, plan.asked, plan.schedule)
        self._oracle.bind(plan.budget)
        read_once.keep(self._oracle, self.work_dir)
        if self.project != plan.project:
            project_file.write(self.work_dir, plan.project)
        super().begin(plan)
        done = self._oracle.search.done  # replays the log here, where a signal is heard
        if self.generations is not None:
            self._recover(self.generations, done)
        return plan

    def _recover(self, generations: Generations, done: bool) -> None:
        """Brings trials and shared parameters together again after a kill or a loss."""
        if done:
            with contextlib.suppress(ValueError):  # what is lost is not needed any more
                self.share()
            return
        self._oracle.set_aside(generations.lacking(self._oracle.completed()), durable.LOST)
        self.share()


def images_of(data: Data) -> Images:
    """Returns what networks need to know of a data set's images."""
    return Images(
        data.input_shape,
        data.classes.names,
        data.classes.one_hot,
        data.full_scale,
        data.mean,
        data.std,
    )


def splits_of(data: Data) -> dict[str, Any]:
    """Returns what tells the images and labels that networks are trained and compared on."""
    splits = {"train": data.train, "validation": data.validation}
    return {
        name: {"images": len(split), "fingerprint": split.fingerprint}
        for name, split in splits.items()
    }


def schedule_of(project: Project) -> Schedule:
    """Returns how a project's children are trained; raises what a wrong schedule raises."""
    return Schedule(**project.settings["schedule"])


def _measured(project: Project) -> tuple[Any, ...]:
    """Returns what a search has from its first start, whatever a later one would find."""
    return project.machine_gflops, project.copies


def delete(work_dir: WorkDir) -> None:
    """Deletes the search in a folder, and nothing that is not a search's.

    Raises:
      BlockingIOError: another process searches there.
    """
    if storage.exists(work_dir.path):
        with storage.exclusive(work_dir.lock):
            work_dir.clear()


def _fixed(settings: Settings, kind: type[Settings]) -> dict[str, Any]:
    """Returns the settings of a kind that a search keeps, but for growing."""
    return fields.values_of(settings, kind, resume=(SAME, MAY_GROW))


def _may_grow(kind: type[Settings]) -> set[str]:
    return {f.name for f in fields.settings_in(kind) if f.metadata["resume"] == MAY_GROW}
