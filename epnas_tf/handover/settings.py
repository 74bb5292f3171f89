"""The configuration of an export: which networks of a search, and where their files go."""

from __future__ import annotations

import dataclasses

from epnas_tf.exporting.settings import FileSettings
from epnas_tf.fields import CommandSettings, ConfigError, Settings, flag, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection(Settings):
    """Which networks are exported, and where to."""

    work_dir: str = setting("", "folder of the search that found the network", common=True)
    trial: str = setting(
        "",
        "slot of the network, such as e01s03b5 (empty: that of the newest final training, else the "
        "best)",
        common=True,
    )
    final: str = setting(
        "",
        "folder of a final training (empty: the network's newest in work_dir, else the weights "
        "that the search kept)",
        common=True,
    )
    output: str = setting(
        "",
        "folder of the files (empty: WORK_DIR/export/TRIAL, or FINAL/export without --work_dir); "
        "with --top of the networks' folders",
        common=True,
    )
    top: int = setting(1, "best networks of the search to export", least=1, common=True)

    def check_together(self) -> None:
        """Refuses no network, and one that is named twice."""
        if not self.work_dir and not self.final:
            raise ConfigError(
                "--work_dir=FOLDER (of a search) or --final=FOLDER (of a final training) must be "
                "given, got neither"
            )
        for name in ("trial", "final"):
            if self.top > 1 and getattr(self, name):
                rule = f"names one network, which does not go with {flag('top', self.top)}"
                self.refuse(name, rule, getattr(self, name))
        if self.trial and self.final:
            self.refuse("trial", "does not go with --final, whose network it is", self.trial)


# A dataclass lists the fields of its last base first.
@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig(CommandSettings, FileSettings, Selection):
    """All settings of an export; raises ConfigError where they cannot be carried out."""
