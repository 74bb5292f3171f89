"""Files to which a line is added for each thing done."""

import pytest

from epnas_tf.studies import resumable


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ('{"n": 1', []),
        ('{"n": 1}\n', [1]),
        ('{"n": 1}\n{"n": 2}', [1]),
        ('{"n": 1}\n{"n": 2}\n', [1, 2]),
    ],
)
def test_a_cut_last_line_does_not_count_and_is_not_added_to(tmp_path, text, numbers):
    path = tmp_path / "done.jsonl"
    path.write_text(text)
    assert [row["n"] for row in resumable.read(path)] == numbers
    resumable.mend(path)
    with path.open("a") as file:
        file.write('{"n": 7}\n')
    assert [row["n"] for row in resumable.read(path)] == [*numbers, 7]


def test_no_file_is_no_lines(tmp_path):
    path = tmp_path / "none.jsonl"
    resumable.mend(path)
    assert not path.exists()
    assert resumable.read(path) == []
