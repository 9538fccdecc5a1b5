"""What each model is trained for: its forward pass in training and its loss.

Glossary of shapes:
  B: batch, C: candidates, A: actions, D: vector size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix import losses
from phoenix.batches import TrainBatch
from phoenix.config import check
from phoenix.feature_gates import kept_shares
from phoenix.inputs import scaled_dwell
from phoenix.loss_config import DwellLoss, NegativesConfig
from phoenix.mergeable_metrics import Deviations, ScoreBins, Sums, WeightedMean
from phoenix.model_runners import ModelConfig
from phoenix.recsys_model import (
    PhoenixModelConfig,
    RecsysBatch,
    RecsysEmbeddings,
    RecsysModelOutput,
)
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train_config import RankerTrainConfig, RetrievalTrainConfig, TrainConfig, settings_for
from phoenix.windows import DWELL_SCALE_SECONDS, check_actions, positive_bits, unpack_actions

_TEMPERATURE_MODULE = "sampled_softmax"
_IMPRESSIONS_MODULE = "impressions"
_INITIAL_TEMPERATURE = 0.1
_RANKER_MODULE = "phoenix_model"
_RECALL_AT = 10  # Of a positive against the negatives of its batch.


# Scalars to log as they are, and states of `phoenix.mergeable_metrics` to be added up.
Observed = Mapping[str, Any]


class Objective(Protocol):
    """A model with its loss, as pure functions of parameters and looked-up rows; hashable."""

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns trainable initial parameters; only the shapes of the arrays matter."""
        ...

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: Any,  # noqa: ANN401 - every objective has batches of its own kind
    ) -> tuple[jax.Array, Observed]:
        """Returns the float32 loss of a batch of the objective's kind, and what it observed."""
        ...


