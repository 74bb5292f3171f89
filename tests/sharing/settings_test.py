"""What a child may start from, as a setting."""

from __future__ import annotations

import pytest

from epnas_tf.fields import SAME, SettingError, settings_in
from epnas_tf.sharing.settings import SharingSettings


def test_children_start_from_fresh_weights_unless_told():
    assert SharingSettings().parameter_sharing == "none"


def test_an_unknown_way_is_refused_by_its_name():
    with pytest.raises(SettingError) as caught:
        SharingSettings(parameter_sharing="all")
    assert caught.value.setting == "parameter_sharing"
    assert caught.value.reason == "must be one of none, dictionary, lineage, got all"


def test_a_search_that_goes_on_keeps_its_way():
    """Half of the trials with inherited weights could not be compared with the other half."""
    (field,) = settings_in(SharingSettings)
    assert field.metadata["resume"] == SAME
