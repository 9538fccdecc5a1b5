"""The configuration of one deployment: one YAML file, validated whole before anything runs.

Every choice a user may want to change has a name here. Unknown keys are refused, and an error names
the field by its path. The section of a step is called like the step.
"""

import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from components.settings.actions import Action
from components.settings.attributes import AttributesConfig
from components.settings.feeds import FeedsConfig, PublishFeedsConfig
from components.settings.quality import BaselineConfig
from components.settings.section import Section, StoreAddress
from components.settings.serve import ServeConfig
from components.settings.source import FoldableSource
from components.settings.steps import (
    CorpusConfig,
    EngineConfig,
    EvaluateConfig,
    FeaturesConfig,
    HashingConfig,
    IngestConfig,
    MeasureConfig,
    ReleaseConfig,
    ReportConfig,
    ValidateConfig,
)
from components.settings.training import RankerTrainingConfig, RetrievalTrainingConfig


class Config(Section):
    """The whole configuration of one deployment."""

    store: StoreAddress = Field(
        min_length=1, description="Folder or fsspec URL; relative to the configuration file."
    )
    first_day: datetime.date = Field(description="UTC day before which there is no history.")
    user_buckets: Literal[1, 2, 4, 8, 16, 32, 64] = Field(
        default=1,
        description="Files in which each table of rows of users lies, by a hash of the user. Steps "
        "that would hold a day in memory hold one of them. It changes no artifact, and may differ "
        "from day to day.",
    )
    seed: int = Field(
        default=0, ge=0, lt=1 << 63, description="Of training and everything else that is random."
    )
    actions: tuple[Action, ...] = Field(
        min_length=1, max_length=64, description="What users do, by name: the order is free."
    )
    engine: EngineConfig = EngineConfig()
    hashing: HashingConfig = HashingConfig()
    attributes: AttributesConfig = AttributesConfig()
    ingest_events: IngestConfig
    validate_events: ValidateConfig = ValidateConfig()
    build_features: FeaturesConfig = FeaturesConfig()
    train_retrieval: RetrievalTrainingConfig = RetrievalTrainingConfig()
    train_ranker: RankerTrainingConfig = RankerTrainingConfig()
    evaluate_models: EvaluateConfig = EvaluateConfig()
    export_corpus: CorpusConfig = CorpusConfig()
    publish_release: ReleaseConfig = ReleaseConfig()
    measure_feeds: MeasureConfig = MeasureConfig()
    materialize_feeds: FeedsConfig = FeedsConfig()
    publish_feeds: PublishFeedsConfig = PublishFeedsConfig()
    baseline: BaselineConfig = BaselineConfig()
    report: ReportConfig = ReportConfig()
    serve: ServeConfig = ServeConfig()

    @model_validator(mode="after")
    def _actions_make_sense(self) -> Self:
        names = [action.name for action in self.actions]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"`actions` name {repeated[0]!r} twice")
        self._refuse_shared_names()
        if not any(action.is_positive for action in self.actions):
            raise ValueError("`actions`: mark at least one as `is_positive`, for retrieval")
        return self

    def _refuse_shared_names(self) -> None:
        """Refuses a former name that older days could mean by more than one action."""
        owners: dict[str, Action] = {}
        for action in self.actions:
            for name in action.formerly:
                owner = owners.setdefault(name, action)
                # Actions that are read from one column share its former name, too.
                if (owner.column or owner.name) != (action.column or action.name):
                    raise ValueError(
                        f"`actions`: {owner.name!r} and {action.name!r} are both `formerly` "
                        f"{name!r}; leave it with the one that it was"
                    )

    @model_validator(mode="after")
    def _limits_are_of_values(self) -> Self:
        single = [
            each.name
            for each in self.attributes.post_attributes
            if each.side == "post" and each.kind in ("id", "vocabulary", "bucketized")
        ]
        for name in self.materialize_feeds.attribute_places:
            if name not in single:
                raise ValueError(
                    f"`materialize_feeds.attribute_places`: expected an attribute of posts with "
                    f"one value of some ({', '.join(single) or 'none is declared'}), got {name!r}"
                )
        return self

    @model_validator(mode="after")
    def _folds_whole_windows(self) -> Self:
        source, window = self.ingest_events.source, self.build_features.window_minutes
        if not isinstance(source, FoldableSource) or source.fold_minutes is None:
            return self
        minutes = source.fold_minutes
        if source.rows != "actions":
            raise ValueError(
                "`ingest_events.source.fold_minutes` is of `ingest_events.source.rows: actions`"
            )
        if minutes < window:
            raise ValueError(
                f"`ingest_events.source.fold_minutes`: expected at least "
                f"`build_features.window_minutes`, {window}, got {minutes}: a window would hold a "
                "post twice, as a positive and as its own negative"
            )
        return self

    @property
    def fold_ms(self) -> int | None:
        """How long an impression takes its actions, in a log of actions; None in any other."""
        source = self.ingest_events.source
        if not isinstance(source, FoldableSource) or source.rows != "actions":
            return None
        return (source.fold_minutes or self.build_features.window_minutes) * 60_000

    @property
    def positive_actions(self) -> tuple[str, ...]:
        """The actions that speak for a post."""
        return tuple(action.name for action in self.actions if action.is_positive)

    @property
    def negative_actions(self) -> tuple[str, ...]:
        """The actions that speak against a post."""
        return tuple(action.name for action in self.actions if action.score_weight < 0)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The configured actions, in the order of their bits."""
        return tuple(action.name for action in self.actions)
