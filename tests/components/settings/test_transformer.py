"""Sizes of a transformer fit each other before anything runs."""

import pytest

from components.settings.transformer import ModelConfig, RetrievalModelConfig


def test_key_heads_that_do_not_divide_the_heads_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`num_kv_heads` must divide `num_heads` \(4\), got 3"):
        ModelConfig(num_heads=4, num_kv_heads=3)
    assert ModelConfig(num_heads=4, num_kv_heads=2).num_kv_heads == 2


def test_options_of_the_towers_are_no_options_of_the_ranker() -> None:
    with pytest.raises(ValueError, match="user_pooling"):
        ModelConfig.model_validate({"user_pooling": "last"})
    assert RetrievalModelConfig(user_pooling="last").num_layers == ModelConfig().num_layers
