"""Asks how well cheap trainings rank networks: proxies against long trainings of the same networks.

Example, with all requirements installed:
python -m epnas_tf.tools.studies.rank_study --work_dir=ranks --data_dir=$TFDS_DATA_DIR --workers=2

Networks of both patterns, a third random and two thirds evolved from them by morphs, are trained
for 20 plain epochs with two seeds (the truth) and by each proxy. What is done is kept in
--work_dir/runs.jsonl, so that an interrupted study goes on; the tables are printed at the end.
With --curves they are followed by what learning curves of others say, from a folder of *.json that
each hold {"name": [accuracy, ...], ...} or [[accuracy, ...], ...], a number an epoch.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import importlib.util
import json
import multiprocessing
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from epnas_tf import randomness
from epnas_tf.architecture import initial, morph
from epnas_tf.architecture.budget import Budget
from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import CellSpec, LayerwiseSpec, Spec
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.searching import lineage
from epnas_tf.searching.policies.uniform import RandomPolicy
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.sharing import rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import ParamStore
from epnas_tf.studies import rank_table, ranking, resumable
from epnas_tf.studies.rank_table import TRUTH, Network, Study
from epnas_tf.training import devices, early_stopping, pipeline, schedule
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.training.schedule import Schedule

_WORK_DIR = flags.DEFINE_string("work_dir", "ranks", "folder of what is done so far")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of prepared tfds data sets")
_TRAIN_FRACTION = flags.DEFINE_float("train_fraction", 0.1111, "share of the training part to use")
_NETWORKS = flags.DEFINE_integer("networks", 48, "networks, half of each pattern", 4)
_METHODS = flags.DEFINE_list("methods", [], "names of METHODS (empty: all)")
_WORKERS = flags.DEFINE_integer("workers", 1, "processes of one thread each", 1)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "train nothing, report what is there")
_PLOT = flags.DEFINE_string("plot", "", "file.png of proxy against truth; needs matplotlib")
_TIMINGS = flags.DEFINE_integer(
    "timings",
    0,
    "networks of each pattern to be timed by every method in turn, on a quiet machine",
    0,
)
_CURVES = flags.DEFINE_string("curves", "", "folder of learning curves of others, *.json")

STEPS = 3  # as in a search: a step of random networks, then steps of morphs of earlier ones
STOP_MARGINS = (0.02, 0.05, 0.1)  # of the stopping rule, in accuracy


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to train networks.

    Attributes:
      plan: the schedule.
      seeds: a run each; those of proxies are no seeds of the truth.
      half: whether every network is trained with half of its channels.
      sharing: how the shared parameters are labelled, "none" for fresh ones.
    """

    plan: Schedule
    seeds: tuple[int, ...] = (2,)
    half: bool = False
    sharing: str = "none"


def _plain(**overrides: Any) -> Schedule:
    return schedule.schedule("plain", **overrides)


def _aggressive(**overrides: Any) -> Schedule:
    return schedule.schedule("aggressive", **overrides)


def _small(batch_size: int, epochs: int = 4) -> Schedule:
    return _plain(epochs=epochs, batch_size=batch_size, learning_rate=0.05)


METHODS = {
    TRUTH: Method(_plain(), seeds=(0, 1)),
    "plain_4": Method(_plain(epochs=4)),
    "batch_64": Method(_small(64)),
    "batch_32": Method(_small(32)),
    "batch_32_dictionary": Method(_small(32), sharing="dictionary"),
    "batch_32_lineage": Method(_small(32), sharing="lineage"),
    "batch_32_3": Method(schedule.schedule("quick")),
    "aggressive_4": Method(_aggressive(epochs=4)),
    "aggressive_4_dictionary": Method(_aggressive(epochs=4), sharing="dictionary"),
    "aggressive_4_lineage": Method(_aggressive(epochs=4), sharing="lineage"),
    "aggressive_10": Method(_aggressive()),
    "half_channels": Method(_small(32), half=True),
}


# The networks


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network of the study: its step (0: random, later: evolved) and what it was made from."""

    spec: Spec
    step: int
    parent: str = ""
    action: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The network's key."""
        return self.spec.key


def spaces() -> tuple[SearchSpace, SearchSpace]:
    """Returns the spaces of the study: networks that a CPU trains for 20 epochs in a minute."""
    return (
        layerwise_space(
            (32, 32),
            channels=(8, 16, 32, 64),
            filter_widths=(1, 3, 5),
            max_layers=8,
            stem_filters=8,
        ),
        module_space(channels=(4, 8, 12, 16), filter_widths=(1, 3), max_branches=4, filters=8),
    )


def limits() -> tuple[Constraint, ...]:
    """Returns the limits: parameters within 4 times of each other, so that size tells little."""
    return (Constraint("params", 10e3, 40e3), Constraint("flops", 2e6, 8e6))


