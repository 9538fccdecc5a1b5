"""A batch in parts is the batch, and bfloat16 computes on float32 weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.data.negatives.known_posts import KnownPosts
from phoenix.data.windows import Windows
from tests.phoenix.planted import NUM_POSTS, RANKER, RETRIEVAL, author_of, runner, world

WINDOWS = world(128).windows
POSTS = np.arange(1, NUM_POSTS + 1)
KNOWN_POSTS = {0: KnownPosts.of(POSTS, author_of(POSTS), np.zeros(NUM_POSTS, np.int64))}
RANKER_OF_TIMES = dataclasses.replace(RANKER, num_continuous=1)


def ragged(num_windows: int) -> Windows:
    """Windows with 1 to 8 candidates, each of which stands for 1 to 5 impressions."""
    windows = world(num_windows).windows
    draw = np.random.default_rng(1)
    exists = np.arange(8) < draw.integers(1, 9, num_windows)[:, None]
    fields = {
        name: array * exists.reshape(*exists.shape, *[1] * (array.ndim - 2))
        for name, array in windows._asdict().items()
        if name.startswith(("candidate_", "label")) and array is not None
    }
    return windows._replace(
        **fields | {"label_dwell_seconds": 30 * draw.random(exists.shape).astype(np.float32)},
        label_weights=exists * draw.integers(1, 6, exists.shape).astype(np.float32),
    )


@pytest.mark.parametrize(
    ("config", "own"),
    [
        (RANKER, {}),
        (RANKER_OF_TIMES, {"losses": {"dwell": "squared_error", "popularity_power": 0.5}}),
        (
            RANKER_OF_TIMES,
            {
                "known_posts": KNOWN_POSTS,
                "negatives": {"drawn_per_window": 3},
                "losses": {"dwell": "squared_error", "popularity_power": 0.5},
            },
        ),
        (
            RETRIEVAL,
            {
                # What a row is compared with must not depend on the part in which it is.
                "negatives": {"in_batch": False, "hard_per_row": 2},
                "losses": {"impressions": 0.5},
            },
        ),
    ],
)
def test_parts_of_a_batch_of_ragged_slates_add_up_to_it(config, own):
    # The last batch has one window: three of its four parts are nothing but padding.
    windows = ragged(65)
    runs = []
    for k in (1, 4):
        # Plain descent: others forget how large a gradient is.
        optimizer = {"name": "sgd", "accumulation_steps": k}
        options = {
            "learning_rate": 0.1,
            "weight_decay": 0.0,
            "clip_norm": None,
            "curve": {"every_steps": 1},
        }
        runs.append(runner(config, windows, optimizer=optimizer, **options, **own).run())
    whole, parts = runs
    assert len(whole.curve) == 2
    for point, other in zip(whole.curve, parts.curve, strict=True):
        assert point.keys() == other.keys()
        for name, value in point.items():
            # Scores close to the edge of a bin may fall on its other side.
            rtol = 5e-3 if name.startswith(("auc", "dwell_xauc", "recall")) else 1e-4
            np.testing.assert_allclose(other[name], value, rtol=rtol, atol=1e-6, err_msg=name)
    for first, second in zip(
        jax.tree.leaves((whole.model.params, whole.model.tables)),
        jax.tree.leaves((parts.model.params, parts.model.tables)),
        strict=True,
    ):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=2e-5)


def test_bfloat16_computes_and_float32_learns():
    config = dataclasses.replace(RANKER, fprop_dtype="bfloat16")
    result = runner(config, WINDOWS, epochs=2, curve={"every_steps": 1}).run()
    leaves = jax.tree.leaves(result.model.params)
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]


def test_a_model_goes_on_with_a_loss_that_it_was_not_trained_by():
    start = runner(RETRIEVAL, WINDOWS).run().model
    assert "impressions" not in start.params
    result = runner(RETRIEVAL, WINDOWS, start=start, losses={"impressions": 0.5}).run()
    assert "impressions" in result.model.params
