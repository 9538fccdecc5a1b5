"""The objective of each model: its forward pass in training and its loss.

Glossary of shapes:
  B: batch, C: candidates, A: actions, D: vector size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from phoenix.config import check
from phoenix.data.windows import DWELL_SCALE_SECONDS, check_actions, positive_bits, unpack_actions
from phoenix.inputs.event_vectors import scaled_dwell
from phoenix.metrics.mergeable import Deviations, ScoreBins, Sums, WeightedMean
from phoenix.model_runners import ModelConfig
from phoenix.nn.feature_gates import kept_shares
from phoenix.recsys_model import (
    PhoenixModelConfig,
    RecsysBatch,
    RecsysEmbeddings,
    RecsysModelOutput,
)
from phoenix.recsys_retrieval_model import INITIAL_WEIGHT, PhoenixRetrievalModelConfig
from phoenix.train import losses
from phoenix.train.batches import TrainBatch
from phoenix.train.config import RankerTrainConfig, RetrievalTrainConfig, TrainConfig, settings_for
from phoenix.train.loss_config import DwellLoss, NegativesConfig

_TEMPERATURE_MODULE = "sampled_softmax"
_IMPRESSIONS_MODULE = "impressions"
_INITIAL_TEMPERATURE = 0.1
_RANKER_MODULE = "phoenix_model"
_RECALL_AT = 10  # Of a positive against the negatives of its batch.


# Scalars to log as they are, and states of `phoenix.metrics.mergeable` to be added up.
Observed = dict[str, Any]
Output = TypeVar("Output")


class SeededBatch(Protocol):
    """The part of a batch that a forward pass reads."""

    @property
    def inputs(self) -> RecsysBatch:
        """The inputs of the model."""
        ...

    @property
    def seeds(self) -> np.ndarray | None:
        """`[B]` uint32, all equal: of what is dropped; None drops nothing."""
        ...


class Objective(Protocol):
    """A model with its loss, as pure functions of parameters and looked-up rows; hashable."""

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns trainable initial parameters; only the shapes of the arrays matter."""
        ...

    def norms(self, batch: Any) -> Any:  # noqa: ANN401 - every objective has its own kinds
        """Returns what the terms of the loss are means over; it takes no parameter to know that."""
        ...

    def loss(
        self,
        params: hk.Params,
        rows: RecsysEmbeddings,
        batch: Any,  # noqa: ANN401 - every objective has batches of its own kind
        norms: Any = None,  # noqa: ANN401
    ) -> tuple[jax.Array, Observed]:
        """Returns the float32 loss of a batch of the objective's kind, and what it observed.

        With the norms of a larger batch it is a part of that: over the parts, losses, gradients and
        all that is observed add up to those of the batch.
        """
        ...


