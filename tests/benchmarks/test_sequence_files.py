"""Files of sequences are read as they are written, and damage is named by line."""

import pytest

from benchmarks.sequence_files import DataError, read

SEQUENCES = "7 a b c\n9 b d\n"
PAIRS = "7 a\n9 b\n7 b\n7 c\n9 d\n"
RATINGS = "7::a::5::1\n7::c::1::3\n9::b::2::1\n7::b::3::2\n9::d::2::1\n"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("sequences", SEQUENCES),
        ("sequences", PAIRS),
        ("movielens", RATINGS),
        ("movielens", "userId,movieId,rating,timestamp\n" + RATINGS.replace("::", ",")),
    ],
)
def test_formats_give_the_same_posts_in_order_of_time(tmp_path, form, text):
    path = tmp_path / "log"
    path.write_text(text)
    log = read(path, form)
    assert (log.num_posts, log.num_events) == (4, 5)
    first, second = (user.post_ids.tolist() for user in log.users)
    assert len(set(first)) == 3
    assert second[0] == first[1]  # both had b
    assert second[1] not in first


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("sequences", "7 a\n9\n", "log:2: expected a user and posts"),
        ("sequences", "7 a b\n7 b\n", "log:2: user '7' has a line already: expected a line for"),
        ("movielens", "7::a::5::1\n7::a::5\n", "log:2: expected user, post, rating and time"),
        ("movielens", "7::a::5::noon\n", "log:1: column time: expected a number, got 'noon'"),
        ("movielens", "7::a::5::nan\n", "log:1: column time"),
        ("sequences", "\n", "expected at least one user"),
        ("sequences", "7 a b\n9 a\n", "with 3 events or more.*of 2 users none has more than 2"),
    ],
)
def test_damage_is_named_by_line(tmp_path, form, text, message):
    path = tmp_path / "log"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read(path, form)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="nothing"):
        read(tmp_path / "nothing", "sequences")
