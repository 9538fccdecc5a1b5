"""Claims about what retrieval is trained for."""

import dataclasses

import haiku as hk
import jax
import numpy as np
import pytest

from phoenix.data.engagement.rates import POPULARITY
from phoenix.embedding import lookup
from phoenix.inputs.model_inputs import model_inputs
from phoenix.train import losses
from phoenix.train.batches import train_batch
from phoenix.train.loss_config import NegativesConfig
from tests.phoenix.planted import ACTIONS, RETRIEVAL
from tests.phoenix.train.objectives.forward import (
    FREQUENCIES,
    TABLES,
    WINDOWS,
    loss_of,
    make,
    retrieval_parts,
)


def test_only_the_chosen_actions_make_a_positive():
    liked, hidden = make(RETRIEVAL), make(RETRIEVAL, positive_actions=["hide"])
    loss, scalars, _ = loss_of(liked, WINDOWS)
    assert loss > 0
    assert scalars["temperature"] == pytest.approx(0.1)
    assert loss_of(hidden, WINDOWS)[0] == 0  # Nobody hides anything.
    assert loss_of(make(RETRIEVAL, positive_actions=[]), WINDOWS)[0] == loss


def test_the_hardest_rejected_posts_of_a_row_are_its_negatives():
    objective = make(RETRIEVAL, negatives=NegativesConfig(in_batch=False, hard_per_row=2))
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    logits, is_positive = retrieval_parts(
        objective, train_batch(WINDOWS, inputs, len(ACTIONS), FREQUENCIES)
    )
    ids, total = WINDOWS.candidate_post_ids, []
    for row, liked in enumerate(is_positive):
        own = np.asarray(logits[row, row * 8 : row * 8 + 8])
        rejected = np.flatnonzero(~liked)
        hard = rejected[np.argsort(-own[rejected], kind="stable")[:2]]
        hard = hard[~np.isin(ids[row, hard], ids[row, liked])]
        mass = np.exp(own[hard]).sum()
        if liked.any():
            total.append(np.mean(np.log(np.exp(own[liked]) + mass) - own[liked]))
    np.testing.assert_allclose(loss_of(objective, WINDOWS)[0], np.mean(total), rtol=1e-4)


@pytest.mark.parametrize(("drawn", "has_counts"), [(0, False), (3, False), (3, True)])
def test_scores_learn_every_action_of_what_was_shown_and_of_nothing_drawn(drawn, has_counts):
    config = dataclasses.replace(RETRIEVAL, has_counts=has_counts)
    negatives = NegativesConfig(global_per_row=drawn)
    plain = make(config, negatives=negatives)
    objective = make(config, negatives=negatives, losses={"impressions": 3.0})
    random = np.random.default_rng(0)
    shape = (*WINDOWS.candidate_post_ids.shape, len(POPULARITY))
    popularity = random.normal(size=shape).astype(np.float32)
    windows = WINDOWS._replace(candidate_popularity=popularity)
    inputs = model_inputs(windows, ACTIONS, config)
    batch = train_batch(windows, inputs, len(ACTIONS), FREQUENCIES)  # drawn ones are the last
    rows = lookup(TABLES, inputs)
    params = objective.initial_params(0, inputs, rows)
    heads = {
        "slopes": np.array([0.7, -2.0], np.float32),
        "biases": np.array([-1.0, 0.5], np.float32),
    }
    if has_counts:
        heads["rates"] = random.normal(size=(len(POPULARITY), 2)).astype(np.float32)
    assert jax.tree.map(np.shape, params["impressions"]) == jax.tree.map(np.shape, heads)
    params = {**params, "impressions": heads}
    vectors = hk.without_apply_rng(hk.transform(objective._vectors)).apply
    users, posts = jax.jit(vectors)(params, inputs, rows)
    # Without what counts say, in which is how often a post is shown.
    angles = np.einsum("bd,bcd->bc", *(each[..., : config.emb_size] for each in (users, posts)))
    # The temperature begins at 0.1, and at 1 where counts are read.
    logits = heads["slopes"] * ((1 if has_counts else 10) * angles[..., None]) + heads["biases"]
    if has_counts:
        logits += popularity @ heads["rates"]
    is_shown = (np.arange(8) < 8 - drawn)[:, None]
    expected = 3 * losses.multi_label(logits, batch.labels, where=is_shown)
    value = jax.jit(objective.loss)(params, rows, batch)[0]
    without = jax.jit(plain.loss)(params, rows, batch)[0]
    np.testing.assert_allclose(value - without, expected, rtol=1e-4)


def test_recall_counts_the_positives_that_few_others_beat():
    objective = make(RETRIEVAL)
    inputs = model_inputs(WINDOWS, ACTIONS, RETRIEVAL)
    logits, is_positive = retrieval_parts(
        objective, train_batch(WINDOWS, inputs, len(ACTIONS), FREQUENCIES)
    )
    ids, found = WINDOWS.candidate_post_ids, []
    for row, liked in enumerate(is_positive):
        others = np.asarray(logits[row])[~np.isin(ids, ids[row]).ravel()]
        own = np.asarray(logits[row, row * 8 : row * 8 + 8])[liked]
        if liked.any():
            found.append(np.mean([np.sum(others >= x) < 10 for x in own]))
    observed = loss_of(objective, WINDOWS)[1]["recall_at_10"].values()
    assert observed["mean"] == pytest.approx(np.mean(found))


def test_who_may_have_liked_a_post_has_not_rejected_it():
    objective = make(
        RETRIEVAL, negatives={"hard_per_row": 3, "in_batch": False, "global_per_row": 0}
    )
    nothing = WINDOWS._replace(labels=np.zeros_like(WINDOWS.labels))
    one = nothing.labels.copy()
    one[:, 0] = 1
    rejected = nothing._replace(labels=one)
    unknown = np.zeros_like(one)
    unknown[:, 1:] = 1
    loss, _, _ = loss_of(objective, rejected)
    masked_loss, _, _ = loss_of(objective, rejected._replace(label_unknown_actions=unknown))
    assert loss > 0
    # Of no other post is it known that it was rejected: there is nothing to stand against.
    np.testing.assert_allclose(masked_loss, 0, atol=1e-6)


def test_a_post_that_its_user_reports_is_no_positive():
    objective = make(RETRIEVAL, positive_actions=["like"], negative_actions=["hide"])
    like, hide = np.uint64(1), np.uint64(2)
    window, place = np.argwhere(WINDOWS.labels & like)[0]
    without = WINDOWS.labels.copy()
    without[window, place] &= ~like
    posts = WINDOWS.candidate_post_ids.copy()
    # The same post once more in its window: shown again, and reported then.
    other = (place + 1) % posts.shape[1]
    posts[window, other] = posts[window, place]
    hashes = WINDOWS.candidate_post_hashes.copy()
    hashes[window, other] = hashes[window, place]
    repeated = WINDOWS._replace(candidate_post_ids=posts, candidate_post_hashes=hashes)
    for at in (place, other):
        reported = WINDOWS.labels.copy()
        reported[window, other] &= ~like
        reported[window, at] |= hide
        unliked = reported & ~(
            like * (np.indices(reported.shape)[0] == window) * (posts == posts[window, place])
        )
        loss = loss_of(objective, repeated._replace(labels=reported))[0]
        assert loss == loss_of(objective, repeated._replace(labels=unliked))[0]
        allowed = make(RETRIEVAL, positive_actions=["like"])
        assert loss != loss_of(allowed, repeated._replace(labels=reported))[0]
