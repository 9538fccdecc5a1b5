"""One trial: a model of some settings, trained on the days before a day and judged on the day.

Training and judgement are those of the pipeline; nothing is written but what a repeated search
spares itself, below `work/tune`: no artifact, no release, no pointer. A model starts from scratch,
since a champion has seen days on which it would be judged.
"""

import datetime
import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components import contract
from components.erasure import forgotten
from components.errors import BadConfigurationError, BadDataError
from components.evaluation.contests import contests_of
from components.evaluation.ranking_contest import RankingContest
from components.evaluation.retrieval_contest import RetrievalContest
from components.features import day_counts
from components.features.later_labels import LaterLabels, later_labels
from components.features.partitions import days_before, features_of
from components.features.training_source import feature_windows
from components.release import models
from components.run import compilation, provenance
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Artifact, Ref, Store
from components.training import model_configs, trainer, trainer_settings
from components.training import run as training_run
from components.training.plan import Plan
from phoenix.metrics.by_user import UserValues

logger = logging.getLogger(__name__)

_FORMAT = 1  # of the files of trials; one of another is not read


# Training left the finite numbers, or there was not enough memory (a RuntimeError of JAX).
_FAULTS_OF_SETTINGS = (ArithmeticError, MemoryError, RuntimeError)


class _FailedError(Exception):
    """A setting of which there can be no values."""


class Trial(NamedTuple):
    """What came out of one setting on one day."""

    values: Mapping[str, UserValues]  # by metric, that of the gate first; none of a failed one
    seconds: float  # that training and judgement took
    failure: str | None = None  # why there are no values
    is_known: bool = False  # from an earlier search


class _Inputs(NamedTuple):
    """What a training of a day reads."""

    plan: Plan
    features: Sequence[Ref]
    labels: LaterLabels
    others: Sequence[Ref]


