"""How the two models are trained: on what, how long, how fast, with which losses.

Here stands what only the steps know. What the trainer itself reads is declared there.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from components.settings.section import Section
from components.settings.trainer_sections import trainer_values, with_settings_of
from components.settings.transformer import ModelConfig, RankerModelConfig, RetrievalModelConfig
from phoenix.train.config import ComputeConfig, RankerTrainConfig, RetrievalTrainConfig, TrainConfig


class TrackingSection(Section):
    """MLflow, which hears of parameters, curve and artifacts, and decides nothing."""

    uri: str = Field(description="Tracking URI of MLflow, e.g. sqlite:///mlflow.db or https://...")
    experiment: str = Field(default="phoenix", description="Name of the experiment.")


@with_settings_of(
    TrainConfig,
    ComputeConfig,
    auto=("epochs", "batch_size", "learning_rate"),
)
class TrainingConfig(Section):
    """`train_retrieval` and `train_ranker`: what to train on, how long, how fast.

    A setting that is `auto` follows the log.
    """

    model: ModelConfig = Field(default=ModelConfig(), description="Sizes of the transformer.")
    window_days: Annotated[int, Field(ge=1, le=3_650)] | Literal["auto"] = Field(
        default="auto", description="Days before this one to train on."
    )
    window_budget: int = Field(
        default=10_000_000,
        ge=1,
        le=1_000_000_000_000,
        description="Windows that the days of a training may have together where `window_days` is "
        "`auto`, which then takes as many days, up to 14.",
    )
    warm_start: bool = Field(
        default=True,
        description="Start from the champion, with the days of the window it has not seen. Under "
        "another list of actions it keeps what it knows, by name.",
    )
    every_days: int = Field(
        default=1, ge=1, le=3_650, description="Train on every n-th day since `first_day`."
    )
    min_windows: int = Field(
        default=200,
        ge=1,
        le=1_000_000_000_000,
        description="Do not train on fewer windows than this.",
    )
    tracking: TrackingSection | None = Field(default=None, description="Report to MLflow, or not.")

    @model_validator(mode="after")
    def _later_days_learn(self) -> Self:
        optimizer = self.model_dump()["optimizer"]
        falls_to_zero = (
            optimizer["schedule"] in ("cosine", "linear") and not optimizer["schedule_end"]
        )
        if self.warm_start and falls_to_zero:
            raise ValueError(
                f"`warm_start` true needs `optimizer.schedule_end` above 0, such as 0.1: "
                f"`optimizer.schedule` {optimizer['schedule']} goes on where the day before ended, "
                "and would learn nothing from there on; or set `warm_start` to false"
            )
        return self


@with_settings_of(RankerTrainConfig)
class RankerTrainingConfig(TrainingConfig):
    """`train_ranker`: the same with the losses of the ranker."""

    # A section is frozen, so a narrower field is safe.
    model: RankerModelConfig = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=RankerModelConfig(), description="Sizes and options of the ranking transformer."
    )


@with_settings_of(RetrievalTrainConfig)
class RetrievalTrainingConfig(TrainingConfig):
    """`train_retrieval`: the same with the options of the two towers."""

    # A section is frozen, so a narrower field is safe.
    model: RetrievalModelConfig = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=RetrievalModelConfig(), description="Sizes and options of the two towers."
    )

    @model_validator(mode="before")
    @classmethod
    def _sequences_have_no_counts(cls, values: Any) -> Any:  # noqa: ANN401 - before any check
        """Lets a model of next items read no counts, unless the file asks for what is refused."""
        if isinstance(values, dict) and values.get("objective") == "next_item":
            model = values.get("model", {})
            if isinstance(model, dict):
                return {**values, "model": {"reads_counts": False, **model}}
        return values

    @model_validator(mode="after")
    def _queries_are_causal(self) -> Self:
        model = self.model
        objective = trainer_values(RetrievalTrainConfig, self.model_dump())["objective"]
        if objective == "next_item" and (
            model.user_pooling != "last" or model.history_attention != "causal"
        ):
            raise ValueError(
                "`objective` next_item needs `model.user_pooling` last and "
                "`model.history_attention` causal"
            )
        return self
