"""Whole proposals for logs that nobody has described."""

from pathlib import Path

import pytest

from components.errors import BadConfigurationError
from components.profiling.guesses import guess
from components.profiling.hints import Hints
from components.profiling.samples import read_samples

_HEADER = "user,product,at,is_click\n"


def test_text_ids_time_and_zone_are_proposed_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(_HEADER + "u-1,SKU-1,2026-03-01 10:00:00,1\n")
    proposal = guess(read_samples(tmp_path), Hints())
    assert proposal.source["text_ids"] == {"user_id": "", "post_id": "", "author_id": ""}
    assert (proposal.source["time_unit"], proposal.source["time_zone"]) == ("iso", "UTC")
    assert "UTC is a guess" in proposal.reasons["time_zone"]
    assert "own author" in proposal.reasons["event_columns"]


def test_a_zone_that_the_user_says_is_no_guess(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(_HEADER + "7,8,2026-03-01 10:00:00,1\n")
    proposal = guess(read_samples(tmp_path), Hints(time_zone="Asia/Tokyo"))
    assert proposal.source["time_zone"] == "Asia/Tokyo"
    assert "time_zone" not in proposal.reasons


def test_authors_come_from_the_posts_that_a_file_describes(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,at,is_click\n7,8,1511544070,1\n")
    (tmp_path / "items.csv").write_text("item,seller,title\n8,9,A title\n")
    source = guess(read_samples(tmp_path), Hints()).source
    assert source["posts"] == str(tmp_path / "items.csv")
    assert source["post_columns"] == {"post_id": "item", "author_id": "seller", "title": "title"}
    assert "author_id" not in source["event_columns"]


def test_times_of_another_form_are_read_in_theirs(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,at,is_click\n7,8,1511544070,1\n")
    (tmp_path / "items.csv").write_text("item,seller,created_at\n8,9,11/12/2019 2:14:46 PM\n")
    source = guess(read_samples(tmp_path), Hints()).source
    assert source["time_unit"] == "s"
    assert source["time_formats"] == {"created_at": "%m/%d/%Y %I:%M:%S %p"}
    assert source["time_zone"] == "UTC"


def test_surfaces_that_are_words_are_numbered_by_frequency(tmp_path: Path) -> None:
    rows = "".join(f"7,8,1511544070,1,{page}\n" for page in ("cart", "home", "home"))
    (tmp_path / "log.csv").write_text("user,item,at,is_click,page\n" + rows)
    source = guess(read_samples(tmp_path), Hints()).source
    assert source["surfaces"] == {"home": 0, "cart": 1, "*": 2}


def test_what_is_missing_is_said_with_the_option_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("who,product,at,is_click\n7,8,1511544070,1\n")
    samples = read_samples(tmp_path)
    with pytest.raises(BadConfigurationError, match="with --say user=COLUMN"):
        guess(samples, Hints())
    assert guess(samples, Hints(columns={"user_id": "who"})).source["layout"] == "columns"
    with pytest.raises(BadConfigurationError, match="there is no column 'member'"):
        guess(samples, Hints(columns={"user_id": "member"}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user,item,user,ts,liked\n1,2,1,2026-03-01,1\n", "Several are called user, which nobody"),
        ("user,item,ts,liked\n1,2,46082.5,1\n", "ts looks like the days of a spreadsheet"),
    ],
)
def test_columns_that_cannot_be_used_are_told_with_what_to_do(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(BadConfigurationError, match=told):
        guess(read_samples(tmp_path), Hints())


def test_lists_of_posts_are_told_where_no_column_is_a_post(tmp_path: Path) -> None:
    line = '{"user": 1, "ts": "2026-03-01T10:00:00", "shelf": [5, 6], "liked": 1}'
    (tmp_path / "log.jsonl").write_text(f"{line}\n")
    with pytest.raises(
        BadConfigurationError, match=r"shelf holds lists: .*`rows: slates` reads it"
    ):
        guess(read_samples(tmp_path), Hints())


def test_a_log_that_grew_is_proposed_as_it_is_by_now(tmp_path: Path) -> None:
    header, time = "member,article,seen_at,writer,liked", "2026-03-0{}T10:00:00Z"
    days = [f"{header}\n"]
    for day, (yes, no) in enumerate((("yes", "no"), ("Yes", "No"), ("1", "0")), start=2):
        more = ("", ",", ",abc")[day - 2]
        head = f"{header},feed" if more else header
        rows = [f"m-1,a-{n},{time.format(day)},w-1,{yes if n else no}{more}" for n in range(20)]
        days.append("\n".join([head, *rows]) + "\n")
    days[-1] += f"m-1,a-99,{time.format(4)},,?,abc\n"
    days[-1] = days[-1].replace("\n", ",0\n").replace("feed,0", "feed,shared", 1)
    for day, text in enumerate(days, start=1):
        (tmp_path / f"2026-03-0{day}.csv").write_text(text)
    proposal = guess(read_samples(tmp_path), Hints())
    assert proposal.source["event_columns"] == {
        "user_id": "member",
        "post_id": "article",
        "author_id": "writer",
        "shown_at": "seen_at",
        "feed": "feed",
    }
    assert [each.name for each in proposal.actions] == ["favorite", "share"]
    told = " ".join(proposal.notes)
    assert "`feed` is not in" in told
    assert "`shared` is not in" in told


def test_columns_that_go_are_left_out_and_told(tmp_path: Path) -> None:
    header = "user,item,at,liked,page"
    (tmp_path / "2026-03-01.csv").write_text(f"{header},position\n7,8,1511544070,1,3,1\n")
    (tmp_path / "2026-03-02.csv").write_text(f"{header}\n7,8,1511544070,1,3\n")
    (tmp_path / "2026-03-03.csv").write_text("user,item,at,liked\n7,8,1511544070,1\n")
    proposal = guess(read_samples(tmp_path), Hints())
    assert set(proposal.source["event_columns"]) == {"user_id", "post_id", "author_id", "shown_at"}
    assert [note.partition(" ")[0] for note in proposal.notes] == ["`page`", "`position`"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("2026-03-02.csv", "user,item,at,liked\n7,8,1511544070117,1\n", r"`at` is s in .*, ms in"),
        ("2026-03-02.csv", "user,item,liked\n7,8,1\n", "`at` is not in .*2026-03-02.csv"),
    ],
)
def test_files_that_no_one_configuration_reads_are_told(
    name: str, text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "2026-03-01.csv").write_text("user,item,at,liked\n7,8,1511544070,1\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(BadConfigurationError, match=told):
        guess(read_samples(tmp_path), Hints())


def test_letters_that_are_no_utf_8_are_read_in_their_encoding(tmp_path: Path) -> None:
    header, row = "user,item,at,liked\n", "café,8,1511544070,1\n"
    (tmp_path / "log.csv").write_bytes((header + row).encode("latin-1"))
    assert guess(read_samples(tmp_path), Hints()).source["encoding"] == "latin-1"
    (tmp_path / "log.csv").write_bytes((header + row * 9).encode() + row.encode("latin-1"))
    assert "encoding" not in guess(read_samples(tmp_path), Hints()).source


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user,item,time_stamp,liked\n1,2,0301,1\n", "no known form fits its values, such as 0301"),
        ("17,8,1511544070,5.0\n9,3,1511544070,1.0\n", r"The columns: 0 \(17\), 1 \(8\)"),
    ],
)
def test_a_column_that_must_be_named_is_described(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(BadConfigurationError, match=told):
        guess(read_samples(tmp_path), Hints())
