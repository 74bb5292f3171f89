"""The table of digits: its images, resuming, and that what is written can be read."""

from __future__ import annotations

from epnas_tf.studies import digits_table, tables


def test_500_digits_are_trained_on_and_the_others_scored():
    data = digits_table.digits()
    assert (len(data.train), len(data.validation)) == (500, 1_297)


def test_rows_of_all_shares_count_but_for_a_cut_last_line(tmp_path):
    (tmp_path / "share0.jsonl").write_text('{"key": "a"}\n{"key": "b"')
    (tmp_path / "share1.jsonl").write_text('{"key": "c"}\n')
    assert digits_table.finished(tmp_path) == {"a": {"key": "a"}, "c": {"key": "c"}}


def test_a_table_that_was_written_can_be_read(tmp_path):
    specs = tables.every_network(tables.digits_space())
    row = {"accuracies": [0.25, 0.75], "params": 1, "flops": 2}
    rows = [{"key": spec.key} | row for spec in specs]
    path = tmp_path / "table.json.gz"
    digits_table.write_table(path, rows, 1.5)
    assert tables.digits_table(path).accuracy(specs[7]) == 0.5
    first = path.read_bytes()
    digits_table.write_table(path, rows, 1.5)
    assert path.read_bytes() == first
