"""An export's table: a line per file, for the console."""

from __future__ import annotations

from collections.abc import Sequence

from epnas_tf.exporting.result import Export, ExportedFile
from epnas_tf.report import columns
from epnas_tf.report.units import short

_HEADS = ("network", "file", "size", "params", "FLOPs", "accuracy", "difference", "median", "95%")


def render(exports: Sequence[Export]) -> str:
    """Returns a line per file of each network, below a line per trained network.

    Args:
      exports: of one or more networks.
    """
    rows: list[tuple[str, ...]] = [_HEADS]
    for export in exports:
        params, flops = (_use(export, name) for name in ("params", "flops"))
        rows.append(
            (export.name, "as trained", "", params, flops, _share(export.accuracy), *[""] * 3)
        )
        rows += [(export.name, *_cells(file, params, flops)) for file in export.files]
    return "\n".join([*columns.aligned(rows, text=2), *_notes(exports)])


def _use(export: Export, resource: str) -> str:
    return short(export.uses[resource]) if resource in export.uses else ""


def _cells(file: ExportedFile, params: str, flops: str) -> tuple[str, ...]:
    return (
        file.path,
        f"{short(file.bytes)}B",
        params,
        flops,
        _share(file.accuracy),
        f"{file.difference:.1g}",
        *(f"{1e3 * seconds:.3g} ms" for seconds in (file.latency.median, file.latency.p95)),
    )


def _share(accuracy: float) -> str:
    return f"{accuracy:.4f}"


def _notes(exports: Sequence[Export]) -> list[str]:
    """Returns what a person should know besides the numbers."""
    parts = {f"{export.images} {export.measured_on} images" for export in exports}
    notes = [
        f"accuracy: on {' and '.join(sorted(parts))}; difference: the largest of an output from "
        "the trained network's; median, 95%: of runs on one image, one thread, on this machine"
    ]
    for export in exports:
        for file in export.files:
            if file.format == "litert_int8":
                notes.append(f"{export.name}, {file.path}: {_float_text(file.float_operations)}")
            notes += [f"warning: {export.name}, {file.path}: {text}" for text in file.warnings]
    return notes


def _float_text(operations: Sequence[str]) -> str:
    if not operations:
        return "no operation is left that computes with floats"
    named, count = ", ".join(operations), len(operations)
    words = "operation is left that computes" if count == 1 else "operations are left that compute"
    return f"{count} {words} with floats: {named}"
