"""A file held against its network: what is no agreement, and what is said of a loss."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from epnas_tf.exporting import checks, files, fresh_process, losses
from epnas_tf.exporting.checks import DisagreementError
from epnas_tf.exporting.fresh_process import ReloadError
from epnas_tf.exporting.losses import Loss
from epnas_tf.exporting.writers import FORMATS
from tests.exporting import networks


@pytest.fixture(name="quick", scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
        yield


@pytest.fixture(name="trained", scope="module")
def _trained(network) -> np.ndarray:
    return checks.outputs_of(network.model, network.images.evaluation)


@pytest.fixture(name="integers", scope="module")
def _integers(network, tmp_path_factory) -> pathlib.Path:
    """The network's file of integers."""
    path = tmp_path_factory.mktemp("integers") / "model_int8.tflite"
    FORMATS["litert_int8"].write(network, str(path))
    return path


@pytest.fixture(name="copied")
def _copied(monkeypatch, integers):
    """Lets writing a file of integers be copying it, also where it is to be exact."""

    def change(**traits):
        def write(network, path):
            del network
            shutil.copy(integers, path)

        kind = dataclasses.replace(FORMATS["litert_int8"], write=write, **traits)
        monkeypatch.setitem(FORMATS, "litert_int8", kind)

    return change


def test_a_loss_of_at_most_a_point_is_no_warning(network, trained, copied, tmp_path):
    copied()
    assert files.write("litert_int8", network, trained, str(tmp_path)).warnings == ()


def test_a_larger_one_says_both_accuracies_and_which_layers_lose(
    network, trained, copied, tmp_path, monkeypatch
):
    copied()
    worst = [Loss("layer3_conv2d_conv", 0.256), Loss("head_dense", 0.1), Loss("x", 0.05)]
    monkeypatch.setattr(losses, "by_layer", lambda _: [*worst, Loss("y", 0.0)])
    best = trained.argmax(axis=1)  # the network is right of all images, its file of some
    known = dataclasses.replace(network.images, labels=best)
    other = np.where(np.arange(len(trained))[:, None] < 5, -trained, trained)
    monkeypatch.setattr(checks, "reload", lambda *_: fresh_process.Reloaded(other, (1.0,), "by"))
    found = files.write(
        "litert_int8", dataclasses.replace(network, images=known), trained, str(tmp_path)
    )
    assert found.warnings == (
        "accuracy 0.7500 is 25.0 points below the 1.0000 of the trained "
        "network; the layers that lose most: layer3_conv2d_conv (26% of its signal), head_dense "
        "(10% of its signal), x (5% of its signal)",
    )


def test_a_file_that_is_to_be_exact_and_is_not_is_an_error(network, trained, copied, tmp_path):
    copied(exact=True)
    with pytest.raises(DisagreementError, match="model_int8.tflite must agree .* within 1e-05"):
        files.write("litert_int8", network, trained, str(tmp_path))


def test_a_file_that_cannot_be_loaded_is_an_error_with_the_reason(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ReloadError, match=r"(?s)model.tflite could not be loaded .*Error"):
        fresh_process.run("litert", str(path), networks.images().evaluation, one_at_a_time=True)
