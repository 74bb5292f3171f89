"""What made a file."""

from __future__ import annotations

import importlib.metadata
import platform

from epnas_tf.exporting import versions


def test_the_versions_are_those_that_are_installed():
    known = versions.known()
    assert known.pop("python") == platform.python_version()
    assert known == {name: importlib.metadata.version(name) for name in known}
    assert list(known) == ["epnas_tf", "tensorflow", "keras", "numpy"]
