"""The objective of the ranker: every action of what was shown, and how long users stay.

Glossary of shapes:
  B: batch, C: candidates, A: actions.
"""

from dataclasses import dataclass
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.data.windows import DWELL_SCALE_SECONDS
from phoenix.inputs.event_vectors import scaled_dwell
from phoenix.metrics.mergeable import Deviations, ScoreBins, Sums
from phoenix.nn.feature_gates import kept_shares
from phoenix.recsys_model import (
    PhoenixModelConfig,
    RecsysBatch,
    RecsysEmbeddings,
    RecsysModelOutput,
)
from phoenix.train import losses
from phoenix.train.batches import TrainBatch
from phoenix.train.loss_config import DwellLoss
from phoenix.train.objectives.labels import (
    candidate_mask,
    counted_labels,
    label_weights,
    shown_mask,
)
from phoenix.train.objectives.objective import Network, Observed

_RANKER_MODULE = "phoenix_model"


class RankingNorms(NamedTuple):
    """What the terms of the loss of a ranker are means over."""

    num_rows: int  # B
    labels: jax.Array  # weight of all labels that count
    impressions: jax.Array  # weight of all impressions
    smallest_logarithm: jax.Array  # of the shares of the posts, by which weights are scaled


@dataclass(frozen=True)
class RankingObjective:
    """The prediction of every action on real candidates, and of the time that users stay."""

    config: PhoenixModelConfig
    action_weights: tuple[float, ...]  # [A] at least 0
    focal_gammas: tuple[float, ...]  # [A] at least 0
    jrc_shares: tuple[float, ...]  # [A] in [0, 1]
    popularity_power: float = 0.0
    dwell: DwellLoss = "none"
    dwell_weight: float = 1.0
    num_drawn: int = 0  # the last candidates of each row: posts that were drawn and never shown

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of the ranker."""
        return Network(self._output).initial_params(seed, batch, rows)

    def norms(self, batch: TrainBatch) -> RankingNorms:
        """Returns the weights of a batch, by which its parts count."""
        exists, smallest = candidate_mask(batch), jnp.float32(0)
        if self.popularity_power:
            smallest = jnp.min(jnp.where(exists, batch.log_frequencies, 0.0))
        return self._norms(batch, exists, smallest)

    def _norms(
        self, batch: TrainBatch, exists: jax.Array, smallest_logarithm: jax.Array
    ) -> RankingNorms:
        """The weights of a part of a batch whose rarest post has a share with this logarithm."""
        weights = self._weights(batch, exists, smallest_logarithm)
        of_labels = weights[..., None] * np.array(self.action_weights, np.float32)
        is_counted = counted_labels(batch, exists)
        return RankingNorms(
            len(exists),
            losses.total_weight(batch.labels.shape, where=is_counted, weights=of_labels),
            losses.total_weight(
                exists.shape, where=shown_mask(exists, self.num_drawn), weights=weights
            ),
            smallest_logarithm,
        )

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: TrainBatch,
        norms: RankingNorms | None = None,
    ) -> tuple[jax.Array, Observed]:
        """See `losses.multi_label`; padded candidates do not count, nor do labels nobody knows.

        An impression is weighted by q ** -popularity_power, with q the share of its post in the
        log: a log shows popular posts most, and a feed must rank the others, too.
        Source: Yang et al. 2018, "Unbiased Offline Recommender Evaluation for Missing-Not-At-Random
        Implicit Feedback", section 3.2, with the observed share as the propensity.

        Where a log keeps a share of its impressions, each counts for those that it stands for, so
        that probabilities are those of the whole log.

        The dwell time is learned in units of 30 s, clipped to [0, 1]. Where the model has gates of
        features, `phoenix.nn.feature_gates` says what is added.
        """
        whole = self.norms(batch) if norms is None else norms
        output = Network(self._output).output(params, batch, rows)
        exists = candidate_mask(batch)
        own = self._norms(batch, exists, whole.smallest_logarithm)
        weights = self._weights(batch, exists, whole.smallest_logarithm)
        is_counted = counted_labels(batch, exists)
        value = self._action_loss(output.logits, batch.labels, is_counted, weights)
        value *= losses.share(own.labels, whole.labels)
        observed = _observed_actions(output.logits, batch, is_counted)
        if self.config.gated_features:
            penalty, gates = self._gate_penalty(params, whole.num_rows)
            part = own.num_rows / whole.num_rows
            value += penalty * part
            observed |= {name: share * part for name, share in gates.items()}
        if self.dwell != "none":
            error, dwell = self._dwell_loss(output.continuous, batch, exists, weights)
            error *= losses.share(own.impressions, whole.impressions)
            value += self.dwell_weight * error
            observed |= {"dwell_loss": error, "dwell": dwell}
        return value, observed

    def _weights(
        self, batch: TrainBatch, exists: jax.Array, smallest_logarithm: jax.Array
    ) -> jax.Array:
        """`[B, C]` by how much each impression counts: its window's weight over its propensity."""
        weights = jnp.asarray(batch.weights)[:, None] * label_weights(batch, exists)
        if self.popularity_power:
            # Means are weighted, so a common factor is free: no weight of a real post overflows.
            logarithms = jnp.where(exists, batch.log_frequencies, 0.0)
            weights *= jnp.exp(self.popularity_power * (smallest_logarithm - logarithms))
        return weights

    def _action_loss(
        self, logits: jax.Array, labels: np.ndarray, is_counted: jax.Array, weights: jax.Array
    ) -> jax.Array:
        return losses.multi_label(
            logits,
            labels,
            focal_gammas=np.array(self.focal_gammas, np.float32),
            jrc_shares=np.array(self.jrc_shares, np.float32),
            where=is_counted,
            weights=weights[..., None] * np.array(self.action_weights, np.float32),
        )

    def _gate_penalty(self, params: hk.Params, num_rows: int) -> tuple[jax.Array, Observed]:
        """The penalty of `phoenix.nn.feature_gates` for B rows, and the share each gate keeps."""
        shares = kept_shares(params[_RANKER_MODULE], self.config.gated_features)
        weight = self.config.variational_dropout / num_rows
        penalty = weight * sum(shares.values(), jnp.float32(0))
        return penalty, {f"kept_{group}": share for group, share in shares.items()}

    def _dwell_loss(
        self, times: jax.Array | None, batch: TrainBatch, exists: jax.Array, weights: jax.Array
    ) -> tuple[jax.Array, Deviations]:
        """The loss of `[B, C, 1]` predicted dwell times in units of 30 s, and their metrics."""
        assert times is not None  # `objective_of` checks that the model has the head.
        predictions, is_shown = times[..., 0], shown_mask(exists, self.num_drawn)
        error = losses.absolute_error if self.dwell == "absolute_error" else losses.squared_error
        targets = scaled_dwell(batch.dwell_seconds)
        value = error(predictions, targets, where=is_shown, weights=weights)
        deviations = Deviations.of(
            DWELL_SCALE_SECONDS * jnp.ravel(targets),
            DWELL_SCALE_SECONDS * jnp.ravel(predictions),
            jnp.ravel(is_shown * label_weights(batch, is_shown)),
            largest=DWELL_SCALE_SECONDS,
        )
        return value, deviations

    def _output(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> RecsysModelOutput:
        return self.config.make()(batch, rows)


def _observed_actions(logits: jax.Array, batch: TrainBatch, is_counted: jax.Array) -> Observed:
    """States of the metrics of all actions, over the labels that count."""
    counts = (
        is_counted if batch.label_weights is None else (is_counted * batch.label_weights[..., None])
    )
    predictions = jax.nn.sigmoid(logits.astype(jnp.float32))
    examples = [
        jnp.reshape(part, (-1, part.shape[-1]))
        for part in (batch.labels, predictions, jnp.broadcast_to(counts, logits.shape))
    ]
    return {"actions": Sums.of(*examples), "scores": ScoreBins.of(*examples)}
