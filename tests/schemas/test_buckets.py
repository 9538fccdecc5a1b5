from schemas import buckets
from schemas.buckets import Piece


def test_the_files_of_a_table_are_found_by_their_names_in_order() -> None:
    names = buckets.file_names("late.parquet", 16)
    assert buckets.names_of_table("late.parquet", [*reversed(names), "posts.parquet"]) == names
    assert {buckets.table_of(name) for name in names} == {"late.parquet"}


def test_a_table_of_which_files_are_missing_or_too_many_is_none() -> None:
    names = buckets.file_names("late.parquet", 4)
    assert buckets.names_of_table("late.parquet", names[1:]) == []
    assert buckets.names_of_table("late.parquet", [*names, "late.parquet"]) == []
    assert buckets.names_of_table("late.parquet", []) == []


def test_pieces_come_back_from_a_footer() -> None:
    pieces = [Piece(0, 3, "ab"), Piece(0, 0, "cd"), Piece(63, 7, "ef")]
    assert buckets.of_footer(buckets.to_footer(pieces)) == pieces
