"""What the tests of the house itself share: the sources of the checkout and what they import."""

import pathlib
import signal

import pytest

try:
    from epnas_tf.tools.checks import sources as sources_lib
except ImportError:  # from a checkout
    from tools.checks import sources as sources_lib

# A shell tells what it starts in the background to ignore Ctrl-C; the tests of it want to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sources() -> list[sources_lib.Source]:
    """All sources of the package, the commands and the tests."""
    return sources_lib.read(_ROOT)
