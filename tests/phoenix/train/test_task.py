"""Claims about what a run learns, and that next items are learned by the one trainer."""

import dataclasses

import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.data.attributes import Attribute
from phoenix.data.days import DAY_MS
from phoenix.data.engagement.counts import Ids, Outcomes, Tally
from phoenix.data.engagement.popularity import PopularityByDay
from phoenix.data.engagement.rates import POPULARITY, Rates
from phoenix.data.negatives.known_posts import KnownPosts
from phoenix.data.window_source import InMemoryWindows, pad_windows
from phoenix.grok import TransformerConfig
from phoenix.inputs.config import HashConfig
from phoenix.recommend.leave_one_out import Events, catalogue_hashes, hit_rate, split, target_ranks
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train.batches import PostFrequencies
from phoenix.train.config import RetrievalTrainConfig, ValidationConfig
from phoenix.train.loss_config import NegativesConfig
from phoenix.train.objectives.by_model import objective_of
from phoenix.train.runner import TrainRunner
from phoenix.train.task import Known, task_of
from phoenix.train.validation import Split
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, SPEC, train_config, world

NUM_POSTS = 20
TRUNK = TransformerConfig(32, 16, 2, 2, 1, attn_output_multiplier=0.25, dropout_rate=0.1)
CONFIG = PhoenixRetrievalModelConfig(
    TRUNK,
    32,
    hash_config=HashConfig(1, 1, 1),
    candidate_tower="mean",
    user_pooling="last",
    similarity="product",
)


def task(model_config, popularity=None, known_posts=None, **options):
    return task_of(
        model_config,
        train_config(model_config, **options),
        hash_spec=SPEC,
        actions=ACTIONS,
        split=Split.of(InMemoryWindows(world(4).windows), ValidationConfig()),
        known=Known(popularity, known_posts),
    )


def test_a_list_of_posts_cannot_be_cut_into_parts():
    with pytest.raises(ConfigError, match="accumulation_steps"):
        task(RETRIEVAL, objective="next_item", optimizer={"accumulation_steps": 2})


@pytest.mark.parametrize("similarity", ["product", "cosine"])
def test_the_post_that_always_follows_is_found(similarity):
    starts = np.random.default_rng(0).integers(0, NUM_POSTS, 60)
    users = [
        Events((np.arange(start, start + 10) * 3 % NUM_POSTS) + 1, np.ones(10, np.uint64))
        for start in starts
    ]
    spec = catalogue_hashes(NUM_POSTS)
    parts = split(users, max_length=8, hash_spec=spec)
    model = (
        TrainRunner(
            model_config=dataclasses.replace(CONFIG, similarity=similarity),
            train_config=RetrievalTrainConfig(
                batch_size=60, epochs=40, learning_rate=2e-3, objective="next_item"
            ),
            hash_spec=spec,
            actions=("engaged",),
            source=InMemoryWindows(parts.train),
        )
        .run()
        .model
    )
    ranks = target_ranks(model, parts.test.windows, num_posts=NUM_POSTS)
    assert hit_rate(ranks, 1) > 0.9


def test_posts_are_drawn_from_all_that_were_shown_and_nobody_did_anything_with_them():
    negatives = NegativesConfig(global_per_row=5)
    made = task(RETRIEVAL, negatives=negatives, seed=1)
    windows = pad_windows(world(4).windows, 6)
    first, again, later = (made.make_batch(windows, step) for step in (3, 3, 4))
    hashes = first.inputs.candidate_post_hashes
    assert hashes.shape[1] == 8 + 5
    np.testing.assert_array_equal(hashes[:, :8], windows.candidate_post_hashes)
    np.testing.assert_array_equal(hashes, again.inputs.candidate_post_hashes)
    assert not np.array_equal(hashes, later.inputs.candidate_post_hashes)
    shown = {tuple(row) for row in windows.candidate_post_hashes[:4].reshape(-1, 2)}
    assert {tuple(row) for row in hashes[:4, 8:].reshape(-1, 2)} <= shown
    assert not hashes[4:].any()
    assert not first.labels[:, 8:].any()


def test_drawn_posts_are_met_as_often_as_the_correction_says():
    windows = world(300).windows
    source = InMemoryWindows(windows)
    frequencies = PostFrequencies.of(source, 300, drawn_per_window=24)
    generator = np.random.default_rng(0)
    drawn = [frequencies.draw(generator, (300, 24))[0] for _ in range(20)]
    # What is shown is met in every pass, what is drawn anew.
    met = np.concatenate([np.tile(windows.candidate_post_ids.ravel(), 20), np.ravel(drawn)])
    posts, counts = np.unique(met, return_counts=True)
    now = np.zeros(len(posts), np.int64)
    expected = np.exp(frequencies.logarithms(posts, now))
    np.testing.assert_allclose(counts / len(met), expected, rtol=0.15)
    uniform = PostFrequencies.of(source, 300, with_impressions=False, drawn_per_window=1)
    np.testing.assert_allclose(np.exp(uniform.logarithms(posts, now)), 1 / len(posts), rtol=1e-5)


