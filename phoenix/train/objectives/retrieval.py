"""The objective of retrieval: a sampled softmax of two towers.

Glossary of shapes:
  B: batch, C: candidates, A: actions, D: vector size.
"""

from dataclasses import dataclass
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.engagement.rates import POPULARITY
from phoenix.metrics.mergeable import WeightedMean
from phoenix.recsys_model import RecsysBatch, RecsysEmbeddings
from phoenix.recsys_retrieval_model import (
    INITIAL_WEIGHT,
    TEMPERATURE,
    PhoenixRetrievalModelConfig,
)
from phoenix.train import losses
from phoenix.train.batches import TrainBatch
from phoenix.train.loss_config import NegativesConfig
from phoenix.train.objectives.labels import (
    candidate_mask,
    counted_labels,
    label_weights,
    shown_mask,
)
from phoenix.train.objectives.objective import Network, Observed

_IMPRESSIONS_MODULE = "impressions"
_INITIAL_TEMPERATURE = 0.1
# The logarithm of a post's rate, from the numbers of its popularity.
_RATE = np.array([{"engagement": 1.0, "recent_shown": -1.0}.get(name, 0.0) for name in POPULARITY])
_RECALL_AT = 10  # Of a positive against the negatives of its batch.


class _SoftmaxMasks(NamedTuple):
    """The masks of `losses.sampled_softmax`, by its names."""

    is_positive: jax.Array
    is_other: jax.Array
    is_negative: jax.Array | None


class RetrievalNorms(NamedTuple):
    """What the terms of the loss of retrieval are means over."""

    num_rows: int  # B
    positives: jax.Array  # weight of all rows with a positive
    labels: jax.Array  # weight of all labels of what was shown


