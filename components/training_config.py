"""How a model is trained, beyond the few settings that everybody looks at first."""

from typing import Literal

from pydantic import Field

from components.config_base import Section


class OptimizerSection(Section):
    """The optimizer of the dense part, and what both parts share."""

    name: str = Field(default="adamw", description="Any optimizer of optax, e.g. lion, adafactor.")
    options: dict[str, float | bool] = Field(
        default={}, description="Its arguments beside learning rate and weight decay."
    )
    schedule: Literal["constant", "cosine", "linear", "inverse_sqrt"] = Field(
        default="constant", description="Of the learning rate, after the warm-up."
    )
    warmup_steps: int = Field(default=0, ge=0, description="Steps from 0 to the learning rate.")
    table_half_life: float | None = Field(
        default=None, gt=0, description="Steps after which AdaGrad forgets half of a gradient."
    )
    accumulation_steps: int = Field(
        default=1, ge=1, description="Parts into which a batch is cut to save memory."
    )


class InputSection(Section):
    """How windows become batches."""

    shuffle_windows: int = Field(
        default=65_536, ge=1, description="Windows permuted together; more take more memory."
    )
    length_buckets: tuple[int, ...] = Field(
        default=(), description="History lengths to batch by, with more windows where it is short."
    )
    prefetch: int = Field(default=2, ge=1, description="Batches made ahead; changes no number.")


class ValidationSection(Section):
    """Windows held out during training, and when to stop early."""

    fraction: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the windows, the last ones, held out."
    )
    every_epochs: int = Field(default=1, ge=1, description="Validate at every n-th end of epoch.")
    every_steps: int | None = Field(default=None, ge=1, description="And after every n-th step.")
    patience: int | None = Field(
        default=None, ge=1, description="Validations without gain before training stops."
    )
    min_change: float = Field(default=0.0, ge=0, description="Smallest change that is a gain.")


class CheckpointsSection(Section):
    """Which states of a training run are kept, and which one becomes the model."""

    keep: int = Field(default=2, ge=1, description="Newest states kept while training.")
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
    num_data_shards: int = Field(default=1, ge=1, description="Parts of a batch, by device.")
    num_table_shards: int = Field(default=1, ge=1, description="Parts of a table, by device.")


class TrackingSection(Section):
    """MLflow, which hears of parameters, curve and artifacts, and decides nothing."""

    uri: str = Field(description="Tracking URI of MLflow, e.g. sqlite:///mlflow.db or https://...")
    experiment: str = Field(default="phoenix", description="Name of the experiment.")
