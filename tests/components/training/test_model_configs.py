"""The models are those that the configuration asks for."""

import pytest

from components.features import shapes
from components.settings.config import Config
from components.training import model_configs
from tests.components.numbered import numbered

CONFIG = numbered(
    Config.model_validate(
        {
            "store": "memory://models",
            "first_day": "2026-01-01",
            "actions": [{"name": "favorite", "is_positive": True}, {"name": "click"}],
            "ingest_events": {"source": {"layout": "synthetic"}},
            "hashing": {"num_user_hashes": 1, "num_post_hashes": 3, "num_author_hashes": 2},
            "train_ranker": {"model": {"emb_size": 24, "num_heads": 3, "key_size": 16}},
            "train_retrieval": {"model": {"emb_size": 32, "num_layers": 4}},
        }
    )
)


def test_each_model_has_its_own_sizes() -> None:
    ranker, retrieval = model_configs.ranker(CONFIG), model_configs.retrieval(CONFIG)
    assert (ranker.emb_size, ranker.model.num_q_heads, ranker.num_actions) == (24, 3, 2)
    assert (retrieval.emb_size, retrieval.model.num_layers) == (32, 4)


def test_attention_is_scaled_by_the_root_of_the_key_size() -> None:
    assert model_configs.ranker(CONFIG).model.attn_output_multiplier == 16**-0.5


def test_models_read_the_hashes_that_features_hold() -> None:
    spec = shapes.hash_spec(CONFIG.hashing)
    for config in (model_configs.ranker(CONFIG), model_configs.retrieval(CONFIG)):
        assert config.hashes.num_user_hashes == spec.user.num_hashes
        assert config.hashes.num_item_hashes == spec.post.num_hashes
        assert config.hashes.num_author_hashes == spec.author.num_hashes


# One value other than the default for every option.
OTHER = {
    "emb_size": 24,
    "num_layers": 3,
    "num_heads": 4,
    "num_kv_heads": 1,
    "key_size": 8,
    "widening_factor": 3.0,
    "history_attention": "full",
    "reads_dwell": True,
    "reads_post_age": True,
    "compute_dtype": "bfloat16",
    "candidate_tower": "mean",
    "user_pooling": "last",
    "similarity": "product",
    "history_posts": "shared",
    "dropout_rate": 0.5,
    "variational_dropout": 0.1,
    "factorization": True,
    "reads_counts": True,
    "taste": 0.5,
    "taste_size": 4,
}


@pytest.mark.parametrize("role", ["ranker", "retrieval"])
def test_every_option_of_a_model_changes_it(role: str) -> None:
    make, section = getattr(model_configs, role), f"train_{role}"
    values = CONFIG.model_dump(mode="json", exclude={section})

    def made(**model):
        return make(numbered(Config.model_validate({**values, section: {"model": model}})))

    # With heads of keys, the number of heads has to be there; with facts, something to know.
    common = {"num_heads": 2, "reads_post_age": True}
    plain = numbered(Config.model_validate({**values, section: {"model": common}}))
    for field, default in getattr(plain, section).model:
        other = not default if default is True else OTHER[field]
        assert made(**{**common, field: other}) != made(**common), field
