"""Drawn posts say what real candidates would say, and are none of them."""

import numpy as np
from scipy import stats

from phoenix.data.days import DAY_MS
from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.rates import Rates
from phoenix.data.negatives.drawn_posts import DrawnPosts, LoggedNegatives
from phoenix.data.negatives.known_posts import KnownPosts
from phoenix.data.window_source import InMemoryWindows, pad_windows
from phoenix.data.windows import Windows
from tests.phoenix.planted import NUM_POSTS, SPEC, author_of, world

IDS = np.arange(1, NUM_POSTS + 1)
FIELDS = [name for name in Windows._fields if name != "candidate_popularity"]  # of retrieval alone
NUM_REAL, NUM_DRAWN = 8, 12
NOW = 5 * DAY_MS + 1_000


def rates(seed: int = 0) -> Rates:
    """Counts of 3,000 impressions."""
    draw = np.random.default_rng(seed)
    posts, users = draw.integers(1, NUM_POSTS + 1, 3_000), draw.integers(1, 201, 3_000)
    tally = Tally(2)
    surfaces = draw.integers(0, 3, 3_000)
    outcomes = Outcomes(draw.integers(0, 4, 3_000).astype(np.uint64), posts * 0, np.ones(3_000))
    outcomes = outcomes._replace(unknown=np.zeros(3_000, np.uint64))
    tally.add(Ids(users, posts, author_of(posts), surfaces), outcomes)
    return Rates.of(tally.counts())


def values_of(post_ids: np.ndarray, shown_at: np.ndarray) -> np.ndarray:
    """Two attributes, of which one changes with time."""
    return np.stack([post_ids, post_ids + shown_at % DAY_MS], axis=-1).astype(np.float32)


def created_at(post_ids: np.ndarray) -> np.ndarray:
    return 4 * DAY_MS + 10 * post_ids  # all before `NOW`


def windows_of(count: int = 40) -> Windows:
    """Windows of two days whose candidates have everything that a window can say."""
    windows = world(count).windows
    draw, shape = np.random.default_rng(1), windows.candidate_post_ids.shape
    starts = NOW + np.arange(count) % 2 * DAY_MS
    shown_at = starts[:, None] + draw.integers(0, 1000, shape)
    ids = windows.candidate_post_ids
    hours = draw.random((*shape, 1)).astype(np.float32)  # of the context
    windows = windows._replace(
        starts_at=starts,
        candidate_shown_at=shown_at,
        candidate_created_at=created_at(ids),
        candidate_surfaces=draw.integers(0, 3, shape).astype(np.int32),
        candidate_attributes=np.concatenate([values_of(ids, shown_at), hours], axis=-1),
        history_attributes=np.zeros((*windows.history_post_ids.shape, 3), np.float32),
        labels=np.ones(shape, np.uint64),
        label_dwell_seconds=np.ones(shape, np.float32),
        label_unknown_actions=np.full(shape, 2, np.uint64),
        label_weights=np.full(shape, 3, np.float32),
    )
    return windows.with_evidence(rates())


def drawn_posts(**options) -> DrawnPosts:
    """Of two days; the same posts on both."""
    facts = {"rates": rates(), "values_of": values_of} | options
    posts = KnownPosts.of(IDS, author_of(IDS), created_at(IDS), **facts)
    return DrawnPosts(per_window=NUM_DRAWN, posts={5: posts, 6: posts})


def added(windows: Windows, seed: int = 0, **options) -> Windows:
    return drawn_posts(**options).added_to(windows, np.random.default_rng(seed), SPEC)


def test_what_was_shown_stays_as_it_is() -> None:
    windows = windows_of()
    whole = added(windows)
    for name in FIELDS:
        before, after = getattr(windows, name), getattr(whole, name)
        shown = after[:, :NUM_REAL] if name.startswith(("candidate_", "label")) else after
        np.testing.assert_array_equal(shown, before, err_msg=name)


def test_a_drawn_post_says_what_it_would_say_as_a_candidate_and_has_no_action() -> None:
    windows = windows_of()
    drawn = {
        name: getattr(added(windows), name)[:, NUM_REAL:]
        for name in FIELDS
        if name.startswith(("candidate_", "label"))
    }
    ids, exists = drawn["candidate_post_ids"], drawn["candidate_post_ids"] != 0
    assert exists.mean() > 0.7
    np.testing.assert_array_equal(drawn["candidate_author_ids"], author_of(ids))
    np.testing.assert_array_equal(drawn["candidate_post_hashes"], SPEC.post.hash_ids(ids))
    np.testing.assert_array_equal(
        drawn["candidate_author_hashes"], SPEC.author.hash_ids(author_of(ids))
    )
    np.testing.assert_array_equal(
        drawn["candidate_created_at"], np.where(exists, created_at(ids), 0)
    )
    # Moment, surface and context are together those of one real candidate of the window.
    real = (
        windows.candidate_shown_at,
        windows.candidate_surfaces,
        windows.candidate_attributes[..., 2],
    )
    own = (
        drawn["candidate_shown_at"],
        drawn["candidate_surfaces"],
        drawn["candidate_attributes"][..., 2],
    )
    for row, place in zip(*np.nonzero(exists), strict=True):
        triples = zip(*(each[row].tolist() for each in real), strict=True)
        assert tuple(each[row, place] for each in own) in list(triples)
    of_posts = values_of(ids, drawn["candidate_shown_at"])
    np.testing.assert_array_equal(
        drawn["candidate_attributes"][..., :2], of_posts * exists[..., None]
    )
    # What was counted of it, as windows of these candidates would say it.
    shown = windows._replace(
        candidate_post_ids=ids,
        candidate_author_ids=drawn["candidate_author_ids"],
        candidate_surfaces=drawn["candidate_surfaces"],
    ).with_evidence(rates())
    np.testing.assert_array_equal(drawn["candidate_log_odds"], shown.candidate_log_odds)
    np.testing.assert_array_equal(drawn["candidate_log_counts"], shown.candidate_log_counts)
    assert not drawn["labels"].any()
    assert not drawn["label_dwell_seconds"].any()
    np.testing.assert_array_equal(drawn["label_unknown_actions"], 2 * exists)
    np.testing.assert_array_equal(drawn["label_weights"], exists)