@dataclass(frozen=True)
class RetrievalObjective:
    """Sampled softmax of the two towers: the engaged posts against those of other users."""

    config: PhoenixRetrievalModelConfig
    is_positive_action: tuple[bool, ...]  # [A]: a candidate with any of them is a positive,
    is_negative_action: tuple[bool, ...]  # [A]: unless the user did any of these on its post.
    negatives: NegativesConfig
    impressions_weight: float = 0.0  # At least 0: of the loss of all actions of what was shown.

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of both towers and of the losses."""
        params = Network(self._vectors).initial_params(seed, batch, rows)
        if self.impressions_weight:
            # At first every action is rare and speaks for a post; what does not is soon learned.
            ones = jnp.ones(len(self.is_positive_action))
            heads = {"slopes": ones / 2, "biases": -2 * ones}
            if self.config.has_counts:
                heads["rates"] = jnp.outer(_RATE, ones)
            params = {**params, _IMPRESSIONS_MODULE: heads}
        # What counts say, over the temperature, is a logarithm of engagements at first.
        initial = INITIAL_WEIGHT if self.config.has_counts else _INITIAL_TEMPERATURE
        return with_temperature(params, initial)

    def norms(self, batch: TrainBatch) -> RetrievalNorms:
        """Returns the weights of a batch, by which its parts count."""
        exists = candidate_mask(batch)
        where, weights = losses.softmax_rows(
            self._positives(batch, exists), batch.weights, batch.label_weights
        )
        is_counted, of_labels = self._counted_impressions(batch, exists)
        return RetrievalNorms(
            len(exists),
            losses.total_weight(where.shape, where=where, weights=weights),
            losses.total_weight(batch.labels.shape, where=is_counted, weights=of_labels),
        )

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: TrainBatch,
        norms: RetrievalNorms | None = None,
    ) -> tuple[jax.Array, Observed]:
        """See `losses.sampled_softmax`; posts are the same when all their hashes are.

        Posts drawn from the corpus are the last `global_per_row` candidates of each row.

        With `impressions_weight` w > 0 the angle s, over the temperature, also predicts each action
        a of all that was shown: w times `losses.multi_label` of slope_a * s + bias_a is added, with
        both learned, and where counts are read, of learned weights of them. The softmax alone
        learns from positives, and what was shown in vain says more. How often a post is shown is in
        the counts' own dimension and not in s: it says nothing of what follows once it is.

        A part of a batch has the posts of the part alone for negatives.
        """
        own = self.norms(batch)
        whole = own if norms is None else norms
        users, posts = self._float32_vectors(params, batch, rows)
        scores = users @ posts.reshape(-1, posts.shape[-1]).T  # [B, B * C]
        logits = losses.corrected_logits(
            scores,
            log_frequencies=batch.log_frequencies.reshape(-1),
            log_temperature=log_temperature_of(params),
        )
        masks = self._masks(batch, logits)
        value = losses.sampled_softmax(
            logits,
            **masks._asdict(),
            weights=batch.weights,
            positive_weights=batch.label_weights,
        )
        value *= losses.share(own.positives, whole.positives)
        if self.impressions_weight:
            error = self._impressions_loss(params, batch, (users, posts))
            value += self.impressions_weight * error * losses.share(own.labels, whole.labels)
        part = own.num_rows / whole.num_rows
        recall = losses.recall_in_batch(
            logits, masks.is_other, is_positive=masks.is_positive, k=_RECALL_AT
        )
        return value, {
            "temperature": jnp.exp(log_temperature_of(params)) * part,
            f"recall_at_{_RECALL_AT}": WeightedMean.of(recall),
        }

    def _float32_vectors(
        self, params: hk.Params, batch: TrainBatch, rows: RecsysEmbeddings
    ) -> tuple[jax.Array, jax.Array]:
        """`[B, V]` vectors of users and `[B, C, V]` of the candidates."""
        users, posts = Network(self._vectors).output(params, batch, rows)
        return users.astype(jnp.float32), posts.astype(jnp.float32)

    def _positives(self, batch: TrainBatch, exists: jax.Array) -> jax.Array:
        """`[B, C]` whether somebody engaged with a candidate, and did not report its post."""
        is_done = (jnp.asarray(batch.labels) > 0) & exists[..., None]
        is_engaged = jnp.any(is_done & np.array(self.is_positive_action), axis=-1)
        if not any(self.is_negative_action):
            return is_engaged
        is_reported = jnp.any(is_done & np.array(self.is_negative_action), axis=-1)
        keys = jnp.asarray(batch.inputs.candidate_post_hashes)
        return losses.without_posts(is_engaged, is_reported, keys)

    def _counted_impressions(
        self, batch: TrainBatch, exists: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """`[B, C, A or 1]` which labels of what was shown count, and `[B, C, 1]` their weights."""
        weights = jnp.asarray(batch.weights)[:, None] * label_weights(batch, exists)
        is_shown = shown_mask(exists, self.negatives.global_per_row)
        return counted_labels(batch, is_shown), weights[..., None]

    def _masks(self, batch: TrainBatch, logits: jax.Array) -> _SoftmaxMasks:
        exists, keys = candidate_mask(batch), jnp.asarray(batch.inputs.candidate_post_hashes)
        is_positive = self._positives(batch, exists)
        is_drawn = exists & ~shown_mask(exists, self.negatives.global_per_row)
        is_other = losses.negatives_of_others(keys, exists if self.negatives.in_batch else is_drawn)
        if not self.negatives.global_per_row and not self.negatives.hard_per_row:
            return _SoftmaxMasks(is_positive, is_other, None)
        is_rejected = exists & ~is_drawn & ~is_positive
        if batch.is_labelled is not None:
            # Who may have liked a post has not rejected it.
            is_rejected &= jnp.all(batch.is_labelled | ~np.array(self.is_positive_action), axis=-1)
        own = losses.own_logits(logits)
        is_hard = losses.hardest(own, is_rejected, self.negatives.hard_per_row)
        is_negative = losses.without_posts(is_drawn | is_hard, is_positive, keys)
        return _SoftmaxMasks(is_positive, is_other, is_negative)

    def _impressions_loss(
        self, params: hk.Params, batch: TrainBatch, vectors: tuple[jax.Array, jax.Array]
    ) -> jax.Array:
        heads, size = params[_IMPRESSIONS_MODULE], self.config.learned_size
        is_counted, weights = self._counted_impressions(batch, candidate_mask(batch))
        users, posts = (each[..., :size] for each in vectors)
        angles = jnp.einsum("bd,bcd->bc", users, posts)
        angles /= losses.temperature(log_temperature_of(params))
        logits = angles[..., None] * heads["slopes"] + heads["biases"]
        if self.config.has_counts:
            logits += jnp.asarray(batch.inputs.candidate_popularity) @ heads["rates"]
        return losses.multi_label(logits, batch.labels, where=is_counted, weights=weights)

    def _vectors(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> tuple[jax.Array, jax.Array]:
        model = self.config.make()
        users, _ = model.build_user_representation(batch, rows)
        posts, _ = model.build_candidate_representation(batch, rows)
        return users, posts


def with_temperature(params: hk.Params, initial: float = _INITIAL_TEMPERATURE) -> hk.Params:
    """Returns `params` with the learned temperature of a softmax over cosines, at its start."""
    logarithm = jnp.log(jnp.asarray(initial, jnp.float32))
    return {**params, TEMPERATURE: {"log_temperature": logarithm}}


def log_temperature_of(params: hk.Params) -> jax.Array:
    """Returns the logarithm of the temperature that `with_temperature` added."""
    return jnp.asarray(params[TEMPERATURE]["log_temperature"])