def test_posts_stand_for_the_corpus_by_their_shares_on_the_day_of_the_batch():
    days = np.array([3, 3, 4, 4])
    windows = world(4).windows._replace(starts_at=days * DAY_MS)
    made = task_of(
        RETRIEVAL,
        train_config(RETRIEVAL),
        hash_spec=SPEC,
        actions=ACTIONS,
        split=Split.of(InMemoryWindows(windows), ValidationConfig()),
    )
    batch = made.make_batch(windows, 0)
    for rows in (days == 3, days == 4):
        posts, counts = np.unique(windows.candidate_post_ids[rows], return_counts=True)
        shares = counts[np.searchsorted(posts, windows.candidate_post_ids[rows])] / counts.sum()
        np.testing.assert_allclose(np.exp(batch.log_frequencies[rows]), shares, rtol=1e-5)


def test_a_window_counts_half_as_much_after_the_half_life():
    made = task(RANKER, recency_half_life_days=2.0)
    days = np.array([4, 0, 2, 3], np.int64)
    windows = pad_windows(world(4).windows._replace(starts_at=days * 86_400_000), 5)
    np.testing.assert_allclose(made.make_batch(windows, 0).weights, [1, 0.25, 0.5, 2**-0.5, 0])


COUNTING = dataclasses.replace(RETRIEVAL, has_counts=True)


def test_a_drawn_post_has_the_counts_of_the_day_of_its_window() -> None:
    generator = np.random.default_rng(0)
    windows = world(4).windows
    windows = windows._replace(starts_at=np.array([1, 2, 1, 2]) * DAY_MS + 5)
    posts, authors = (
        array[windows.candidate_mask]
        for array in (windows.candidate_post_ids, windows.candidate_author_ids)
    )
    days = {}
    for day in (1, 2):
        tally = Tally(len(ACTIONS))
        rows = generator.integers(0, len(posts), 50)
        ids = Ids(np.ones(50, np.int64), posts[rows], authors[rows], np.zeros(50, np.int64))
        done = generator.integers(0, 2, 50).astype(np.uint64)
        tally.add(ids, Outcomes(done, np.zeros(50, np.uint64), np.ones(50)))
        days[day] = Rates.of(tally.counts())
    popularity = PopularityByDay(days, np.arange(len(ACTIONS)) == 0)
    made = task(COUNTING, popularity=popularity, negatives=NegativesConfig(global_per_row=5))
    batch = made.make_batch(pad_windows(windows, 6), 3)
    known, hashes = batch.inputs.candidate_popularity, batch.inputs.candidate_post_hashes
    assert known.shape == (6, 8 + 5, len(POPULARITY))
    author_of_post = dict(zip(posts.tolist(), authors.tolist(), strict=True))
    post_of_hash = {tuple(SPEC.post.hash_ids(np.array([post]))[0]): post for post in author_of_post}
    for row, day in enumerate((1, 2, 1, 2)):
        drawn = np.array([post_of_hash[tuple(each)] for each in hashes[row, 8:]])
        of_drawn = np.array([author_of_post[post] for post in drawn.tolist()])
        expected = days[day].popularity(drawn, of_drawn, popularity.is_positive)
        np.testing.assert_array_equal(known[row, 8:], expected)


def test_a_model_that_reads_counts_is_not_trained_without_them() -> None:
    with pytest.raises(ValueError, match="expected `popularity`, got None"):
        task(COUNTING)
    with pytest.raises(ConfigError, match=r"objective.*engagement where `model.reads_counts`"):
        objective_of(COUNTING, ACTIONS, train_config(COUNTING, objective="next_item"))


KNOWN_POSTS = {
    0: KnownPosts.of(np.arange(1, NUM_POSTS + 1), np.arange(1, NUM_POSTS + 1), np.zeros(NUM_POSTS))
}


def test_a_ranker_is_shown_other_posts_at_every_step_and_the_same_at_the_same_one():
    made = task(RANKER, known_posts=KNOWN_POSTS, negatives={"drawn_per_window": 5}, seed=1)
    windows = pad_windows(world(4).windows, 6)
    first, again, later = (made.make_batch(windows, step) for step in (3, 3, 4))
    hashes = first.inputs.candidate_post_hashes
    assert hashes.shape[1] == 8 + 5
    np.testing.assert_array_equal(hashes[:, :8], windows.candidate_post_hashes)
    np.testing.assert_array_equal(hashes, again.inputs.candidate_post_hashes)
    assert not np.array_equal(hashes[:, 8:], later.inputs.candidate_post_hashes[:, 8:])
    of_validation = [made.make_batch(windows, None).inputs.candidate_post_hashes for _ in range(2)]
    np.testing.assert_array_equal(*of_validation)
    assert not hashes[4:].any()
    assert not first.labels[:, 8:].any()
    other_seed = task(RANKER, known_posts=KNOWN_POSTS, negatives={"drawn_per_window": 5}, seed=2)
    others = other_seed.make_batch(windows, 3).inputs.candidate_post_hashes
    assert not np.array_equal(hashes[:, 8:], others[:, 8:])


