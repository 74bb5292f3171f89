"""What the tests of final trainings share: a search of a few seconds."""

import pathlib
import shutil

import pytest

import epnas_tf
from epnas_tf.config import SearchConfig
from tests.tiny_search import TINY


@pytest.fixture(name="searched", scope="session")
def _searched(tmp_path_factory) -> pathlib.Path:
    """The folder of a whole search; nobody writes there."""
    folder = tmp_path_factory.mktemp("searched") / "search"
    epnas_tf.search(SearchConfig(work_dir=str(folder), brightness=0.25, seed=5, **TINY))
    return folder


@pytest.fixture(name="search")
def _search(searched, tmp_path) -> pathlib.Path:
    """A copy of it."""
    return pathlib.Path(shutil.copytree(searched, tmp_path / "search"))
