"""The configuration of a training: objects that check themselves and travel as JSON.

They have the nesting and the names of the sections `train_ranker` and `train_retrieval` of a
configuration file, which are made from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from phoenix.config import ConfigError, check_count
from phoenix.settings import Settings, setting
from phoenix.train.loss_config import (
    DrawnPostsConfig,
    NegativesConfig,
    RankingLossConfig,
    RetrievalLossConfig,
)

VALIDATION_LOSS = "validation_loss"

Schedule = Literal["constant", "cosine", "linear", "inverse_sqrt"]


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Settings):
    """The optimizer of the dense part, and what both parts share."""

    name: str = setting("adamw", "Any optimizer of optax, e.g. lion, adafactor, contrib.muon.")
    options: dict[str, float | bool] = setting(
        {}, "Its arguments beside learning rate and weight decay."
    )
    schedule: Schedule = setting("constant", "Of the learning rate, after the warm-up.")
    warmup_steps: int = setting(0, "Steps from 0 to the learning rate.", ge=0, le=1_000_000_000)
    schedule_steps: int | None = setting(
        None,
        "Steps, of a training from scratch and those that go on from it, in which cosine and "
        "linear fall; null: those of the training from scratch.",
        ge=1,
        le=1_000_000_000_000,
    )
    schedule_end: float = setting(
        0.0,
        "Share of the learning rate to which cosine and linear fall, and by which trainings that "
        "go on from there learn.",
        ge=0,
        le=1,
    )
    table_half_life: float | None = setting(
        None, "Steps after which AdaGrad forgets half of a gradient.", gt=0
    )
    average_half_life: float | None = setting(
        None,
        "Steps after which the average of the dense weights, which becomes the model, forgets half "
        "of a step; null takes the last weights.",
        gt=0,
    )
    accumulation_steps: int = setting(
        1, "Parts into which a batch is cut to save memory.", ge=1, le=1_000_000
    )


@dataclass(frozen=True, kw_only=True)
class InputConfig(Settings):
    """The way from windows to batches."""

    shuffle_windows: int = setting(
        65_536, "Windows permuted together; more take more memory.", ge=1, le=100_000_000
    )
    length_buckets: tuple[int, ...] = setting(
        (), "History lengths to batch by, with more windows where it is short.", ge=1, le=65_536
    )


@dataclass(frozen=True, kw_only=True)
class ValidationConfig(Settings):
    """Windows held out during training, and when to stop early."""

    fraction: float = setting(0.0, "Share of the windows held out.", ge=0, lt=1)
    split: Literal["time", "users"] = setting(
        "time",
        "Which windows are held out: the latest, or all of some users, by a hash of their ids.",
    )
    every_epochs: int = setting(1, "Validate at every n-th end of epoch.", ge=1, le=1_000_000)
    every_steps: int | None = setting(None, "And after every n-th step.", ge=1, le=1_000_000_000)
    monitor: str = setting(
        VALIDATION_LOSS,
        "By which states are compared: a metric of the validation, such as "
        "validation_auc/click; curve.json names them all.",
    )
    mode: Literal["min", "max"] = setting("min", "Whether less of it is better, or more.")
    patience: int | None = setting(
        None, "Validations without gain before training stops.", ge=1, le=1_000_000_000
    )
    min_change: float = setting(0.0, "Smallest change that is a gain.", ge=0)

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether `value` of the monitored metric beats `best` by more than `min_change`."""
        if best is None:
            return True
        gain = best - value if self.mode == "min" else value - best
        return gain > self.min_change


@dataclass(frozen=True, kw_only=True)
class CurveConfig(Settings):
    """The learning curve: the loss, and how well the last steps predicted before they learned."""

    every_steps: int = setting(10, "Steps between two points.", ge=1, le=1_000_000_000)
    half_life_steps: float = setting(
        100.0, "Steps after which a step counts half in the metrics.", gt=0
    )


