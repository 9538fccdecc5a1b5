import pyarrow as pa

from schemas.earnings import EARNED, USER_EARNINGS


def test_what_is_kept_of_a_user_is_their_sums_alone() -> None:
    assert USER_EARNINGS.names == ["release", "user_id", "engagement", "impressions"]
    assert "user_id" not in EARNED.names


def test_a_mean_of_one_user_has_no_interval() -> None:
    ends = [column for column in EARNED.columns if column.name in ("low", "high")]
    assert all(column.is_nullable and column.type == pa.float64() for column in ends)
