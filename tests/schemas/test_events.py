from schemas.events import EVENTS, INGESTED, QUARANTINED, REJECTED


def test_a_quarantined_row_keeps_all_that_is_known_of_it() -> None:
    for table in (EVENTS, INGESTED, REJECTED):
        assert set(table.names) - {"table"} <= set(QUARANTINED.names)
        optional = [column.name for column in table.optional]
        assert set(optional) <= {column.name for column in QUARANTINED.optional}
    for column in EVENTS.columns:
        assert QUARANTINED[column.name].type == column.type
        assert QUARANTINED[column.name].is_nullable, "a row that cannot be read has no values"


def test_an_ingested_row_is_not_yet_held_against_any_range() -> None:
    assert all(INGESTED[name].minimum is None for name in EVENTS.names)
