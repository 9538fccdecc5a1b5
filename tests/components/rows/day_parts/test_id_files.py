from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.rows.day_parts.id_files import IdFiles


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.integers(1, 12), max_size=9), max_size=5))
def test_rows_of_shared_ids_are_those_that_one_counts(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]]
) -> None:
    ids = IdFiles(tmp_path_factory.mktemp("ids"))
    for part in parts:
        ids.add(np.array(part, np.int64))
    in_parts = Counter(each for part in parts for each in set(part))
    alone = [each for part in parts for each, n in Counter(part).items() if n == 1]
    assert ids.count_shared_rows() == sum(in_parts[each] > 1 for each in alone)
    asked = np.arange(14)
    assert ids.contain(asked).tolist() == [each in in_parts for each in asked]


def test_more_than_fits_into_one_range_is_compared_range_by_range(tmp_path: Path) -> None:
    ids = IdFiles(tmp_path)
    for start in (0, 5_000, 9_999):
        ids.add(np.arange(start, start + 5_000))
    assert ids.count_shared_rows() == 2, "9,999 is in two parts"
