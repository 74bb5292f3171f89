"""Runs an exported file in a process of its own, which has no epnas_tf: `reload.py`."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

_PROGRAM = pathlib.Path(__file__).with_name("reload.py")
# Of what a process that failed has said.
_MOST_LINES = 20
# For so long single runs are timed.
TIMED_SECONDS = 2.0

# The processor alone: there an accelerator's shorter floats cannot blur the comparison, and there
# the latency is measured. TensorFlow's notes on its build help nobody.
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}


class ReloadError(RuntimeError):
    """A file that another program cannot load or run."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reloaded:
    """What a file did in a fresh process.

    Attributes:
      outputs: for each image, float [n, k].
      latencies: seconds of single runs on one image, one thread.
      runtime: what ran it, with its version.
    """

    outputs: np.ndarray
    latencies: tuple[float, ...]
    runtime: str


def run(runtime: str, path: str, images: np.ndarray, *, one_at_a_time: bool) -> Reloaded:
    """Returns what a file gives for images, and how long it takes.

    Args:
      runtime: a key of RUNTIMES in `reload.py`.
      path: of the file or folder.
      images: as the file takes them, [n, h, w, c].
      one_at_a_time: whether it takes a batch of 1 alone.

    Raises:
      ReloadError: it could not be loaded or run; tells what the process said last.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        images_file = here / "images.npy"
        job = {
            "runtime": runtime,
            "path": os.path.abspath(path),
            "images": str(images_file),
            "outputs": str(here / "outputs.npy"),
            "answer": str(here / "answer.json"),
            "one_at_a_time": one_at_a_time,
            "seconds": TIMED_SECONDS,
        }
        np.save(images_file, images)
        (here / "job.json").write_text(json.dumps(job), encoding="utf-8")
        # -P: what lies beside the program is not importable, as its whole package else would be.
        finished = subprocess.run(
            [sys.executable, "-P", str(_PROGRAM), str(here / "job.json")],
            cwd=here,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if finished.returncode:
            said = "\n".join(finished.stderr.splitlines()[-_MOST_LINES:])
            raise ReloadError(
                f"{os.path.basename(path)} could not be loaded and run by a program without "
                f"epnas_tf (exit code {finished.returncode}):\n{said}"
            )
        answer = json.loads((here / "answer.json").read_text(encoding="utf-8"))
        outputs = np.load(here / "outputs.npy")
        return Reloaded(outputs, tuple(answer["latencies"]), answer["runtime"])
