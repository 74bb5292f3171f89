"""The example of a search in one's own arrays runs, in small."""

from __future__ import annotations

import pathlib
import re
import runpy

from epnas_tf.workdir import trials_csv
from epnas_tf.workdir.layout import WorkDir

_EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_arrays.py"


def test_the_example_finds_and_fits_a_network(tmp_path, capsys):
    main = runpy.run_path(str(_EXAMPLE))["main"]
    sizes = {"branches": 2, "episodes": 1, "steps": 1, "starts": "random", "policy": "random"}
    fresh = main(str(tmp_path), 1, **sizes, promotion_share=0.0, finals_share=0.0)
    said = capsys.readouterr().out
    rows = trials_csv.read(WorkDir(str(tmp_path / "own_arrays")))
    told = re.findall(r"^(\d+)/4: (0\.\d{3}|1\.000), limits \w+: (\S+)$", said, re.MULTILINE)
    assert told and {slot for _, _, slot in told} <= {row.slot.name for row in rows}
    found = re.search(r"^found: test accuracy (0\.\d{3})$", said, re.MULTILINE)
    fitted = re.search(r"^fitted for (\d) epochs: test accuracy (0\.\d{3})$", said, re.MULTILINE)
    # Guessing has 0.1; with the sizes of the example itself both have more than 0.9.
    assert found and float(found[1]) > 0.2
    assert fitted and float(fitted[2]) > 0.2 and 1 <= int(fitted[1]) <= 5
    assert fresh.count_params() <= 20e3 * 1.1  # batch norm's statistics besides
