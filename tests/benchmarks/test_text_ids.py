"""The benchmark of ids that are text, small: it runs the real steps and the command line."""

import pytest

from benchmarks import text_ids


@pytest.mark.slow
def test_a_small_dictionary_a_feed_and_a_day_are_measured() -> None:
    sizes = text_ids.Sizes(texts=3_000, feeds=100, users=100)
    found = {result.name: result for result in text_ids.results(sizes)}
    assert list(found) == ["text_ids_on_disk", "text_ids_feed", "text_ids_day"]
    assert all(result.ours > 0 for result in found.values())
