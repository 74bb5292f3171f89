"""The room is pure: all of it is imported without TensorFlow, Keras or absl."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from epnas_tf import architecture


def test_no_module_imports_what_it_must_not():
    names = [
        f"epnas_tf.architecture.{module.name}"
        for module in pkgutil.iter_modules(architecture.__path__)
    ]
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{
    "tensorflow", "keras", "keras_tuner", "absl", "sklearn", "tensorflow_datasets"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(names) >= 9
    assert done.stdout == "[]\n"
