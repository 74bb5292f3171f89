"""bench_train: the command measures what it is asked to."""

from __future__ import annotations

import pytest
from absl import app

from epnas_tf.studies import train_bench
from epnas_tf.training import calibrate, devices


@pytest.mark.parametrize(("measured", "micro"), [(0, 64), (128, 128)])
def test_the_command_measures_what_it_is_asked_to(
    run_command, monkeypatch, capsys, measured, micro
):
    seen = []
    monkeypatch.setattr(train_bench, "IMAGES", 20)
    monkeypatch.setattr(devices, "use_threads", lambda count: 1)
    monkeypatch.setattr(calibrate, "measure_micro_batch", lambda shape, batch: measured)
    monkeypatch.setattr(train_bench, "report", lambda bench: seen.append(bench) or "the tables")
    run_command("checks.bench_train", "--quick")
    (bench,) = seen
    assert (len(bench.networks), bench.epochs, bench.repeats) == (2, 2, 1)
    assert {spec.pattern for spec in bench.networks.values()} == {"layerwise", "module"}
    assert bench.micro_batch == micro
    assert len(bench.data.train) == len(bench.data.validation) == 20
    assert capsys.readouterr().out.endswith("the tables\n")


def test_arguments_are_refused(run_command):
    with pytest.raises(app.UsageError, match="'5' is no flag"):
        run_command("checks.bench_train", "5")
