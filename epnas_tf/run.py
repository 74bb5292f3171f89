"""The hall: from a configuration to a finished search. The only place where rooms are wired."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from epnas_tf import config as config_lib
from epnas_tf import randomness, untrusted
from epnas_tf.architecture.cost import Cost
from epnas_tf.architecture.limits import METRICS, Constraint
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import Spec
from epnas_tf.config import SearchConfig
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.fields import ConfigError, flag
from epnas_tf.report import table
from epnas_tf.searching.settings import Learning
from epnas_tf.training import calibrate, devices, schedule, trainer
from epnas_tf.training.schedule import Schedule
from epnas_tf.tuner.listeners.console import limit_text
from epnas_tf.tuner.listeners.results import Journal
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import Record
from epnas_tf.tuner.tuner import EPNASTuner
from epnas_tf.workdir import storage
from epnas_tf.workdir.layout import WorkDir

Listener = Callable[[EPNASOracle, Record], None]

_DEFAULT_STEPS = {"layerwise": 10, "module": 5}  # paper, section 4.1
_ITEM = {"layerwise": "layer", "module": "branch"}


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that a search trained.

    Attributes:
      slot: name of its trial, such as e01s03b5.
      spec: the network.
      accuracy: validation accuracy.
      reward: accuracy times the penalties.
      cost: parameters, FLOPs, bytes moved.
      feasible: whether it keeps every limit.
    """

    slot: str
    spec: Spec
    accuracy: float
    reward: float
    cost: Cost
    feasible: bool


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
      networks: the trained networks, best first: feasible ones, then by reward.
      test_accuracy: of the best network, measured once at the end; None without a test part.
      trials: number of trials with a result.
      work_dir: folder of the search's files.
    """

    networks: tuple[Network, ...]
    test_accuracy: float | None
    trials: int
    work_dir: str

    @property
    def best(self) -> Network | None:
        """The best network, None if none could be trained."""
        return self.networks[0] if self.networks else None


def search(config: SearchConfig, listeners: Sequence[Listener] = ()) -> SearchResult:
    """Runs a search to its end, or resumes the one in `config.work_dir`.

    Args:
      config: what to search, and how.
      listeners: called with the oracle and a record after each trial with a result.

    Raises:
      ConfigError: the configuration cannot be run, or work_dir holds another search; raised before
        anything is trained or written.
      KeyboardInterrupt: the process was asked to stop; the same call goes on.
    """
    work_dir = WorkDir(config.work_dir)
    _check_places(config)
    with _blamed_on(config, "work_dir"):
        stored = _stored_config(work_dir, config)
    if config.deterministic:
        devices.refuse_nondeterminism()
    count = (stored or config).threads_per_child
    with _blamed_on(config, "threads_per_child"):
        threads = devices.use_threads(count)
    data = load_data(config)
    resolved = stored or _resolved(config, data, threads)
    with contextlib.ExitStack() as stack:
        with _blamed_on(config, "work_dir"):
            tuner = make_tuner(resolved, data)
            tuner.oracle.listeners += listeners
            tuner.prepare(data)
            stack.enter_context(tuner.claimed())
            tuner.prepare(data)  # again: another process may have begun a search meanwhile
            # What was said for this run alone is not repeated by the next.
            kept = dataclasses.replace(_from_anywhere(resolved), resume=True, overwrite=False)
            storage.write_atomic(work_dir.flags, config_lib.to_flags_text(kept))
        if config.verbosity:
            print(_headline(resolved, data, tuner), flush=True)
        tuner.search(data)
        return _finish(tuner, data, config)


def make_tuner(config: SearchConfig, data: Data) -> EPNASTuner:
    """Returns the tuner of a resolved configuration, ready to search `data`."""
    folder, name = os.path.split(_absolute(config.work_dir.rstrip("/") or "/"))
    with _blamed_on(config, "strategy"):
        strategy = devices.make_strategy(config.strategy, config.tpu)
    types = f"{_ITEM[config.pattern]}_types"
    with _blamed_on(config, types if getattr(config, types) else "pattern"):
        space = make_space(config, data.input_shape)
    oracle = EPNASOracle(
        space,
        constraints=make_constraints(config),
        policy=config.policy,
        branches=config.branches,
        episodes=config.episodes,
        steps=config.steps,
        seed=config.seed,
        policy_learning_rate=config.policy_learning_rate,
        policy_epochs=config.policy_epochs,
        policy_clip=config.policy_clip,
        policy_entropy=config.policy_entropy,
        policy_part_inputs=config.policy_part_inputs,
        check_table_mix=config.check_table_mix,
        learning=make_learning(config),
        reuse_duplicates=config.reuse_duplicates,
        parameter_sharing=config.parameter_sharing,
        stop_hopeless=config.stop_hopeless,
        max_trials=config.max_trials,
        max_hours=config.max_hours,
    )
    return EPNASTuner(
        oracle,
        schedule=make_schedule(config),
        strategy=strategy,
        skip_over=config.skip_over,
        max_child_minutes=config.max_child_minutes,
        max_child_memory=config.max_child_memory or math.inf,
        machine_gflops=config.machine_gflops,
        max_attempts=config.max_attempts,
        keep_models=config.keep_models,
        max_disk=config.max_disk or 0.0,
        verbose=config.verbosity,
        directory=folder,
        project_name=name,
        overwrite=config.overwrite,
    )


def make_space(config: SearchConfig, input_shape: tuple[int, int, int]) -> SearchSpace:
    """Returns the search space of a configuration."""
    widths = {"filter_widths": config.filter_widths, "pool_widths": config.pool_widths}
    if config.pattern == "layerwise":
        return layerwise_space(
            input_shape[:2],
            layer_types=config.layer_types,
            channels=config.channels,
            activations=config.activations,
            max_layers=config.max_layers,
            parts=config.parts,
            stem_filters=config.stem_filters,
            **widths,
        )
    return module_space(
        branch_types=config.branch_types,
        channels=config.channels,
        max_branches=config.max_branches,
        parts=config.parts,
        filters=config.filters,
        cells_per_stage=config.cells_per_stage,
        width_multiplier=config.width_multiplier,
        **widths,
    )


def make_constraints(config: SearchConfig) -> tuple[Constraint, ...]:
    """Returns a constraint for each resource that has a limit."""
    bounds = {
        metric: (getattr(config, f"min_{metric}"), getattr(config, f"max_{metric}"))
        for metric in METRICS
    }
    return tuple(
        Constraint(metric, lower, upper, config.penalty_base)
        for metric, (lower, upper) in bounds.items()
        if lower is not None or upper is not None
    )


def make_learning(config: SearchConfig) -> Learning:
    """Returns how the search learns."""
    return Learning(
        update=config.policy_update,
        baseline=config.policy_baseline,
        parents=config.parents,
        replay=config.replay,
        screen=config.screen,
        imagined_updates=config.imagined_updates,
        imagined_batch=config.imagined_batch,
        skill=config.predictor_skill,
    )


def make_schedule(config: SearchConfig) -> Schedule:
    """Returns the schedule of a resolved configuration."""
    return schedule.schedule(
        config.schedule,
        epochs=config.epochs,
        batch_size=config.batch_size,
        micro_batch_size=config.micro_batch_size,
        learning_rate=config.learning_rate,
        warmup_epochs=config.warmup_epochs,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
    )


@contextlib.contextmanager
def _blamed_on(config: SearchConfig, name: str) -> Iterator[None]:
    """Turns what a room raises into an error that names a flag and its value.

    A room's message begins with the name of what breaks the rule: where that is a setting, its
    flag is named; `name` otherwise.
    """
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, OSError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0]
        blamed = reason.partition(" ")[0]
        blamed = blamed if hasattr(config, blamed) else name
        raise ConfigError(f"{flag(blamed, getattr(config, blamed))}: {reason}") from error


def load_data(config: SearchConfig) -> Data:
    """Returns the data set of a configuration; raises ConfigError where there is none."""
    with _blamed_on(config, "dataset"):
        return data_lib.load(
            config.dataset,
            data_dir=config.data_dir,
            image_size=config.image_size,
            train_fraction=config.train_fraction,
            seed=randomness.seed_of(config.seed, "data"),
        )


# A configuration's open questions are answered once and stored


def _check_places(config: SearchConfig) -> None:
    """Raises ConfigError for a work_dir among the images, where it would be a class."""
    kind, _, folder = config.dataset.partition(":")
    work_dir = _absolute(config.work_dir)
    if kind == "folder" and folder and f"{work_dir}/".startswith(f"{_absolute(folder)}/"):
        raise ConfigError(
            f"{flag('work_dir', config.work_dir)}: must not lie among the images of "
            f"{flag('dataset', config.dataset)}, whose folders are classes"
        )


def _from_anywhere(config: SearchConfig) -> SearchConfig:
    """Returns a configuration whose data are found whatever the current folder."""
    dataset, (kind, _, path) = config.dataset, config.dataset.partition(":")
    if kind in ("folder", "npz"):  # a tfds name may hold a colon too: cifar10:3.0.2
        dataset = f"{kind}:{_absolute(path)}"
    return dataclasses.replace(config, dataset=dataset, data_dir=_absolute(config.data_dir))


def _absolute(path: str) -> str:
    return path if not path or "://" in path else os.path.abspath(path)


def _stored_config(work_dir: WorkDir, asked: SearchConfig) -> SearchConfig | None:
    """Returns the configuration of the search in work_dir, None if there is none.

    Raises:
      ConfigError: it is another configuration than the one asked for, or work_dir is a file.
    """
    if tf.io.gfile.exists(work_dir.path) and not tf.io.gfile.isdir(work_dir.path):
        raise ConfigError(f"{flag('work_dir', asked.work_dir)}: must be a folder, is a file")
    if asked.overwrite:
        return None
    where = flag("work_dir", asked.work_dir)
    if not asked.resume and (storage.exists(work_dir.flags) or storage.exists(work_dir.project)):
        raise ConfigError(f"{where}: holds a search; --resume goes on, --overwrite deletes it")
    if not storage.exists(work_dir.flags):
        return None
    try:
        stored = config_lib.from_flags_text(storage.read_text(work_dir.flags))
    except ValueError as error:
        raise ConfigError(f"{where}: {work_dir.flags} is torn or foreign: {error}") from error
    config_lib.refuse_other(stored, vars(asked))
    free = {"dataset", *config_lib.MAY_CHANGE_ON_RESUME, *config_lib.MAY_GROW_ON_RESUME}
    changed: dict[str, Any] = {name: getattr(asked, name) for name in free}
    return dataclasses.replace(stored, **changed)


def _resolved(config: SearchConfig, data: Data, threads: int) -> SearchConfig:
    """Returns the configuration with every open question answered."""
    asked = {
        name: value
        for name, value in {
            "epochs": config.epochs,
            "batch_size": config.batch_size,
            "micro_batch_size": config.micro_batch_size,
            "learning_rate": config.learning_rate,
        }.items()
        if value
    }
    if config.warmup_epochs >= 0:
        asked["warmup_epochs"] = config.warmup_epochs
    with _blamed_on(config, "schedule"):
        plan = schedule.for_dataset(config.dataset, config.schedule, len(data.train), **asked)
    height, width, _ = data.input_shape
    micro = plan.micro_batch_size
    if not micro and plan.batch_size >= calibrate.LEAST_BATCH:
        # Measured once and stored: batch norm sees micro-batches, so results depend on it.
        micro = _micro_batch(plan, data, config)
    return dataclasses.replace(
        config,
        steps=config.steps or _DEFAULT_STEPS[config.pattern],
        image_size=height if height == width else 0,  # only squares are resized to
        schedule=plan.name,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        micro_batch_size=micro,
        learning_rate=plan.learning_rate,
        warmup_epochs=plan.warmup_epochs,
        threads_per_child=threads,
        machine_gflops=config.machine_gflops or calibrate.measure_gflops(),
    )


def _micro_batch(plan: Schedule, data: Data, config: SearchConfig) -> int:
    """Returns the micro-batch that trains fastest here, 0 for the batch in one piece.

    Measured where children are trained by this process' own device: an accelerator takes large
    batches whole, and replicas hold their share unrolled.
    """
    if config.strategy != "none" or tf.config.list_logical_devices("GPU"):
        return 0
    images = schedule.fit_to(plan, len(data.train)).batch_size
    share = 2 ** int(math.log2(images))  # a number that the pieces divide
    piece = calibrate.measure_micro_batch(data.input_shape, share, data.num_classes)
    return piece if piece and plan.batch_size % piece == 0 else 0


# The end


def _headline(config: SearchConfig, data: Data, tuner: EPNASTuner) -> str:
    shape = "x".join(str(size) for size in data.input_shape)
    trials, plan = tuner.oracle.total, tuner.schedule
    too_large = config.batch_size > plan.batch_size
    cut = f" (for so few images, not of {config.batch_size})" if too_large else ""
    return (
        f"{data.name}: {len(data.train)} training and {len(data.validation)} validation images "
        f"of {shape}, {data.num_classes} classes; {trials} networks in {config.work_dir}\n"
        f"a child: epochs {plan.epochs}, batches of {plan.batch_size}{cut}, "
        f"learning rate {plan.learning_rate:.3g}"
    )


def _finish(tuner: EPNASTuner, data: Data, config: SearchConfig) -> SearchResult:
    """Measures the best network on the test part, once, and prints the table."""
    oracle: EPNASOracle = tuner.oracle
    best = oracle.best_records()
    test_accuracy = _test_accuracy(tuner, data, best)
    Journal(tuner.work_dir, config.keep_models).write(oracle)
    if test_accuracy is not None:
        _store_test_accuracy(tuner.work_dir, test_accuracy)
    if oracle.records():
        print(table.render(config.work_dir))
    if oracle.records() and not any(record.result.feasible for record in best):
        print(_nearest(oracle))
    if oracle.stopped_by:
        print(f"stopped at --{oracle.stopped_by}: the same command with a larger one goes on")
    return SearchResult(
        tuple(_network(record) for record in best),
        test_accuracy,
        len(oracle.records()),
        config.work_dir,
    )


def _nearest(oracle: EPNASOracle) -> str:
    """Returns what to say of a search in which no network kept the limits."""
    nearest = min(oracle.records(), key=lambda r: oracle.budget.violation(r.proposal.spec))
    uses = ", ".join(limit_text(nearest.cost, limit) for limit in oracle.constraints)
    return (
        f"no trained network keeps the limits; the nearest of all is {nearest.slot.name}: {uses} "
        "(loosen the limits, or narrow the space)"
    )


def _test_accuracy(tuner: EPNASTuner, data: Data, best: Sequence[Record]) -> float | None:
    """Returns the best network's accuracy on the test part, as stored if it was measured before."""
    if not best or data.test is None:
        return None
    stored = _stored_best(tuner.work_dir)
    if stored.get("slot") == best[0].slot.name:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return float(stored["test_accuracy"])
    if not storage.exists(tuner.work_dir.model(best[0].slot.name)):
        print(f"no test accuracy: the weights of {best[0].slot.name} are gone")
        return None
    (trial,) = tuner.oracle.get_best_trials()
    return trainer.accuracy(tuner.trained_network(trial), data.test, data, tuner.strategy)


def _stored_best(work_dir: WorkDir) -> dict[str, Any]:
    """Returns what best.json holds, nothing where it is missing or torn: it is written anew."""
    if not storage.exists(work_dir.best):
        return {}
    try:
        return untrusted.parse_object(storage.read_text(work_dir.best))
    except ValueError:
        return {}


def _store_test_accuracy(work_dir: WorkDir, accuracy: float) -> None:
    values = _stored_best(work_dir) | {"test_accuracy": accuracy}
    storage.write_atomic(work_dir.best, json.dumps(values, indent=2) + "\n")


def _network(record: Record) -> Network:
    return Network(
        record.slot.name,
        record.proposal.spec,
        record.accuracy,
        record.result.reward,
        record.cost,
        record.result.feasible,
    )
