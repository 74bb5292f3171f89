"""An export's folder: its files are made and checked in a draft, then take their places."""

from __future__ import annotations

import epnas_tf.backend

import os
import pathlib
import tempfile

import keras

from epnas_tf.exporting import card, checks, export_json, files, models, versions, writers
from epnas_tf.exporting.result import Export, ExportedFile
from epnas_tf.exporting.settings import FileSettings
from epnas_tf.exporting.source import Images, Source
from epnas_tf.exporting.writers import FORMATS, Network
from epnas_tf.report.units import short
from epnas_tf.terminal import say
from epnas_tf.workdir import labels_txt, storage

CARD = "model_card.md"


def write(
    model: keras.Model, source: Source, images: Images, settings: FileSettings, folder: str
) -> Export:
    """Writes a network's files, each run by a process without epnas_tf before it is delivered.

    Args:
      model: takes pixels of its own size, returns logits.
      source: what is known of it.
      images: to choose the ranges of integers by, and to measure the files on.
      settings: which files, and what they give.
      folder: that is to hold them; what an earlier export left there goes.

    Raises:
      SettingError: a format needs an extra that is not installed.
      ValueError: the folder holds files of these names that no export wrote.
      ReloadError: a file cannot be loaded or run by another program.
      DisagreementError: a file of floats does not agree with the network.
    """
    check(settings, folder)
    with tempfile.TemporaryDirectory() as draft:
        labels = os.path.join(draft, labels_txt.NAME)
        storage.write_atomic(labels, labels_txt.text(source.class_names))
        given = models.with_outputs(models.in_float32(model), settings.outputs)
        network = Network(given, source, images, labels)
        trained = checks.outputs_of(given, images.evaluation)
        written = []
        for name in FORMATS:  # in their order, whatever that of the setting
            if name in settings.formats:
                written.append(files.write(name, network, trained, draft))
                say(f"{source.name}: {_said(written[-1])}")
        export = Export(
            folder=folder,
            name=source.name,
            outputs=settings.outputs,
            class_names=source.class_names,
            input_shape=source.input_shape,
            full_scale=source.full_scale,
            accuracy=checks.accuracy(trained, images.labels),
            images=len(images.labels),
            measured_on=images.measured_on,
            uses=source.uses,
            files=tuple(written),
        )
        about = card.text(export, source, versions.known())
        storage.write_atomic(os.path.join(draft, CARD), about)
        storage.write_atomic(os.path.join(draft, export_json.NAME), export_json.text(export))
        _deliver(draft, folder)
    return export


def _said(file: ExportedFile) -> str:
    return f"{file.path}, {short(file.bytes)}B, runs by {file.runtime} alone"


# What an export writes into its folder.
_OWN = (export_json.NAME, CARD, labels_txt.NAME, *(kind.path for kind in FORMATS.values()))


def check(settings: FileSettings, folder: str) -> None:
    """Refuses an export before anything is done for it.

    Raises:
      SettingError: a format needs an extra that is not installed.
      ValueError: the folder holds files of an export's names that no export wrote.
    """
    writers.check_installed(settings.formats)
    there = [name for name in _OWN if storage.exists(os.path.join(folder, name))]
    if there and export_json.NAME not in there:
        raise ValueError(
            f"{folder} must not hold {there[0]}, which no export wrote: delete it, or give another "
            "folder"
        )


def _deliver(draft: str, folder: str) -> None:
    """Lets the draft's files take the place of an earlier export's.

    Until all are there export.json says so: a kill leaves nothing that is taken for whole.
    """
    about = os.path.join(folder, export_json.NAME)
    storage.write_atomic(about, export_json.UNFINISHED)
    for name in _OWN:
        place = os.path.join(folder, name)
        if place != about and storage.exists(place):
            storage.remove_all(place)
    paths = [path for path in pathlib.Path(draft).rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: path.name == export_json.NAME):
        place = os.path.join(folder, *path.relative_to(draft).parts)
        storage.write_atomic(place, path.read_bytes())
