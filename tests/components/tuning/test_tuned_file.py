"""A file of better settings is the present one but for them, and can be used at once."""

from pathlib import Path

from components.settings.loading import load
from components.tuning import tuned_file

CONFIG = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: kuairand, path: source}}
actions: [{name: favorite, column: is_like, is_positive: true}]
train_retrieval: &training
  epochs: 2
  model: {emb_size: 32}
train_ranker: *training
"""


def test_the_section_of_the_role_alone_has_other_settings(tmp_path) -> None:
    present = tmp_path / "phoenix.yaml"
    present.write_text(CONFIG)
    path = tuned_file.path_beside(present)
    changes = {"epochs": 4, "model.taste": 0.3, "optimizer.average_half_life": 50.0}
    because = ["Surely better.", "Of 3."]
    tuned_file.write(path, present, "ranker", changes, because=because)
    before, after = load(present), load(path)
    assert present.read_text() == CONFIG
    assert path.read_text().startswith("# Surely better.\n# Of 3.\n")
    ranker = after.train_ranker.model_dump()
    assert (ranker["epochs"], ranker["model"]["taste"], ranker["model"]["emb_size"]) == (4, 0.3, 32)
    assert after.model_copy(update={"train_ranker": before.train_ranker}) == before
    # Over an earlier one, and relative paths start at the same folder.
    tuned_file.write(path, present, "retrieval", {"epochs": 1}, because=[])
    assert load(path).train_ranker == before.train_ranker
    assert Path(load(path).store) == tmp_path / "store"
