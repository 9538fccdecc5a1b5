"""A mixture is named by what it is made of; a model alone is named as ever."""

from components.release import mixtures


def test_another_model_share_or_day_of_counts_is_another_mixture() -> None:
    digests = {
        mixtures.digest(model, popular, share)
        for model in ("one", "other")
        for popular in ("today", "yesterday")
        for share in (0.5, 0.75, 1.0)
    }
    assert len(digests) == 2 * 2 * 2 + 2, "what is popular is no part of a model alone"
    assert {"one", "other"} < digests