@dataclass(frozen=True)
class RankingObjective:
    """What users do with real candidates, per action, and how long they stay."""

    config: PhoenixModelConfig
    action_weights: tuple[float, ...]  # [A] at least 0
    focal_gammas: tuple[float, ...]  # [A] at least 0
    jrc_shares: tuple[float, ...]  # [A] in [0, 1]
    popularity_power: float = 0.0
    dwell: DwellLoss = "none"
    dwell_weight: float = 1.0

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of the ranker."""
        return jax.jit(hk.transform(self._output).init)(jax.random.key(seed), batch, rows)

    def loss(
        self, params: hk.Params, rows: RecsysEmbeddings, batch: TrainBatch
    ) -> tuple[jax.Array, Observed]:
        """See `losses.multi_label`; padded candidates do not count.

        An impression is weighted by q ** -popularity_power, with q the share of its post in the
        log: a log shows popular posts most, and a feed must rank the others, too.
        Source: Yang et al. 2018, "Unbiased Offline Recommender Evaluation for Missing-Not-At-Random
        Implicit Feedback", section 3.2, with the observed share as the propensity.

        The dwell time is learned in units of 30 s, clipped to [0, 1]. Where the model has gates of
        features, `phoenix.feature_gates` says what is added.
        """
        key = None if batch.seeds is None else jax.random.key(batch.seeds[0])
        output = hk.transform(self._output).apply(params, key, batch.inputs, rows)
        exists = _candidate_mask(batch)
        weights = jnp.broadcast_to(batch.weights[:, None], exists.shape)
        if self.popularity_power:
            # Means are weighted, so a common factor is free: no weight of a real post overflows.
            logarithms = jnp.where(exists, batch.log_frequencies, 0.0)
            weights *= jnp.exp(self.popularity_power * (jnp.min(logarithms) - logarithms))
        value = losses.multi_label(
            output.logits,
            batch.labels,
            focal_gammas=np.array(self.focal_gammas, np.float32),
            jrc_shares=np.array(self.jrc_shares, np.float32),
            where=exists[..., None],
            weights=weights[..., None] * np.array(self.action_weights, np.float32),
        )
        counted = jnp.broadcast_to(exists[..., None], output.logits.shape)
        examples = [
            jnp.reshape(part, (-1, part.shape[-1]))
            for part in (batch.labels, jax.nn.sigmoid(output.logits.astype(jnp.float32)), counted)
        ]
        observed: dict[str, Any] = {
            "actions": Sums.of(*examples),
            "scores": ScoreBins.of(*examples),
        }
        if self.config.gated_features:
            kept = kept_shares(params[_RANKER_MODULE], self.config.gated_features)
            share = self.config.variational_dropout / len(exists)
            value += share * sum(kept.values(), jnp.float32(0))
            observed |= {f"kept_{group}": kept_share for group, kept_share in kept.items()}
        if self.dwell == "none":
            return value, observed
        error = losses.absolute_error if self.dwell == "absolute_error" else losses.squared_error
        targets = scaled_dwell(batch.dwell_seconds)
        predicted = output.continuous[..., 0]
        dwell = error(predicted, targets, where=exists, weights=weights)
        observed["dwell_loss"] = dwell
        observed["dwell"] = Deviations.of(
            DWELL_SCALE_SECONDS * jnp.ravel(targets),
            DWELL_SCALE_SECONDS * jnp.ravel(predicted),
            jnp.ravel(exists),
            largest=DWELL_SCALE_SECONDS,
        )
        return value + self.dwell_weight * dwell, observed

    def _output(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> RecsysModelOutput:
        return self.config.make()(batch, rows)


@dataclass(frozen=True)
class RetrievalObjective:
    """Sampled softmax of the two towers: the engaged posts against those of other users."""

    config: PhoenixRetrievalModelConfig
    is_positive_action: tuple[bool, ...]  # [A]: a candidate with any of them is a positive
    negatives: NegativesConfig
    impressions_weight: float = 0.0  # At least 0: of the loss of all actions of what was shown.

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of both towers and of the losses."""
        params = jax.jit(hk.transform(self._vectors).init)(jax.random.key(seed), batch, rows)
        if self.impressions_weight:
            # At first every action is rare and speaks for a post; what does not is soon learned.
            ones = jnp.ones(len(self.is_positive_action))
            params = {**params, _IMPRESSIONS_MODULE: {"slopes": ones / 2, "biases": -2 * ones}}
        return with_temperature(params)

    def loss(
        self, params: hk.Params, rows: RecsysEmbeddings, batch: TrainBatch
    ) -> tuple[jax.Array, Observed]:
        """See `losses.sampled_softmax`; posts are the same when all their hashes are.

        Posts drawn from the corpus are the last `global_per_row` candidates of each row.

        With `impressions_weight` w > 0 the score s, over the temperature, also predicts each action
        a of all that was shown: w times `losses.multi_label` of slope_a * s + bias_a is added, with
        both learned. The softmax alone learns from positives, and what was shown in vain says more.
        """
        transformed = hk.without_apply_rng(hk.transform(self._vectors))
        users, posts = transformed.apply(params, batch.inputs, rows)
        log_temperature = log_temperature_of(params)
        flat_posts = posts.reshape(-1, posts.shape[-1]).astype(jnp.float32)
        scores = users.astype(jnp.float32) @ flat_posts.T
        logits = losses.corrected_logits(
            scores,
            log_frequencies=batch.log_frequencies.reshape(-1),
            log_temperature=log_temperature,
        )
        exists, keys = _candidate_mask(batch), jnp.asarray(batch.inputs.candidate_post_hashes)
        is_chosen = (batch.labels > 0) & np.array(self.is_positive_action)
        is_positive = exists & jnp.any(is_chosen, axis=-1)
        num_shown = keys.shape[1] - self.negatives.global_per_row
        is_drawn = exists & (np.arange(keys.shape[1]) >= num_shown)
        is_other = losses.negatives_of_others(keys, exists if self.negatives.in_batch else is_drawn)
        is_negative = None
        if self.negatives.global_per_row or self.negatives.hard_per_row:
            is_rejected = exists & ~is_drawn & ~is_positive
            own = losses.own_logits(logits)
            is_hard = losses.hardest(own, is_rejected, self.negatives.hard_per_row)
            is_negative = losses.own_negatives(keys, is_drawn | is_hard, is_positive)
        value = losses.sampled_softmax(
            logits,
            is_positive=is_positive,
            is_other=is_other,
            is_negative=is_negative,
            weights=batch.weights,
        )
        if self.impressions_weight:
            learned = params[_IMPRESSIONS_MODULE]
            own = losses.own_logits(scores) / losses.temperature(log_temperature)
            value += self.impressions_weight * losses.multi_label(
                own[..., None] * learned["slopes"] + learned["biases"],
                batch.labels,
                where=(exists & ~is_drawn)[..., None],
                weights=batch.weights[:, None, None],
            )
        found = losses.recall_in_batch(logits, is_other, is_positive=is_positive, k=_RECALL_AT)
        return value, {
            "temperature": jnp.exp(log_temperature),
            f"recall_at_{_RECALL_AT}": WeightedMean.of(found),
        }

    def _vectors(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> tuple[jax.Array, jax.Array]:
        model = self.config.make()
        users, _ = model.build_user_representation(batch, rows)
        posts, _ = model.build_candidate_representation(batch, rows)
        return users, posts


def objective_of(
    config: ModelConfig, actions: Sequence[str], train_config: TrainConfig
) -> Objective:
    """Returns the objective that belongs to the model of `config`.

    Args:
      config: Of the ranker or the retrieval model.
      actions: The names of the A actions, in the order of the bits.
      train_config: Its losses.

    Raises:
      ConfigError: If the settings are those of the other model, or the ranker has another number
        of continuous heads than its loss needs.
      ValueError: If an action is unknown, or the ranker's number of actions differs.
    """
    if not isinstance(config, PhoenixModelConfig):
        settings = settings_for(RetrievalTrainConfig, train_config)
        bits = positive_bits(actions, settings.positive_actions)
        is_positive = unpack_actions(np.array(bits), len(actions)) > 0
        return RetrievalObjective(
            config,
            tuple(is_positive.tolist()),
            settings.negatives,
            settings.losses.impressions,
        )
    ranking = settings_for(RankerTrainConfig, train_config).losses
    named = (ranking.action_weights, ranking.focal_gammas, ranking.jrc_shares)
    check_actions(set().union(*named), actions)
    if config.num_actions != len(actions):
        raise ValueError(
            f"The ranker predicts {config.num_actions} actions, but the action list has "
            f"{len(actions)}: {list(actions)}."
        )
    num_heads = int(ranking.dwell != "none")
    check(
        config.num_continuous == num_heads,
        "PhoenixModelConfig.num_continuous",
        expected=f"{num_heads} where `losses.dwell` is {ranking.dwell!r}",
        got=config.num_continuous,
    )
    return RankingObjective(
        config,
        action_weights=tuple(ranking.action_weights.get(action, 1.0) for action in actions),
        focal_gammas=tuple(ranking.focal_gammas.get(action, 0.0) for action in actions),
        jrc_shares=tuple(ranking.jrc_shares.get(action, 0.0) for action in actions),
        popularity_power=ranking.popularity_power,
        dwell=ranking.dwell,
        dwell_weight=ranking.dwell_weight,
    )


def with_temperature(params: hk.Params) -> hk.Params:
    """Returns `params` with the learned temperature of a softmax over cosines, at its start."""
    initial = jnp.log(jnp.asarray(_INITIAL_TEMPERATURE, jnp.float32))
    return {**params, _TEMPERATURE_MODULE: {"log_temperature": initial}}


def log_temperature_of(params: hk.Params) -> jax.Array:
    """Returns the logarithm of the temperature that `with_temperature` added."""
    return jnp.asarray(params[_TEMPERATURE_MODULE]["log_temperature"])


def _candidate_mask(batch: TrainBatch) -> jax.Array:
    return jnp.asarray(batch.inputs.candidate_post_hashes)[..., 0] != 0
