"""A model is alone unless the facts say otherwise."""

from components.release.shares import share_of


def test_formats_before_mixtures_have_models_alone() -> None:
    assert share_of({"model": "two_tower"}) == 1.0
    assert share_of({"model_share": 0.5}) == 0.5
