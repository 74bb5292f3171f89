"""The settings of a search that takes seconds: what several tests run."""

from __future__ import annotations

from typing import Any

# Four children of a second each.
TINY: dict[str, Any] = {
    "dataset": "digits",
    "train_fraction": 0.2,
    "layer_types": ("conv2d", "max_pool"),
    "channels": (4, 8),
    "filter_widths": (1, 3),
    "activations": ("relu",),
    "max_layers": 3,
    "stem_filters": 4,
    "policy": "random",
    "branches": 2,
    "episodes": 1,
    "steps": 1,
    "epochs": 1,
    "rungs": (1,),
    "max_params": 10_000,
    "machine_gflops": 16,
    "keep_models": 2,
    "verbosity": 0,
}
