from phoenix.data.engagement.counts import Counts
from schemas.counts import COUNTED, counts_table, user_counts_table


def test_counts_are_lists_by_action_and_only_users_have_a_column_of_user_ids() -> None:
    assert Counts._fields == ("keys", *COUNTED)
    assert counts_table(3).names == ["kind", "key", *COUNTED]
    assert user_counts_table(3).names == ["user_id", *COUNTED]
    assert counts_table(3)["shown"].type.list_size == 3