@dataclass(frozen=True, kw_only=True)
class CheckpointsConfig(Settings):
    """The states of a training run to keep, and the one that becomes the model."""

    # Beside the best and those of epochs.
    keep: int = setting(2, "Newest states kept while training.", ge=1, le=1_000_000)
    every_epoch: bool = setting(False, "Also keep the end of every epoch.")
    result: str = setting(
        "last",
        "The state that becomes the model: last, best or epoch_N.",
        pattern=r"^(last|best|epoch_[1-9][0-9]*)$",
    )

    @property
    def keeps_epochs(self) -> bool:
        """Whether the state at the end of every epoch is kept."""
        return self.every_epoch or self.result.startswith("epoch_")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """The settings of a training, but for the model's own and for `ComputeConfig`.

    What both models have in common: a run takes a `RankerTrainConfig` or a `RetrievalTrainConfig`.
    """

    seed: int = 0  # That of the deployment, which is more than a training.
    epochs: int = setting(1, "Passes over the windows.", ge=1, le=1_000_000)
    batch_size: int = setting(256, "Windows per step.", ge=1, le=1_000_000)
    learning_rate: float = setting(1e-3, "Of AdamW, for the dense part.", gt=0)
    table_learning_rate: float = setting(0.05, "Of AdaGrad, for the tables.", gt=0)
    weight_decay: float = setting(1e-4, "Of AdamW.", ge=0)
    clip_norm: float | None = setting(
        1.0, "Largest global norm of a gradient; null clips nothing.", gt=0
    )
    checkpoint_every_steps: int = setting(
        200, "A kill loses at most these.", ge=1, le=1_000_000_000
    )
    max_skipped_steps: int = setting(
        20, "Non-finite steps before training stops.", ge=0, le=1_000_000_000
    )
    recency_half_life_days: float | None = setting(
        None,
        "Weights of samples: what is so much older counts half. Empty: all the same.",
        gt=0,
    )
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    input: InputConfig = field(default_factory=InputConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    curve: CurveConfig = field(default_factory=CurveConfig)
    checkpoints: CheckpointsConfig = field(default_factory=CheckpointsConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("TrainConfig.seed", self.seed, minimum=0)
        result, patience = self.checkpoints.result, self.validation.patience
        accumulation_steps = self.optimizer.accumulation_steps
        self.check(
            self.batch_size % accumulation_steps == 0,
            "optimizer",
            "accumulation_steps",
            expected=f"a divisor of `batch_size` {self.batch_size}",
            got=accumulation_steps,
        )
        self.check(
            patience is None or self.is_validated,
            "validation",
            "patience",
            expected="None where `validation.fraction` is 0: there is nothing to be patient about",
            got=patience,
        )
        number = result.removeprefix("epoch_")
        self.check(
            number in ("last", "best") or int(number) <= self.epochs,
            "checkpoints",
            "result",
            expected=f"last, best or epoch_1 to epoch_{self.epochs}",
            got=result,
        )
        self.check(
            result != "best" or self.is_validated,
            "checkpoints",
            "result",
            expected="last or an epoch where `validation.fraction` is 0: nothing says which is "
            "best",
            got=result,
        )

    @property
    def is_validated(self) -> bool:
        """Whether some windows are held out to validate on."""
        return self.validation.fraction > 0

    @property
    def learns_next_items(self) -> bool:
        """Whether every event of a history is learned from, by what comes next."""
        return False

    @property
    def compares_in_batch(self) -> bool:
        """Whether windows are learned from beside those of others, which are of the same day."""
        return False


@dataclass(frozen=True, kw_only=True)
class RankerTrainConfig(TrainConfig):
    """The settings of the training of a ranker."""

    losses: RankingLossConfig = field(default_factory=RankingLossConfig)
    negatives: DrawnPostsConfig = field(default_factory=DrawnPostsConfig)


@dataclass(frozen=True, kw_only=True)
class RetrievalTrainConfig(TrainConfig):
    """The settings of the training of the two towers."""

    positive_actions: Sequence[str] = ()  # Empty means any action that is not negative.
    negative_actions: Sequence[str] = ()  # With any of them, an impression is no positive.
    objective: Literal["engagement", "next_item"] = setting(
        "engagement",
        "Learn which candidates are engaged with, or, for logs with positives only, "
        "from every event what comes next.",
    )
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    losses: RetrievalLossConfig = field(default_factory=RetrievalLossConfig)
    max_listed_posts: int = setting(
        16_384,
        "`next_item`: posts that a batch is compared with; all, or a sample of more.",
        ge=1,
        le=10_000_000,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "positive_actions", tuple(self.positive_actions))
        object.__setattr__(self, "negative_actions", tuple(self.negative_actions))
        super().__post_init__()
        self.check(
            self.optimizer.accumulation_steps == 1 or not self.learns_next_items,
            "optimizer",
            "accumulation_steps",
            expected="1 where `objective: next_item` is set: the list of posts is one for the "
            "whole batch",
            got=self.optimizer.accumulation_steps,
        )

    @property
    def learns_next_items(self) -> bool:
        """Whether every event of a history is learned from, by what comes next."""
        return self.objective == "next_item"

    @property
    def compares_in_batch(self) -> bool:
        """Whether windows are learned from beside those of others, which are of the same day."""
        return not self.learns_next_items


@dataclass(frozen=True, kw_only=True)
class PrefetchConfig(Settings):
    """The lead of the input over the steps."""

    prefetch: int = setting(2, "Batches made ahead; changes no number.", ge=1, le=1_000)


@dataclass(frozen=True, kw_only=True)
class DevicesConfig(Settings):
    """On what to train."""

    device: Literal["cpu", "gpu", "tpu"] | None = setting(None, "None takes what JAX prefers.")
    num_data_shards: int = setting(1, "Parts of a batch, by device.", ge=1, le=65_536)
    num_table_shards: int = setting(1, "Parts of a table, by device.", ge=1, le=65_536)


@dataclass(frozen=True, kw_only=True)
class ComputeConfig(Settings):
    """On what to train. The numbers depend on it only by the order of sums."""

    input: PrefetchConfig = field(default_factory=PrefetchConfig)
    devices: DevicesConfig = field(default_factory=DevicesConfig)


Kind = TypeVar("Kind", bound=TrainConfig)


def settings_for(kind: type[Kind], config: TrainConfig) -> Kind:
    """Returns the settings of a training as those of the model that is trained.

    Raises:
      ConfigError: If they are those of another model.
    """
    if isinstance(config, kind):
        return config
    raise ConfigError(f"Expected a {kind.__name__} for this model, got a {type(config).__name__}.")
