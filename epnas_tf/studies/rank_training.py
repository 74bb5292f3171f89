"""Trainings of the study of proxies: the ways to train a network, and what came of each."""

from __future__ import annotations

import epnas_tf.backend

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from epnas_tf import randomness
from epnas_tf.architecture import morph
from epnas_tf.architecture.budget import Budget
from epnas_tf.data import dataset as data_lib
from epnas_tf.data.dataset import Data
from epnas_tf.searching import lineage
from epnas_tf.searching.trials import Proposal, Slot
from epnas_tf.sharing import rules
from epnas_tf.sharing.access import Sharing
from epnas_tf.sharing.store import ParamStore
from epnas_tf.studies.rank_networks import STEPS, Candidate, spaces, with_half_channels
from epnas_tf.studies.rank_table import TRUTH
from epnas_tf.training import devices, pipeline, schedule
from epnas_tf.training.evaluate import Evaluator
from epnas_tf.training.schedule import Schedule


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


_data: Data


def start_worker(data_dir: str, train_fraction: float) -> None:
    """Loads the images that all trainings of this process use."""
    global _data
    devices.use_threads(1)
    _data = load(data_dir, train_fraction)


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
    first = dataclasses.replace(
        data.validation, images=data.validation.images[:1000], labels=data.validation.labels[:1000]
    )
    batches, steps = pipeline.evaluation_batches(first, data, devices.make_strategy("none"), 250)
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
    return (right[True] - right[False]) / len(first)


def run_job(networks: Sequence[Candidate], name: str, seed: int) -> list[dict[str, Any]]:
    """Trains what is trained together."""
    if METHODS[name].sharing == "none":
        return [run(candidate, name, seed) for candidate in networks]
    return run_steps(networks, name, seed)
