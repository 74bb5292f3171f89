"""The soak, shortened: a minute of what tools/checks/soak.sh does for half an hour."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

try:
    import epnas_tf.tools.checks.soak  # noqa: F401

    _TOOLS = "epnas_tf.tools"
except ImportError:  # from a checkout
    _TOOLS = "tools"


def _soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"{_TOOLS}.checks.soak", *arguments],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.nightly  # tests/training/memory_test.py sees at once whether graphs pile up
def test_the_memory_of_a_search_stays_flat():
    ended = _soak("memory", "--children=40")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "growth from child 8 to 40: " in ended.stdout


@pytest.mark.nightly  # too short to see whether memory grows: tools/checks/soak.sh does
def test_a_search_on_images_of_cifars_shape_can_be_soaked():
    ended = _soak("images", "--children=20", "--growth=1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "growth from child 10 to 20: " in ended.stdout


@pytest.mark.parametrize("arguments", [(), ("sleep",)])
def test_what_is_to_be_soaked_must_be_said(arguments):
    ended = _soak(*arguments)
    assert ended.returncode == 1
    assert "say memory, images, kills or several" in ended.stdout + ended.stderr
