import pyarrow as pa
import pytest

from phoenix.data.attributes import KINDS
from schemas.attributes import ACCEPTED, VALUES, is_accepted, values_table

TEXT, WHOLE, NUMBER, FLAG = pa.string(), pa.int32(), pa.float32(), pa.bool_()
TYPES = {
    TEXT: {"id", "raw", "bucketized", "vocabulary", "sequence", "vector"},
    pa.large_string(): {"id", "raw", "bucketized", "vocabulary", "sequence", "vector"},
    pa.dictionary(pa.int8(), TEXT): {"id", "raw", "bucketized", "vocabulary", "sequence", "vector"},
    WHOLE: {"id", "raw", "bucketized", "vocabulary"},
    pa.uint64(): {"id", "raw", "bucketized", "vocabulary"},
    NUMBER: {"raw", "bucketized"},
    pa.decimal128(9, 2): {"raw", "bucketized"},
    FLAG: {"id", "vocabulary"},
    pa.list_(TEXT): {"sequence"},
    pa.large_list(WHOLE): {"sequence", "vector"},
    pa.list_(WHOLE, 3): {"sequence", "vector"},
    pa.list_(NUMBER): {"vector"},
    pa.list_(pa.list_(TEXT)): set(),
    pa.struct([("a", WHOLE)]): set(),
    pa.map_(TEXT, WHOLE): set(),
    pa.binary(): set(),
    pa.timestamp("ms"): set(),
    pa.date32(): set(),
    pa.null(): set(KINDS),
}


@pytest.mark.parametrize("cells", TYPES, ids=str)
def test_a_kind_takes_the_types_that_can_hold_its_values(cells: pa.DataType) -> None:
    assert {kind for kind in KINDS if is_accepted(kind, cells)} == TYPES[cells]


def test_every_kind_says_what_it_takes() -> None:
    assert set(ACCEPTED) == set(KINDS)


def test_values_have_the_width_of_their_side() -> None:
    table = values_table("user_id", 3)
    assert table.names == ["user_id", "known_at", VALUES]
    assert table[VALUES].type.list_size == 3
    assert table.digest() != values_table("user_id", 4).digest()
