"""Keras' backend is looked up as Keras does it, and another than TensorFlow is refused at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from epnas_tf import backend
from epnas_tf.fields import ConfigError

_HEAVY = {"keras", "keras_tuner", "tensorflow"}


@pytest.fixture(name="home")
def _home(monkeypatch, tmp_path):
    """Keras' own folder, empty, before Keras is imported."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_it_is_tensorflow_where_nobody_says_anything(home):
    assert list(home.iterdir()) == []
    assert backend.chosen() == ("tensorflow", "Keras' default")
    backend.check()


def test_keras_json_says_it(home):
    path = home / "keras.json"
    path.write_text(json.dumps({"backend": "torch"}))
    with pytest.raises(backend.BackendError, match=rf"got 'torch' from {path}: start Python anew"):
        backend.check()


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_what_keras_cannot_read_says_nothing(home, text):
    (home / "keras.json").write_text(text)
    assert backend.chosen()[0] == "tensorflow"


def test_the_environment_goes_before_keras_json(home, monkeypatch):
    (home / "keras.json").write_text(json.dumps({"backend": "torch"}))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    backend.check()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ConfigError, match="got 'jax' from KERAS_BACKEND"):
        backend.check()
    monkeypatch.setenv("KERAS_BACKEND", "")  # as Keras has it, this says nothing
    assert backend.chosen()[0] == "torch"


def test_a_keras_that_is_there_goes_before_everything(monkeypatch):
    import keras

    monkeypatch.setenv("KERAS_BACKEND", "jax")  # too late for this process
    backend.check()
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ImportError, match="got 'jax' from the Keras that this process has"):
        backend.check()


def test_what_imports_keras_checks_its_backend_first(sources):
    checked = {source.path for source in sources if "epnas_tf.backend" in source.imports}
    heavy = [
        source.path
        for source in sources
        if source.path.startswith("epnas_tf/")
        and {name.split(".")[0] for name in source.imports - source.local_imports}
        & {"keras", "keras_tuner"}
    ]
    assert len(heavy) > 10
    rooms = {os.path.dirname(path) for path in checked if path.endswith("/__init__.py")}
    assert [p for p in heavy if p not in checked and os.path.dirname(p) not in rooms] == []


def test_another_backend_ends_a_search_with_one_sentence_before_anything_is_begun(tmp_path):
    code = (
        "import sys, epnas_tf\n"
        "from epnas_tf.fields import ConfigError\n"
        "for name in ('search', 'EPNASTuner', 'EPNASOracle', 'build_model', 'cost_of_model'):\n"
        "    try:\n"
        "        getattr(epnas_tf, name)\n"
        "    except ConfigError as error:\n"
        "        print(name, error)\n"
        "print(epnas_tf.cost.__name__, epnas_tf.SearchConfig.__name__)\n"
        "try:\n"
        "    from epnas_tf.tools import search\n"
        "except ImportError:\n"
        "    from tools import search\n"
        "code = search.main(['', '--dataset=digits', '--work_dir=work'])\n"
        f"print(code, sorted({_HEAVY} & set(sys.modules)))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "KERAS_BACKEND": "jax"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    said = "Keras must run on TensorFlow, got 'jax' from KERAS_BACKEND: start Python anew with"
    lines = ran.stdout.splitlines()
    assert [said in line for line in lines] == [True] * 5 + [False] * 2
    assert lines[5:] == ["cost SearchConfig", "2 []"]
    assert ran.stderr.startswith(f"epnas_search: {said}") and ran.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
