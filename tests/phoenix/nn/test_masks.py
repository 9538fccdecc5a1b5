"""Masks equal their definition, and blocks compute what the causal one shows."""

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from phoenix.nn.masks import attention_bias, causal_blocks, make_recsys_attn_mask
from tests.phoenix.reference_model import square_mask


@settings(deadline=None, max_examples=25)
@given(num_context=st.integers(1, 9), num_candidates=st.integers(0, 9))
def test_mask_matches_its_definition(num_context: int, num_candidates: int) -> None:
    mask = make_recsys_attn_mask(num_context + num_candidates, num_context)
    np.testing.assert_array_equal(mask[0, 0], square_mask(num_context, num_candidates))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
def test_mask_has_the_requested_dtype(dtype: jnp.dtype) -> None:
    assert make_recsys_attn_mask(10, 5, dtype).dtype == dtype
    assert make_recsys_attn_mask(10, 5, dtype).shape == (1, 1, 10, 10)


def test_whatever_is_not_zero_is_visible() -> None:
    np.testing.assert_array_equal(attention_bias([2.0, 0.0, -1.0]), np.float32([0, -1e30, 0]))


def test_causal_blocks_are_even_and_leave_out_what_is_later() -> None:
    for length in range(1, 300):
        blocks = causal_blocks(length)
        assert [end for _, end in blocks[:-1]] == [start for start, _ in blocks[1:]]
        assert (blocks[0][0], blocks[-1][1]) == (0, length)
        sizes = [end - start for start, end in blocks]
        assert max(sizes) - min(sizes) <= 1
    assert sum((end - start) * end for start, end in causal_blocks(129)) == 129**2 * 2 // 3
