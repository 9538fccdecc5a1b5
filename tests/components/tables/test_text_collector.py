import numpy as np
import pyarrow as pa
import pytest

from components.errors import BadDataError
from components.tables import cells, text_collector
from components.tables.id_texts import IdTexts
from components.tables.text_collector import TextCollector


def read(collector: TextCollector, texts: list[str | None]) -> cells.Parsed:
    return collector.reader_that_takes("post_id")(pa.array(texts, pa.string()), "", ("NULL",))


def test_a_reader_keeps_the_texts_of_ids_alone_and_reads_as_the_parser_does() -> None:
    collector = TextCollector()
    values, is_good = read(collector, ["b", "NULL", None, "a", "b"])
    assert is_good.tolist() == [True, False, False, True, True]
    assert values.tolist() == cells.parse_id(pa.array(["b", "", None, "a", "b"]), "")[0].tolist()
    assert collector.texts()["post_id"].names_of(values[[0, 3]]) == ["b", "a"]


def test_whole_numbers_have_no_texts_unless_they_stand_beside_text() -> None:
    collector = TextCollector()
    collector.reader_that_takes("post_id")(pa.array(["7", "8"]), None, ())
    assert collector.texts() == {}
    collector.take_digits("author_id", np.array([7]))
    assert collector.texts()["author_id"].texts.to_pylist() == ["7"]


def test_two_texts_with_one_number_are_refused_wherever_they_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cells, "_text_id", lambda text: 7)
    collector = TextCollector()
    collector.add({"post_id": IdTexts("post_id", np.array([7]), pa.array(["a"], "large_string"))})
    read(collector, ["b"])
    with pytest.raises(BadDataError, match="'a' and 'b' have one number, 7"):
        collector.texts()


def test_a_collector_forgets_no_text_when_it_has_read_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_collector, "_NUM_KNOWN", 10)
    collector, texts = TextCollector(), [f"post {number}" for number in range(100)]
    for text in texts:
        read(collector, [text, "", None])
    of_posts = collector.texts()["post_id"]
    assert sorted(of_posts.texts.to_pylist()) == sorted(texts)
    assert collector.texts()["post_id"].ids.tolist() == of_posts.ids.tolist()
