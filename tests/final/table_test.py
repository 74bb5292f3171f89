"""What is told of final trainings."""

from epnas_tf.final import table
from tests.final.results import made


def test_a_result_is_told_in_a_few_lines():
    costs = made().costs
    first, second, third, last = table.lines(made("w/final/x"))
    assert first == "test accuracy 0.8750 (95%: 0.8400 to 0.9000, 400 images)"
    assert second.startswith("e01s03b2r2, recipe default, 100 epochs, seed 3: params ")
    assert f"params {costs.params}," in second and "traffic" in second
    assert third == "test accuracy per class: cat 0.9000, dog 0.8500"
    assert last == "model: w/final/x/model.keras (takes pixels of 8x8x1, white 255, gives logits)"


def test_without_a_test_part_the_figure_is_of_the_validation_part():
    found = made(measured_on="validation", validation_accuracy=0.875, slot=None)
    first, second, *_ = table.lines(found)
    assert first == "validation accuracy 0.8750 (95%: 0.8400 to 0.9000, 400 images)"
    assert second.startswith(f"{found.spec.key}, recipe")
    beside = table.lines(made(validation_accuracy=0.75))[0]
    assert beside.endswith("400 images), validation accuracy 0.7500")


def test_several_are_a_table():
    text = table.of_search([made(), made(seed=4, accuracy=0.5)])
    lines = text.splitlines()
    assert len(lines) == 4
    assert lines[3].startswith(
        "| e01s03b2r2 | default | 4 | 100 | 0.5000 | 0.8400 to 0.9000 | test"
    )
