"""Texts by the kind of their id, taken while cells are read."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from components.tables import cells
from components.tables.id_texts import IdTexts

IdReader = Callable[[pa.Array, str | None, Sequence[str]], cells.Parsed]  # as `cells.parse_id`
_NUM_KNOWN = 1 << 20  # texts that a collector holds by text, which takes 200 MB


class TextCollector:
    """Takes texts of any number of blocks of cells; keeps each text once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}
        self._parts: dict[str, list[IdTexts]] = {}

    def reader_that_takes(self, id_name: str) -> IdReader:
        """Returns a reader of ids that also keeps their texts here, by the name of the id.

        >>> collector = TextCollector()
        >>> read = collector.reader_that_takes("user_id")
        >>> numbers, is_good = read(pa.array(["mary", "", "mary"]), "", ())
        >>> is_good.tolist(), collector.texts()["user_id"].texts.to_pylist()
        ([True, False, True], ['mary'])
        """

        def read(ids: pa.Array, text_end: str | None, null_words: Sequence[str]) -> cells.Parsed:
            """Reads ids as `cells.parse_id`; where they are text, keeps the texts."""
            # The parser looks up what it has hashed before, and adds what is new.
            return cells.parse_id(ids, text_end, null_words, self._numbers(id_name))

        return read

    def take_digits(self, id_name: str, ids: np.ndarray) -> None:
        """Takes ids that are whole numbers, `[n]` int64 above 0, with their digits as texts."""
        self._numbers(id_name).update({str(number): number for number in ids.tolist()})

    def add(self, texts: Mapping[str, IdTexts]) -> None:
        """Takes texts by the name of their id."""
        for name, part in texts.items():
            self._parts.setdefault(name, []).append(part)

    def texts(self) -> Mapping[str, IdTexts]:
        """Returns the texts so far by the name of their id.

        Raises:
          BadDataError: If two texts have one number.
        """
        for name in self._known:
            self._flush(name)
        self._parts = {n: [IdTexts.merge(n, parts)] for n, parts in self._parts.items()}
        return {name: parts[0] for name, parts in self._parts.items()}

    def _numbers(self, id_name: str) -> dict[str, int]:
        """Returns the numbers by text, emptied when there are too many to hold."""
        known = self._known.setdefault(id_name, {})
        if len(known) > _NUM_KNOWN:
            self._flush(id_name)
        return known

    def _flush(self, id_name: str) -> None:
        known = self._known[id_name]
        if known:
            ids = np.fromiter(known.values(), np.int64, len(known))
            texts = pa.array(known.keys(), pa.large_string()).filter(pa.array(ids != 0))
            self.add({id_name: IdTexts.of(id_name, ids[ids != 0], texts)})
            known.clear()
