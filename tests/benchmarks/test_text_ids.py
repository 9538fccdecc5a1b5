"""The benchmark of ids that are text, small: it runs the real steps and the command line."""

import pytest

from benchmarks import text_ids


@pytest.mark.slow
def test_a_small_dictionary_a_feed_and_a_day_are_measured() -> None:
    sizes = text_ids.Sizes(texts=3_000, feeds=100, users=100)
    found = {result.name: result for result in text_ids.results(sizes)}
    days = ["text_ids_day", "text_ids_folded_day"]
    assert list(found) == ["text_ids_on_disk", "text_ids_feed", *days]
    assert all(result.ours > 0 for result in found.values())
    # Posts that are often shown come again within a session, where they are one impression.
    is_folded = [" 0 rows folded" not in found[name].note for name in days]
    assert is_folded == [False, True]
