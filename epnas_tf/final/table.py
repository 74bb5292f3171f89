"""What a person reads of final trainings."""

from __future__ import annotations

from collections.abc import Sequence

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.final.result import FinalResult
from epnas_tf.report import classes, markdown
from epnas_tf.report.units import short

_HEADS = ("network", "recipe", "seed", "epochs", "accuracy", "95%", "on", "params", "FLOPs")


def lines(result: FinalResult) -> list[str]:
    """Returns what came of a training: accuracy with its interval, cost, classes, files."""
    costs = ", ".join(f"{r.title} {use_text(result, name)}" for name, r in RESOURCES.items())
    validated = result.validation_accuracy
    beside = result.measured_on != "validation" and validated is not None
    validation = f", validation accuracy {validated:.4f}" if beside else ""
    return [
        f"{result.measured_on} accuracy {result.accuracy:.4f} (95%: {interval_text(result)}, "
        f"{result.images} images){validation}",
        f"{name_of(result)}, recipe {result.recipe}, {result.epochs} epochs, seed {result.seed}: "
        f"{costs}",
        classes.line(result.measured_on, result.per_class, "result.json"),
        f"model: {result.model_file} (takes pixels of {_size(result)}, gives logits)",
    ]


def of_search(results: Sequence[FinalResult]) -> str:
    """Returns the table of the final trainings of a search's networks, in Markdown."""
    return markdown.table(_HEADS, [_cells(result) for result in results])


def name_of(result: FinalResult) -> str:
    """Returns what the network is called: its trial, or its key where it came from a file."""
    return result.slot or result.spec.key


def interval_text(result: FinalResult) -> str:
    """Returns the interval of the accuracy, such as "0.8645 to 0.8776"."""
    low, high = result.interval
    return f"{low:.4f} to {high:.4f}"


def use_text(result: FinalResult, resource: str) -> str:
    """Returns what the network uses of a resource, a key of RESOURCES."""
    found = RESOURCES[resource]
    use = found.of(result.costs)
    return short(use) + found.suffix if found.whole else f"{use:.1f}"


def _cells(result: FinalResult) -> Sequence[str]:
    return (
        name_of(result),
        result.recipe,
        str(result.seed),
        str(result.epochs),
        f"{result.accuracy:.4f}",
        interval_text(result),
        result.measured_on,
        use_text(result, "params"),
        use_text(result, "flops"),
    )


def _size(result: FinalResult) -> str:
    height, width, channels = result.data.input_shape
    return f"{height}x{width}x{channels}, white {result.data.full_scale:g}"
