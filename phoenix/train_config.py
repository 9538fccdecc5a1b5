"""How a model is trained: one object that checks itself and travels as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from phoenix.config import JsonConfig, check, check_choice, check_counts
from phoenix.loss_config import NegativesConfig, RankingLossConfig
from phoenix.next_item import NextItemConfig
from phoenix.optimizer import OptimizerConfig

VALIDATION_LOSS = "validation_loss"


@dataclass(frozen=True, kw_only=True)
class TrainConfig(JsonConfig):
    """How to train; the model's configuration says what, and `ComputeConfig` on what."""

    seed: int = 0
    # Data.
    batch_size: int = 256  # Windows per step.
    epochs: int = 1
    shuffle_windows: int = 1 << 16  # Permuted together; bounds the memory of the input.
    length_buckets: Sequence[int] = ()  # History lengths to batch by; none means one length.
    validation_fraction: float = 0.0  # In [0, 1): the last windows of the source, never trained on.
    # Optimisation.
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    table_learning_rate: float = 0.05  # Of AdaGrad: root mean square of a row's first change.
    table_half_life: float | None = None  # Steps after which AdaGrad forgets half of a gradient.
    accumulation_steps: int = 1  # Parts into which a batch is cut to save memory.
    max_skipped_steps: int = 10  # In a row; one more stops the run.
    # Losses.
    ranking: RankingLossConfig = field(default_factory=RankingLossConfig)
    negatives: NegativesConfig = field(default_factory=NegativesConfig)  # Retrieval.
    impressions_weight: float = 0.0  # Retrieval: of the loss of all actions of what was shown.
    recency_half_life_days: float | None = None  # After which a window counts half as much.
    positive_actions: Sequence[str] = ()  # Retrieval; empty means any action.
    next_item: NextItemConfig | None = None  # Retrieval: learn sequences, from every position.
    # Validation and early stopping.
    validate_every_epochs: int = 1
    validate_every_steps: int | None = None  # Beside the ends of epochs.
    monitor: str = VALIDATION_LOSS  # The metric of "best" and of early stopping.
    monitor_mode: Literal["min", "max"] = "min"
    patience: int | None = None  # Validations without a better metric before training stops.
    min_change: float = 0.0  # By which a metric must be better to count.
    # Checkpoints and the curve.
    checkpoint_every: int = 1000  # Steps between training states, when there is a directory.
    checkpoint_epochs: bool = False  # Also at the end of every epoch, and all of these are kept.
    keep_checkpoints: int = 2  # Newest ones, beside the best and those of epochs.
    result: str = "last"  # The checkpoint that becomes the model: last, best or epoch_<number>.
    log_every: int = 50  # Steps between points of the curve.
    metrics_half_life: float = 100.0  # Steps after which a step counts half in training metrics.

    _nested: ClassVar[Mapping[str, type[JsonConfig]]] = {
        "optimizer": OptimizerConfig,
        "ranking": RankingLossConfig,
        "negatives": NegativesConfig,
        "next_item": NextItemConfig,
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "positive_actions", list(self.positive_actions))
        object.__setattr__(self, "length_buckets", list(self.length_buckets))
        counts = ["batch_size", "epochs", "shuffle_windows", "accumulation_steps", "log_every"]
        counts += ["validate_every_epochs", "checkpoint_every", "keep_checkpoints"]
        check_counts(self, counts)
        check_counts(self, ["seed", "max_skipped_steps"], minimum=0)
        optional = ["validate_every_steps", "patience"]
        check_counts(self, [name for name in optional if getattr(self, name) is not None])
        check_choice(self, "monitor_mode", ["min", "max"])
        half_life = self.table_half_life
        for name, is_right, expected in (
            ("table_learning_rate", self.table_learning_rate > 0, "a number > 0"),
            ("table_half_life", half_life is None or half_life > 0, "None or a number > 0"),
            ("metrics_half_life", self.metrics_half_life > 0, "a number > 0"),
            (
                "recency_half_life_days",
                self.recency_half_life_days is None or self.recency_half_life_days > 0,
                "None or a number > 0",
            ),
            ("impressions_weight", self.impressions_weight >= 0, "a number >= 0"),
            ("min_change", self.min_change >= 0, "a number >= 0"),
            ("validation_fraction", 0 <= self.validation_fraction < 1, "in [0, 1)"),
            ("length_buckets", min(self.length_buckets, default=1) >= 1, "lengths >= 1"),
            (
                "accumulation_steps",
                self.batch_size % self.accumulation_steps == 0,
                f"a divisor of `batch_size` {self.batch_size}",
            ),
            (
                "accumulation_steps",
                self.accumulation_steps == 1 or self.next_item is None,
                "1 where `next_item` is set: the list of posts is one for the whole batch",
            ),
            (
                "patience",
                self.patience is None or self.is_validated,
                "None where `validation_fraction` is 0: there is nothing to be patient about",
            ),
            (
                "result",
                self.result in ("last", "best") or _is_epoch(self.result, self.epochs),
                f"last, best or epoch_1 to epoch_{self.epochs}",
            ),
            (
                "result",
                self.result != "best" or self.is_validated,
                "last or an epoch where `validation_fraction` is 0: nothing says which is best",
            ),
        ):
            check(is_right, f"TrainConfig.{name}", expected=expected, got=getattr(self, name))

    @property
    def is_validated(self) -> bool:
        """Whether some windows are held out to validate on."""
        return self.validation_fraction > 0

    @property
    def keeps_epochs(self) -> bool:
        """Whether the state at the end of every epoch is kept."""
        return self.checkpoint_epochs or self.result.startswith("epoch_")

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether `value` of the monitored metric beats `best` by more than `min_change`."""
        if best is None:
            return True
        gain = best - value if self.monitor_mode == "min" else value - best
        return gain > self.min_change


@dataclass(frozen=True, kw_only=True)
class ComputeConfig(JsonConfig):
    """On what to train. The numbers depend on it only by the order of sums."""

    device: str | None = None  # cpu, gpu or tpu; None takes what JAX prefers.
    num_data_shards: int = 1  # Parts of a batch, each on devices of its own.
    num_table_shards: int = 1  # Parts of each table, by row, each on devices of its own.
    prefetch: int = 2  # Batches made ahead.

    def __post_init__(self) -> None:
        check_counts(self, ["num_data_shards", "num_table_shards", "prefetch"])


def _is_epoch(name: str, epochs: int) -> bool:
    number = name.removeprefix("epoch_")
    return name.startswith("epoch_") and number.isdigit() and 1 <= int(number) <= epochs
