import numpy as np
import pyarrow as pa

from components.source import own_authors
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector

COLUMNS = {"post_id": "post", "author_id": "author"}


def authors(text_ids: dict[str, str], posts: list) -> dict[str, int]:
    """The texts of authors after rows of which the second names no author."""
    layout = Layout(
        event_files=[], event_columns=COLUMNS, actions=[], time_unit="ms", text_ids=text_ids
    )
    cells = {"post": pa.array(posts), "author": pa.array(["ann", None])}
    texts = TextCollector()
    rows = RawRows("a.csv", np.array([2, 3]), cells)
    own_authors.keep_texts(layout, COLUMNS, rows, np.array([5, 7]), texts)
    of_authors = texts.texts().get("author_id", IdTexts.none("author_id"))
    return dict(zip(of_authors.texts.to_pylist(), of_authors.ids.tolist(), strict=True))


def test_the_text_of_a_post_without_an_author_is_that_of_an_author() -> None:
    (text,) = authors({"post_id": "", "author_id": ""}, ["p-1", "p-2"])
    assert text == "p-2"
    assert authors({"author_id": ""}, [5, 7]) == {"7": 7}


def test_authors_that_are_numbers_have_no_texts() -> None:
    assert authors({"post_id": ""}, ["p-1", "p-2"]) == {}
