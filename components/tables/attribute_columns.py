"""From the Arrow columns of a source to the numbers of attributes.

A cell that is there and cannot be read counts as missing, and is told; a column whose type cannot
hold values of the kind is refused by name.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported)

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.errors import BadDataError
from components.settings.attributes import AnyAttribute, SequenceAttribute, VectorAttribute
from components.tables import cells as cell_parsers
from phoenix.data import sorted_ids
from phoenix.data.attributes import Attribute
from schemas.attributes import ACCEPTED, is_accepted, is_list

_HOUR_MS = 3_600_000
_FIRST_WEEKDAY = 3  # 1 January 1970 was a Thursday
_OTHER, _MISSING = -1, -2


def parse(section: AnyAttribute, cells: pa.Array, *, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the values of one attribute.

    Args:
      section: The attribute.
      cells: `n` cells of its column.
      file: Whose they are, for the message.

    Returns:
      `[n, length]` float32 values, and `[n]` bool: cells that are there and cannot be read.

    Raises:
      BadDataError: If the attribute cannot have cells of this type.
    """
    if not is_accepted(section.kind, cells.type):
        raise BadDataError(
            f"{file}: the column {section.column!r} of the attribute {section.name!r} must hold "
            f"{' or '.join(ACCEPTED[section.kind])}, as its kind is {section.kind!r}; got "
            f"{cells.type}."
        )
    if pa.types.is_null(cells.type):  # a column without any value has no type to parse by
        cells = cells.cast(pa.string())
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    attribute = section.declared
    if isinstance(section, VectorAttribute):
        lists = cells if is_list(cells.type) else _split(cells, section.separator)
        return _vectors(attribute, lists, is_missing=_is_missing(cells))
    if isinstance(section, SequenceAttribute):
        is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
        lists = _split(cells, section.separator) if is_text else cells
        return _sequences(attribute, lists), np.zeros(len(cells), bool)
    if section.kind in ("raw", "bucketized"):
        numbers, is_good = cell_parsers.parse_number(cells)
        is_unreadable = ~is_good & ~cell_parsers.is_missing(cells)
        return attribute.of_numbers(np.where(is_good, numbers, np.nan))[:, None], is_unreadable
    return _words(attribute, cells)[:, None], np.zeros(len(cells), bool)


def of_context(
    sections: Sequence[AnyAttribute], shown_at: np.ndarray, surfaces: np.ndarray
) -> np.ndarray:
    """Returns the values of impressions or requests.

    Args:
      sections: The W attributes of the context.
      shown_at: `[...]` int64 ms.
      surfaces: `[...]` of the same shape.

    Returns:
      `[..., W]` float32.
    """
    hours = shown_at // _HOUR_MS
    columns = {
        "surface": surfaces,
        "hour": hours % 24,
        "weekday": (hours // 24 + _FIRST_WEEKDAY) % 7,
    }
    values = [np.empty((*shown_at.shape, 0), np.float32)]
    for section in sections:
        cells = pa.array(columns[section.column].reshape(-1))
        numbers, _ = parse(section, cells, file="context")
        values.append(numbers.reshape(*shown_at.shape, 1))
    return np.concatenate(values, axis=-1)


def expected(section: AnyAttribute) -> str:
    """Returns the words for what a cell of an attribute must be, in a message."""
    if section.kind == "vector":
        return f"{section.declared.length} finite numbers, not all 0"
    return "a number"


def _is_missing(cells: pa.Array) -> np.ndarray:
    """`[n]` bool: cells of lists or text in which there is nothing."""
    if is_list(cells.type):
        return ~np.asarray(pc.is_valid(cells))
    return cell_parsers.is_missing(cells)


def _vectors(
    attribute: Attribute, lists: pa.Array, *, is_missing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the `[n, length]` values of lists of numbers, and `[n]` which are none."""
    sizes = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
    elements = pc.list_flatten(lists)  # of a list that is null it has none
    numbers, is_good = cell_parsers.parse_number(elements)
    numbers = np.where(is_good, numbers, np.nan)
    vectors = np.full((len(lists), attribute.length), np.nan)
    is_whole = (sizes == attribute.length) & ~is_missing
    vectors[is_whole] = numbers[np.repeat(is_whole, sizes)].reshape(-1, attribute.length)
    values = attribute.of_vectors(vectors)
    return values, np.isnan(values[:, 0]) & ~is_missing


def _words(attribute: Attribute, cells: pa.Array) -> np.ndarray:
    """Returns the `[n]` values of "id" and "vocabulary", and of the elements of a sequence."""
    if not attribute.words:
        return attribute.of_ids(cell_parsers.parse_text_id(cells, "")[0])
    texts = cells.cast(pa.string())
    places = pc.index_in(
        pc.utf8_trim_whitespace(texts), value_set=pa.array(attribute.words, pa.string())
    )
    places = np.asarray(pc.fill_null(places, _OTHER)).astype(np.int64)
    return attribute.of_places(np.where(cell_parsers.is_missing(texts), _MISSING, places))


def _split(texts: pa.Array, separator: str) -> pa.Array:
    """Returns lists of text. A list of JSON, which is what JSON lines hold, is taken as it is."""
    parts = pc.split_pattern(texts, separator)
    bare_texts = pc.utf8_trim_whitespace(texts)
    is_list = pc.and_(pc.starts_with(bare_texts, "["), pc.ends_with(bare_texts, "]"))
    places = np.flatnonzero(np.asarray(pc.fill_null(is_list, False)))
    if not len(places):
        return parts
    lists = parts.to_pylist()
    for place in places:
        lists[place] = _json_list(bare_texts[int(place)].as_py(), lists[place])
    return pa.array(lists, pa.list_(pa.string()))


def _json_list(text: str, otherwise: Sequence[str]) -> Sequence[str | None]:
    try:
        elements = json.loads(text)
    except (ValueError, RecursionError):  # brackets around other text; thousands of brackets
        return otherwise
    return [each if isinstance(each, str | None) else json.dumps(each) for each in elements]


def _sequences(attribute: Attribute, lists: pa.Array) -> np.ndarray:
    """Returns the `[n, length]` values of the first elements of each list; null has none."""
    sizes = np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
    codes = _words(attribute, pc.list_flatten(lists))
    rows = np.repeat(np.arange(len(lists)), sizes)
    places = sorted_ids.places_within(sizes)
    is_kept = places < attribute.length
    values = np.zeros((len(lists), attribute.length), np.float32)
    values[rows[is_kept], places[is_kept]] = codes[is_kept]
    return values
