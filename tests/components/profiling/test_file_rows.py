"""The first rows of one file."""

from pathlib import Path

from components.profiling import file_rows
from components.profiling.file_rows import TextForm


def test_no_more_rows_are_read_than_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user,item\n" + "1,2\n" * 50)
    assert len(file_rows.read(file, 20).rows) == 20


def test_text_is_read_in_the_form_that_another_file_has_shown(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("ann;b\nbob;c\n")
    alone = file_rows.read(file, 9)
    assert (alone.form.has_header, alone.rows.column_names) == (True, ["ann", "b"])
    of_form = file_rows.read(file, 9, TextForm(has_header=False, delimiter=";"))
    assert of_form.rows.to_pydict() == {"0": ["ann", "bob"], "1": ["b", "c"]}


def test_a_file_without_a_byte_has_no_column_and_one_with_a_header_no_row(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("")
    assert file_rows.read(file, 9).rows.num_columns == 0
    file.write_text("user,item\n")
    content = file_rows.read(file, 9)
    assert (content.rows.column_names, len(content.rows)) == (["user", "item"], 0)
