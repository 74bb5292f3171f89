"""The settings of what networks leave to later ones."""

from __future__ import annotations

import dataclasses

from epnas_tf.fields import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharingSettings(Settings):
    """What a child starts from (paper, section 3.4)."""

    parameter_sharing: str = setting(
        "none",
        "what a child starts from: fresh weights, those of earlier children at the same layer "
        "numbers, or those of the same layers whatever their numbers",
        choices=("none", "dictionary", "lineage"),
    )
