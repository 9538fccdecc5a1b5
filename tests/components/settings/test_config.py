"""The configuration as a whole: its defaults, its limits, what its sections must agree on."""

from pathlib import Path

import pytest

from components.errors import BadConfigurationError
from components.settings.config import Config
from components.settings.loading import load
from components.settings.published_weights import PUBLISHED_WEIGHTS
from tests.components.settings.minimal import MINIMAL, Loader, changed

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_load(path: Path) -> None:
    config = load(path)
    assert config.action_names
    assert Path(config.store).is_absolute()


def test_a_minimal_configuration_has_sensible_defaults(load_raw: Loader) -> None:
    config = load_raw(MINIMAL)
    assert config.action_names == ("favorite", "click")
    assert config.actions[0].score_weight == PUBLISHED_WEIGHTS["favorite"]
    assert config.train_ranker.model.key_size == "auto"


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
        load_raw(changed(path, value))


def test_every_whole_number_has_an_upper_limit() -> None:
    def unlimited(node: object, place: str) -> list[str]:
        if isinstance(node, list):
            return [found for each in node for found in unlimited(each, place)]
        if not isinstance(node, dict):
            return []
        is_number = node.get("type") == "integer" and not {"const", "enum"} & node.keys()
        limits = {"maximum", "exclusiveMaximum"} & node.keys()
        inner = [found for key, each in node.items() for found in unlimited(each, f"{place}.{key}")]
        return [place, *inner] if is_number and not limits else inner

    assert unlimited(Config.model_json_schema(), "") == []


@pytest.mark.parametrize("name", ["store", "first_day", "ingest_events", "actions"])
def test_a_missing_field_is_refused_by_name(load_raw: Loader, name: str) -> None:
    raw = {key: value for key, value in MINIMAL.items() if key != name}
    with pytest.raises(BadConfigurationError, match=f"  {name}: Field required"):
        load_raw(raw)


def test_a_former_name_is_that_of_one_action_or_of_one_column(load_raw: Loader) -> None:
    def actions(**columns: str) -> dict:
        """Actions with one former name."""
        return {
            "actions": [
                {
                    "name": name,
                    "column": column,
                    "formerly": ["old"],
                    "is_positive": True,
                    "weight": 1.0,
                }
                for name, column in columns.items()
            ]
        }

    with pytest.raises(BadConfigurationError, match="'like' and 'tap' are both `formerly` 'old'"):
        load_raw(MINIMAL | actions(like="a", tap="b"))
    assert len(load_raw(MINIMAL | actions(like="a", tap="a")).actions) == 2


def test_actions_are_named_once_and_one_is_positive(load_raw: Loader) -> None:
    favorite = MINIMAL["actions"][0]
    with pytest.raises(BadConfigurationError, match="name 'favorite' twice"):
        load_raw(MINIMAL | {"actions": [favorite, favorite]})
    with pytest.raises(BadConfigurationError, match="at least one as `is_positive`"):
        load_raw(MINIMAL | {"actions": [{"name": "click"}]})
