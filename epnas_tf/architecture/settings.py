"""The settings of what is searched, and within which limits."""

from __future__ import annotations

import dataclasses
from typing import Any

from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.ops import ACTIVATIONS, BRANCHES, OPS
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.space import SearchSpace, layerwise_space, module_space
from epnas_tf.fields import Settings, flag, setting


def _table(help: str, **rules: Any) -> Any:
    """Declares a table of choices of the search space; empty stands for the paper's."""
    return setting((), f"{help} (empty: the paper's table of the pattern)", auto=True, **rules)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpaceSettings(Settings):
    """The networks that may be searched."""

    pattern: str = setting(
        "layerwise",
        "layerwise: a chain of layers; module: a cell of branches that is repeated, as in NASNet",
        choices=("layerwise", "module"),
        common=True,
    )
    # Scaling steps to the next entry of a table, so that the order has a meaning.
    channels: tuple[int, ...] = _table(
        "channels of a layer, or of a branch within a cell", least=1, rising=True
    )
    filter_widths: tuple[int, ...] = _table("widths of convolutions", least=1, rising=True)
    pool_widths: tuple[int, ...] = _table("widths of pooling", least=1, rising=True)
    activations: tuple[str, ...] = _table("activations of layers", choices=ACTIVATIONS)
    layer_types: tuple[str, ...] = _table("operations of layers", choices=tuple(OPS))
    branch_types: tuple[str, ...] = _table("types of branches", choices=tuple(BRANCHES))
    max_layers: int = setting(20, "most layers of a network", least=1)
    max_branches: int = setting(6, "most branches within a cell", least=1)
    parts: int = setting(4, "groups of layers that are scaled together", least=1)
    stem_filters: int = setting(16, "filters of the stem, for --pattern=layerwise", least=1)
    filters: int = setting(16, "filters of the stem, for --pattern=module", least=1)
    cells_per_stage: int = setting(1, "cells in each of the three stages", least=1)
    width_multiplier: float = setting(1.0, "factor on the channels of cells", above=0)

    def check_together(self) -> None:
        """Refuses what the pattern has no use for, and odd channels where crelu halves them."""
        module = self.pattern == "module"
        for name in ("activations", "layer_types") if module else ("branch_types",):
            if value := getattr(self, name):
                other = "layerwise" if module else "module"
                self.refuse(name, f"needs --pattern={other}", value)
        crelu = not module and "crelu" in (self.activations or ("crelu",))
        if crelu and any(size % 2 for size in self.channels):
            rule = (
                "must be even, because the activation crelu doubles them (or leave crelu out of "
                "--activations)"
            )
            self.refuse("channels", rule, self.channels)

    def space(self, image_size: tuple[int, int]) -> SearchSpace:
        """Returns the search space for images of this height and width.

        Raises:
          ValueError: the choices leave no network.
        """
        common = {
            "filter_widths": self.filter_widths,
            "pool_widths": self.pool_widths,
            "channels": self.channels,
            "parts": self.parts,
        }
        if self.pattern == "layerwise":
            return layerwise_space(
                image_size,
                layer_types=self.layer_types,
                activations=self.activations,
                max_layers=self.max_layers,
                stem_filters=self.stem_filters,
                **common,  # type: ignore[arg-type]
            )
        return module_space(
            branch_types=self.branch_types,
            max_branches=self.max_branches,
            filters=self.filters,
            cells_per_stage=self.cells_per_stage,
            width_multiplier=self.width_multiplier,
            **common,  # type: ignore[arg-type]
        )


# What networks are compared by: the share of all images, or the mean of the classes' shares.
ACCURACY, BALANCED = "accuracy", "balanced_accuracy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSettings(Settings):
    """What the reward is made of, besides the limits."""

    objective: str = setting(
        ACCURACY,
        "what networks are compared by: the share of validation images classified correctly, or "
        "the mean of the classes' shares, for classes of uneven size",
        choices=(ACCURACY, BALANCED),
    )


class _Limits(Settings):
    """Limits on what networks use; --limits says how strictly they are kept."""

    def check_together(self) -> None:
        for metric in RESOURCES:
            lower, upper = getattr(self, f"min_{metric}"), getattr(self, f"max_{metric}")
            if lower is not None and upper is not None and lower > upper:
                self.refuse(f"min_{metric}", f"is above {flag(f'max_{metric}', upper)}", lower)

    def constraints(self) -> tuple[Constraint, ...]:
        """Returns a constraint for each resource that has a limit."""
        bounds = {m: (getattr(self, f"min_{m}"), getattr(self, f"max_{m}")) for m in RESOURCES}
        return tuple(
            Constraint(metric, lower, upper, getattr(self, "penalty_base"))  # noqa: B009
            for metric, (lower, upper) in bounds.items()
            if lower is not None or upper is not None
        )


def _limit(extreme: str, what: str, common: bool) -> Any:
    """Declares one side of a resource limit."""
    text = f"{extreme} {what}, such as 20k, 1M, 1.5G (none: no limit)"
    return setting(None, text, above=0, common=common)


LimitSettings: Any = dataclasses.make_dataclass(
    "LimitSettings",
    [
        (f"{side}_{r.name}", "float | None", _limit(extreme, r.what, side == "max" and r.common))
        for r in RESOURCES.values()
        for side, extreme in zip(("max", "min"), r.extremes, strict=True)
    ]
    + [
        (
            "penalty_base",
            "float",
            setting(
                0.9,
                "soft limits: factor on the reward where a limit is exceeded by 100%",
                above=0,
                most=1,
            ),
        )
    ],
    bases=(_Limits,),
    namespace={"__doc__": _Limits.__doc__},
    frozen=True,
    kw_only=True,
)
