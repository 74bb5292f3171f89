"""A file held against its network: what is no agreement, and what is said of a loss."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from epnas_tf.exporting import checks, files, fresh_process, losses, models, writers
from epnas_tf.exporting.checks import DisagreementError
from epnas_tf.exporting.fresh_process import ReloadError
from epnas_tf.exporting.losses import Loss
from epnas_tf.exporting.writers import FORMATS, Network
from tests.exporting import networks


@pytest.fixture(name="quick", scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "TIMED_SECONDS", 0.0)
        yield


@pytest.fixture(name="network", scope="module")
def _network() -> Network:
    given = models.with_outputs(networks.model(), "probabilities")
    return Network(given, networks.source(), networks.images(), labels="")


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


def test_outputs_of_another_number_of_classes_are_no_agreement(trained):
    with pytest.raises(DisagreementError, match=r"outputs \(20, 3\), gives \(20, 2\)"):
        checks.difference(trained[:, :2], trained)


def test_differences_are_shares_of_logits_and_not_of_probabilities():
    small, large = np.array([[0.5, 0.25]]), np.array([[-50.0, 20.0]])
    assert checks.difference(small + 0.01, small) == pytest.approx(0.01)
    assert checks.difference(large + 0.01, large) == pytest.approx(0.01 / 50)


def test_a_latency_is_a_median_and_what_most_runs_do_not_exceed():
    latency = checks.latency(tuple(np.arange(1.0, 101.0)))
    assert (latency.median, latency.p95) == (50.5, pytest.approx(95.05))


def test_layers_that_lose_more_come_first(network):
    found = losses.by_layer(network)
    shares = [loss.share for loss in found]
    assert shares == sorted(shares, reverse=True)
    by_layer = {loss.layer: loss.share for loss in found}
    assert {"stem_conv", "head_dense", "layer2_dep_sep_conv2d_depthwise"} <= by_layer.keys()
    # What only moves numbers loses nothing; what computes loses about half a step of 256.
    assert by_layer["layer3_max_pool_pool"] < 1e-4 < by_layer["stem_conv"] < 0.05


def test_samples_span_the_bytes_and_are_the_images_else(network):
    samples = [image for (image,) in writers.samples(network)]
    assert len(samples) == len(network.images.calibration)
    changed = [(a != b).sum() for a, b in zip(samples, network.images.calibration, strict=True)]
    assert changed[0] <= 2 * 3 and not any(changed[1:])
    assert samples[0].min() == 0 and samples[0].max() == 255
