"""The model card of an export: what a person who finds the files should know, in Markdown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from epnas_tf.architecture.limits import Constraint
from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.exporting.result import Export, ExportedFile
from epnas_tf.exporting.source import Source
from epnas_tf.report import markdown
from epnas_tf.report.units import short

# Classes that a card names; labels.txt has all.
_MOST_NAMED = 20

# How a program of a few lines uses each kind of file: {path} is the file, {dtype} what it takes.
_USES = {
    "keras": """\
import keras
model = keras.models.load_model("{path}")
outputs = model.predict(images)  # [n, height, width, {channels}], any height and width""",
    "saved_model": """\
import tensorflow as tf
model = tf.saved_model.load("{path}")
outputs = model.serve(tf.cast(images, tf.float32))  # any height and width""",
    "litert": """\
from ai_edge_litert.interpreter import Interpreter  # or tf.lite.Interpreter
interpreter = Interpreter("{path}")
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)  # {dtype} {shape}
interpreter.invoke()
outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])""",
    "onnx": """\
import onnxruntime
session = onnxruntime.InferenceSession("{path}")
(outputs,) = session.run(None, {{session.get_inputs()[0].name: images}})  # {dtype}""",
}


def text(export: Export, source: Source, versions: Mapping[str, str]) -> str:
    """Returns the card.

    Args:
      export: the files.
      source: what is known of the network.
      versions: of what made them, by name.
    """
    parts = (
        _head(export, source),
        _accuracy(export),
        _cost(source),
        _files(export),
        _usage(export),
        _making(source, versions),
    )
    lines = "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"
    return _without_home(lines)


def _without_home(text: str) -> str:
    """Returns a text that does not tell whose machine it comes from."""
    home = os.path.expanduser("~")
    return text if len(home) < 2 else text.replace(home, "~")


def _head(export: Export, source: Source) -> Iterator[str]:
    height, width, channels = source.input_shape
    colours = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    yield f"# {source.name}: an image classifier for {source.dataset}"
    yield ""
    yield (
        f"It tells {len(source.class_names)} classes apart: {_named(source.class_names)}. It was "
        f"trained on images of {height} x {width} pixels ({colours}) of the data set "
        f"`{source.dataset}`, and is meant for images like these: of others its answers are as "
        "confident and mean nothing."
    )


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more (labels.txt)" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _accuracy(export: Export) -> Iterator[str]:
    yield "## Accuracy"
    yield ""
    yield (
        f"{export.accuracy:.4f} of {export.images} {export.measured_on} images, which it was not "
        "trained on, by the network as trained."
    )
    if export.measured_on == "validation":
        yield (
            "The network was chosen by validation images, so that this is higher than what other "
            "images will show."
        )


def _cost(source: Source) -> Iterator[str]:
    yield "## Cost of an image, and limits of the search"
    yield ""
    limits = {limit.metric: limit for limit in source.constraints}
    rows = [
        (resource.what, f"{use:.0f}" if resource.whole else f"{use:.2f}", _limit(limits.get(name)))
        for name, resource in RESOURCES.items()
        for use in ([source.uses[name]] if name in source.uses else [])
    ]
    yield markdown.table(("what", "use", "limit"), rows)


def _limit(limit: Constraint | None) -> str:
    if limit is None:
        return "none"
    bounds = {"at least": limit.lower, "at most": limit.upper}
    said = [f"{words} {short(bound)}" for words, bound in bounds.items() if bound is not None]
    return " and ".join(said) or "none"


def _files(export: Export) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield (
        f"Each gives {export.outputs} of the classes, in the order of `labels.txt`. Pixels are "
        f"0 to {export.full_scale:g}; normalisation is inside."
    )
    yield ""
    heads = ("file", "takes", "bytes", "accuracy", "difference", "median ms", "95% ms", "run by")
    yield markdown.table(heads, [_file_cells(file) for file in export.files])
    yield ""
    yield (
        "Measured by a program without epnas_tf: difference is the largest of an output from the "
        "trained network's, times are of one image with one thread on the machine of the export."
    )
    for file in export.files:
        if file.format == "litert_int8":
            left = ", ".join(file.float_operations) or "none"
            yield ""
            yield f"Operations of `{file.path}` that compute with floats: {left}."
        for warning in file.warnings:
            yield ""
            yield f"**Warning**, `{file.path}`: {warning}."


def _file_cells(file: ExportedFile) -> tuple[str, ...]:
    times = (f"{1e3 * seconds:.3f}" for seconds in (file.latency.median, file.latency.p95))
    accuracy, difference = f"{file.accuracy:.4f}", f"{file.difference:.1g}"
    takes = f"{file.dtype} {_shape(file)}"
    return (f"`{file.path}`", takes, str(file.bytes), accuracy, difference, *times, file.runtime)


def _shape(file: ExportedFile) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in file.shape) + "]"


def _usage(export: Export) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "`epnas_predict FOLDER IMAGE...` with this folder; from a program of your own:"
    by_runtime = {_runtime(file): file for file in reversed(export.files)}
    for runtime, file in reversed(by_runtime.items()):
        channels = export.input_shape[2]
        values = {"path": file.path, "dtype": file.dtype, "shape": _shape(file)}
        yield from ("", "```python", _USES[runtime].format(channels=channels, **values), "```")


def _runtime(file: ExportedFile) -> str:
    """Returns what `_USES` calls the program that runs a file."""
    return "litert" if file.format.startswith("litert") else file.format


def _making(source: Source, versions: Mapping[str, str]) -> Iterator[str]:
    yield "## Making"
    yield ""
    yield f"{source.trained[:1].upper()}{source.trained[1:]}."
    if source.command:
        yield from ("", "```", source.command, "```")
    if source.spec:
        yield from ("", "The network, as epnas_tf writes it:", "", "```json", source.spec, "```")
    yield ""
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
