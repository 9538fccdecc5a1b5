import numpy as np
import pyarrow as pa

from components.source.described_posts import DescribedPosts
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.row_checks import Rejections
from components.tables.text_collector import TextCollector


def described(**cells: list) -> DescribedPosts:
    """Posts of rows with some columns, all in one file."""
    columns = {"p": "post_id", "a": "author_id", "t": "created_at", "name": "title"}
    layout = Layout(
        event_files=[],
        event_columns={},
        actions=[],
        time_unit="ms",
        post_time_unit="ms",
        post_columns={columns[name]: name for name in cells},
    )
    values = {name: pa.array(column) for name, column in cells.items()}
    rows = RawRows("posts.csv", np.arange(2, 2 + len(cells["p"])), values)
    posts = DescribedPosts(TextCollector())
    posts.add(layout, rows, Rejections())
    return posts


def test_the_last_row_of_a_post_describes_it() -> None:
    time = 1_767_225_600_000
    columns = described(p=[5, 4, 5], a=[50, 40, 51], t=[time, time + 1, None]).columns()
    assert columns["post_id"].tolist() == [4, 5]
    assert columns["author_id"].tolist() == [40, 51]
    assert columns["created_at"].tolist() == [time + 1, 0], "0: nobody says"
    assert "title" not in columns


def test_titles_are_there_where_a_file_has_them() -> None:
    assert described(p=[5], name=["five"]).columns()["title"].tolist() == ["five"]


def test_a_post_without_a_time_is_not_described_in_full() -> None:
    assert described(p=[5], a=[50]).lacks_times
    assert not described(p=[5], t=[1_767_225_600_000]).lacks_times


def test_authors_of_unknown_posts_are_unknown() -> None:
    authors, is_known = described(p=[5], a=[50]).authors_of(np.array([3, 0, 5]))
    assert authors.tolist() == [0, 0, 50]
    assert is_known.tolist() == [False, True, True], "the row rules name an id 0 better"
