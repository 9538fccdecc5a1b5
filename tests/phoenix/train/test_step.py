"""A batch in parts is the batch, and bfloat16 computes on float32 weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from tests.phoenix.planted import RANKER, runner, world

WINDOWS = world(128).windows


def test_accumulated_parts_change_the_weights_as_the_whole_batch_does():
    whole, parts = (
        runner(
            RANKER, WINDOWS, optimizer={"accumulation_steps": k}, input={"shuffle_windows": 64}
        ).run()
        for k in (1, 4)
    )
    for first, second in zip(
        jax.tree.leaves((whole.model.params, whole.model.tables)),
        jax.tree.leaves((parts.model.params, parts.model.tables)),
        strict=True,
    ):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=2e-5)
    assert parts.curve[0]["loss"] == np.float32(parts.curve[0]["loss"])
    np.testing.assert_allclose(whole.curve[0]["loss"], parts.curve[0]["loss"], rtol=1e-5)


def test_bfloat16_computes_and_float32_learns():
    config = dataclasses.replace(RANKER, fprop_dtype="bfloat16")
    result = runner(config, WINDOWS, epochs=2, curve={"every_steps": 1}).run()
    leaves = jax.tree.leaves(result.model.params)
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]
