"""The entry point of an export, from a search's folder to files that were run and measured."""

from __future__ import annotations

import epnas_tf.backend

import os
from typing import Any

from epnas_tf import fields
from epnas_tf.exporting import folder, source, table
from epnas_tf.exporting.result import Export
from epnas_tf.exporting.settings import FileSettings
from epnas_tf.handover import networks
from epnas_tf.handover.settings import ExportConfig
from epnas_tf.terminal import say


def export(work_dir: str = "", **settings: Any) -> tuple[Export, ...]:
    """Writes trained networks of a search as files for other programs, and prints what each does.

    Each file is run by a process without epnas_tf before it takes its place.

    Args:
      work_dir: folder of the search.
      **settings: fields of `handover.settings.ExportConfig`, such as `trial`, `top`, `output`,
        `formats` and `outputs`; None for the default.

    Returns:
      an export per network, in the order of the search.

    Raises:
      ConfigError: there is no such search or network, or a setting is not allowed.
      ReloadError: a file cannot be loaded or run by another program.
      DisagreementError: a file of floats does not agree with the network.
    """
    said = {name: value for name, value in settings.items() if value is not None}
    config = ExportConfig(work_dir=work_dir, **said)
    search = networks.open_search(config.work_dir)
    files = fields.pick(config, FileSettings)
    exports = []
    for trained in networks.selected(config, search):
        say(f"{trained.source.name}: {trained.origin}")
        images = source.images_of(search.data, trained.source, files)
        place = _place(config, trained.source.name)
        exports.append(folder.write(trained.load(), trained.source, images, files, place))
    say(table.render(exports))
    return tuple(exports)


def _place(config: ExportConfig, name: str) -> str:
    """Returns the folder of a network's files."""
    if config.output and config.top == 1:
        return config.output
    return os.path.join(config.output or os.path.join(config.work_dir, "export"), name)
