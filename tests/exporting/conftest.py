"""A network to be exported, which several files test what becomes of."""

from __future__ import annotations

import pytest

from epnas_tf.exporting import models
from epnas_tf.exporting.writers import Network
from tests.exporting import networks


@pytest.fixture(name="network", scope="session")
def _network() -> Network:
    given = models.with_outputs(networks.model(), "probabilities")
    return Network(given, networks.source(), networks.images(), labels="")
