"""The fuzzer: all readers, which of them are asked for, and a run over them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence

from tests.fuzzing import other_files, search_files, with_atheris
from tests.fuzzing.running import CrashError, fuzz, quiet, summary
from tests.fuzzing.targets import Target


def all_targets(folder: str) -> list[Target]:
    """Returns a target per reader; their files are in the folder."""
    oracle, spec = (
        search_files.made_oracle(folder, search_files.LAYERWISE),
        search_files.spec_target(),
    )
    return [
        spec,
        search_files.json_target(spec.seeds),
        search_files.trial_target("trial", oracle),
        search_files.trial_target(
            "module_trial", search_files.made_oracle(f"{folder}/module", search_files.MODULE)
        ),
        *search_files.completed_targets(oracle),
        search_files.project_target(folder, oracle),
        search_files.starts_target(folder, spec.seeds),
        search_files.prior_target(folder, oracle),
        search_files.steps_target(folder, oracle),
        *search_files.table_targets(folder, oracle),
        *other_files.store_targets(folder),
        *other_files.final_targets(folder),
        other_files.export_target(folder),
        *other_files.flags_targets(folder),
        other_files.npz_target(folder),
        other_files.image_target(),
    ]


def _chosen(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    known = [target.name for target in targets]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"--targets must be of {', '.join(known)}, got {', '.join(unknown)}")
    return [target for target in targets if not names or target.name in names]


def run(names: Sequence[str], inputs: int, seed: int, atheris_seconds: int = 0) -> int:
    """Prints a table of what came of the inputs; returns the exit code, 1 for a crash.

    Args:
      names: of the targets; all if empty.
      inputs: broken files in all.
      seed: what they depend on.
      atheris_seconds: how long atheris chooses the inputs of one target; 0 without it.

    Raises:
      ValueError: a name is not known, or atheris is missing or asked for other than one target.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        targets = _chosen(all_targets(folder), names)
        if atheris_seconds:
            with_atheris.run(targets, seed, atheris_seconds, folder)
        try:
            print(summary(fuzz(targets, inputs, seed)))
        except CrashError as crash:
            print(crash, file=sys.stderr)
            return 1
    return 0
