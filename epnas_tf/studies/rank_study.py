"""The study of proxies as runs: what is missing is done, what is there is read."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
import pathlib
from collections.abc import Sequence
from typing import Any

from epnas_tf.studies import resumable
from epnas_tf.studies.rank_networks import Candidate, spaces
from epnas_tf.studies.rank_table import Network, Study
from epnas_tf.studies.rank_training import METHODS, run_job, start_worker


def check_settings(path: pathlib.Path, train_fraction: float, networks: int) -> None:
    """Writes down what all runs of a folder have in common, or refuses others.

    Raises:
      ValueError: the folder holds a study of other images, networks or schedules.
    """
    plans = {name: dataclasses.asdict(method) for name, method in METHODS.items()}
    asked = {"train_fraction": train_fraction, "networks": networks, "methods": plans}
    asked = json.loads(json.dumps(asked))
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
        same = {name: plan for name, plan in plans.items() if name in known["methods"]}
        common = {name: known["methods"][name] for name in same}
        if {**asked, "methods": json.loads(json.dumps(same))} != {**known, "methods": common}:
            raise ValueError(f"{path.parent} holds a study with other settings ({path.name})")
    path.write_text(json.dumps(asked, indent=1) + "\n", "utf-8")


def train_missing(
    path: pathlib.Path,
    networks: Sequence[Candidate],
    names: Sequence[str],
    workers: int,
    images: tuple[str, float],
) -> None:
    """Does the runs that are not in the file yet and adds a line for each.

    Args:
      path: runs.jsonl.
      networks: of the study.
      names: of the methods.
      workers: processes of one thread each.
      images: folder of prepared data sets, and share of the training split to use.
    """
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
    spawn = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(workers, spawn, start_worker, images)
    resumable.add(path, resumable.of_pool(pool, run_job, jobs(missing, networks)))


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


def time_methods(
    path: pathlib.Path,
    networks: Sequence[Candidate],
    names: Sequence[str],
    count: int,
    images: tuple[str, float],
) -> None:
    """Times some networks of each pattern by every method in turn; costs are taken from these.

    The runs of the study itself meet a machine that is more or less busy, and fill both its cores.
    """
    start_worker(*images)
    rows: list[dict[str, Any]] = []
    for space in spaces():
        mine = [c for c in networks if c.spec.pattern == space.pattern]
        sample = [mine[index * len(mine) // count] for index in range(count)]
        for name in names:
            rows += run_job(sample, name, METHODS[name].seeds[0])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def study_of(path: pathlib.Path, networks: Sequence[Network]) -> Study:
    """Returns the study of these networks as far as it is done."""
    seeds = {name: each.seeds for name, each in METHODS.items()}
    timings = resumable.read(path.with_name("timings.jsonl"))
    return Study(resumable.read(path), networks, seeds, timings)
