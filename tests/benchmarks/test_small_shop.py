"""The small shop has the taste that it is said to have, and loses it where likes are dealt anew."""

import csv

import numpy as np
import pytest

from benchmarks.small_shop import Shop, Sizes, results


def _likes(folder, shop: Shop) -> tuple[np.ndarray, np.ndarray]:
    """Likes by customer and brand, and impressions, of a day."""
    shop.write(folder, 1)
    (file,) = (folder / "log").iterdir()
    likes, impressions = np.zeros((2, shop.customers, shop.brands))
    with file.open() as lines:
        for row in csv.DictReader(lines):
            place = int(row["customer"][-3:]), int(row["brand"][-2:])
            likes[place] += int(row["liked"])
            impressions[place] += 1
    return likes, impressions


@pytest.mark.parametrize("has_taste", [True, False])
def test_customers_like_some_brands_more_only_where_they_have_a_taste(tmp_path, has_taste) -> None:
    shop = Shop(seed=1, customers=20, rows_per_day=20_000, has_taste=has_taste)
    likes, impressions = _likes(tmp_path, shop)
    rates = likes.sum() / impressions.sum()
    expected = rates * impressions
    variance = expected * (1 - rates)
    # Of mere chance, the mean square of standardised counts is 1.
    ratio = np.mean((likes - expected)[variance > 1] ** 2 / variance[variance > 1])
    assert (ratio > 2) == has_taste
    assert ratio < 1.2 or has_taste


@pytest.mark.slow
def test_a_shop_with_taste_is_told_from_one_without() -> None:
    for measured in results(Sizes(with_taste=1, without_taste=1)):
        if measured.name.endswith("ranker"):
            assert measured.ours == 1, measured.note
