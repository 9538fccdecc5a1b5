from dataclasses import replace

import pyarrow as pa
import pytest

from schemas.columns import TIMESTAMP, Column, Table, id_column

TABLE = Table(
    "people",
    "One row is one person.",
    (
        id_column("person_id", "Who."),
        Column(name="height", type=pa.float32(), description="How tall.", unit="m", minimum=0.0),
        Column(name="born_at", type=TIMESTAMP, description="When.", is_nullable=True),
    ),
)


NOTED = replace(
    TABLE,
    optional=(
        Column(name="weight", type=pa.float32(), description="Of the row.", default=1.0),
        Column(name="note", type=pa.string(), description="A remark.", is_nullable=True),
    ),
)


def test_an_optional_column_may_be_missing_but_not_of_another_type() -> None:
    schema = TABLE.schema()
    assert NOTED.digest() == TABLE.digest(), "files from before it was declared stay the same"
    assert NOTED.problems(schema) == []
    assert NOTED.problems(schema.append(pa.field("note", pa.string()))) == []
    (problem,) = NOTED.problems(schema.append(pa.field("note", pa.int64())))
    assert problem == "expected 'note' to be string, got int64"


def test_a_table_with_some_optional_columns_has_them_in_the_order_of_the_contract() -> None:
    wide = NOTED.with_optional(["note", "height", "weight", "unknown"])
    assert wide.names == [*TABLE.names, "weight", "note"]
    assert NOTED.with_optional([]) == TABLE


def changed(**values: object) -> Table:
    height = replace(TABLE["height"], **values)
    return replace(TABLE, columns=(TABLE.columns[0], height, TABLE.columns[2]))


def test_schema_carries_type_null_policy_description_and_unit() -> None:
    field = TABLE.schema().field("height")
    assert (field.type, field.nullable) == (pa.float32(), False)
    assert field.metadata == {b"description": b"How tall.", b"unit": b"m"}
    assert TABLE.schema().field("born_at").nullable
    assert TABLE.schema(release="abc").metadata[b"release"] == b"abc"


@pytest.mark.parametrize(
    "change",
    [{"minimum": 0.1}, {"unit": "cm"}, {"type": pa.float64()}, {"is_nullable": True}],
)
def test_digest_changes_with_what_a_reader_relies_on(change: dict) -> None:
    assert changed(**change).digest() != TABLE.digest()


def test_digest_ignores_the_wording_of_a_description() -> None:
    assert changed(description="Height of the person.").digest() == TABLE.digest()


def test_problems_name_what_is_missing_or_of_another_type() -> None:
    schema = pa.schema([("person_id", pa.int64()), ("height", pa.string()), ("new", pa.int8())])
    assert TABLE.problems(schema) == [
        "expected 'height' to be float, got string",
        "expected a column 'born_at' (timestamp[ms, tz=UTC]), got none",
    ]
    assert TABLE.problems(TABLE.schema()) == []


def test_bounds_narrow_named_columns_only() -> None:
    narrowed = TABLE.bounded(height=(0.4, 2.5))
    assert (narrowed["height"].minimum, narrowed["height"].maximum) == (0.4, 2.5)
    assert narrowed["person_id"] == TABLE["person_id"]
    with pytest.raises(KeyError, match="no column 'weight'"):
        TABLE.bounded(weight=(0, 1))
