"""The steps as data: their names, order, options and exit codes.

This module is the only one that the DAG files import, so it needs the standard library alone. The
step modules, the command line and the three runners (process, Docker, Kubernetes) read the same
table: what is not written here does not exist for any of them.
"""

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The exit status of a step, after sysexits.h. 75 alone is worth a retry."""

    DONE = 0
    BAD_DATA = 65
    BUG = 70
    TRY_AGAIN = 75
    BAD_CONFIGURATION = 78
    NOTHING_TO_DO = 99


LATE_DAG = "phoenix_late"  # runs the data steps of a day again for which rows arrived later


class Dag(StrEnum):
    """The DAGs that own steps, in the order in which their assets trigger one another.

    `LATE_DAG` owns none: it borrows those of `DATA`.
    """

    DATA = "phoenix_data"
    RELEASE = "phoenix_release"
    FEEDS = "phoenix_feeds"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a step, beside `--config` and `--day`, which every step has."""

    name: str  # `retrain` is `--retrain VALUE` on the command line and `retrain` in the form
    help: str
    value_type: type[str] | type[int] | type[bool] = str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the same word is module, task, artifact kind and section of the configuration."""

    name: str
    dag: Dag
    summary: str
    reads: tuple[str, ...]  # artifact kinds, of this or of earlier days
    options: tuple[Option, ...] = ()
    is_training: bool = False  # runs in the pool `training`
    is_sharded: bool = False  # has --shard and --num-shards; the DAG maps it over the shards

    @property
    def module(self) -> str:
        """The module that `python -m` runs."""
        return f"components.{self.name}"

    def argv(self, *, config: str, day: str, **values: object) -> list[str]:
        """Returns the arguments after `python -m <module>`, one list item each, never a shell line.

        Args:
          config: Path of the deployment's configuration.
          day: UTC day as YYYY-MM-DD, or a template that renders to one.
          **values: Values of this step's options by name; None leaves an option out.

        Raises:
          ValueError: If a name is not an option of this step.

        >>> TRAIN_RANKER.argv(config="phoenix.yaml", day="2026-01-01", retrain="never")
        ['--config', 'phoenix.yaml', '--day', '2026-01-01', '--retrain', 'never']
        """
        names = {option.name for option in self.options}
        unknown = sorted(values.keys() - names)
        if unknown:
            raise ValueError(f"{self.name} has no option {unknown[0]!r}; it has {sorted(names)}.")
        argv = ["--config", config, "--day", day]
        for name, value in values.items():
            if value is not None:
                argv += ["--" + name.replace("_", "-"), str(value)]
        return argv


MAX_SHARDS = 999  # three digits in the name of a partition
_SHARD = Option(name="shard", value_type=int, default=0, help="Which shard to write, from 0.")
_NUM_SHARDS = Option(
    name="num_shards", value_type=int, default=1, help="Into how many shards the day is cut."
)
_RETRAIN = Option(
    name="retrain",
    default="auto",
    choices=("auto", "always", "never"),
    help="Train on this day: as configured (auto), in any case, or not at all.",
)

INGEST_EVENTS = Step(
    name="ingest_events",
    dag=Dag.DATA,
    summary="Read one UTC day of the source into the canonical event schema.",
    reads=(),
)
VALIDATE_EVENTS = Step(
    name="validate_events",
    dag=Dag.DATA,
    summary="Account for every row, quarantine what breaks a rule, check expectations.",
    reads=("ingest_events",),
)
BUILD_FEATURES = Step(
    name="build_features",
    dag=Dag.DATA,
    summary="Cut the day into windows, each with the history strictly before it.",
    reads=("validate_events", "build_features"),
)
TRAIN_RETRIEVAL = Step(
    name="train_retrieval",
    dag=Dag.RELEASE,
    summary="Train the two-tower retrieval model on the days before this one.",
    reads=("build_features", "publish_release"),
    options=(_RETRAIN,),
    is_training=True,
)
TRAIN_RANKER = Step(
    name="train_ranker",
    dag=Dag.RELEASE,
    summary="Train the ranking transformer on the days before this one.",
    reads=("build_features", "publish_release"),
    options=(_RETRAIN,),
    is_training=True,
)
EVALUATE_MODELS = Step(
    name="evaluate_models",
    dag=Dag.RELEASE,
    summary="Compare candidates, champion and baselines on this day; decide with reasons.",
    reads=(
        "validate_events",
        "build_features",
        "train_retrieval",
        "train_ranker",
        "publish_release",
    ),
    options=(
        Option(
            name="force",
            choices=("promote", "keep"),
            help="Overrule the gate for both models; needs a reason.",
        ),
        Option(name="reason", help="Why the gate is overruled; kept in the decision."),
    ),
)
EXPORT_CORPUS = Step(
    name="export_corpus",
    dag=Dag.RELEASE,
    summary="Embed every eligible post with the chosen retrieval model.",
    reads=("evaluate_models", "validate_events"),
)
PUBLISH_RELEASE = Step(
    name="publish_release",
    dag=Dag.RELEASE,
    summary="Bind models, corpus and decision into one verified release.",
    reads=("evaluate_models", "export_corpus", "build_features"),
    options=(
        Option(
            name="answer",
            choices=("approve", "reject"),
            help="What a person answered who was asked before the release; a rejected one fails.",
        ),
        Option(name="answered_by", help="Who answered; kept in the release."),
        Option(name="note", help="Why; kept in the release."),
    ),
)
MEASURE_FEEDS = Step(
    name="measure_feeds",
    dag=Dag.FEEDS,
    summary="Measure what the feeds that were live on the day before earned.",
    reads=("validate_events", "publish_feeds", "publish_release", "measure_feeds"),
)
MATERIALIZE_FEEDS = Step(
    name="materialize_feeds",
    dag=Dag.FEEDS,
    summary="Retrieve, filter, rank and explain a feed for every user of one shard.",
    reads=("publish_release", "validate_events", "build_features", "publish_feeds"),
    options=(_SHARD, _NUM_SHARDS),
    is_sharded=True,
)
PUBLISH_FEEDS = Step(
    name="publish_feeds",
    dag=Dag.FEEDS,
    summary="Check the feeds' quality, write the sinks, make release and feeds live together.",
    reads=("materialize_feeds", "publish_release", "validate_events"),
    options=(_NUM_SHARDS,),
)

STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        INGEST_EVENTS,
        VALIDATE_EVENTS,
        BUILD_FEATURES,
        TRAIN_RETRIEVAL,
        TRAIN_RANKER,
        EVALUATE_MODELS,
        EXPORT_CORPUS,
        PUBLISH_RELEASE,
        MEASURE_FEEDS,
        MATERIALIZE_FEEDS,
        PUBLISH_FEEDS,
    )
}

DAY_PATTERN = r"\d{4}-\d{2}-\d{2}"


def parse_day(text: str) -> datetime.date:
    """Returns the UTC day written as YYYY-MM-DD.

    Raises:
      ValueError: If the text has another form or is no day of the calendar.
    """
    # `fromisoformat` takes 20260101 and 2026-W01-4, too: one day would be several partitions.
    if not re.fullmatch(DAY_PATTERN, text):
        raise ValueError(f"A day is written YYYY-MM-DD, got {text!r}.")
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text} is no day of the calendar: {error}.") from error


def parse_result(stdout_line: str) -> dict[str, object]:
    """Reads the one JSON object with which a step ends its standard output.

    Raises:
      ValueError: If the line is not such an object.
    """
    try:
        result = json.loads(stdout_line)
    except json.JSONDecodeError as error:
        raise ValueError(f"A step ends with one JSON object, got {stdout_line!r}.") from error
    if not isinstance(result, dict) or "status" not in result:
        raise ValueError(f"The result of a step has a status, got {stdout_line!r}.")
    return result
