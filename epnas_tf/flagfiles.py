"""The flagfiles that come with the package, by the command that offers them."""

from __future__ import annotations

import pathlib

# How the names of the flagfiles begin that are recipes of epnas_retrain; the others are presets of
# epnas_search.
_RECIPE = "retrain_"


def presets() -> list[str]:
    """Returns the names that --preset of epnas_search takes."""
    return [name for name in _names() if not name.startswith(_RECIPE)]


def recipes() -> list[str]:
    """Returns the names that --recipe of epnas_retrain takes."""
    return [name.removeprefix(_RECIPE) for name in _names() if name.startswith(_RECIPE)]


def preset_file(name: str) -> pathlib.Path:
    """Returns the file of a preset."""
    return _folder() / f"{name}.flags"


def recipe_file(name: str) -> pathlib.Path:
    """Returns the file of a recipe."""
    return _folder() / f"{_RECIPE}{name}.flags"


def _names() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.flags"))


def _folder() -> pathlib.Path:
    # Inside the package once installed, beside it in a checkout.
    package = pathlib.Path(__file__).parent
    installed = package / "flags"
    return installed if installed.is_dir() else package.parent / "flags"
