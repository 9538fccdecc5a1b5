import copy
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.loading import load
from components.settings.source import KuaiRandSource
from phoenix.recommend.scoring import PUBLISHED_WEIGHTS

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
MINIMAL: dict[str, Any] = {
    "store": "store",
    "first_day": datetime.date(2026, 1, 1),
    "ingest_events": {"source": {"layout": "synthetic"}},
    "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
}
Loader = Callable[[dict[str, Any]], Config]


@pytest.fixture
def load_raw(tmp_path: Path) -> Loader:
    def write_and_load(raw: dict[str, Any]) -> Config:
        path = tmp_path / "phoenix.yaml"
        path.write_text(yaml.safe_dump(raw))
        return load(path)

    return write_and_load


def _changed(path: str, value: object) -> dict[str, Any]:
    """MINIMAL with the field at a dotted path replaced, or added."""
    raw = copy.deepcopy(MINIMAL)
    *parents, last = path.split(".")
    section: Any = raw
    for name in parents:
        section = section[int(name)] if name.isdigit() else section.setdefault(name, {})
    section[int(last) if last.isdigit() else last] = value
    return raw


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    config = load(path)
    assert config.action_names
    assert Path(config.store).is_absolute()


def test_a_minimal_configuration_has_sensible_defaults(load_raw: Loader) -> None:
    config = load_raw(MINIMAL)
    assert config.action_names == ("favorite", "click")
    assert config.actions[0].score_weight == PUBLISHED_WEIGHTS["favorite"]
    assert config.train_ranker.model.key_size % 2 == 0


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
        load_raw(_changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", -1),
        ("seed", "many"),
        ("first_day", "2026-13-01"),
        ("store", 7),
        ("hashing.post_rows", 1),
        ("train_ranker.batch_size", 2.5),
        ("train_ranker.model.key_size", 3),
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
        load_raw(_changed(path, value))
    assert f"  {parent}: " in str(caught.value)
    assert "got " in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "build_features.history_length",
        "build_features.gap_minutes",
        "hashing.author_rows",
        "ingest_events.source.impressions_per_day",
        "materialize_feeds.num_retrieved",
        "train_ranker.model.emb_size",
        "train_retrieval.input.length_buckets",
        "baseline.num_bins",
    ],
)
def test_a_count_that_no_machine_can_hold_is_refused_by_its_field(
    load_raw: Loader, path: str
) -> None:
    value = [10**12] if path.endswith("buckets") else 10**12
    with pytest.raises(BadConfigurationError, match=rf"  {path}[.0-9]*: Input should be less than"):
        load_raw(_changed(path, value))


def test_every_whole_number_has_an_upper_limit() -> None:
    def unlimited(node: object, place: str) -> list[str]:
        if isinstance(node, list):
            return [found for each in node for found in unlimited(each, place)]
        if not isinstance(node, dict):
            return []
        is_number = node.get("type") == "integer" and "const" not in node
        limits = {"maximum", "exclusiveMaximum"} & node.keys()
        inner = [found for key, each in node.items() for found in unlimited(each, f"{place}.{key}")]
        return [place, *inner] if is_number and not limits else inner

    assert unlimited(Config.model_json_schema(), "") == []


@pytest.mark.parametrize("name", ["store", "first_day", "ingest_events", "actions"])
def test_a_missing_field_is_refused_by_name(load_raw: Loader, name: str) -> None:
    raw = {key: value for key, value in MINIMAL.items() if key != name}
    with pytest.raises(BadConfigurationError, match=f"  {name}: Field required"):
        load_raw(raw)


def test_every_mistake_is_told_at_once(load_raw: Loader) -> None:
    raw = _changed("seed", -1) | {"surplus": 1}
    with pytest.raises(BadConfigurationError, match=r"(?s)seed: .*surplus: "):
        load_raw(raw)


def test_an_action_without_a_weight_is_refused_with_the_ways_out(load_raw: Loader) -> None:
    with pytest.raises(BadConfigurationError, match=r"actions\.1: .*'wave' has no"):
        load_raw(_changed("actions.1", {"name": "wave"}))
    borrowed = load_raw(_changed("actions.1", {"name": "wave", "published_as": "click"}))
    assert borrowed.actions[1].score_weight == PUBLISHED_WEIGHTS["click"]
    own = load_raw(_changed("actions.1", {"name": "wave", "weight": -3.5}))
    assert own.actions[1].score_weight == -3.5


def test_actions_are_named_once_and_one_is_positive(load_raw: Loader) -> None:
    favorite = MINIMAL["actions"][0]
    with pytest.raises(BadConfigurationError, match="name 'favorite' twice"):
        load_raw(MINIMAL | {"actions": [favorite, favorite]})
    with pytest.raises(BadConfigurationError, match="at least one as `is_positive`"):
        load_raw(MINIMAL | {"actions": [{"name": "click"}]})


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
        ("seed: [", "is not YAML"),
        ("- a\n- b\n", "expected a mapping of sections, got list"),
        ("", "expected a mapping of sections, got NoneType"),
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
    config = load_raw(_changed("ingest_events.source", source) | {"store": "sub/store"})
    assert config.store == str(tmp_path / "sub/store")
    assert isinstance(config.ingest_events.source, KuaiRandSource)
    assert config.ingest_events.source.path == tmp_path.parent / "log"


def test_a_path_that_no_system_knows_is_refused(load_raw: Loader) -> None:
    with pytest.raises(BadConfigurationError, match=r"store: .* zero byte"):
        load_raw(MINIMAL | {"store": "a\0b"})
    with pytest.raises(BadConfigurationError, match=r"source\.path: .* zero byte"):
        load_raw(_changed("ingest_events.source", {"layout": "kuairand", "path": "\0"}))


def test_addresses_of_buckets_stay_as_they_are(load_raw: Loader) -> None:
    assert load_raw(MINIMAL | {"store": "s3://bucket/phoenix"}).store == "s3://bucket/phoenix"


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
    complaint = _complaint(load_raw, _changed(path, value))
    assert complaint is None or path.split(".")[0] in complaint


def _complaint(load_raw: Loader, raw: dict[str, Any]) -> str | None:
    try:
        load_raw(raw)
    except BadConfigurationError as error:
        return str(error)
    return None
