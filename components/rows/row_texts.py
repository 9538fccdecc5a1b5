"""The texts of the ids in the rows of a day, whatever brought the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.store.artifacts import Ref, Store
from components.tables import id_texts
from components.tables.id_texts import IdTexts
from schemas.texts import ID_NAMES


@dataclass(frozen=True)
class RowTexts:
    """Texts of ids that are text, read when somebody asks for them: most rows are only counted."""

    files: Sequence[tuple[str, Path]] = ()  # name of the id, and a file with texts
    corrected: Sequence[IdTexts] = ()  # of rows that somebody mended

    @classmethod
    def of(cls, store: Store, refs: Iterable[Ref], corrected: Sequence[IdTexts] = ()) -> "RowTexts":
        """Returns the texts in some artifacts.

        Raises:
          BadDataError: If a file is damaged.
        """
        files = [
            (name, store.read_file(ref, file))
            for ref in refs
            for name in ID_NAMES
            if (file := id_texts.file_name(name)) in store.manifest(ref)["files"]
        ]
        return cls(files, corrected)

    def read(self, id_name: str, ids: np.ndarray | None = None) -> IdTexts:
        """Returns the texts of one kind of id; none where its ids are numbers.

        Args:
          id_name: Whose texts.
          ids: `[n]` int64, few, of which alone the texts are needed; of all by default.

        Raises:
          BadDataError: If two texts have one number.
        """
        parts = [each for each in self.corrected if each.id_name == id_name]
        parts += [IdTexts.read(name, path, ids) for name, path in self.files if name == id_name]
        return IdTexts.merge(id_name, parts)
