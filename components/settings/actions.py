"""Actions of users: their columns, their weights and their part in the loss."""

from typing import Self

from pydantic import Field, model_validator

from components.settings.published_weights import PUBLISHED_WEIGHTS
from components.settings.section import Section


class Action(Section):
    """Something a user can do with a post. Its name is what days and models know it by."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Unique.")
    column: str | None = Field(
        default=None, description="Column of the source that says so; its name if empty."
    )
    formerly: tuple[str, ...] = Field(
        default=(),
        description="Earlier names of the action, or of its column, by which older days know it.",
    )
    values: tuple[str, ...] = Field(
        default=(), description="Values of the column that say so; 1, true, yes, t and on if empty."
    )
    at_least: float | None = Field(
        default=None, allow_inf_nan=False, description="Lowest number in the column that says so."
    )
    at_most: float | None = Field(
        default=None, allow_inf_nan=False, description="Highest number in the column that says so."
    )
    published_as: str | None = Field(
        default=None,
        description="Action of the published weights that this one stands for; its own name.",
    )
    weight: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Weight in the score; the published one if empty.",
    )
    loss_weight: float = Field(
        default=1.0, ge=0, description="Weight of this action's loss in training."
    )
    focal_gamma: float = Field(
        default=0.0,
        ge=0,
        description="Focal loss: the higher, the less counts in training what is already right.",
    )
    jrc_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="JRC: share of the loss that asks for the order within a user's candidates, "
        "not for the probability.",
    )
    is_positive: bool = Field(
        default=False,
        description="Whether it makes an impression a retrieval positive. Where the user also did "
        "something of negative weight with the post, such as a report, it does not.",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.values and (self.at_least is not None or self.at_most is not None):
            raise ValueError("give `values`, or `at_least` and `at_most`, not both")
        return self

    @model_validator(mode="after")
    def _has_weight(self) -> Self:
        if self.weight is None and (self.published_as or self.name) not in PUBLISHED_WEIGHTS:
            raise ValueError(
                f"{self.published_as or self.name!r} has no published weight: set `weight`, or "
                f"`published_as` to one of {sorted(PUBLISHED_WEIGHTS)}"
            )
        return self

    @property
    def score_weight(self) -> float:
        """The weight of this action's probability in the score of a post."""
        if self.weight is not None:
            return self.weight
        return PUBLISHED_WEIGHTS[self.published_as or self.name]
