from schemas.texts import ID_NAMES, texts_table


def test_every_kind_of_id_has_a_table_of_its_own() -> None:
    tables = [texts_table(name) for name in ID_NAMES]
    assert [table.names for table in tables] == [[name, "text"] for name in ID_NAMES]
    assert all(table["text"].is_nullable is False for table in tables)
    assert len({table.digest() for table in tables}) == len(ID_NAMES)
