"""Readers of what else comes from outside: shared parameters, flags, data sets."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from epnas_tf import command_line
from epnas_tf import config as config_lib
from epnas_tf.data import dataset as data_lib
from epnas_tf.data import decoding
from epnas_tf.exporting import export_json
from epnas_tf.final import result
from epnas_tf.sharing.rules import Entry, Run, Values, shapes_of
from epnas_tf.sharing.store import Offer, ParamStore
from epnas_tf.training import state
from epnas_tf.training.schedule import schedule
from epnas_tf.training.state import State, Training
from epnas_tf.workdir.layout import WorkDir
from tests.exporting import described
from tests.final.results import made
from tests.fuzzing.changes import changed_json, changed_member, changed_words
from tests.fuzzing.targets import Target, write


def _blocks() -> list[tuple[Entry, Values]]:
    values: Values = {
        "conv": {"kernel": np.ones((3, 3, 2, 4), np.float32)},
        "bn": {"gamma": np.ones(4, np.float32)},
    }
    runs = {"conv": (Run("image", 2),)}
    return [
        (Entry("layer1_conv2d", "e01s00b0", 0.5, shapes_of(values), runs), values),
        (Entry("layer2_skip", "e01s00b0", 0.5, {}, {"main": (Run("stem", 4),)}), {}),
    ]


def store_targets(folder: str) -> list[Target]:
    kept, taken = f"{folder}/index", f"{folder}/offers"
    store = ParamStore(kept)
    offer = store.offer("e01s00b0-1", _blocks())
    store.commit(1, [offer])
    os.makedirs(taken)
    with open(f"{kept}/index.json", "rb") as file:
        index = file.read()
    with open(f"{kept}/{offer.file}", "rb") as file:
        content = file.read()

    def read_index(data: bytes) -> bool:
        write(f"{kept}/index.json", data)
        found = ParamStore(kept)
        for entry in found.entries:
            found.load(entry)
        return found.generation > 0

    def read_offer(data: bytes) -> bool:
        offered = Offer("x", int(hashlib.sha256(data).hexdigest()[:13], 16))
        path = f"{taken}/{offered.file}"
        write(path, data)
        try:
            found = ParamStore(taken)
            if found.holds(offered) != bool(data):
                raise AssertionError("a file of the right hash must count as whole")
            found.commit(1, [offered])
            for entry in found.entries:
                found.load(entry)
            return True
        finally:
            for name in (path, f"{taken}/index.json"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(name)

    return [
        Target("index", [index], read_index, [changed_json], 10),
        Target("offer", [content], read_offer, [changed_member], 10),
    ]


def final_targets(folder: str) -> list[Target]:
    """Returns the targets of what a final training leaves: its result, and its state until then."""
    own = WorkDir(folder).final_dir("e01s00b0-short-0")
    result.write(made(own.path))
    with open(own.result, "rb") as file:
        content = file.read()
    variables = (np.ones((3, 3, 2, 4), np.float32), np.zeros(4, np.float32))
    epochs, sums = np.array([[2.0, 0.25, np.nan]]), np.zeros(2, np.float32)
    training = Training("n", 1, schedule("plain"), 5, "ab", {"pad": 4})
    stored = state.to_bytes(State(training.described, 5, epochs, sums, variables))
    shapes = [each.shape for each in variables]

    def read_result(data: bytes) -> bool:
        write(own.result, data)
        found = result.read(own.path)
        return result.FinalResult.from_dict(found.to_dict(), own.path) == found

    def read_state(data: bytes) -> bool:
        training.refuse_other(state.from_bytes(data), shapes)
        return True

    return [
        Target("final", [content], read_result, [changed_json], 10),
        Target("state", [stored], read_state, [changed_member], 10),
    ]


def export_target(folder: str) -> Target:
    """Returns the target of what an export says of its files."""
    own = os.path.join(folder, "export")
    os.makedirs(own)

    def read(data: bytes) -> bool:
        write(os.path.join(own, export_json.NAME), data)
        found = export_json.read(own)
        write(os.path.join(own, export_json.NAME), export_json.text(found).encode())
        return export_json.read(own) == found

    seed = export_json.text(described.export()).encode()
    return Target("export", [seed], read, [changed_json], 10)


def _read_flags(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    config = config_lib.from_flags_text(text)
    written = config_lib.to_flags_text(config)
    written.encode()
    if config_lib.from_flags_text(written) != config:
        raise AssertionError("a configuration that was read must come back as it is")
    return True


def flags_targets(folder: str) -> list[Target]:
    path = f"{folder}/flagfile"
    refusals = (config_lib.ConfigError,)
    layerwise = config_lib.SearchConfig(channels=(8, 16), max_params=2e4, steps=3)
    module = config_lib.SearchConfig(pattern="module", max_disk=None, work_dir="größe")
    seeds = [config_lib.to_flags_text(config).encode() for config in (layerwise, module)]

    def parsed(arguments: Sequence[str]) -> bool:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                config = command_line.parse(["epnas_search", *arguments])
        except SystemExit:  # --help
            return True
        return bool(config_lib.to_flags_text(config).encode())

    def read_file(data: bytes) -> bool:
        write(path, data)
        return parsed([f"--flagfile={path}"])

    def read_arguments(data: bytes) -> bool:
        return parsed(data.decode(errors="surrogateescape").split("\n"))  # as the system does

    short = [
        b"--seed=1\n--max_params=20k\n--noresume",
        b"--preset=digits_quickstart\n--channels=8,16",
    ]
    return [
        Target("flags", seeds, _read_flags, [changed_words], 10, refusals),
        Target("flagfile", seeds, read_file, [changed_words], 2, refusals),
        Target("arguments", short, read_arguments, [changed_words], 2, refusals),
    ]


def npz_target(folder: str) -> Target:
    path = f"{folder}/images.npz"
    x, y = np.arange(60 * 16, dtype=np.float32).reshape(60, 4, 4), np.arange(60) % 3
    arrays = (
        {"x_train": (x % 251).astype(np.uint8), "y_train": y},
        {"x_train": x, "y_train": np.eye(3)[y], "x_val": x[-6:] + 1, "y_val": y[-6:]},
    )
    seeds = []
    for named in arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **named)  # type: ignore[arg-type]
        seeds.append(buffer.getvalue())

    def read(data: bytes) -> bool:
        write(path, data)
        return len(data_lib.load(f"npz:{path}").train) > 0

    return Target("npz", seeds, read, [changed_member], 10)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def image_target() -> Target:
    pixels = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)
    clear, opaque = Image.fromarray(pixels), Image.fromarray(pixels[..., :3].copy())
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = [
        _saved(clear, "PNG"),
        _saved(opaque, "JPEG", exif=exif.tobytes()),
        _saved(opaque.quantize(8), "GIF", transparency=0),
        _saved(clear, "WEBP", lossless=True),
        *(_saved(opaque, form) for form in ("TIFF", "BMP", "PPM")),
    ]
    return Target("image", seeds, lambda data: decoding.decode(data).size > 0, [], 5)
