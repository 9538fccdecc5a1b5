import numpy as np

from phoenix.data.hashing import HashSpec
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowLog, WindowRefs, candidate_rows
from phoenix.data.windows import Windows

SPEC = HashSpec.documented(user_rows=50, post_rows=60, author_rows=70, num_hashes=3)


def example(*, has_weights: bool = False) -> WindowLog:
    users, posts = np.array([1, 1, 1, 1, 2]), np.array([5, 6, 7, 8, 9])
    times = np.array([10, 20, 30, 40, 30])
    log = Log(
        users,
        posts,
        posts + 100,
        times,
        times,
        (posts % 3).astype(np.int32),
        (posts % 2).astype(np.uint64),
        posts.astype(np.float32),
        times - posts,
        np.stack([posts, posts * 2], axis=1).astype(np.float32),
        posts.astype(np.float32) / 2 if has_weights else np.ones(5, np.float32),
    )
    starts = np.array([30, 40, 30])
    refs = WindowRefs(np.array([1, 1, 2]), starts, starts, starts[:, None].astype(np.float32))
    candidates = candidate_rows(np.array([-1, -1, 0, 1, 2]), num_windows=3, length=2)
    return WindowLog(log, refs, candidates=candidates, spec=SPEC, history_length=4)


def test_everything_of_an_impression_stays_together() -> None:
    windows = example().take(np.arange(3))
    posts, candidates = windows.history_post_ids, windows.candidate_post_ids
    assert posts.tolist() == [[5, 6, 0, 0], [5, 6, 7, 0], [0, 0, 0, 0]]
    assert candidates.tolist() == [[7, 0], [8, 0], [9, 0]]
    assert windows.history_shown_at.tolist() == [[10, 20, 0, 0], [10, 20, 30, 0], [0] * 4]
    np.testing.assert_array_equal(windows.history_author_ids, np.where(posts, posts + 100, 0))
    np.testing.assert_array_equal(windows.history_surfaces, posts % 3)
    np.testing.assert_array_equal(windows.history_actions, posts % 2)
    np.testing.assert_array_equal(windows.history_dwell_seconds, posts)
    np.testing.assert_array_equal(windows.labels, candidates % 2)
    np.testing.assert_array_equal(windows.label_dwell_seconds, candidates)
    np.testing.assert_array_equal(windows.candidate_surfaces, candidates % 3)
    for side, ids in (("history", posts), ("candidate", candidates)):
        shown_at, created_at = (
            getattr(windows, f"{side}_{name}") for name in ("shown_at", "created_at")
        )
        np.testing.assert_array_equal(shown_at - created_at, ids)
        values = getattr(windows, f"{side}_attributes")
        np.testing.assert_array_equal(values, np.stack([ids, ids * 2], axis=-1))
    np.testing.assert_array_equal(windows.user_attributes[:, 0], windows.starts_at)


def test_ids_are_hashed_by_the_functions_of_the_model() -> None:
    windows = example().take(np.arange(3))
    for name, table in (("post", SPEC.post), ("author", SPEC.author)):
        for side in ("history", "candidate"):
            ids = getattr(windows, f"{side}_{name}_ids")
            hashes = getattr(windows, f"{side}_{name}_hashes")
            np.testing.assert_array_equal(hashes, table.hash_ids(ids), f"{side} {name}")
    np.testing.assert_array_equal(windows.user_hashes, SPEC.user.hash_ids(windows.user_ids))


def test_windows_are_taken_in_any_order() -> None:
    log = example(has_weights=True)
    whole, some = log.take(np.arange(3)), log.take(np.array([2, 0, 2]))
    for name, one, other in zip(Windows._fields, whole, some, strict=True):
        expected = None if one is None else one[[2, 0, 2]]  # what a log does not have
        np.testing.assert_array_equal(expected, other, name)


def test_an_impression_keeps_its_weight_in_histories_and_windows() -> None:
    windows = example(has_weights=True).take(np.arange(3))
    np.testing.assert_array_equal(windows.label_weights, windows.candidate_post_ids / 2)
    np.testing.assert_array_equal(windows.history_weights, windows.history_post_ids / 2)
    assert example().take(np.arange(3)).label_weights is None