@dataclass(frozen=True)
class Network(Generic[Output]):
    """The modules of a model as pure functions of parameters and looked-up rows."""

    function: Callable[[RecsysBatch, RecsysEmbeddings], Output]  # Makes the modules.

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns initial parameters; only the shapes of the arrays matter."""
        return jax.jit(self._pure.init)(jax.random.key(seed), batch, rows)

    def output(self, params: hk.Params, batch: SeededBatch, rows: RecsysEmbeddings) -> Output:
        """Returns the output for a batch of training, of which features may be dropped."""
        # All seeds are equal: rows stand for the batch, so that it can be split over devices.
        key = None if batch.seeds is None else jax.random.key(batch.seeds[0])
        return self._pure.apply(params, key, batch.inputs, rows)

    @property
    def _pure(self) -> hk.Transformed:
        return hk.transform(self.function)


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
        exists, smallest = _candidate_mask(batch), jnp.float32(0)
        if self.popularity_power:
            smallest = jnp.min(jnp.where(exists, batch.log_frequencies, 0.0))
        return self._norms(batch, exists, smallest)

    def _norms(
        self, batch: TrainBatch, exists: jax.Array, smallest_logarithm: jax.Array
    ) -> RankingNorms:
        """The weights of a part of a batch whose rarest post has a share with this logarithm."""
        weights = self._weights(batch, exists, smallest_logarithm)
        of_labels = weights[..., None] * np.array(self.action_weights, np.float32)
        is_counted = _counted_labels(batch, exists)
        return RankingNorms(
            len(exists),
            losses.total_weight(batch.labels.shape, where=is_counted, weights=of_labels),
            losses.total_weight(
                exists.shape, where=_is_shown(exists, self.num_drawn), weights=weights
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
        exists = _candidate_mask(batch)
        own = self._norms(batch, exists, whole.smallest_logarithm)
        weights = self._weights(batch, exists, whole.smallest_logarithm)
        is_counted = _counted_labels(batch, exists)
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
        weights = jnp.asarray(batch.weights)[:, None] * _label_weights(batch, exists)
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
        predictions, is_shown = times[..., 0], _is_shown(exists, self.num_drawn)
        error = losses.absolute_error if self.dwell == "absolute_error" else losses.squared_error
        targets = scaled_dwell(batch.dwell_seconds)
        value = error(predictions, targets, where=is_shown, weights=weights)
        deviations = Deviations.of(
            DWELL_SCALE_SECONDS * jnp.ravel(targets),
            DWELL_SCALE_SECONDS * jnp.ravel(predictions),
            jnp.ravel(is_shown * _label_weights(batch, is_shown)),
            largest=DWELL_SCALE_SECONDS,
        )
        return value, deviations

    def _output(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> RecsysModelOutput:
        return self.config.make()(batch, rows)


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
    is_positive_action: tuple[bool, ...]  # [A]: a candidate with any of them is a positive
    negatives: NegativesConfig
    impressions_weight: float = 0.0  # At least 0: of the loss of all actions of what was shown.

    def initial_params(self, seed: int, batch: RecsysBatch, rows: RecsysEmbeddings) -> hk.Params:
        """Returns the initial parameters of both towers and of the losses."""
        params = Network(self._vectors).initial_params(seed, batch, rows)
        if self.impressions_weight:
            # At first every action is rare and speaks for a post; what does not is soon learned.
            ones = jnp.ones(len(self.is_positive_action))
            params = {**params, _IMPRESSIONS_MODULE: {"slopes": ones / 2, "biases": -2 * ones}}
        # What counts say, over the temperature, is a logarithm of engagements at first.
        initial = INITIAL_WEIGHT if self.config.has_counts else _INITIAL_TEMPERATURE
        return with_temperature(params, initial)

    def norms(self, batch: TrainBatch) -> RetrievalNorms:
        """Returns the weights of a batch, by which its parts count."""
        exists = _candidate_mask(batch)
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

        With `impressions_weight` w > 0 the score s, over the temperature, also predicts each action
        a of all that was shown: w times `losses.multi_label` of slope_a * s + bias_a is added, with
        both learned. The softmax alone learns from positives, and what was shown in vain says more.

        A part of a batch has the posts of the part alone for negatives.
        """
        own = self.norms(batch)
        whole = own if norms is None else norms
        scores = self._scores(params, batch, rows)
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
            error = self._impressions_loss(params, batch, scores)
            value += self.impressions_weight * error * losses.share(own.labels, whole.labels)
        part = own.num_rows / whole.num_rows
        recall = losses.recall_in_batch(
            logits, masks.is_other, is_positive=masks.is_positive, k=_RECALL_AT
        )
        return value, {
            "temperature": jnp.exp(log_temperature_of(params)) * part,
            f"recall_at_{_RECALL_AT}": WeightedMean.of(recall),
        }

    def _scores(self, params: hk.Params, batch: TrainBatch, rows: RecsysEmbeddings) -> jax.Array:
        """`[B, B * C]` float32 similarity of each user and every candidate of the batch."""
        users, posts = Network(self._vectors).output(params, batch, rows)
        flat_posts = posts.reshape(-1, posts.shape[-1]).astype(jnp.float32)
        return users.astype(jnp.float32) @ flat_posts.T

    def _positives(self, batch: TrainBatch, exists: jax.Array) -> jax.Array:
        """`[B, C]` whether somebody engaged with a candidate."""
        has_action = (batch.labels > 0) & np.array(self.is_positive_action)
        return exists & jnp.any(has_action, axis=-1)

    def _counted_impressions(
        self, batch: TrainBatch, exists: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """`[B, C, A or 1]` which labels of what was shown count, and `[B, C, 1]` their weights."""
        weights = jnp.asarray(batch.weights)[:, None] * _label_weights(batch, exists)
        is_shown = _is_shown(exists, self.negatives.global_per_row)
        return _counted_labels(batch, is_shown), weights[..., None]

    def _masks(self, batch: TrainBatch, logits: jax.Array) -> _SoftmaxMasks:
        exists, keys = _candidate_mask(batch), jnp.asarray(batch.inputs.candidate_post_hashes)
        is_positive = self._positives(batch, exists)
        is_drawn = exists & ~_is_shown(exists, self.negatives.global_per_row)
        is_other = losses.negatives_of_others(keys, exists if self.negatives.in_batch else is_drawn)
        if not self.negatives.global_per_row and not self.negatives.hard_per_row:
            return _SoftmaxMasks(is_positive, is_other, None)
        is_rejected = exists & ~is_drawn & ~is_positive
        if batch.is_labelled is not None:
            # Who may have liked a post has not rejected it.
            is_rejected &= jnp.all(batch.is_labelled | ~np.array(self.is_positive_action), axis=-1)
        own = losses.own_logits(logits)
        is_hard = losses.hardest(own, is_rejected, self.negatives.hard_per_row)
        is_negative = losses.own_negatives(keys, is_drawn | is_hard, is_positive)
        return _SoftmaxMasks(is_positive, is_other, is_negative)

    def _impressions_loss(
        self, params: hk.Params, batch: TrainBatch, scores: jax.Array
    ) -> jax.Array:
        heads = params[_IMPRESSIONS_MODULE]
        is_counted, weights = self._counted_impressions(batch, _candidate_mask(batch))
        own = losses.own_logits(scores) / losses.temperature(log_temperature_of(params))
        return losses.multi_label(
            own[..., None] * heads["slopes"] + heads["biases"],
            batch.labels,
            where=is_counted,
            weights=weights,
        )

    def _vectors(self, batch: RecsysBatch, rows: RecsysEmbeddings) -> tuple[jax.Array, jax.Array]:
        model = self.config.make()
        users, _ = model.build_user_representation(batch, rows)
        posts, _ = model.build_candidate_representation(batch, rows)
        return users, posts


def objective_of(
    config: ModelConfig, actions: Sequence[str], train_config: TrainConfig, *, num_drawn: int = 0
) -> Objective:
    """Returns the objective that belongs to the model of `config`.

    Args:
      config: Of the ranker or the retrieval model.
      actions: The names of the A actions, in the order of the bits.
      train_config: Its losses.
      num_drawn: The last candidates of each row that a ranker is shown, which were drawn for it.

    Raises:
      ConfigError: If the settings are those of the other model, or the ranker has another number
        of continuous heads than its loss needs.
      ValueError: If an action is unknown, or the ranker's number of actions differs.
    """
    if not isinstance(config, PhoenixModelConfig):
        settings = settings_for(RetrievalTrainConfig, train_config)
        settings.check(
            not (config.has_counts and settings.learns_next_items),
            "objective",
            expected="engagement where `model.reads_counts` is true: of a sequence there are no "
            "counts",
            got=settings.objective,
        )
        bits = positive_bits(actions, settings.positive_actions)
        is_positive = unpack_actions(np.array(bits), len(actions)) > 0
        return RetrievalObjective(
            config,
            tuple(is_positive.tolist()),
            settings.negatives,
            settings.losses.impressions,
        )
    ranking = settings_for(RankerTrainConfig, train_config).losses
    by_action = (ranking.action_weights, ranking.focal_gammas, ranking.jrc_shares)
    check_actions(set().union(*by_action), actions)
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
        num_drawn=num_drawn,
    )


