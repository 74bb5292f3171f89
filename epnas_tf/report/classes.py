"""What is said of the best network's accuracy class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from epnas_tf.workdir.best_json import Best

_MOST_LISTED = 12
_MOST_NAMED = 5


def share_text(largest: float) -> str:
    """Returns what stands beside an accuracy that a constant answer would nearly reach."""
    return "largest class " + f"{largest:.4f}".rstrip("0")


def beside_validation(best: Best) -> str:
    """Returns what belongs to the validation accuracy: " (balanced 0.51, largest class 0.95)"."""
    words = [] if best.balanced_accuracy is None else [f"balanced {best.balanced_accuracy:.4f}"]
    words += [] if best.largest_class is None else [share_text(best.largest_class)]
    return f" ({', '.join(words)})" if words else ""


def beside_test(best: Best) -> str:
    """Returns the balanced accuracy on the test split, where networks are compared by it."""
    shares = best.per_class_accuracy.get("test", {}).values()
    if best.balanced_accuracy is None or not shares:
        return ""
    return f" (balanced {math.fsum(shares) / len(shares):.4f})"


def lines(best: Best) -> list[str]:
    """Returns a line per measured split, and a warning of classes that are never recognised."""
    by_split = best.per_class_accuracy
    found = [line(split, shares, "best.json") for split, shares in by_split.items()]
    unseen = [name for name, share in by_split.get("validation", {}).items() if share == 0]
    return found + ([_warning(unseen)] if unseen else [])


def line(split: str, shares: Mapping[str, float], file: str) -> str:
    """Returns the accuracies by class on a split, the lowest alone of many; a file has all."""
    text, listed = f"{split} accuracy per class", list(shares.items())
    if len(listed) > _MOST_LISTED:
        listed = sorted(listed, key=lambda each: each[1])[:_MOST_LISTED]
        text += f", the lowest {_MOST_LISTED} of {len(shares)} (all: {file})"
    return f"{text}: " + ", ".join(f"{name} {share:.4f}" for name, share in listed)


def _warning(unseen: Sequence[str]) -> str:
    named = ", ".join(unseen[:_MOST_NAMED])
    more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
    return (
        f"warning: the best network recognises no validation image of class {named}{more}: "
        "--objective=balanced_accuracy and --class_weight=balanced let small classes count as much "
        "as large ones"
    )
