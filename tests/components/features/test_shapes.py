import pytest

from components.features import shapes
from components.settings.attributes import AttributesConfig
from components.settings.steps import FeaturesConfig, HashingConfig
from phoenix.data.hashing import HashSpec


def test_a_deployment_hashes_as_documented() -> None:
    config = HashingConfig(user_rows=500, post_rows=700, author_rows=100)
    spec = shapes.hash_spec(config)
    assert spec == HashSpec.documented(user_rows=500, post_rows=700, author_rows=100)


def test_every_kind_of_id_has_its_own_number_of_hashes() -> None:
    config = HashingConfig(num_user_hashes=1, num_post_hashes=3, num_author_hashes=2)
    spec = shapes.hash_spec(config)
    assert [table.num_hashes for table in (spec.user, spec.post, spec.author)] == [1, 3, 2]


SIZE = {"name": "size", "side": "post", "column": "size", "kind": "raw", "default": -1}


@pytest.mark.parametrize(
    ("features", "declared", "changed"),
    [
        ({"history_length": 5}, [], {"history_length"}),
        ({"num_candidates": 5}, [], {"num_candidates"}),
        ({}, [SIZE], {"post_width", "attributes"}),
        ({"history_days": 5, "window_minutes": 7}, [], set()),
    ],
)
def test_the_metadata_of_a_file_hold_what_shapes_a_window(
    features: dict, declared: list, changed: set
) -> None:
    files = {"files": "posts.csv", "id": "post_id"}
    attributes = {"posts": files, "declared": declared} if declared else {}
    plain = shapes.shape_metadata(FeaturesConfig())
    other = shapes.shape_metadata(
        FeaturesConfig(**features), AttributesConfig.model_validate(attributes)
    )
    assert {name for name in plain if plain[name] != other[name]} == changed