def with_temperature(params: hk.Params, initial: float = _INITIAL_TEMPERATURE) -> hk.Params:
    """Returns `params` with the learned temperature of a softmax over cosines, at its start."""
    logarithm = jnp.log(jnp.asarray(initial, jnp.float32))
    return {**params, _TEMPERATURE_MODULE: {"log_temperature": logarithm}}


def log_temperature_of(params: hk.Params) -> jax.Array:
    """Returns the logarithm of the temperature that `with_temperature` added."""
    return jnp.asarray(params[_TEMPERATURE_MODULE]["log_temperature"])


def _counted_labels(batch: TrainBatch, exists: jax.Array) -> jax.Array:
    """`[B, C, A]`, or `[B, C, 1]` for all actions: the labels that are known of what exists."""
    known = exists[..., None]
    return known if batch.is_labelled is None else known & batch.is_labelled


def _is_shown(exists: jax.Array, num_drawn: int) -> jax.Array:
    """`[B, C]` whether a candidate was shown: the last ones of each row were drawn."""
    return exists & (np.arange(exists.shape[1]) < exists.shape[1] - num_drawn)


def _label_weights(batch: TrainBatch, exists: jax.Array) -> jax.Array:
    """`[B, C]` for how many impressions each candidate stands."""
    if batch.label_weights is None:
        return jnp.ones(exists.shape)
    return jnp.asarray(batch.label_weights)


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


def _candidate_mask(batch: TrainBatch) -> jax.Array:
    return jnp.asarray(batch.inputs.candidate_post_hashes)[..., 0] != 0
