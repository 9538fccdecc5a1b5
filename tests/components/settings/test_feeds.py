"""The sections of feeds."""

import pytest
from pydantic import ValidationError

from components.settings.feeds import FeedsConfig, PublishFeedsConfig


def test_a_sink_has_the_settings_of_its_kind_alone() -> None:
    section = PublishFeedsConfig.model_validate({"sinks": [{"kind": "redis", "prefix": "p:"}]})
    assert section.model_dump()["sinks"][0]["url_variable"] == "PHOENIX_REDIS_URL"
    with pytest.raises(ValidationError, match="table"):
        PublishFeedsConfig.model_validate({"sinks": [{"kind": "redis", "table": "feeds"}]})


@pytest.mark.parametrize("table", ["feeds; drop table users", "Feeds", "1feeds", "f" * 64])
def test_a_table_is_a_plain_name(table: str) -> None:
    with pytest.raises(ValidationError, match="table"):
        PublishFeedsConfig.model_validate({"sinks": [{"kind": "postgres", "table": table}]})


def test_sources_of_feeds_share_what_there_is_and_are_there_once() -> None:
    sources = [{"source": "fresh", "places": 0.7}, {"source": "acme.feeds:Own", "places": 0.2}]
    assert FeedsConfig.model_validate({"sources": sources}).sources[1].source == "acme.feeds:Own"
    for wrong, message in (
        ([*sources, {"source": "popular", "places": 0.2}], "`places` add up to 1.1"),
        ([{"source": "fresh"}, {"source": "fresh"}], "'fresh' is there twice"),
        ([{"source": "retrieval"}], "source"),
        ([{"source": "listed"}], "needs `listed_posts`"),
    ):
        with pytest.raises(ValidationError, match=message):
            FeedsConfig.model_validate({"sources": wrong})
