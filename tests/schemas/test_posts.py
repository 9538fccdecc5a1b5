from schemas.posts import POSTS


def test_only_attributes_may_be_unknown() -> None:
    optional = {column.name for column in POSTS.columns if column.is_nullable}
    assert optional == {"duration_seconds", "tag"}
