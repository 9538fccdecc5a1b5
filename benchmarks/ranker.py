"""The ranker forward, against the plain model and against the machine's matrix peak.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, L: layers, F: feed-forward width.
"""

from collections.abc import Callable, Iterator
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import plain_ranker
from benchmarks.measurement import Result, rates
from phoenix.grok import TransformerConfig
from phoenix.memory import keep_freed_memory
from phoenix.nn.layers import ffn_size
from phoenix.recsys_model import PhoenixModelConfig, RecsysBatch, RecsysEmbeddings
from phoenix.runners import create_example_batch

_NUM_HISTORY, _NUM_ACTIONS, _NUM_HASHES = 128, 19, 2
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
_PEAK_SIZE = 2048

Inputs = tuple[hk.Params, RecsysBatch, RecsysEmbeddings]
Logits = Callable[[hk.Params, RecsysBatch, RecsysEmbeddings], jax.Array]


def results() -> Iterator[Result]:
    """Measures slates from the public size to that of a retrieval."""
    keep_freed_memory()  # As the steps that rank, and for the peer as well.
    yield from _forward(16, 32, goal=1.5, share_goal=0.4)
    yield from _forward(16, 256, goal=2.0)
    yield from _forward(1, 1024, goal=4.0)


def useful_operations(num_candidates: int) -> float:
    """Multiplications and additions that one user's logits need, matrix products alone.

    Of the last layer the context needs keys and values only; of causal attention, half the square.
    """
    trunk, size = MODEL.model, MODEL.emb_size
    context, num_heads = 1 + _NUM_HISTORY, trunk.num_q_heads
    inner = num_heads * trunk.key_size
    projections = 2 * 3 * size * inner  # of queries, keys and values, per token
    layer = projections + 2 * inner * size + 2 * 3 * size * ffn_size(size, trunk.widening_factor)
    pair = 2 * 2 * inner  # logit and weighted value
    encode = (trunk.num_layers - 1) * (context * layer + pair * context * (context + 1) / 2)
    encode += context * projections * 2 / 3
    score = trunk.num_layers * num_candidates * (layer + pair * (context + 1))
    # Actions and surfaces are narrow: their tables are projected once, not every token.
    narrow = MODEL.product_surface_vocab_size
    history_token = 2 * size * (2 * _NUM_HASHES * size + narrow + _NUM_ACTIONS)
    candidate_token = 2 * size * (2 * _NUM_HASHES * size + narrow)
    inputs = _NUM_HISTORY * history_token + num_candidates * candidate_token
    return encode + score + inputs + 2 * num_candidates * size * _NUM_ACTIONS


def _forward(
    num_users: int, num_candidates: int, *, goal: float, share_goal: float | None = None
) -> Iterator[Result]:
    slate = inputs(num_users, num_candidates)
    ours, plain = jax.jit(logits), jax.jit(plain_logits)
    np.testing.assert_allclose(ours(*slate), plain(*slate), atol=2e-4)
    name = f"ranker_forward_{num_candidates}_candidates"
    result = against_plain(name, ours, plain, slate, goal=goal)
    yield result
    if share_goal is not None:
        operations = useful_operations(num_candidates)
        yield against_peak(name, result.ours * operations, goal=share_goal)


def inputs(num_users: int, num_candidates: int) -> Inputs:
    """Initial weights, and random users with as many candidates each, on the device."""
    batch, rows = create_example_batch(
        num_users,
        MODEL.emb_size,
        _NUM_HISTORY,
        num_candidates,
        _NUM_ACTIONS,
        *(_NUM_HASHES, _NUM_HASHES, _NUM_HASHES),
        product_surface_vocab_size=MODEL.product_surface_vocab_size,
    )
    params = hk.transform(_apply).init(jax.random.key(0), batch, rows)
    return jax.device_put((params, batch, rows))


def _apply(batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
    return MODEL.make()(batch, rows).logits


def logits(params: hk.Params, batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
    """Ours, `[B, C, A]`."""
    return hk.without_apply_rng(hk.transform(_apply)).apply(params, batch, rows)


def plain_logits(params: hk.Params, batch: RecsysBatch, rows: RecsysEmbeddings) -> jax.Array:
    """The peer's, `[B, C, A]`, from the same weights."""
    return plain_ranker.logits(params, MODEL, batch, rows)


def against_plain(
    name: str, ours: Callable[..., Any], plain: Callable[..., Any], inputs: Inputs, *, goal: float
) -> Result:
    """Users per second of both, taking turns."""
    num_users = jnp.shape(inputs[1].user_hashes)[0]
    ours_rate, plain_rate = rates(
        lambda: jax.block_until_ready(ours(*inputs)),
        lambda: jax.block_until_ready(plain(*inputs)),
        amount=num_users,
    )
    note = (
        f"peer: the public model with a square mask; D {MODEL.emb_size}, "
        f"{MODEL.model.num_layers} layers, S {_NUM_HISTORY}, B {num_users}; the goal is {goal}"
    )
    return Result(name=name, ours=ours_rate, peer=plain_rate, unit="users/s", note=note)


def against_peak(name: str, operations_per_second: float, *, goal: float) -> Result:
    """The operations as a share of what a large matrix product reaches."""
    square = jnp.ones((_PEAK_SIZE, _PEAK_SIZE))
    product = jax.jit(jnp.dot)
    peak, _ = rates(
        lambda: product(square, square).block_until_ready(),
        lambda: None,
        amount=2 * _PEAK_SIZE**3,
    )
    note = f"peer: a float32 product of {_PEAK_SIZE} x {_PEAK_SIZE} matrices; the goal is {goal}"
    return Result(
        name=f"{name}_share_of_peak",
        ours=operations_per_second / 1e9,
        peer=peak / 1e9,
        unit="G useful operations/s",
        note=note,
    )
