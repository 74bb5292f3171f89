"""Readers of what a search leaves: networks, trials, the project, the tables."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import numpy as np

from epnas_tf import untrusted
from epnas_tf.architecture import initial
from epnas_tf.architecture.budget import TRAINED, Budget
from epnas_tf.architecture.resources import uses_of
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.architecture.spec import spec_from_json
from epnas_tf.report import table
from epnas_tf.searching import initial_specs, prior
from epnas_tf.searching.prior import PriorTrial
from epnas_tf.searching.trials import Proposal
from epnas_tf.training import schedule
from epnas_tf.tuner import durable
from epnas_tf.tuner.durable import Status
from epnas_tf.tuner.listeners import results
from epnas_tf.tuner.oracle import EPNASOracle
from epnas_tf.tuner.trial_data import Assignment, Outcome
from epnas_tf.tuner.trial_log import TrialLog
from epnas_tf.workdir import (
    best_json,
    copies,
    project_file,
    specs_file,
    steps_jsonl,
    storage,
    trials_csv,
)
from epnas_tf.workdir.layout import WorkDir
from tests.fuzzing.changes import changed_json, changed_json_line, changed_words
from tests.fuzzing.targets import Target, write

LAYERWISE = layerwise_space((8, 8), channels=(4, 8), filter_widths=(1, 3), max_layers=4)
MODULE = module_space(max_branches=3, cells_per_stage=2, width_multiplier=1.5)


def _read_spec(data: bytes) -> bool:
    spec = spec_from_json(data.decode())
    if spec_from_json(spec.to_json()) != spec:
        raise AssertionError("a network that was read must come back as it is")
    return bool(spec.key)


def spec_target() -> Target:
    rng = np.random.default_rng(0)
    specs = [
        initial.starting_spec(space, rng, lambda _: 0.0, frozenset())
        for space in (LAYERWISE, MODULE)
        for _ in range(3)
    ]
    own = b'{"pattern":"layerwise","stem_filters":8,"layers":[{"op":"gru","units":8,"gate":"a"}]}'
    seeds = [*(spec.to_json().encode() for spec in specs), own]
    return Target("spec", seeds, _read_spec, [changed_json], 30)


def json_target(specs: Sequence[bytes]) -> Target:
    def read(data: bytes) -> bool:
        values = untrusted.parse_object(data)
        json.dumps(values, allow_nan=False)
        return True

    return Target("json", specs, read, [changed_json], 30)


def made_oracle(folder: str, space: SearchSpace, rungs: tuple[int, ...] = (3,)) -> EPNASOracle:
    oracle = EPNASOracle(space, policy="random", branches=2, episodes=2, steps=2, rungs=rungs)
    oracle._set_project_dir(folder, "p")
    oracle.verbose = 0
    oracle.bind(Budget((8, 8, 1), 10))
    oracle.reload()
    _play(oracle)
    return oracle


def _play(oracle: EPNASOracle) -> None:
    """Plays a search in which every child takes no time."""
    while (trial := oracle.create_trial("tuner0")).status == Status.RUNNING:
        accuracy = 1 / (2 + len(oracle.trials))
        spec = Assignment.from_values(durable.values(trial), oracle.space).proposal.spec
        uses = uses_of(oracle.budget.cost(spec))
        done = Outcome(accuracy, accuracy, TRAINED, uses, 1.0, 0.5, offer=7, curve=(0.5,))
        oracle.update_trial(trial.trial_id, done.to_metrics())
        trial.status = Status.COMPLETED
        oracle.end_trial(trial)


def trial_target(name: str, oracle: EPNASOracle) -> Target:
    files = [f"{oracle._project_dir}/trial_{number:04d}/trial.json" for number in (0, 3)]
    states = []
    for path in files:
        with open(path, "rb") as file:
            states.append(file.read().replace(b'"0003"', b'"0000"'))

    def read(data: bytes) -> bool:
        write(files[0], data)
        trial = oracle._load_trial("0000")
        values = durable.values(trial)
        if values and trial.status == Status.COMPLETED and trial.score is not None:
            log = TrialLog({"0000": trial}, oracle.space, ())
            results.row_of(
                log.completed_trial(trial)
            ).cells()  # what every accepted trial must be good for
        return bool(values)

    return Target(name, states, read, [changed_json], 20)


def completed_targets(oracle: EPNASOracle) -> list[Target]:
    def read_values(data: bytes) -> bool:
        values = untrusted.parse_object(data)
        return bool(Assignment.from_values(values, LAYERWISE).to_values())

    def read_metrics(data: bytes) -> bool:
        return bool(Outcome.from_metrics(untrusted.parse_object(data)).to_metrics())

    known = list(oracle.trials.values())
    values = [json.dumps(durable.values(trial)).encode() for trial in known]
    first = oracle.completed()[0].proposal
    risen = Assignment(Proposal(first.slot.at(1), first.spec, wave=1), 1, "w")
    values.append(json.dumps(risen.to_values()).encode())
    metrics = [json.dumps(durable.metrics(trial)).encode() for trial in known[:2]]
    return [
        Target("values", values, read_values, [changed_json], 20),
        Target("metrics", metrics, read_metrics, [changed_json], 10),
    ]


def project_target(folder: str, oracle: EPNASOracle) -> Target:
    images = project_file.Images(
        (8, 8, 1), tuple(map(str, range(10))), False, 255.0, (0.5,), (0.25,)
    )
    plan = schedule.schedule("quick")
    settings = project_file.plain(
        oracle.space.describe()
        | dataclasses.asdict(oracle.settings)
        | {"schedule": dataclasses.asdict(plan)}
    )
    stored = project_file.Project(images, 10.0, settings)
    files = WorkDir(folder)
    project_file.write(files, stored)
    seed = storage.read_bytes(files.project)

    def read(data: bytes) -> bool:
        write(files.project, data)
        found = project_file.read(files)
        assert found is not None
        project_file.differences(found, stored)
        return True

    return Target("project", [seed], read, [changed_json], 10)


def starts_target(folder: str, specs: Sequence[bytes]) -> Target:
    path = f"{folder}/starts.json"

    def read(data: bytes) -> bool:
        write(path, data)
        found = specs_file.read(path)
        space = LAYERWISE if found[0].pattern == "layerwise" else MODULE
        kept = initial_specs.checked(dict.fromkeys(found), space, 4)
        return initial_specs.from_plain(initial_specs.to_plain(kept), space, 4) == kept

    layers = [spec for spec in specs if b"layerwise" in spec and b"gru" not in spec]
    best = b'{"format": 1, "slot": "e01s00b0", "spec": %s}' % layers[0]
    seeds = [specs[-2], b"[%s]" % b",".join(layers), best]
    return Target("starts", seeds, read, [changed_json], 10)


def prior_target(folder: str, oracle: EPNASOracle) -> Target:
    trials = [
        PriorTrial(known.proposal.spec, known.outcome.accuracy, known.outcome.reward)
        for known in oracle.best()
    ]
    files = WorkDir(f"{folder}/copies")
    text = copies.text_of(prior.to_plain((tuple(trials), tuple(trials[:2]))))
    copies.write(files, "prior", text)  # makes the folder

    def read(data: bytes) -> bool:
        write(files.copy("prior"), data)
        values = copies.read(files, "prior", hashlib.sha256(data).hexdigest())
        with untrusted.reading(files.copy("prior")):
            found = prior.from_plain(values, oracle.space)
        return prior.from_plain(prior.to_plain(found), oracle.space) == found

    return Target("prior", [text.encode()], read, [changed_json], 10)


def steps_target(folder: str, oracle: EPNASOracle) -> Target:
    files = WorkDir(folder)
    steps_jsonl.write(files, oracle.search.step_log)
    seed = storage.read_bytes(files.steps)

    def read(data: bytes) -> bool:
        write(files.steps, data)
        steps = steps_jsonl.read(files)
        json.dumps(steps, allow_nan=False)
        return bool(steps)

    return Target("steps", [seed], read, [changed_json_line], 10)


def table_targets(folder: str, oracle: EPNASOracle) -> list[Target]:
    files = WorkDir(folder)
    trials = trials_csv.text(map(results.row_of, oracle.completed())).encode()
    found = results.best_of(oracle.best()[0], (), ("a", "b"))
    shares = {"validation": {"a": 0.5, "b": 0.0}, "test": {"b": 1.0}}
    told = {"per_class_accuracy": shares, "largest_class": 0.75, "balanced_accuracy": 0.25}
    best_json.write(files, dataclasses.replace(found, **told))
    best = storage.read_bytes(files.best)

    def rendered(trials: bytes, best: bytes) -> bool:
        write(files.trials_csv, trials)
        write(files.best, best)
        text = table.render(folder)
        try:
            return bool(text.encode())
        except UnicodeEncodeError as error:
            raise AssertionError("a table must be text that can be printed") from error

    return [
        Target("trials_csv", [trials], lambda data: rendered(data, best), [changed_words], 10),
        Target("best", [best], lambda data: rendered(trials, data), [changed_json], 10),
    ]
