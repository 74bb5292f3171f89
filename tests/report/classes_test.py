"""What is said of the best network's accuracy class by class."""

from __future__ import annotations

from epnas_tf.architecture.resources import RESOURCES
from epnas_tf.architecture.spec import LayerSpec, LayerwiseSpec
from epnas_tf.report import classes
from epnas_tf.workdir.best_json import Best

_SPEC = LayerwiseSpec((LayerSpec("conv2d", 3, None, 8, "relu"),), stem_filters=4)


def _best(**more) -> Best:
    return Best("e01s00b0", _SPEC, 0.9, 0.9, True, dict.fromkeys(RESOURCES, 1.0), (), **more)


def test_nothing_is_said_of_what_was_not_measured():
    best = _best(test_accuracy=0.9)
    assert (classes.beside_validation(best), classes.beside_test(best)) == ("", "")
    assert classes.lines(best) == []


def test_the_largest_class_stands_beside_the_accuracy():
    assert classes.beside_validation(_best(largest_class=0.95)) == " (largest class 0.95)"
    assert classes.share_text(0.9962) == "largest class 0.9962"


def test_of_many_classes_the_lowest_are_listed():
    shares = {f"c{number}": (100 - number) / 100 for number in range(100)}
    (line,) = classes.lines(_best(per_class_accuracy={"test": shares}))
    lowest = ", ".join(f"c{number} {(100 - number) / 100:.4f}" for number in range(99, 87, -1))
    head = "test accuracy per class, the lowest 12 of 100 (all: best.json): "
    assert line == head + lowest


def test_a_warning_names_classes_that_are_never_recognised():
    shares = {f"c{number}": float(number < 3) for number in range(10)}
    *_, warning = classes.lines(_best(per_class_accuracy={"validation": shares}))
    assert "no validation image of class c3, c4, c5, c6, c7 and 2 more: --objective=" in warning
    seen = {"validation": {"a": 0.01, "b": 1.0}, "test": {"a": 0.0, "b": 1.0}}
    assert len(classes.lines(_best(per_class_accuracy=seen))) == 2