def candidates(count: int, budget: Budget) -> list[Candidate]:
    """Returns distinct networks within the limits, half of each pattern, in order of steps."""
    found: list[Candidate] = []
    for space in spaces():
        mine: list[Candidate] = []
        for index in range(count // 2):
            rng = randomness.generator(0, "rank_study", space.pattern, index)
            step = index * STEPS // (count // 2)
            known = [candidate for candidate in mine if candidate.step < step]
            mine.append(_candidate(space, budget, rng, step, known, {c.key for c in mine}))
        found += mine
    return found


def _candidate(
    space: SearchSpace,
    budget: Budget,
    rng: np.random.Generator,
    step: int,
    known: Sequence[Candidate],
    taken: set[str],
) -> Candidate:
    if not known:
        spec = initial.starting_spec(space, rng, budget.violation, frozenset(taken))
        return Candidate(spec, step)
    while True:
        parent = known[int(rng.integers(len(known)))]
        (action,) = RandomPolicy(space).propose([parent.spec], [rng])
        spec = morph.apply(parent.spec, action, space)
        if spec.key not in taken and budget.violation(spec) == 0:
            return Candidate(spec, step, parent.key, morph.to_dict(action))


def with_half_channels(spec: Spec) -> Spec:
    """Returns the network with half of its channels, the stem's as well."""
    if isinstance(spec, CellSpec):
        return dataclasses.replace(
            spec, width_multiplier=spec.width_multiplier / 2, filters=max(spec.filters // 2, 1)
        )
    items = tuple(
        item if item.channels is None else item.replace("channels", max(item.channels // 2, 2))
        for item in spec.layers
    )
    return LayerwiseSpec(items, max(spec.stem_filters // 2, 1))


# Training, in workers

_data: Data


def _start_worker(request: dict[str, Any]) -> None:
    global _data
    devices.use_threads(1)
    _data = load(**request)


def _request() -> dict[str, Any]:
    return {"data_dir": _DATA_DIR.value, "train_fraction": _TRAIN_FRACTION.value}


def load(data_dir: str, train_fraction: float) -> Data:
    """Returns the study's images."""
    return data_lib.load("cifar10", data_dir=data_dir, train_fraction=train_fraction, seed=0)


def run(
    candidate: Candidate, name: str, seed: int, sharing: Sharing | None = None
) -> dict[str, Any]:
    """Trains a network once and returns what came of it."""
    method = METHODS[name]
    spec = with_half_channels(candidate.spec) if method.half else candidate.spec
    plan = schedule.fit_to(method.plan, len(_data.train))
    budget = Budget(_data.input_shape, _data.num_classes)
    evaluator = Evaluator(_data, plan, devices.make_strategy("none"), budget)
    gaps: list[float] = []
    aside = 0.0

    def look(model: keras.Model) -> None:
        nonlocal aside
        begun = time.perf_counter()
        gaps.append(batch_norm_gap(model, _data))
        aside = time.perf_counter() - begun  # the study's own work is no cost of the method

    start = time.perf_counter()
    evaluation = evaluator.evaluate(
        spec,
        randomness.seed_of(seed, "rank_study", name, candidate.key),
        keep=look,
        sharing=sharing,
    )
    seconds = time.perf_counter() - start - aside
    epochs = evaluation.training.epochs if evaluation.training else ()
    return {
        "key": candidate.key,
        "method": name,
        "seed": seed,
        "accuracy": evaluation.accuracy,
        "losses": [round(epoch.loss, 5) for epoch in epochs],
        "training_accuracies": [round(epoch.accuracy, 5) for epoch in epochs],
        "batch_norm_gap": gaps[0] if gaps else None,
        "seconds": round(evaluation.seconds, 3),
        "all_seconds": round(seconds, 3),
        "step": candidate.step,
        "inherited": None if sharing is None else round(evaluation.warm_share, 4),
    }


def run_steps(networks: Sequence[Candidate], name: str, seed: int) -> list[dict[str, Any]]:
    """Trains the networks of a pattern step by step, each from what earlier steps left."""
    method, rows = METHODS[name], []
    space = next(space for space in spaces() if space.pattern == networks[0].spec.pattern)
    known: dict[str, tuple[str, ...]] = {}
    slots: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = ParamStore(folder)
        for step in range(STEPS):
            offers = []
            for branch, candidate in enumerate(c for c in networks if c.step == step):
                slot = Slot(1, step, branch)
                logged = candidate.action
                action = None if logged is None else morph.from_dict(logged, space)
                parent = slots.get(candidate.parent)
                proposal = Proposal(slot, candidate.spec, parent, action)
                slots[candidate.key] = slot.name
                known[slot.name] = names = lineage.names_of(proposal, known)
                by_lineage = method.sharing == "lineage"
                labels = rules.by_lineage(names) if by_lineage else rules.by_number
                evaluated = Sharing(store, labels, slot.name)
                rows.append(run(candidate, name, seed, evaluated))
                offers += evaluated.offers
            store.commit(step + 1, offers)
    return rows


def batch_norm_gap(model: keras.Model, data: Data) -> float:
    """Returns validation accuracy with each batch's own statistics, less that with the stored."""
    part = dataclasses.replace(
        data.validation, images=data.validation.images[:1000], labels=data.validation.labels[:1000]
    )
    batches, steps = pipeline.evaluation_batches(part, data, devices.make_strategy("none"), 250)
    stored = [(weight, weight.numpy()) for weight in model.non_trainable_weights]
    right = {False: 0.0, True: 0.0}
    for _ in range(steps):
        images, labels, _ = next(batches)
        for training in right:
            logits = model(images, training=training)
            hits = tf.equal(tf.argmax(logits, -1, tf.int32), labels)
            right[training] += float(tf.reduce_sum(tf.cast(hits, tf.float32)))
        for weight, value in stored:  # training mode has moved the statistics
            weight.assign(value)
    return (right[True] - right[False]) / len(part)


def check_settings(path: pathlib.Path) -> None:
    """Writes down what all runs of a folder have in common, or refuses others.

    Raises:
      UsageError: the folder holds a study of other images, networks or schedules.
    """
    plans = {name: dataclasses.asdict(method) for name, method in METHODS.items()}
    asked = {"train_fraction": _TRAIN_FRACTION.value, "networks": _NETWORKS.value, "methods": plans}
    asked = json.loads(json.dumps(asked))
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
        same = {name: plan for name, plan in plans.items() if name in known["methods"]}
        common = {name: known["methods"][name] for name in same}
        if {**asked, "methods": json.loads(json.dumps(same))} != {**known, "methods": common}:
            raise app.UsageError(f"{path.parent} holds a study with other settings ({path.name})")
    path.write_text(json.dumps(asked, indent=1) + "\n", "utf-8")


def train_missing(
    path: pathlib.Path, networks: Sequence[Candidate], names: Sequence[str], workers: int
) -> None:
    """Does the runs that are not in the file yet and adds a line for each."""
    resumable.mend(path)
    done = {(row["key"], row["method"], row["seed"]) for row in resumable.read(path)}
    missing = [
        (candidate, name, seed)
        for name in names
        for seed in METHODS[name].seeds
        for candidate in networks
        if (candidate.key, name, seed) not in done
    ]
    print(f"{len(missing)} runs to do", flush=True)
    if not missing:
        return
    with (
        concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (_request(),)
        ) as pool,
        path.open("a", encoding="utf-8") as file,
    ):
        running = [pool.submit(run_job, *job) for job in jobs(missing, networks)]
        try:
            for future in concurrent.futures.as_completed(running):
                file.writelines(json.dumps(row) + "\n" for row in future.result())
                file.flush()
        finally:
            pool.shutdown(cancel_futures=True)  # after an error: what is done is in the file


Job = tuple[Sequence[Candidate], str, int]


def jobs(missing: Sequence[tuple[Candidate, str, int]], networks: Sequence[Candidate]) -> list[Job]:
    """Returns what is trained together: a network alone, or all of a pattern that share."""
    found: list[Job] = []
    for candidate, name, seed in missing:
        if METHODS[name].sharing == "none":
            found.append(([candidate], name, seed))
            continue
        mates = [c for c in networks if c.spec.pattern == candidate.spec.pattern]
        if (mates, name, seed) not in found:
            found.append((mates, name, seed))
    return found


def run_job(networks: Sequence[Candidate], name: str, seed: int) -> list[dict[str, Any]]:
    """Trains what is trained together."""
    if METHODS[name].sharing == "none":
        return [run(candidate, name, seed) for candidate in networks]
    return run_steps(networks, name, seed)


def time_methods(path: pathlib.Path, networks: Sequence[Candidate], names: Sequence[str]) -> None:
    """Times some networks of each pattern by every method in turn; costs are taken from these.

    The runs of the study itself meet a machine that is more or less busy, and fill both its cores.
    """
    _start_worker(_request())
    rows: list[dict[str, Any]] = []
    for space in spaces():
        mine = [c for c in networks if c.spec.pattern == space.pattern]
        sample = [mine[index * len(mine) // _TIMINGS.value] for index in range(_TIMINGS.value)]
        for name in names:
            rows += run_job(sample, name, METHODS[name].seeds[0])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


# The report


def networks_of(found: Sequence[Candidate], budget: Budget) -> list[Network]:
    """Returns what the tables know of the candidates."""
    networks = []
    for candidate in found:
        pattern = "module" if isinstance(candidate.spec, CellSpec) else "layerwise"
        cost = budget.cost(candidate.spec)
        networks.append(Network(candidate.key, pattern, candidate.step, cost.params, cost.flops))
    return networks


def study_of(path: pathlib.Path, networks: Sequence[Network]) -> Study:
    """Returns the study of these networks as far as it is done."""
    seeds = {name: each.seeds for name, each in METHODS.items()}
    timings = resumable.read(path.with_name("timings.jsonl"))
    return Study(resumable.read(path), networks, seeds, timings)


def read_curves(path: pathlib.Path) -> list[list[float]]:
    """Returns the curves of a file, [networks][epochs].

    Raises:
      ValueError: the file holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        curves = list(value.values()) if isinstance(value, dict) else value
        return [[float(accuracy) for accuracy in curve] for curve in curves]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must hold a list or a dictionary of lists of numbers, got: {error}"
        ) from error


def curve_report(folder: pathlib.Path) -> str:
    """Returns how early epochs of others' curves rank and what the stopping rule would have done.

    Raises:
      ValueError: there are no curves, or they are not as they should be.
    """
    files = {path.stem: read_curves(path) for path in sorted(folder.glob("*.json"))}
    if not files:
        raise ValueError(f"--curves={folder}: must be a folder of *.json, there are none")
    early, stopped = {}, {}
    for name, curves in files.items():
        try:
            early[name] = ranking.curve_agreement(curves)
        except ValueError as error:
            raise ValueError(f"{folder / name}.json: {error}") from error
        for margin in STOP_MARGINS:
            stopped[name, margin] = ranking.stopping(curves, _stops(margin, len(curves[0])))
    return f"""# Learning curves of others

Spearman's correlation of the accuracy after an early epoch with the final one.

{rank_table.curve_table(early)}

What the stopping rule would have done in random groups of 8, each held against the one before.

{rank_table.stopping_table(stopped)}
"""


def _stops(
    margin: float, planned: int
) -> Callable[[Sequence[float], Sequence[Sequence[float]]], bool]:
    return lambda curve, before: early_stopping.stops_early(curve, before, margin, planned)


def plot(study: Study, path: pathlib.Path) -> None:
    """Draws each method's validation accuracy against the truth, points coloured by step."""
    # Only the plot needs it, and workers import this module too.
    from matplotlib import figure

    columns = min(len(study.proxies), 4)
    rows = -(-len(study.proxies) // columns)
    canvas = figure.Figure(figsize=(3.5 * columns, 3.5 * rows), layout="constrained")
    panels = canvas.subplots(rows, columns, squeeze=False).flat
    for panel, method in zip(panels, study.proxies, strict=False):
        for step in sorted({network.step for network in study.networks}):
            mine = [network for network in study.networks if network.step == step]
            panel.scatter(*study.pairs(method, mine), s=14, color=f"C{step}", label=f"step {step}")
        truth, proxy = study.pairs(method, study.networks)
        few = len(truth) < ranking.FEWEST
        title = "too few networks" if few else f"Spearman {ranking.spearman(truth, proxy):.2f}"
        panel.set(xlabel="truth", ylabel="proxy", title=f"{method}\n{title}")
    canvas.axes[0].legend(fontsize="small")
    for panel in canvas.axes[len(study.proxies) :]:
        panel.remove()
    canvas.savefig(path, dpi=80)


def main(argv: Sequence[str]) -> None:
    """Trains what is missing and prints the tables."""
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is no flag; flags are written --name=value")
    if _PLOT.value and importlib.util.find_spec("matplotlib") is None:
        raise app.UsageError(f"--plot={_PLOT.value}: needs matplotlib: pip install epnas_tf[bench]")
    curves = ""
    if _CURVES.value:  # read first: a bad file is better known before the trainings than after
        try:
            curves = curve_report(pathlib.Path(_CURVES.value))
        except ValueError as error:
            raise app.UsageError(str(error)) from error
    runs = pathlib.Path(_WORK_DIR.value) / "runs.jsonl"
    budget = Budget((32, 32, 3), 10, limits())
    networks = candidates(_NETWORKS.value, budget)
    if not _REPORT_ONLY.value:
        runs.parent.mkdir(parents=True, exist_ok=True)
        check_settings(runs.with_name("settings.json"))
        names = _METHODS.value or list(METHODS)
        train_missing(runs, networks, names, _WORKERS.value)
        if _TIMINGS.value:
            time_methods(runs.with_name("timings.jsonl"), networks, names)
    study = study_of(runs, networks_of(networks, budget))
    print(rank_table.report(study))
    if curves:
        print(curves)
    if _PLOT.value and study.proxies:
        plot(study, pathlib.Path(_PLOT.value))
        print(f"drew {_PLOT.value}")


if __name__ == "__main__":
    app.run(main)
