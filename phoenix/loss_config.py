"""What the losses are made of: one object per model that checks itself and travels as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from phoenix.config import JsonConfig, check, check_choice, check_counts

DwellLoss = Literal["none", "squared_error", "absolute_error"]
DWELL_LOSSES: tuple[DwellLoss, ...] = ("none", "squared_error", "absolute_error")


@dataclass(frozen=True, kw_only=True)
class RankingLossConfig(JsonConfig):
    """The loss of the ranker: `losses.multi_label` over actions, and one of the dwell time."""

    action_weights: Mapping[str, float] = field(default_factory=dict)  # Others have 1.
    focal_gammas: Mapping[str, float] = field(default_factory=dict)  # Others have 0.
    jrc_shares: Mapping[str, float] = field(default_factory=dict)  # In [0, 1]; others have 0.
    # An impression counts (share of its post in the log) ** -power: 0 counts impressions, 1 posts.
    popularity_power: float = 0.0
    dwell: DwellLoss = "none"  # Needs a model with one continuous head.
    dwell_weight: float = 1.0

    def __post_init__(self) -> None:
        check_choice(self, "dwell", DWELL_LOSSES)
        for name, is_right, expected in (
            ("action_weights", _least(self.action_weights) >= 0, "weights >= 0"),
            ("focal_gammas", _least(self.focal_gammas) >= 0, "numbers >= 0"),
            ("jrc_shares", all(0 <= share <= 1 for share in self.jrc_shares.values()), "in [0, 1]"),
            ("popularity_power", 0 <= self.popularity_power <= 1, "in [0, 1]"),
            ("dwell_weight", self.dwell_weight > 0, "a number > 0"),
        ):
            check(is_right, f"RankingLossConfig.{name}", expected=expected, got=getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class NegativesConfig(JsonConfig):
    """With what the positives of a user are compared by `losses.sampled_softmax`."""

    in_batch: bool = True  # The posts shown to the other users of the batch.
    global_per_row: int = 0  # Posts drawn uniformly from those trained on, added to every row.
    hard_per_row: int = 0  # Own impressions without a positive action, those scored highest.

    def __post_init__(self) -> None:
        check_counts(self, ["global_per_row", "hard_per_row"], minimum=0)
        check(
            self.in_batch or self.global_per_row > 0 or self.hard_per_row > 0,
            "NegativesConfig.in_batch",
            expected="true where there are no other negatives",
            got=self.in_batch,
        )


def _least(values: Mapping[str, float]) -> float:
    return min(values.values(), default=0.0)
