"""The settings of the losses, of the ranker and of retrieval."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from phoenix.settings import Settings, setting

DwellLoss = Literal["none", "squared_error", "absolute_error"]


@dataclass(frozen=True, kw_only=True)
class RankingLossConfig(Settings):
    """The loss of the ranker, beside what `actions` say: loss_weight, focal_gamma, jrc_share."""

    action_weights: Mapping[str, float] = field(default_factory=dict)  # Others have 1.
    focal_gammas: Mapping[str, float] = field(default_factory=dict)  # Others have 0.
    jrc_shares: Mapping[str, float] = field(default_factory=dict)  # In [0, 1]; others have 0.
    popularity_power: float = setting(
        0.0,
        "An impression counts q^-power, q the share of its post in the log: 0 counts "
        "impressions, 1 posts.",
        ge=0,
        le=1,
    )
    dwell: DwellLoss = setting(
        "none",
        "Also predict how long a user stays on a post, up to 30 seconds, where the "
        "log says so: its mean, or its median.",
    )
    dwell_weight: float = setting(
        1.0, "Of the loss of the dwell time, beside that of the actions.", gt=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, is_right, expected in (
            ("action_weights", _least(self.action_weights) >= 0, "weights >= 0"),
            ("focal_gammas", _least(self.focal_gammas) >= 0, "numbers >= 0"),
            ("jrc_shares", all(0 <= share <= 1 for share in self.jrc_shares.values()), "in [0, 1]"),
        ):
            self.check(is_right, name, expected=expected, got=getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class NegativesConfig(Settings):
    """`objective: engagement`: with what the posts that a user engaged with are compared."""

    in_batch: bool = setting(True, "What was shown to others of the batch, which is of one day.")
    global_per_row: int = setting(
        0, "Posts drawn from all that were shown, for every window.", ge=0, le=1_000_000
    )
    hard_per_row: int = setting(
        0,
        "The user's own impressions without engagement, those that score highest.",
        ge=0,
        le=65_536,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(
            self.in_batch or self.global_per_row > 0 or self.hard_per_row > 0,
            "in_batch",
            expected="true where there are no other negatives",
            got=self.in_batch,
        )


@dataclass(frozen=True, kw_only=True)
class DrawnPostsConfig(Settings):
    """Negatives for a log in which every impression has an action, such as a log of actions."""

    drawn_per_window: int | Literal["auto"] = setting(
        "auto",
        "Posts drawn for every window, from all that existed by then, as shown to its user without "
        "an action. auto: as many as a window has candidates at most where one impression in a "
        "thousand or fewer has no action, else 0.",
        ge=0,
        le=1_000,
    )
    power: float = setting(
        0.0,
        "A post is drawn by its impressions before the day, plus 1, to this power: 0 draws all "
        "alike, 1 takes popularity out of the order.",
        ge=0,
        le=1,
    )


@dataclass(frozen=True, kw_only=True)
class RetrievalLossConfig(Settings):
    """The loss of retrieval, beside the softmax over `negatives`."""

    impressions: float = setting(
        0.0,
        "`objective: engagement`: weight of a second loss, which predicts every action "
        "from the score of each post that was shown: what was shown in vain says much.",
        ge=0,
    )


def _least(values: Mapping[str, float]) -> float:
    return min(values.values(), default=0.0)
