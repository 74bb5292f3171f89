"""Golden trajectories: scripted choices give the stored actions and networks, step by step.

`tests/testdata/trajectories.json` scripts the option indices of both patterns. If the rules are
changed on purpose, `python tests/architecture/trajectory_test.py` follows the scripts anew, and the
change of the stored actions and networks is reviewed like code.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from epnas_tf.architecture import choices, morph
from epnas_tf.architecture.choices import Choice
from epnas_tf.architecture.space import layerwise_space, module_space
from epnas_tf.architecture.spec import spec_from_dict

_FILE = pathlib.Path(__file__).parents[1] / "testdata" / "trajectories.json"
_SPACES = {
    "layerwise": layerwise_space((32, 32), max_layers=8, parts=3),
    "module": module_space(max_branches=5, parts=2, filters=24, cells_per_stage=2),
}


def _follow(pattern: str, golden: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the steps of a script: its options, and what they lead to."""
    space = _SPACES[pattern]
    spec = spec_from_dict(golden["start"])
    steps = []
    for step in golden["steps"]:
        script = iter(step["options"])

        def pick(choice: Choice, script=script) -> int:
            index = next(script)
            assert choice.mask[index], (choice, index)
            return index

        action = choices.decide(spec, space, pick)
        assert list(script) == []
        assert [index for _, index in choices.encode(spec, action, space)] == step["options"]
        spec = morph.apply(spec, action, space)
        space.check(spec)
        steps.append(
            {
                "options": step["options"],
                "words": morph.describe(action),
                "action": morph.to_dict(action),
                "spec": spec.to_dict(),
                "key": spec.key,
            }
        )
    return steps


@pytest.mark.parametrize("pattern", list(_SPACES))
def test_scripted_choices_lead_to_the_stored_networks(pattern):
    golden = json.loads(_FILE.read_text())[pattern]
    for number, (step, stored) in enumerate(
        zip(_follow(pattern, golden), golden["steps"], strict=True)
    ):
        assert step == stored, f"step {number}"


def _rewrite() -> None:
    """Writes the file anew, a line per step."""
    texts = []
    for pattern, golden in json.loads(_FILE.read_text()).items():
        steps = ",\n".join(json.dumps(step) for step in _follow(pattern, golden))
        start = json.dumps(golden["start"])
        texts.append(f'"{pattern}": {{"start": {start}, "steps": [\n{steps}\n]}}')
    _FILE.write_text("{\n" + ",\n".join(texts) + "\n}\n")


if __name__ == "__main__":
    _rewrite()