def test_draws_are_uniform_over_what_is_none_of_the_windows_own() -> None:
    windows = windows_of(1).rows(np.zeros(5_000, np.int64))
    drawn = added(windows).candidate_post_ids[:, NUM_REAL:].ravel()
    engaged = windows.history_post_ids[0][windows.history_actions[0] != 0]
    others = np.setdiff1d(IDS, [*windows.candidate_post_ids[0], *engaged])
    posts, counts = np.unique(drawn[drawn != 0], return_counts=True)
    np.testing.assert_array_equal(posts, others)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_no_drawn_post_is_a_candidate_or_was_engaged_with() -> None:
    windows = windows_of(300)
    drawn = added(windows).candidate_post_ids[:, NUM_REAL:]
    passed_over = 0
    for row in range(300):
        own = set(drawn[row].tolist()) - {0}
        engaged = windows.history_actions[row] != 0
        assert not own & set(windows.candidate_post_ids[row].tolist())
        assert not own & set(windows.history_post_ids[row][engaged].tolist())
        passed_over += len(own & set(windows.history_post_ids[row][~engaged].tolist()))
    assert passed_over  # what the user did nothing with is a negative like any other


def test_no_drawn_post_is_from_the_future() -> None:
    windows = windows_of(200)
    middle = windows._replace(candidate_shown_at=windows.candidate_shown_at - DAY_MS - 500)
    whole = added(middle)
    exists = whole.candidate_mask
    assert (whole.candidate_created_at[exists] < whole.candidate_shown_at[exists]).all()
    assert 0 < exists.mean() < 1


def test_what_nobody_knew_before_it_was_shown_is_padding() -> None:
    windows = windows_of()
    is_new = np.zeros(windows.candidate_post_ids.shape, bool)
    is_new[:, 0], is_new[3] = True, True
    first = np.where(is_new, windows.candidate_shown_at, windows.candidate_created_at)
    whole = added(windows._replace(candidate_created_at=first))
    for name in FIELDS:
        if name.startswith(("candidate_", "label")):
            values = getattr(whole, name)[:, :NUM_REAL]
            assert not values[is_new].any(), name
            np.testing.assert_array_equal(values[~is_new], getattr(windows, name)[~is_new])
    # Nor is anything drawn where nothing is left, or what was taken out.
    assert not whole.candidate_post_ids[3].any()
    drawn = whole.candidate_post_ids[:, NUM_REAL:]
    assert not (drawn == windows.candidate_post_ids[:, :1])[drawn != 0].any()


def test_the_same_generator_draws_the_same_and_padding_stays_padding() -> None:
    windows = windows_of()
    first, again, other = (added(windows, seed).candidate_post_ids for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    padded = added(pad_windows(windows, 50))
    assert not padded.candidate_post_ids[40:].any()
    assert not padded.candidate_log_odds[40:].any()


def test_a_log_has_negatives_if_more_than_one_impression_in_a_thousand_is_one() -> None:
    windows = windows_of(1_000)
    windows = windows._replace(label_unknown_actions=None)
    none = LoggedNegatives.of(InMemoryWindows(windows))
    assert none == (0, 8_000, 0)
    assert none.are_missing
    labels = windows.labels.copy()
    labels.ravel()[:8] = 0
    assert LoggedNegatives.of(InMemoryWindows(windows._replace(labels=labels))).are_missing
    labels.ravel()[8] = 0
    some = windows._replace(labels=labels)
    assert not LoggedNegatives.of(InMemoryWindows(some)).are_missing
    # Of which nobody knows everything, nobody knows that nothing was done.
    unknown = some._replace(label_unknown_actions=np.full(labels.shape, 2, np.uint64))
    assert LoggedNegatives.of(InMemoryWindows(unknown)) == none
    assert not LoggedNegatives.of(InMemoryWindows(windows.rows(slice(0)))).are_missing


def test_an_action_that_all_impressions_have_is_a_mark_of_them_where_it_may_be_one() -> None:
    windows = windows_of(1_000)._replace(label_unknown_actions=None)
    labels = np.full_like(windows.labels, 0b001)  # all were shown,
    labels.ravel()[::2] |= np.uint64(0b100)  # and every other one was liked
    shown = InMemoryWindows(windows._replace(labels=labels))
    assert LoggedNegatives.of(shown).are_missing
    of_shown = LoggedNegatives.of(shown, marks=0b001)
    assert (of_shown.are_missing, of_shown.without) == (False, 0b001)
    assert LoggedNegatives.of(shown, marks=0b010).are_missing, "an action that none has is no mark"
    labels.ravel()[:9] = 0b100
    some = InMemoryWindows(windows._replace(labels=labels))
    assert LoggedNegatives.of(some, marks=0b001).are_missing, "nine of 8,000 lack it: no mark"


def test_no_more_of_a_log_is_read_than_it_takes() -> None:
    windows = world(100).windows  # half of which are negatives

    read_chunks = []

    class Chunks:
        chunk_sizes = (100, 100, 100)

        def read(self, chunk: int) -> Windows:
            read_chunks.append(chunk)
            return windows

    assert not LoggedNegatives.of(Chunks()).are_missing
    assert read_chunks == [0]
