from schemas.feeds import feeds_table


def test_a_feed_file_names_its_release_and_its_actions() -> None:
    schema = feeds_table(2).schema(release="abc", actions="favorite,reply")
    assert schema.metadata[b"release"] == b"abc"
    assert schema.metadata[b"actions"] == b"favorite,reply"
    assert schema.field("probabilities").type.list_size == 2


def test_what_retrieval_did_not_find_has_no_retrieval_score() -> None:
    nullable = [column.name for column in feeds_table(2).columns if column.is_nullable]
    assert nullable == ["retrieval_score"]
