"""Long checks that a search loses nothing and does not grow: for a night, not for every change.

Examples:
  python -m tools.checks.soak memory --children=100
  python -m tools.checks.soak images --children=400 --growth=0.05
  python -m tools.checks.soak kills --kills=40 --work_dir=/tmp/soak

`memory` runs one search in this process and compares its resident memory after a fifth of the
children and at the end; `images` does so with larger networks on images of CIFAR-10's shape, from
the 100th child on; `kills` runs a search as a process that is killed (SIGKILL) at moments
drawn from a clock and gone on with, and compares its files with those of one that was left alone.
Exit code 1 says that a promise was broken. tools/checks/soak.sh runs all, and the fuzzer.
"""

from __future__ import annotations

import os
import pathlib
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
from absl import app, flags

import epnas_tf
from epnas_tf import command_line
from epnas_tf.report.trajectory import trajectory

_CHILDREN = flags.DEFINE_integer("children", 100, "children of `memory`", 10)
_KILLS = flags.DEFINE_integer("kills", 40, "kills of `kills`", 1)
_SEED = flags.DEFINE_integer("seed", 0, "of the moments of the kills", 0)
_WORK_DIR = flags.DEFINE_string("work_dir", "", "folder to keep (empty: a temporary one)")
_GROWTH = flags.DEFINE_float("growth", 0.1, "largest growth of memory that passes", 0)

_NETWORKS = (
    *("--dataset=digits", "--channels=8,16,32", "--filter_widths=1,3", "--max_layers=8"),
    *(
        "--machine_gflops=16",
        "--threads_per_child=1",
        "--branches=4",
        "--parameter_sharing=lineage",
    ),
)


# Larger networks on images of CIFAR-10's shape, so few of them that a child takes about 2 seconds.
_ON_IMAGES = (
    *("--channels=8,16,24,32,48,64", "--max_layers=8", "--machine_gflops=16"),
    *("--threads_per_child=1", "--batch_size=32", "--max_child_minutes=0.2"),
)


def noise(path: str, images: int) -> str:
    """Writes random images of CIFAR-10's shape to an .npz file and returns its data set's name."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    np.savez(path, x_train=pixels, y_train=np.arange(images) % 10)
    return f"npz:{path}"


def memory(
    children: int, growth: float, work_dir: str, networks: Sequence[str], since: int
) -> bool:
    """Prints the memory after every tenth of the children; says whether it stayed flat.

    Args:
      children: number of children in all, those that are repeated not counted.
      growth: largest growth that passes, as a share.
      work_dir: folder of the search.
      networks: flags of the data and the networks.
      since: number of children from which on it must not grow.
    """
    import psutil

    episodes = children  # more than enough
    arguments = [*networks, "--epochs=1", f"--episodes={episodes}", f"--max_trials={children}"]
    config = command_line.parse(["", *arguments, f"--work_dir={work_dir}", "--verbosity=0"])
    process = psutil.Process()
    used: list[int] = []

    def note(record: epnas_tf.TrialRecord) -> None:
        if record.done == len(used):  # repeated, risen or of the end: none of `children`
            return
        used.append(process.memory_info().rss)
        if not len(used) % max(1, children // 10):
            print(f"{len(used)} children: {used[-1] / 2**20:.0f} MiB", flush=True)

    epnas_tf.search(config, on_trial_end=note)
    early, late = used[since - 1], used[-1]
    print(f"growth from child {since} to {len(used)}: {late / early - 1:+.1%}")
    return late / early - 1 < growth


def kills(count: int, seed: int, work_dir: str) -> bool:
    """Kills a search again and again; says whether it ends as one that was left alone."""
    flags_of_all = [*_NETWORKS, "--epochs=8", "--episodes=3", "--steps=4", "--max_attempts=9"]
    flags_of_all.append("--verbosity=0")
    whole, killed = f"{work_dir}/whole", f"{work_dir}/killed"
    _search([*flags_of_all, f"--work_dir={whole}"])
    rng, done = random.Random(seed), 0
    while done < count:
        # Starting takes about 6 seconds: some of the moments are within it.
        if _search([*flags_of_all, f"--work_dir={killed}"], rng.uniform(4, 16)):
            break
        done += 1
    _search([*flags_of_all, f"--work_dir={killed}"])
    same = trajectory(whole) == trajectory(killed)
    for name in ("best.json", "steps.jsonl"):
        same &= pathlib.Path(whole, name).read_bytes() == pathlib.Path(killed, name).read_bytes()
    begun = len(list(pathlib.Path(killed).glob("trial_*")))
    print(f"{done} kills: {len(trajectory(killed))} trials, begun {begun} times, the same: {same}")
    return same


def _search(arguments: list[str], seconds: float | None = None) -> bool:
    """Runs a search, for a time; says whether it came to its end."""
    command = [sys.executable, "-m", __spec__.name.replace("checks.soak", "search"), *arguments]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    if code:
        raise SystemExit(f"the search ended with exit code {code}")
    return True


def main(argv: Sequence[str]) -> int:
    """Runs the checks that the arguments name; returns the exit code."""
    checks = argv[1:]
    if not checks or not {"memory", "images", "kills"}.issuperset(checks):
        raise app.UsageError(f"say memory, images, kills or several, got {list(checks)}")
    good = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = _WORK_DIR.value or temporary
        if "memory" in checks:
            fifth = _CHILDREN.value // 5
            good &= memory(_CHILDREN.value, _GROWTH.value, f"{folder}/memory", _NETWORKS, fifth)
        if "images" in checks:
            since = min(100, _CHILDREN.value // 2)
            flags_of_all = [*_ON_IMAGES, f"--dataset={noise(f'{folder}/noise.npz', 400)}"]
            good &= memory(_CHILDREN.value, _GROWTH.value, f"{folder}/images", flags_of_all, since)
        if "kills" in checks:
            good &= kills(_KILLS.value, _SEED.value, folder)
    return 0 if good else 1


if __name__ == "__main__":
    app.run(main)
