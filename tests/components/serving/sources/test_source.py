import numpy as np


def test_what_a_source_has_found_is_excluded_for_the_next_one(small) -> None:
    requests = small.requests([[1], [2]], excluded=([1], [5])).without(np.array([[3, -1], [-1, 4]]))
    assert [each.tolist() for each in requests.excluded] == [[1, 0, 1], [5, 3, 4]]
