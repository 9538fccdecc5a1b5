"""The ranker's forward pass against the plain one, at a few and at many candidates."""

from collections.abc import Iterator

import haiku as hk
import jax
import numpy as np

from benchmarks import plain_ranker
from benchmarks.measurement import Result, rates
from phoenix.grok import TransformerConfig
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.runners import create_example_batch

_NUM_HISTORY, _NUM_ACTIONS = 128, 19
MODEL = PhoenixModelConfig(
    model=TransformerConfig(
        emb_size=128,
        key_size=32,
        num_q_heads=4,
        num_kv_heads=4,
        num_layers=4,
        widening_factor=2.0,
        attn_output_multiplier=32**-0.5,
        candidate_positions="slot",
    ),
    emb_size=128,
    num_actions=_NUM_ACTIONS,
)


def results() -> Iterator[Result]:
    """Measures slates of the public size, and ones of the size of a retrieval."""
    for num_users, num_candidates in ((16, 32), (2, 512)):
        yield _result(num_users, num_candidates)


def _result(num_users: int, num_candidates: int) -> Result:
    batch, rows = create_example_batch(
        num_users, 128, _NUM_HISTORY, num_candidates, _NUM_ACTIONS, 2, 2, 2, 16
    )
    model = hk.without_apply_rng(hk.transform(lambda *inputs: MODEL.make()(*inputs).logits))
    params = model.init(jax.random.key(0), batch, rows)
    ours = jax.jit(model.apply)
    plain = jax.jit(lambda params, batch, rows: plain_ranker.logits(params, MODEL, batch, rows))
    inputs = jax.device_put((params, batch, rows))
    np.testing.assert_allclose(ours(*inputs), plain(*inputs), atol=2e-4)
    ours_rate, plain_rate = rates(
        lambda: ours(*inputs).block_until_ready(),
        lambda: plain(*inputs).block_until_ready(),
        amount=num_users,
        repeats=15,
    )
    return Result(
        name=f"ranker_forward_{num_candidates}_candidates",
        ours=ours_rate,
        peer=plain_rate,
        unit="users/s",
        note=f"peer: the public forward with a square mask; D 128, 4 layers, S {_NUM_HISTORY}, "
        f"B {num_users}",
    )
