"""Reading a configuration file: mistakes by path, merge keys, paths from the file's folder."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import ColumnsSource, KuaiRandSource
from tests.components.settings.minimal import MINIMAL, Loader, changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sed", 1),
        ("train_ranker.learning_rat", 0.1),
        ("train_ranker.model.depth", 3),
        ("ingest_events.source.num_user", 10),
        ("actions.1.colum", "is_click"),
    ],
)
def test_an_unknown_key_is_refused_by_its_path(load_raw: Loader, path: str, value: object) -> None:
    with pytest.raises(BadConfigurationError, match=f"  {path}: there is no such setting"):
        load_raw(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", -1),
        ("seed", True),
        ("train_ranker.learning_rate", True),
        ("train_ranker.model.emb_size", True),
        ("seed", "many"),
        ("actions.0.loss_weight", False),
        ("first_day", "2026-13-01"),
        ("store", 7),
        ("hashing.post_rows", 1),
        ("train_ranker.batch_size", 2.5),
        ("train_ranker.model.key_size", 3),
        ("train_ranker.negatives.drawn_per_window", -1),
        ("train_ranker.negatives.drawn_per_window", "some"),
        ("evaluate_models.ranking_drawn_per_window", "some"),
        ("evaluate_models.ranking_metric", "auc"),
        ("materialize_feeds.author_decay", 0),
        ("publish_feeds.min_coverage", 1.5),
        ("ingest_events.source.layout", "excel"),
        ("ingest_events.source.num_users", 1),
        ("actions.0.name", "Has Spaces"),
        ("actions.0.weight", float("inf")),
        ("validate_events.max_future_minutes", float("inf")),
        ("validate_events.max_future_minutes", 1e300),
        ("validate_events.late_days", 10**9),
        ("build_features.history_days", 10**9),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_what_came(
    load_raw: Loader, path: str, value: object
) -> None:
    parent = path.removesuffix(".layout")
    with pytest.raises(BadConfigurationError) as caught:
        load_raw(changed(path, value))
    assert f"  {parent}: " in str(caught.value)
    assert "got " in str(caught.value)


def test_every_mistake_is_told_at_once(load_raw: Loader) -> None:
    raw = changed("seed", -1) | {"surplus": 1}
    with pytest.raises(BadConfigurationError, match=r"(?s)seed: .*surplus: "):
        load_raw(raw)


def test_sections_share_what_they_merge_and_own_keys_win(tmp_path: Path) -> None:
    path = tmp_path / "phoenix.yaml"
    shared = """
train_retrieval: &shared {batch_size: 64, epochs: 2, validation: &held {fraction: 0.1}}
train_ranker: {<<: *shared, epochs: 3, validation: {<<: *held, patience: 2}}
"""
    path.write_text(yaml.safe_dump(MINIMAL) + shared)
    config = load(path)
    assert (config.train_retrieval.epochs, config.train_retrieval.validation.patience) == (2, None)
    assert (config.train_ranker.batch_size, config.train_ranker.epochs) == (64, 3)
    assert config.train_ranker.validation.fraction == 0.1
    assert config.train_ranker.validation.patience == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("first_day: 2026-02-31", "is not YAML: day is out of range"),
        ("a: " + "[" * 3_000, "is not YAML"),
        ("seed: [", "is not YAML"),
        ("- a\n- b\n", "expected a mapping of sections, got list"),
        ("", "expected a mapping of sections, got an empty file"),
        ("seed: 1\nseed: 2\n", "'seed' is given twice"),
        ("a: {b: 1, b: 2}\n", "'b' is given twice"),
        ("a: &a {b: 1}\nc: {<<: *a, b: 2, b: 3}\n", "'b' is given twice"),
        ("seed: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "phoenix.yaml"
    path.write_text(text)
    with pytest.raises(BadConfigurationError, match=rf"phoenix\.yaml: [\s\S]*{reason}"):
        load(path)


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "phoenix.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfigurationError, match=r"phoenix\.yaml: "):
        load(path)


def test_relative_paths_start_at_the_file(load_raw: Loader, tmp_path: Path) -> None:
    source = {"layout": "kuairand", "path": "../log"}
    config = load_raw(changed("ingest_events.source", source) | {"store": "sub/store"})
    assert config.store == str(tmp_path / "sub/store")
    assert isinstance(config.ingest_events.source, KuaiRandSource)
    assert config.ingest_events.source.path == tmp_path.parent / "log"


def test_a_path_that_no_system_knows_is_refused(load_raw: Loader) -> None:
    with pytest.raises(BadConfigurationError, match=r"store: .* zero byte"):
        load_raw(MINIMAL | {"store": "a\0b"})
    with pytest.raises(BadConfigurationError, match=r"source\.path: .* zero byte"):
        load_raw(changed("ingest_events.source", {"layout": "kuairand", "path": "\0"}))


def test_addresses_of_buckets_stay_as_they_are(load_raw: Loader) -> None:
    assert load_raw(MINIMAL | {"store": "s3://bucket/phoenix"}).store == "s3://bucket/phoenix"


def test_every_path_of_the_file_starts_at_its_folder(load_raw: Loader, tmp_path: Path) -> None:
    mapping = {"user_id": "u", "post_id": "p", "author_id": "a", "shown_at": "t"}
    source = {"layout": "columns", "events": "{day}/*.csv", "event_columns": mapping}
    raw = MINIMAL | {
        "ingest_events": {"source": source, "erased_users": "forget.txt"},
        "validate_events": {"repairs": "/srv/repairs"},
        "attributes": {"users": {"files": "users.csv", "id": "user_id"}},
    }
    config = load_raw(raw)
    assert config.ingest_events.erased_users == tmp_path / "forget.txt"
    assert config.validate_events.repairs == Path("/srv/repairs"), "absolute ones stay"
    assert isinstance(config.ingest_events.source, ColumnsSource)
    assert config.ingest_events.source.events == f"{tmp_path}/{{day}}/*.csv"
    assert config.ingest_events.source.posts is None
    assert config.attributes.users is not None
    assert config.attributes.users.files == f"{tmp_path}/users.csv"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
fields = st.sampled_from([*Config.model_fields, "surplus", "train_ranker.model", "actions.0"])


@settings(  # Nested values are slow to make on a busy machine.
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(path=fields, value=json_values)
def test_whatever_stands_in_a_field_it_loads_or_is_refused_by_the_name_of_the_section(
    load_raw: Loader, path: str, value: object
) -> None:
    complaint = _complaint(load_raw, changed(path, value))
    assert complaint is None or path.split(".")[0] in complaint


def _complaint(load_raw: Loader, raw: dict[str, Any]) -> str | None:
    try:
        load_raw(raw)
    except BadConfigurationError as error:
        return str(error)
    return None


def test_a_mistake_in_an_action_is_told_once(load_raw: Loader) -> None:
    with pytest.raises(BadConfigurationError) as caught:
        load_raw(changed("actions", [{"name": "NO", "weight": 1, "is_positive": True}]))
    assert str(caught.value).count("actions") == 1
