from phoenix.windows import Windows
from schemas.features import WindowShape, features_table

SHAPE = WindowShape(
    history_length=5, num_candidates=3, num_user_hashes=1, num_post_hashes=2, num_author_hashes=4
)


def test_columns_are_the_fields_of_windows_in_their_order() -> None:
    assert features_table(SHAPE).names == ["window_id", *Windows._fields]


def test_sizes_of_the_lists_follow_the_shape() -> None:
    table = features_table(SHAPE)
    assert table["history_author_hashes"].type.list_size == 5 * 4
    assert table["candidate_post_hashes"].type.list_size == 3 * 2
    assert table["user_hashes"].type.list_size == 1