@dataclass
class Trials:
    """Trials of one role of a deployment."""

    store: Store
    role: str  # retrieval or ranker

    def __post_init__(self) -> None:
        """Knows no contest yet."""
        self._contests: dict[datetime.date, RankingContest | RetrievalContest] = {}

    def find(self, config: Config, day: datetime.date) -> Trial | None:
        """Returns the trial that an earlier search made of the same settings and data, or None.

        Args:
          config: The deployment with the settings to try, numbers in place of `auto`.
          day: On which they are judged.

        Raises:
          BadDataError: If an input is missing or damaged.
        """
        context = Context(self._step, config, day, self.store)
        path = self._path(day, self._key(context, self._inputs(context)))
        return self._read(path, self._contest(config, day))

    def run(self, config: Config, day: datetime.date) -> Trial:
        """Trains and judges; takes what `find` takes.

        Raises:
          BadDataError: If an input is missing or damaged.
          BadConfigurationError: If the trainer cannot do what is configured.
          StoppedError: If the process was asked to stop; the next search goes on from there.
        """
        contest = self._contest(config, day)
        context = Context(self._step, config, day, self.store)
        inputs = self._inputs(context)
        key = self._key(context, inputs)
        start = time.monotonic()
        try:
            trial = Trial(self._judged(context, inputs, contest, key), 0.0)
        except _FailedError as error:
            trial = Trial({}, 0.0, failure=str(error))
        except (BadDataError, BadConfigurationError) as error:
            if not isinstance(error.__cause__, _FAULTS_OF_SETTINGS):
                raise
            trial = Trial({}, 0.0, failure=str(error.__cause__).splitlines()[0])
        trial = trial._replace(seconds=time.monotonic() - start)
        self.store.storage.replace(self._path(day, key), _to_json(trial, contest))
        return trial

    def _path(self, day: datetime.date, key: str) -> str:
        return f"work/tune/{self.role}/{day}-{key}.json"

    @property
    def _step(self) -> contract.Step:
        return contract.STEPS[f"train_{self.role}"]

    def _contest(self, config: Config, day: datetime.date) -> RankingContest | RetrievalContest:
        """The contest of a day, which depends on no setting that is tried."""
        if day not in self._contests:
            compilation.use_cache(self.store)
            context = Context(contract.EVALUATE_MODELS, config, day, self.store)
            self._contests[day] = contests_of(context, *_day_inputs(context))[self.role]
        return self._contests[day]

    def _inputs(self, context: Context) -> _Inputs:
        section = trainer_settings.section_of(context.config, self.role)
        window_days = trainer_settings.number(section.window_days)
        days = days_before(context.config, context.day, window_days)
        features = features_of(context, days)
        # What a training of the day would know: what arrived by the end of the day before.
        yesterday = context.day - datetime.timedelta(days=1)
        labels = later_labels(context, days, through=yesterday)
        before = day_counts.counted_before(context, days[0])
        others = [*labels.refs, *([] if before is None else [before])]
        return _Inputs(Plan(self.role, days, scratch_reason="a search"), features, labels, others)

    def _key(self, context: Context, inputs: _Inputs) -> str:
        """The digest of all on which the outcome depends."""
        evaluation = Context(contract.EVALUATE_MODELS, context.config, context.day, context.store)
        features, validated, labels = _day_inputs(evaluation)
        refs = [*inputs.features, *inputs.others, features.ref, validated.ref, *labels.refs]
        config = context.config
        recipe: dict[str, Any] = {
            "training": training_run.settings_of(context, inputs.plan, self._model_config(config)),
            "evaluate_models": config.evaluate_models.model_dump(mode="json"),
            "export_corpus": config.export_corpus.model_dump(mode="json"),
            "score_weights": [action.score_weight for action in config.actions],
            "inputs": [asdict(ref) for ref in refs],
            "code": [provenance.code_digest(step.module) for step in (self._step, evaluation.step)],
            "libraries": provenance.library_versions(),
            "seed": config.seed,
            **forgotten.recipe(config),
        }
        text = json.dumps(recipe, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _model_config(self, config: Config) -> Any:  # noqa: ANN401 - one class for each role
        make = model_configs.retrieval if self.role == "retrieval" else model_configs.ranker
        return make(config)

    def _judged(
        self,
        context: Context,
        inputs: _Inputs,
        contest: RankingContest | RetrievalContest,
        key: str,
    ) -> Mapping[str, UserValues]:
        """Returns the values of users by metric, of a model that is trained and thrown away."""
        model_config = self._model_config(context.config)
        source = feature_windows(
            context, inputs.features, inputs.labels, has_evidence=model_config.reads_evidence
        )
        section = trainer_settings.section_of(context.config, self.role)
        if source.num_windows < section.min_windows:
            raise _FailedError(
                f"the days before {context.day} have {source.num_windows} windows, and "
                f"`train_{self.role}.min_windows` asks for {section.min_windows}"
            )
        work = training_run.work_folder(context, key)
        result, _ = trainer.train(context, inputs.plan, model_config, source=source, work=work)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / models.MODEL
            models.save(folder, result.model)
            if isinstance(contest, RetrievalContest):
                judged = contest.judge(models.load_retriever(folder))
            else:
                judged = contest.judge(models.load_ranker(folder))
        shutil.rmtree(work, ignore_errors=True)  # as after a training, see `training.run`
        if judged.by_user is None:
            raise _FailedError("its predictions are not finite")
        first = contest.metric
        return {first: judged.by_metric[first], **judged.by_metric}

    def _read(self, path: str, contest: RankingContest | RetrievalContest) -> Trial | None:
        """Returns a trial of an earlier search; None where there is none that can be read."""
        if not self.store.storage.exists(path):
            return None
        try:
            facts = json.loads(self.store.storage.read(path))
            if facts["format"] != _FORMAT:
                return None
            users = np.unique(contest.windows.user_ids)
            values = {
                name: UserValues(
                    users[np.array(each["places"], np.int64)],
                    np.array(each["values"], np.float64),
                    np.array(each["weights"], np.float64),
                )
                for name, each in facts["values"].items()
            }
        except (ValueError, KeyError, TypeError, IndexError):
            logger.warning("%s cannot be read: the trial is made again.", path)
            return None
        return Trial(values, facts["seconds"], facts["failure"], is_known=True)


def _day_inputs(context: Context) -> tuple[Artifact, Artifact, LaterLabels]:
    """The features of a day, its validated rows, and the labels that arrived for it by its end."""
    day = context.day
    features = context.read(contract.BUILD_FEATURES.name, day)
    validated = context.read(contract.VALIDATE_EVENTS.name, day)
    return features, validated, later_labels(context, [day], through=day)


def _to_json(trial: Trial, contest: RankingContest | RetrievalContest) -> bytes:
    """Returns a file of a trial, in which users are places among those of the day.

    Their ids stay where a search for forgotten users finds them.
    """
    users = np.unique(contest.windows.user_ids)
    values = {
        name: {
            "places": np.searchsorted(users, each.user_ids).tolist(),
            "values": each.values.tolist(),
            "weights": each.weights.tolist(),
        }
        for name, each in trial.values.items()
    }
    facts = {
        "format": _FORMAT,
        "values": values,
        "seconds": trial.seconds,
        "failure": trial.failure,
    }
    return json.dumps(facts).encode()
