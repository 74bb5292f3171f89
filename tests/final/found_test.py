"""The network of a search or a file, and the images it is trained on."""

import json

import numpy as np
import pytest

from epnas_tf.data import dataset
from epnas_tf.fields import ConfigError
from epnas_tf.final import found
from epnas_tf.final.settings import RetrainConfig
from epnas_tf.workdir import best_json, trials_csv
from epnas_tf.workdir.layout import WorkDir
from tests.data.images import noise


def _config(network, search, **settings) -> RetrainConfig:
    return RetrainConfig(**{**network.settings, "work_dir": str(search), **settings})


def test_the_best_network_or_that_of_a_trial_is_found(searched):
    best = best_json.read(WorkDir(str(searched)))
    network = found.in_search(str(searched), "")
    assert (network.slot, network.spec) == (best.slot, best.spec)
    assert network.limits == tuple(best.constraints)
    assert network.settings["brightness"] == 0.25 and network.settings["split_seed"] == 5
    row = min(trials_csv.read(WorkDir(str(searched))), key=lambda row: row.reward)
    other = found.in_search(str(searched), row.slot.name)
    assert other.slot == row.slot.name and other.spec.key == row.spec_key


def test_what_is_not_there_is_named(searched, tmp_path):
    with pytest.raises(ConfigError, match=r"--trial=e09s01b0: .* has no trial e09s01b0"):
        found.in_search(str(searched), "e09s01b0")
    with pytest.raises(ConfigError, match=r"--work_dir=.*none: .* has no best\.json"):
        found.in_search(str(tmp_path / "none"), "")


@pytest.mark.parametrize("name", ["project.json", "flags.txt", "best.json"])
def test_a_file_that_is_gone_or_corrupt_is_named(search, name):
    (search / name).write_text("{}" if name.endswith("json") else "colour=blue")
    with pytest.raises(ConfigError, match=r"--work_dir=.*(project|best)\.json|is no setting"):
        found.in_search(str(search), "")


def test_the_images_are_those_of_the_search_and_all_of_them(searched):
    network = found.in_search(str(searched), "")
    part = found.images_for(network, _config(network, searched, train_fraction=0.2))
    whole = found.images_for(network, _config(network, searched))
    assert len(part.train) == pytest.approx(0.2 * len(whole.train), abs=5)
    assert part.validation.fingerprint == whole.validation.fingerprint
    assert network.project.settings["data"]["train"]["images"] == len(part.train)


@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_other_images_than_those_of_the_search_are_refused(search, fraction):
    path = search / "project.json"
    values = json.loads(path.read_text())
    values["settings"]["data"]["validation"]["fingerprint"] = "0" * 16
    path.write_text(json.dumps(values))
    network = found.in_search(str(search), "")
    with pytest.raises(ConfigError, match=r"--dataset=digits: .* images or labels have changed"):
        found.images_for(network, _config(network, search, train_fraction=fraction))


def test_images_that_were_given_are_compared_and_varied_as_in_the_search(search):
    own = dataset.load("digits", train_fraction=0.2, seed=1)
    (search / "flags.txt").unlink()  # as of a search from Python
    path = search / "project.json"
    values = json.loads(path.read_text())
    data = {
        name: {"images": len(split), "fingerprint": split.fingerprint}
        for name, split in {"train": own.train, "validation": own.validation}.items()
    }
    values["settings"] |= {"data": data}
    path.write_text(json.dumps(values))
    network = found.in_search(str(search), "")
    assert network.settings == {}
    config = _config(network, search, dataset="digits")
    given = found.images_for(network, config, own)
    assert given.train is own.train and given.augmentation.brightness == 0.25
    other = dataset.from_arrays(noise(40, 8, 8), np.arange(40) % 10)
    with pytest.raises(ConfigError, match=r"images or labels have changed \(\d+ for train, \d+"):
        found.images_for(network, config, other)


def test_a_file_holds_one_network(tmp_path, searched):
    path = tmp_path / "network.json"
    spec = found.in_search(str(searched), "").spec
    path.write_text(spec.to_json())
    assert found.in_file(str(path)) == found.Found(spec)
    assert found.in_file(str(searched / "best.json")).spec == spec
    path.write_text(f"{spec.to_json()}\n{spec.to_json()}\n")
    with pytest.raises(ConfigError, match=r"--spec=.*: it must hold one network, got 2"):
        found.in_file(str(path))
    with pytest.raises(ConfigError, match="--spec=.*absent"):
        found.in_file(str(tmp_path / "absent"))
