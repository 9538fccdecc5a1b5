import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import BadDataError
from components.tables import cells, id_texts
from components.tables.id_texts import IdTexts


def of(texts: list[str]) -> IdTexts:
    values, _ = cells.parse_text_id(pa.array(texts, pa.string()), "")
    return IdTexts.of("user_id", values, pa.array(texts, pa.string()))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\ufffd", codec="utf-8"), min_size=1)))
def test_every_number_gives_back_the_text_of_which_it_was_made(texts: list[str]) -> None:
    texts = [text for text in texts if text.strip() == text]
    values, _ = cells.parse_text_id(pa.array(texts, pa.string()), "")
    assert of(texts).names_of(values) == texts


def test_the_order_of_rows_and_blocks_changes_no_byte(tmp_path: Path) -> None:
    texts = [f"u-{number % 700:05d}" for number in range(2000)]
    folders = [tmp_path / name for name in ("whole", "blocks")]
    for folder in folders:
        folder.mkdir()
    of(texts).write(folders[0])
    random.Random(0).shuffle(texts)
    IdTexts.merge("user_id", [of(texts[:600]), of(texts[600:])]).write(folders[1])
    whole, blocks = (folder / id_texts.file_name("user_id") for folder in folders)
    assert whole.read_bytes() == blocks.read_bytes()
    assert len(pq.read_table(whole)) == 700


def test_an_id_without_a_text_is_named_by_its_digits() -> None:
    assert of(["joe"]).names_of(np.array([12, 12])) == ["12", "12"]
    assert IdTexts.none("post_id").names_of(np.array([5])) == ["5"]


def test_a_column_keeps_every_text_once() -> None:
    texts = of(["a", "b"])
    column = texts.column_of(np.repeat(texts.ids, 1000))
    assert (len(column), len(column.dictionary)) == (2000, 2)


def test_some_ids_are_kept_or_left_out() -> None:
    texts = of(["a", "b", "c"])
    first = texts.ids[:1]
    assert len(texts.only(first).ids) == 1
    assert sorted(texts.only(first).texts.to_pylist() + texts.without(first).texts.to_pylist()) == [
        "a",
        "b",
        "c",
    ]


def test_two_texts_with_one_number_are_refused_by_name_wherever_they_meet() -> None:
    one, other = (IdTexts("post_id", np.array([7]), pa.array([t], pa.large_string())) for t in "ab")
    with pytest.raises(BadDataError, match=r"post_id: the texts 'a' and 'b' have one number, 7"):
        IdTexts.merge("post_id", [one, other])
    assert IdTexts.merge("post_id", [one, one]).texts.to_pylist() == ["a"]


def test_texts_come_back_as_they_were_written(tmp_path: Path) -> None:
    of(["mary", "joe"]).write(tmp_path)
    assert id_texts.read_all(tmp_path).keys() == {"user_id"}
    again = IdTexts.read("user_id", tmp_path / id_texts.file_name("user_id"))
    assert sorted(again.texts.to_pylist()) == ["joe", "mary"]
