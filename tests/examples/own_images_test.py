"""The example from photographs to predictions runs, in small."""

from __future__ import annotations

import json
import pathlib
import re
import runpy

from tests.predicting.colours import save
from tests.tiny_search import TINY

_EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_images.py"

# Colours that differ within a class and between classes.
_CLASSES = {"blue": (20, 40, 190), "red": (190, 40, 20)}


def test_the_example_names_photographs(tmp_path, capsys):
    for name, colour in _CLASSES.items():
        for n in range(30):
            pixels = [min(255, level + 2 * n) for level in colour]
            save(tmp_path / "photos" / name / f"{n}.png", *pixels, size=(10 + n, 20))
    other = save(tmp_path / "other.jpg", 200, 60, 30)
    search = {name: value for name, value in TINY.items() if name != "dataset"}
    search |= {"image_size": 8, "epochs": 4, "rungs": (4,), "train_fraction": 1.0}
    runpy.run_path(str(_EXAMPLE))["main"](
        str(tmp_path / "photos"),
        [str(other)],
        work_dir=str(tmp_path / "search"),
        search=search,
        training={"recipe": "short", "epochs": 10},
        files={"formats": ("keras",)},  # each is run in a process of its own
    )
    said = capsys.readouterr().out
    found = re.search(r"^found (e\S+): \d+ parameters$", said, re.MULTILINE)
    folder = re.search(r"^files for other programs: (.+)$", said, re.MULTILINE)
    assert found and folder and re.search(r"^test accuracy \d\.\d{3}$", said, re.MULTILINE)
    described = json.loads((pathlib.Path(folder[1]) / "export.json").read_text())
    assert described["classes"] == ["blue", "red"]
    assert re.search(rf"^{re.escape(str(other))}: red \(\d+%\)$", said, re.MULTILINE)
