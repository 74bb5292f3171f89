"""What an earlier search found: its trained networks, read from its trials' files."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import logging
import os

import tensorflow as tf

from epnas_tf import untrusted
from epnas_tf.architecture.budget import TRAINED
from epnas_tf.architecture.space import SearchSpace
from epnas_tf.architecture.spec import Spec, spec_from_dict
from epnas_tf.searching import prior as prior_lib
from epnas_tf.searching.prior import PriorTrial
from epnas_tf.searching.trials import Slot
from epnas_tf.tuner import durable
from epnas_tf.tuner.durable import Trial
from epnas_tf.tuner.trial_data import Outcome
from epnas_tf.workdir import project_file, storage
from epnas_tf.workdir.layout import WorkDir

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What an earlier search found.

    Attributes:
      trials: its trained networks that are of the space, each once, in the order of its slots.
      others: how many networks it trained that are not of the space.
    """

    trials: tuple[PriorTrial, ...]
    others: int


@dataclasses.dataclass(frozen=True)
class _Found:
    """A network that was trained, as its trial's file has it."""

    spec: Spec
    accuracy: float
    reward: float


def read_prior(work_dir: str, space: SearchSpace) -> tuple[PriorTrial, ...]:
    """Returns the trained networks of an earlier search: an entry of `EPNASOracle(prior=[...])`.

    The search may still be running; what is corrupt in it is left out.

    Args:
      work_dir: its folder.
      space: of the search to come; networks that are not of it are left out.

    Raises:
      ValueError: the folder holds no search, or none of its trained networks is of the space.
    """
    return read(work_dir, space).trials


def read(work_dir: str, space: SearchSpace) -> Earlier:
    """Returns what an earlier search found; see `read_prior`."""
    if project_file.read(WorkDir(work_dir)) is None:
        raise ValueError(
            f"{work_dir} must be the work_dir of an earlier search, has no project.json"
        )
    found = _trained(work_dir)
    kept: dict[Spec, PriorTrial] = {}
    for each in found:
        spec = prior_lib.in_space(each.spec, space)
        if spec is not None:
            kept.setdefault(spec, PriorTrial(spec, each.accuracy, each.reward))
    others = sum(prior_lib.in_space(each.spec, space) is None for each in found)
    if not kept:
        raise ValueError(
            f"{work_dir} must hold trained networks of this space, has {others} trained networks "
            "and none of them is"
        )
    return Earlier(tuple(kept.values()), others)


def _trained(work_dir: str) -> list[_Found]:
    """Returns the trained networks, each once, in the order of their slots."""
    by_slot: dict[Slot, _Found] = {}
    for name in sorted(durable.folders(work_dir), key=lambda name: int(name[6:])):
        path = os.path.join(work_dir, name, "trial.json")
        if not storage.exists(path):
            continue
        try:
            trial = durable.read_trial(path, name.removeprefix("trial_"))
            found = _found(trial)
        except (OSError, tf.errors.OpError):
            raise  # the disk's fault, not the file's
        except Exception as error:  # Keras Tuner's readers raise anything on what is not theirs
            _log.warning("%s is corrupt or not written by a search, is left out: %s", path, error)
            continue
        if found is not None:  # of two attempts of a slot the later counts
            by_slot[Slot.parse(durable.values(trial)["slot"])] = found
    first: dict[Spec, _Found] = {}
    for slot in sorted(by_slot):
        first.setdefault(by_slot[slot].spec, by_slot[slot])
    return list(first.values())


def _found(trial: Trial) -> _Found | None:
    """Returns the network of a trial; None where it was not trained."""
    if not durable.has_result(trial):
        return None
    outcome = Outcome.from_metrics(durable.metrics(trial))
    # What was trained for longer compares with no other.
    if outcome.status != TRAINED or not Slot.parse(durable.values(trial)["slot"]).of_fold:
        return None
    spec = spec_from_dict(untrusted.parse_object(durable.values(trial)["spec"]))
    return _Found(spec, outcome.objective, outcome.reward)
