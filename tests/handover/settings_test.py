"""Which networks an export may be asked for."""

from __future__ import annotations

import pytest

from epnas_tf.fields import ConfigError
from epnas_tf.handover.settings import ExportConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"^--work_dir=FOLDER \(of a search\) or --final=FOLDER .* must be given, got neither"),
        ({"work_dir": "w", "top": 0}, "^--top=0: must be at least 1"),
        ({"work_dir": "w", "top": 2, "trial": "e01s01b0"}, "^--trial=e01s01b0: .* with --top=2"),
        ({"work_dir": "w", "top": 2, "final": "f"}, "^--final=f: names one network"),
        ({"work_dir": "w", "trial": "e01s01b0", "final": "f"}, "does not go with --final"),
        ({"work_dir": "w", "formats": ("zip",)}, "^--formats=zip: must be one of keras, "),
    ],
)
def test_what_cannot_be_carried_out_names_its_flag(settings, message):
    with pytest.raises(ConfigError, match=message):
        ExportConfig(**settings)
