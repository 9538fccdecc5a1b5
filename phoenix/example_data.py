"""Dummy and example inputs of the models, without a log and without tables.

Dummy data (all zero) gives the shapes that initialise parameters; example data is random and
reproducible, for demonstrations and tests.

Glossary of shapes:
  B: batch, S: history, C: candidates, D: model width, A: actions, N: corpus,
  nu, ni, na: hashes per user, post (item) and author.
"""

import numpy as np

from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.inputs.config import HashConfig

EXAMPLE_SEED = 42
EXAMPLE_ACTION_THRESHOLD = 0.7
EPSILON = 1e-12


def create_dummy_batch_from_config(
    hash_config: HashConfig,
    history_len: int,
    num_candidates: int,
    num_actions: int,
    batch_size: int = 1,
) -> RecsysBatch:
    """An all-zero batch: unknown users, empty histories, padded candidates.

    Args:
      hash_config: Hashes per id.
      history_len: S.
      num_candidates: C.
      num_actions: A.
      batch_size: B.
    """
    history, candidates = (batch_size, history_len), (batch_size, num_candidates)
    items, authors = hash_config.num_item_hashes, hash_config.num_author_hashes
    return RecsysBatch(
        user_hashes=np.zeros((batch_size, hash_config.num_user_hashes), np.int32),
        history_post_hashes=np.zeros((*history, items), np.int32),
        history_author_hashes=np.zeros((*history, authors), np.int32),
        history_actions=np.zeros((*history, num_actions), np.float32),
        history_product_surface=np.zeros(history, np.int32),
        candidate_post_hashes=np.zeros((*candidates, items), np.int32),
        candidate_author_hashes=np.zeros((*candidates, authors), np.int32),
        candidate_product_surface=np.zeros(candidates, np.int32),
    )


def create_dummy_embeddings_from_config(
    hash_config: HashConfig,
    emb_size: int,
    history_len: int,
    num_candidates: int,
    batch_size: int = 1,
) -> RecsysEmbeddings:
    """All-zero table rows for `create_dummy_batch_from_config` of the same sizes; float32."""
    items, authors = hash_config.num_item_hashes, hash_config.num_author_hashes

    def zeros(*shape: int) -> np.ndarray:
        """Rows `[B, ..., D]` of zeros."""
        return np.zeros((batch_size, *shape, emb_size), np.float32)

    return RecsysEmbeddings(
        user_embeddings=zeros(hash_config.num_user_hashes),
        history_post_embeddings=zeros(history_len, items),
        candidate_post_embeddings=zeros(num_candidates, items),
        history_author_embeddings=zeros(history_len, authors),
        candidate_author_embeddings=zeros(num_candidates, authors),
    )


def create_example_batch(  # noqa: PLR0913 - the public signature
    batch_size: int,
    emb_size: int,
    history_len: int,
    num_candidates: int,
    num_actions: int,
    num_user_hashes: int = 2,
    num_item_hashes: int = 2,
    num_author_hashes: int = 2,
    product_surface_vocab_size: int = 16,
    num_user_embeddings: int = 100_000,
    num_post_embeddings: int = 100_000,
    num_author_embeddings: int = 100_000,
) -> tuple[RecsysBatch, RecsysEmbeddings]:
    """A random batch, always the same: histories of half to full length, padded at the end.

    Args:
      batch_size: B.
      emb_size: D.
      history_len: S.
      num_candidates: C.
      num_actions: A; each action happened with probability 0.3.
      num_user_hashes: nu.
      num_item_hashes: ni.
      num_author_hashes: na.
      product_surface_vocab_size: Surfaces are drawn below it.
      num_user_embeddings: User hashes are drawn from 1 to below it; likewise the next two.
      num_post_embeddings: Of posts.
      num_author_embeddings: Of authors.
    """
    generator = np.random.default_rng(EXAMPLE_SEED)
    history, candidates = (batch_size, history_len), (batch_size, num_candidates)

    def hashes(num_rows: int, *shape: int) -> np.ndarray:
        """Random rows of a table, never that of padding."""
        return generator.integers(1, num_rows, size=shape).astype(np.int32)

    def padded_hashes(num_rows: int, num_hashes: int) -> np.ndarray:
        """Random rows `[B, S, num_hashes]`, from a random event on those of padding."""
        ids = hashes(num_rows, *history, num_hashes)
        # One draw per user, not one for all: the public example draws them like this.
        for user in range(batch_size):
            ids[user, generator.integers(history_len // 2, history_len + 1) :] = 0
        return ids

    def surfaces(*shape: int) -> np.ndarray:
        """Random product surfaces."""
        return generator.integers(0, product_surface_vocab_size, size=shape).astype(np.int32)

    def rows(*shape: int) -> np.ndarray:
        """Random rows `[..., D]` in place of those of a table."""
        return generator.normal(size=(*shape, emb_size)).astype(np.float32)

    # The order of the draws below is that of the public example, so that the values are, too.
    batch = RecsysBatch(
        user_hashes=hashes(num_user_embeddings, batch_size, num_user_hashes),
        history_post_hashes=padded_hashes(num_post_embeddings, num_item_hashes),
        history_author_hashes=padded_hashes(num_author_embeddings, num_author_hashes),
        history_actions=(
            generator.random(size=(*history, num_actions)) > EXAMPLE_ACTION_THRESHOLD
        ).astype(np.float32),
        history_product_surface=surfaces(*history),
        candidate_post_hashes=hashes(num_post_embeddings, *candidates, num_item_hashes),
        candidate_author_hashes=hashes(num_author_embeddings, *candidates, num_author_hashes),
        candidate_product_surface=surfaces(*candidates),
    )
    return batch, RecsysEmbeddings(
        user_embeddings=rows(batch_size, num_user_hashes),
        history_post_embeddings=rows(*history, num_item_hashes),
        candidate_post_embeddings=rows(*candidates, num_item_hashes),
        history_author_embeddings=rows(*history, num_author_hashes),
        candidate_author_embeddings=rows(*candidates, num_author_hashes),
    )


def create_example_corpus(
    corpus_size: int, emb_size: int, seed: int = 123
) -> tuple[np.ndarray, np.ndarray]:
    """A random corpus: unit vectors `[N, D]` float32 and post ids `[N]` int64, 0 to N - 1."""
    vectors = np.random.default_rng(seed).normal(size=(corpus_size, emb_size)).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, EPSILON), np.arange(corpus_size, dtype=np.int64)
