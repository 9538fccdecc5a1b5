from pathlib import Path

import numpy as np
import pyarrow as pa

from components.rows.row_texts import RowTexts
from components.store.artifacts import Recipe, Store
from components.tables.id_texts import IdTexts


def test_texts_come_from_all_that_brought_rows(tmp_path: Path) -> None:
    store, refs = Store(str(tmp_path)), []
    for day, text in (("2026-01-01", "mary"), ("2026-01-02", "joe")):
        recipe = {"inputs": [], "config": {}, "code": "", "libraries": {}}
        with store.write(Recipe(kind="ingest_events", partition=day, **recipe)) as draft:
            number = {"mary": 4, "joe": 5}[text]
            IdTexts.of("user_id", np.array([number]), pa.array([text])).write(draft.folder)
        ref = store.head("ingest_events", day)
        assert ref is not None
        refs.append(ref)
    corrected = [IdTexts.of("user_id", np.array([6]), pa.array(["ann"]))]
    texts = RowTexts.of(store, refs, corrected)
    assert texts.read("user_id").names_of(np.array([4, 5, 6, 7])) == ["mary", "joe", "ann", "7"]
    assert len(texts.read("post_id").ids) == 0
