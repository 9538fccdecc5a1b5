"""One declaration per column, from which everything else about a table is derived.

The Arrow schema, its digest, the expectations of the quality suite and the documentation all come
from the same `Column` objects, so they cannot disagree.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

TIMESTAMP = pa.timestamp("ms", tz="UTC")
TEXT_CODES = pa.dictionary(pa.int32(), pa.string())  # texts in memory, of which there are few

Bound = int | float


@dataclass(frozen=True, kw_only=True)
class Column:
    """The declaration of one column of a table."""

    name: str
    type: pa.DataType
    description: str
    unit: str | None = None  # None where the value has none, as an id
    minimum: Bound | None = None  # allowed range of the values, both ends included
    maximum: Bound | None = None
    is_nullable: bool = False
    is_unique: bool = False
    default: Bound | None = None  # of the rows of a file without this optional column; None is null

    def field(self) -> pa.Field:
        """Returns the Arrow field, with description and unit in its metadata."""
        notes = {"description": self.description} | ({"unit": self.unit} if self.unit else {})
        return pa.field(self.name, self.type, nullable=self.is_nullable, metadata=notes)


@dataclass(frozen=True)
class Table:
    """A named list of columns, and of those that a file has only where its source does."""

    name: str
    description: str
    columns: tuple[Column, ...]
    optional: tuple[Column, ...] = ()  # in no file whose source does not say them

    def __getitem__(self, name: str) -> Column:
        """Returns a column by name.

        Raises:
          KeyError: If the table has none of this name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"The table {self.name} has no column {name!r}; it has {self.names}.")

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    def with_optional(self, names: Collection[str]) -> "Table":
        """Returns the table of a file that has these of the optional columns, in their order.

        Args:
          names: Names of columns; those that are not optional ones of the table do not matter.

        >>> note = Column(name="note", type=pa.string(), description="A remark.", is_nullable=True)
        >>> people = Table("people", "People.", (id_column("person_id", "Who."),), (note,))
        >>> people.names, people.with_optional({"note"}).names
        (['person_id'], ['person_id', 'note'])
        """
        columns = tuple(column for column in self.optional if column.name in names)
        return replace(self, columns=self.columns + columns, optional=())

    def schema(self, **metadata: str) -> pa.Schema:
        """Returns the Arrow schema; its metadata name the table and its digest.

        Args:
          **metadata: More entries for the metadata of the file.
        """
        notes = {"table": self.name, "schema_digest": self.digest(), **metadata}
        return pa.schema([column.field() for column in self.columns], metadata=notes)

    def digest(self) -> str:
        """Returns the SHA-256 of what a reader relies on: names, types, units, ranges, null policy.

        Descriptions are left out: to word one better changes no data.
        """
        facts = [
            [c.name, str(c.type), c.unit, c.minimum, c.maximum, c.is_nullable, c.is_unique]
            for c in self.columns
        ]
        return hashlib.sha256(json.dumps([self.name, facts]).encode()).hexdigest()

    def bounded(self, **bounds: tuple[Bound | None, Bound | None]) -> "Table":
        """Returns the table with other ranges, where a deployment or a day narrows them.

        Args:
          **bounds: Column name -> (minimum, maximum).

        Raises:
          KeyError: If the table has no such column.
        """
        for name in bounds:
            self[name]  # a misspelt name must not leave a range as it was
        columns = tuple(
            replace(column, minimum=bounds[column.name][0], maximum=bounds[column.name][1])
            if column.name in bounds
            else column
            for column in self.columns
        )
        return replace(self, columns=columns)

    def problems(self, schema: pa.Schema) -> list[str]:
        """Returns one sentence per column that `schema` lacks or types differently; [] is a match.

        Optional columns may be missing. Further columns are allowed: a column that is new and
        unknown does not break a reader. Values may be codes of a dictionary of the type.

        >>> table = Table("people", "One row is one person.", (id_column("person_id", "Who."),))
        >>> table.problems(pa.schema([("person_id", pa.string())]))
        ["expected 'person_id' to be int64, got string"]
        """
        problems: list[str] = []
        for column in self.with_optional(schema.names).columns:
            index = schema.get_field_index(column.name)
            if index < 0:
                problems.append(f"expected a column {column.name!r} ({column.type}), got none")
            elif (kind := plain_type(schema.field(index).type)) != column.type:
                problems.append(f"expected {column.name!r} to be {column.type}, got {kind}")
        return problems


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type of the values of a column, which may be codes of a dictionary of them."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def id_column(name: str, description: str, *, is_unique: bool = False) -> Column:
    """Returns a column of ids: int64, positive, never null; 0 is padding and never an id."""
    return Column(
        name=name,
        type=pa.int64(),
        description=description,
        minimum=1,
        is_unique=is_unique,
    )


def fixed_lists(
    names: Sequence[str], value_type: pa.DataType, size: int, description: str
) -> tuple[Column, ...]:
    """Returns columns of fixed-size lists of one type, length and description; no item is null."""
    item = pa.field("item", value_type, nullable=False)
    return tuple(
        Column(name=name, type=pa.list_(item, size), description=description) for name in names
    )
