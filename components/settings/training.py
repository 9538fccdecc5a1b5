"""How the two models are trained: on what, how long, how fast, with which losses."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.settings.section import Section
from components.settings.transformer import ModelConfig, RankerModelConfig, RetrievalModelConfig


class OptimizerSection(Section):
    """The optimizer of the dense part, and what both parts share."""

    name: str = Field(
        default="adamw", description="Any optimizer of optax, e.g. lion, adafactor, contrib.muon."
    )
    options: dict[str, float | bool] = Field(
        default={}, description="Its arguments beside learning rate and weight decay."
    )
    schedule: Literal["constant", "cosine", "linear", "inverse_sqrt"] = Field(
        default="constant", description="Of the learning rate, after the warm-up."
    )
    warmup_steps: int = Field(
        default=0, ge=0, le=1_000_000_000, description="Steps from 0 to the learning rate."
    )
    table_half_life: float | None = Field(
        default=None, gt=0, description="Steps after which AdaGrad forgets half of a gradient."
    )
    accumulation_steps: int = Field(
        default=1, ge=1, le=1_000_000, description="Parts into which a batch is cut to save memory."
    )


class InputSection(Section):
    """How windows become batches."""

    shuffle_windows: int = Field(
        default=65_536,
        ge=1,
        le=100_000_000,
        description="Windows permuted together; more take more memory.",
    )
    length_buckets: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        default=(), description="History lengths to batch by, with more windows where it is short."
    )
    prefetch: int = Field(
        default=2, ge=1, le=1_000, description="Batches made ahead; changes no number."
    )


class ValidationSection(Section):
    """Windows held out during training, and when to stop early."""

    fraction: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the windows, the last ones, held out."
    )
    every_epochs: int = Field(
        default=1, ge=1, le=1_000_000, description="Validate at every n-th end of epoch."
    )
    every_steps: int | None = Field(
        default=None, ge=1, le=1_000_000_000, description="And after every n-th step."
    )
    monitor: str = Field(
        default="validation_loss",
        description="By which states are compared: a metric of the validation, such as "
        "validation_auc/click; curve.json names them all.",
    )
    mode: Literal["min", "max"] = Field(
        default="min", description="Whether less of it is better, or more."
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="Validations without gain before training stops.",
    )
    min_change: float = Field(default=0.0, ge=0, description="Smallest change that is a gain.")


class CurveSection(Section):
    """The learning curve: the loss, and how well the last steps predicted before they learned."""

    every_steps: int = Field(
        default=10, ge=1, le=1_000_000_000, description="Steps between two points."
    )
    half_life_steps: float = Field(
        default=100.0, gt=0, description="Steps after which a step counts half in the metrics."
    )


class CheckpointsSection(Section):
    """Which states of a training run are kept, and which one becomes the model."""

    keep: int = Field(
        default=2, ge=1, le=1_000_000, description="Newest states kept while training."
    )
    every_epoch: bool = Field(default=False, description="Also keep the end of every epoch.")
    result: str = Field(
        default="last",
        pattern=r"^(last|best|epoch_[1-9][0-9]*)$",
        description="The state that becomes the model: last, best or epoch_N.",
    )


class DevicesSection(Section):
    """On what to train."""

    device: Literal["cpu", "gpu", "tpu"] | None = Field(
        default=None, description="None takes what JAX prefers."
    )
    num_data_shards: int = Field(
        default=1, ge=1, le=65_536, description="Parts of a batch, by device."
    )
    num_table_shards: int = Field(
        default=1, ge=1, le=65_536, description="Parts of a table, by device."
    )


class TrackingSection(Section):
    """MLflow, which hears of parameters, curve and artifacts, and decides nothing."""

    uri: str = Field(description="Tracking URI of MLflow, e.g. sqlite:///mlflow.db or https://...")
    experiment: str = Field(default="phoenix", description="Name of the experiment.")


class TrainingConfig(Section):
    """`train_retrieval` and `train_ranker`: what to train on, how long, how fast."""

    model: ModelConfig = Field(default=ModelConfig(), description="Sizes of the transformer.")
    window_days: int = Field(
        default=7, ge=1, le=3_650, description="Days before this one to train on."
    )
    warm_start: bool = Field(
        default=True,
        description="Start from the champion, with the days of the window it has not seen.",
    )
    every_days: int = Field(
        default=1, ge=1, le=3_650, description="Train on every n-th day since `first_day`."
    )
    min_windows: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000_000_000,
        description="Do not train on fewer windows than this.",
    )
    epochs: int = Field(default=1, ge=1, le=1_000_000, description="Passes over the windows.")
    batch_size: int = Field(default=256, ge=1, le=1_000_000, description="Windows per step.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Of AdamW, for the dense part.")
    table_learning_rate: float = Field(
        default=0.05, gt=0, description="Of AdaGrad, for the tables."
    )
    weight_decay: float = Field(default=1e-4, ge=0, description="Of AdamW.")
    clip_norm: float | None = Field(
        default=1.0, gt=0, description="Largest global norm of a gradient; null clips nothing."
    )
    checkpoint_every_steps: int = Field(
        default=200, ge=1, le=1_000_000_000, description="A kill loses at most these."
    )
    max_skipped_steps: int = Field(
        default=20, ge=0, le=1_000_000_000, description="Non-finite steps before training stops."
    )
    recency_half_life_days: float | None = Field(
        default=None,
        gt=0,
        description="Weights of samples: what is so much older counts half. Empty: all the same.",
    )
    optimizer: OptimizerSection = OptimizerSection()
    input: InputSection = InputSection()
    validation: ValidationSection = ValidationSection()
    curve: CurveSection = CurveSection()
    checkpoints: CheckpointsSection = CheckpointsSection()
    devices: DevicesSection = DevicesSection()
    tracking: TrackingSection | None = Field(default=None, description="Report to MLflow, or not.")


class RankerLossesSection(Section):
    """The loss of the ranker, beside what `actions` say: loss_weight, focal_gamma, jrc_share."""

    popularity_power: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="An impression counts q^-power, q the share of its post in the log: 0 counts "
        "impressions, 1 posts.",
    )
    dwell: Literal["none", "squared_error", "absolute_error"] = Field(
        default="none",
        description="Also predict how long a user stays on a post, up to 30 seconds, where the "
        "log says so: its mean, or its median.",
    )
    dwell_weight: float = Field(
        default=1.0, gt=0, description="Of the loss of the dwell time, beside that of the actions."
    )


class RankerTrainingConfig(TrainingConfig):
    """`train_ranker`: the same with the losses of the ranker."""

    # A section is frozen, so a narrower field is safe.
    model: RankerModelConfig = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=RankerModelConfig(), description="Sizes and options of the ranking transformer."
    )
    losses: RankerLossesSection = RankerLossesSection()


class NegativesSection(Section):
    """`objective: engagement`: with what the posts that a user engaged with are compared."""

    in_batch: bool = Field(default=True, description="What was shown to others of the batch.")
    global_per_row: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Posts drawn from all that were shown, for every window.",
    )
    hard_per_row: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="The user's own impressions without engagement, those that score highest.",
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.in_batch or self.global_per_row or self.hard_per_row):
            raise ValueError("there must be negatives of some kind")
        return self


class RetrievalLossesSection(Section):
    """The loss of retrieval, beside the softmax over `negatives`."""

    impressions: float = Field(
        default=0.0,
        ge=0,
        description="`objective: engagement`: weight of a second loss, which predicts every action "
        "from the score of each post that was shown: what was shown in vain says much.",
    )


class RetrievalTrainingConfig(TrainingConfig):
    """`train_retrieval`: the same with the options of the two towers."""

    # A section is frozen, so a narrower field is safe.
    model: RetrievalModelConfig = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=RetrievalModelConfig(), description="Sizes and options of the two towers."
    )
    objective: Literal["engagement", "next_item"] = Field(
        default="engagement",
        description="Learn which candidates are engaged with, or, for logs with positives only, "
        "from every event what comes next.",
    )
    negatives: NegativesSection = NegativesSection()
    losses: RetrievalLossesSection = RetrievalLossesSection()
    max_listed_posts: int = Field(
        default=16_384,
        ge=1,
        le=10_000_000,
        description="`next_item`: posts that a batch is compared with; all, or a sample of more.",
    )

    @model_validator(mode="after")
    def _queries_are_causal(self) -> Self:
        model = self.model
        if self.objective == "next_item" and (
            model.user_pooling != "last" or model.history_attention != "causal"
        ):
            raise ValueError(
                "`objective` next_item needs `model.user_pooling` last and "
                "`model.history_attention` causal"
            )
        return self