def test_a_window_is_filled_up_with_as_many_drawn_posts_as_it_has_places():
    made = task(RANKER, known_posts=KNOWN_POSTS)
    batch = made.make_batch(world(4).windows, 0)
    assert batch.inputs.candidate_post_hashes.shape[1] == 8 + RANKER.candidate_seq_len


@pytest.mark.parametrize("known_posts", [None, KNOWN_POSTS])
def test_nothing_is_drawn_where_nothing_is_to_be_drawn(known_posts):
    number = "auto" if known_posts is None else 0
    made = task(RANKER, known_posts=known_posts, negatives={"drawn_per_window": number})
    batch = made.make_batch(world(4).windows, 0)
    assert batch.inputs.candidate_post_hashes.shape[1] == 8
    assert batch.is_labelled is batch.label_weights is None
    with pytest.raises(ConfigError, match="drawn_per_window"):
        task(RANKER, negatives={"drawn_per_window": 3})


def test_what_is_met_because_it_is_drawn_counts_among_what_is_met():
    options = {"losses": {"popularity_power": 0.5}, "negatives": {"drawn_per_window": 5}}
    windows = world(4).windows
    batch = task(RANKER, known_posts=KNOWN_POSTS, **options).make_batch(windows, 0)
    posts, counts = np.unique(windows.candidate_post_ids, return_counts=True)
    # 32 impressions, and 20 draws spread over the posts that were shown.
    share = (counts + 20 / len(posts)) / 52
    expected = np.log(share[np.searchsorted(posts, windows.candidate_post_ids)])
    np.testing.assert_allclose(batch.log_frequencies[:, :8], expected, rtol=1e-5)
    assert np.isfinite(batch.log_frequencies).all()


FACTS = dataclasses.replace(
    RETRIEVAL,
    attributes=(Attribute(name="size", side="post", kind="raw"),),
    has_post_age=True,
    has_candidate_facts=True,
)


def test_a_drawn_post_is_known_as_it_was_when_its_window_began() -> None:
    windows, posts = world(40).windows, np.arange(1, 101)
    generator = np.random.default_rng(0)
    created_at = dict(
        zip(posts.tolist(), generator.integers(1, 3 * DAY_MS, len(posts)), strict=True)
    )
    starts_at = generator.integers(DAY_MS, 3 * DAY_MS, 40)

    def values_of(post_ids, times):
        return (post_ids * 7.0 + times // DAY_MS)[:, None].astype(np.float32)

    known = {}
    for day in (1, 2):
        own = np.array([post for post in posts if created_at[post] < (day + 1) * DAY_MS])
        times = np.array([created_at[post] for post in own])
        known[day] = KnownPosts.of(own, own, times, values_of=values_of)
    shape = windows.candidate_post_ids.shape
    windows = windows._replace(
        starts_at=starts_at, candidate_attributes=np.zeros((*shape, 1), np.float32)
    )
    negatives = NegativesConfig(global_per_row=5)
    made = task(FACTS, known_posts=known, negatives=negatives)
    inputs = made.make_batch(pad_windows(windows, 41), 3).inputs
    post_of_hash = {tuple(SPEC.post.hash_ids(np.array([post]))[0]): post for post in posts.tolist()}
    num_missing = 0
    for row, moment in enumerate(starts_at.tolist()):
        for place in range(8, 13):
            hashes = tuple(np.asarray(inputs.candidate_post_hashes)[row, place])
            if not any(hashes):
                num_missing += 1
                continue
            post = post_of_hash[hashes]
            assert created_at[post] <= moment
            minutes = (moment - created_at[post]) / 60_000
            np.testing.assert_allclose(
                np.asarray(inputs.candidate_post_age_minutes)[row, place], minutes, rtol=1e-5
            )
            value = np.asarray(inputs.candidate_attributes)[row, place, 0]
            assert value == post * 7 + moment // DAY_MS
    # Of the draws about a third is not written yet.
    assert 20 < num_missing < 120
    with pytest.raises(ValueError, match="facts of drawn posts"):
        task(FACTS, negatives=negatives)
    with pytest.raises(ConfigError, match=r"objective.*candidate tower reads facts"):
        objective_of(FACTS, ACTIONS, train_config(FACTS, objective="next_item"))
