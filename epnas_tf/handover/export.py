"""The entry point of an export, from a search's folder to files that were run and measured."""

from __future__ import annotations

import epnas_tf.backend

import os
from typing import Any

from epnas_tf import fields, resolve
from epnas_tf.data.dataset import Data
from epnas_tf.exporting import folder, source, table
from epnas_tf.exporting.result import Export
from epnas_tf.exporting.settings import FileSettings
from epnas_tf.handover import networks
from epnas_tf.handover.settings import ExportConfig
from epnas_tf.terminal import say


def export(work_dir: str = "", *, data: Data | None = None, **settings: Any) -> tuple[Export, ...]:
    """Writes trained networks of a search as files for other programs, and prints what each does.

    Each file is run by a process without epnas_tf before it takes its place.

    Args:
      work_dir: folder of the search.
      data: its images, where they were given as arrays (`dataset.from_arrays`) rather than named.
      **settings: other fields of `handover.settings.ExportConfig`, which are the flags of
        epnas_export: `trial`, `final`, `top`, `output`, `formats` and so on. None is the same as
        nothing said.

    Returns:
      an export per network, in the order of the search.

    Raises:
      ConfigError: there is no such search or network, or a setting is not allowed.
      ReloadError: a file cannot be loaded or run by another program.
      DisagreementError: a file of floats does not agree with the network.
    """
    said = {name: value for name, value in settings.items() if value is not None}
    config = ExportConfig(work_dir=work_dir, **said)
    files = fields.pick(config, FileSettings)
    exports = []
    for trained in networks.selected(config, data):
        say(f"{trained.source.name}: {trained.origin}")
        place = _place(config, trained.source.name)
        with resolve.blamed_on(config, "output"):
            folder.check(files, place)
        images = source.images_of(trained.data, trained.source, files)
        exports.append(folder.write(trained.load(), trained.source, images, files, place))
    say(table.render(exports))
    return tuple(exports)


def _place(config: ExportConfig, name: str) -> str:
    """Returns the folder of a network's files."""
    if config.output and config.top == 1:
        return config.output
    if not config.work_dir:
        return os.path.join(config.final, "export")
    return os.path.join(config.output or os.path.join(config.work_dir, "export"), name)
