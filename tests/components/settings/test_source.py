from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from components.settings.source import (
    ColumnsSource,
    FileSource,
    MovieLensSource,
    SequencesSource,
    SyntheticSource,
    UserIdForm,
)

MAPPING = {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"}


def test_relative_paths_start_at_the_folder_and_patterns_stay(tmp_path: Path) -> None:
    context = {"folder": tmp_path}
    raw = {"layout": "columns", "events": "logs/{day}/*.csv", "event_columns": MAPPING}
    source = ColumnsSource.model_validate(raw, context=context)
    assert (source.events, source.posts) == (f"{tmp_path}/logs/{{day}}/*.csv", None)
    raw = {"layout": "movielens", "path": "/data/ml"}
    assert MovieLensSource.model_validate(raw, context=context).path == Path("/data/ml")


def test_user_ids_of_columns_have_the_form_that_is_configured() -> None:
    source = ColumnsSource(
        layout="columns",
        events="a.csv",
        event_columns=MAPPING,
        text_ids={"user_id": "@", "author_id": "/"},
        delimiter=";",
    )
    assert source.user_ids == UserIdForm(column="u", text_end="@", delimiter=";")


def test_every_kind_of_source_says_itself_which_form_its_user_ids_have() -> None:
    for section in (*get_args(FileSource), SyntheticSource):
        assert isinstance(vars(section)["user_ids"], property), section


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd"])
def test_a_time_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        ColumnsSource(layout="columns", events="a.csv", event_columns=MAPPING, time_zone=zone)


@pytest.mark.parametrize("delimiter", ['"', "§", "\n", "\r", "a\r\n", "", "\0", "123456789"])
def test_a_delimiter_that_divides_no_columns_is_refused_by_its_field(delimiter: str) -> None:
    with pytest.raises(ValidationError, match="delimiter"):
        ColumnsSource(layout="columns", events="a", event_columns=MAPPING, delimiter=delimiter)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "\x01", "::", "§§"])
def test_a_delimiter_is_a_character_or_longer_text(delimiter: str) -> None:
    source = ColumnsSource(layout="columns", events="a", event_columns=MAPPING, delimiter=delimiter)
    assert source.delimiter == delimiter


def test_sequences_have_at_least_one_item_a_day() -> None:
    with pytest.raises(ValidationError):
        SequencesSource(layout="sequences", events="a.txt", items_per_day=0)
