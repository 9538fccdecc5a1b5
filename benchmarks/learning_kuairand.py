"""The ranker on KuaiRand-Pure against plain models, day by day, by what is known before each day.

The configuration is `examples/kuairand.yaml`. For each of the days 2 to 5 May 2022 all models are
trained on earlier days alone, and asked for the impressions of the day. SINCE and UNTIL name other
days: settings are chosen on days before 2 May. Where the log is: the environment variable SOURCE,
as in `make demo SOURCE=DIR`.

Glossary of shapes:
  E: impressions, A: actions.
"""

import datetime
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import environments, pipeline, rate_models
from benchmarks.measurement import Result
from benchmarks.rate_models import Impressions, Rates
from components import contract
from components.evaluation.entrants import most_popular
from components.features import day_counts, partitions, shapes, windows_files
from components.release import models
from components.run.context import Context
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Store
from phoenix.data.windows import Windows, unpack_actions
from phoenix.metrics import by_user, ordering
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence
from phoenix.recommend import scoring
from phoenix.recommend.baselines import Random
from phoenix.recommend.predict_runner import PredictRunner

_SOURCE = Path(__file__).parents[1] / "var" / "kuairand" / "source"  # as in the example
_SINCE, _UNTIL = "2022-05-02", "2022-05-05"
_JUDGED = ("long_view", "click")
_K = 5  # of NDCG
_PACKAGES = ("lightgbm==4.7.0",)
_DAYS_OF_POPULARITY = 7
_DAYS_OF_COUNTS = 2  # before the first day on which a plain model learns
_SAMPLES = 200  # of users, for the interval of an AUC
_OURS, _TREES = "ranker", "LightGBM"


class _Day(NamedTuple):
    """A day and what was known of its impressions before it."""

    windows: Windows
    log: Impressions
    rates: Rates


class _Judged(NamedTuple):
    """Predictions for the impressions of all days that are judged."""

    days: np.ndarray  # [E]
    log: Impressions
    predicted: Mapping[str, np.ndarray]  # [E, A] by who predicts


def results() -> Iterator[Result]:
    """Judges all of them on the same impressions, with bootstrap intervals over users.

    Raises:
      SystemExit: If the log is not there.
    """
    source = Path(os.environ.get("SOURCE") or _SOURCE)
    if not list(source.glob("log_*.csv")):
        raise SystemExit(
            f"learning_kuairand: expected log_*.csv of KuaiRand-Pure in {source}, found none: "
            "name its folder by SOURCE=DIR."
        )
    first, last = (
        datetime.date.fromisoformat(os.environ.get(name, usual))
        for name, usual in (("SINCE", _SINCE), ("UNTIL", _UNTIL))
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = pipeline.configure(folder, "kuairand", {"path": str(source.resolve())})
        config = load(path)
        pipeline.run_data_steps(path, config.first_day, last)
        days = _read_days(config, last)
        judged = [day for day in days if day >= first]
        for day in judged:
            pipeline.run_step(path, "train_ranker", day)
        parts = [_predictions(config, days, day, folder) for day in judged]
        yield from _compared(_join(parts, judged, days), config)


def _context(config: Config, day: datetime.date) -> Context:
    return Context(contract.EVALUATE_MODELS, config, day, Store(config.store))


def _read_days(config: Config, last: datetime.date) -> dict[datetime.date, _Day]:
    """The days from the second one on: before the first, nothing is known."""
    spec, past, found = shapes.hash_spec(config.hashing), [], {}
    for number in range((last - config.first_day).days + 1):
        day = config.first_day + datetime.timedelta(days=number)
        features = _context(config, day).read("build_features", day)
        before = day_counts.rates_before(features.folder, features.manifest, config)
        windows = windows_files.read_windows(features.folder, spec=spec, rates=before)
        log = _impressions(windows, len(config.actions))
        if past:
            found[day] = _Day(windows, log, rate_models.rates(rate_models.join(past), log))
        past.append(log)
    return found


def _impressions(windows: Windows, num_actions: int) -> Impressions:
    """The impressions of `windows`, in their order."""
    exists = windows.candidate_mask
    return Impressions(
        user_ids=np.broadcast_to(windows.user_ids[:, None], exists.shape)[exists],
        post_ids=windows.candidate_post_ids[exists],
        author_ids=windows.candidate_author_ids[exists],
        surfaces=windows.candidate_surfaces[exists],
        shown_at=windows.candidate_shown_at[exists],
        done=unpack_actions(windows.labels[exists], num_actions),
    )


def _predictions(
    config: Config, days: Mapping[datetime.date, _Day], day: datetime.date, folder: Path
) -> dict[str, np.ndarray]:
    """`[E, A]` by who predicts, for the impressions of a day."""
    context, own = _context(config, day), days[day]
    (yesterday,) = partitions.features_of(context, partitions.days_before(config, day, 1))
    rankers = {
        _OURS: models.load_ranker(context.read("train_ranker", day).path(models.MODEL)),
        "random": Random(config.action_names, config.seed),
        "most popular": most_popular(context, yesterday),
    }
    predicted = {
        name: PredictRunner(ranker=ranker, splits={"day": own.windows}).predict("day").probabilities
        for name, ranker in rankers.items()
    }
    past = [each.log for number, each in days.items() if number < day][-_DAYS_OF_POPULARITY:]
    predicted["most popular, seven days"] = rate_models.rates_of_posts(
        rate_models.join(past), own.log
    )
    earlier = [each for number, each in days.items() if number < day][_DAYS_OF_COUNTS - 1 :]
    predicted["logistic regression"] = _regression(earlier, own)
    trees = _boosted_trees(earlier, own, config, folder)
    if trees is not None:
        # The other actions are rare, and need no trees of their own.
        predicted[_TREES] = predicted["most popular"].copy()
        predicted[_TREES][:, [config.action_names.index(action) for action in _JUDGED]] = trees
    return predicted


def _regression(earlier: Sequence[_Day], own: _Day) -> np.ndarray:
    """`[E, A]` predictions of one regression per action on four log-odds."""
    features = np.concatenate([each.rates.four for each in earlier])
    done = np.concatenate([each.log.done for each in earlier])
    predicted = [
        rate_models.regression(features[..., a], labels)(own.rates.four[..., a])
        for a, labels in enumerate(done.T)
    ]
    return np.stack(predicted, axis=1)


def _boosted_trees(
    earlier: Sequence[_Day], own: _Day, config: Config, folder: Path
) -> np.ndarray | None:
    """`[E, 2]` predictions of the peer in its environment; None if it cannot be had."""
    try:
        python = environments.python_with("lightgbm", _PACKAGES)
    except subprocess.CalledProcessError:
        return None
    every = [*earlier, own]
    places = [config.action_names.index(action) for action in _JUDGED]
    features = [
        np.concatenate([each.rates.tree_features(a, places, each.log) for each in every])
        for a in places
    ]
    # Part 0 is learned from; the day before says when to stop.
    parts = [*[0] * (len(earlier) - 1), 1, 2]
    np.save(folder / "features.npy", np.stack(features))
    np.save(folder / "labels.npy", np.concatenate([each.log.done[:, places] for each in every]))
    np.save(folder / "part.npy", np.repeat(parts, [len(each.log.done) for each in every]))
    script = Path(__file__).with_name("boosted_trees.py")
    subprocess.run([python, script, folder], check=True)
    return np.load(folder / "predicted.npy")


def _join(
    parts: Sequence[Mapping[str, np.ndarray]],
    judged: Sequence[datetime.date],
    days: Mapping[datetime.date, _Day],
) -> _Judged:
    logs = [days[day].log for day in judged]
    numbers = np.repeat([day.toordinal() for day in judged], [len(log.done) for log in logs])
    names = [name for name in parts[0] if all(name in part for part in parts)]
    predicted = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return _Judged(numbers, rate_models.join(logs), predicted)


def _compared(judged: _Judged, config: Config) -> Iterator[Result]:
    days, log = judged.days, judged.log
    for action in _JUDGED:
        a = config.action_names.index(action)
        done = log.done[:, a] > 0
        scores = {name: values[:, a] for name, values in judged.predicted.items()}
        gauc = {name: by_user.gauc(log.user_ids, days, each, done) for name, each in scores.items()}
        yield from _against_each(f"{action}_gauc", gauc)
        yield from _aucs(f"{action}_auc", judged, scores, done)
    weights = np.array([action.score_weight for action in config.actions])
    gains = log.done @ np.maximum(weights, 0)

    def ndcg(name: str) -> UserValues:
        score = scoring.weighted_scores(judged.predicted[name], weights.tolist()).scores
        of_days = [np.flatnonzero(days == day) for day in sorted(set(days))]
        parts = [by_user.ndcg(log.user_ids[rows], score[rows], gains[rows], _K) for rows in of_days]
        return by_user.merged(parts)

    yield from _against_each(f"ndcg@{_K}", {name: ndcg(name) for name in judged.predicted})


def _against_each(metric: str, values: Mapping[str, UserValues]) -> Iterator[Result]:
    """The ranker against each peer in one metric that users have."""
    ours = values[_OURS]
    for name, peer in values.items():
        if name != _OURS:
            interval = Evidence.of_day(ours, peer).interval()
            assert interval is not None
            note = _note(name, interval, len(ours.values), values)
            yield _result(metric, (ours.mean, peer.mean), note)


def _aucs(
    metric: str, judged: _Judged, scores: Mapping[str, np.ndarray], done: np.ndarray
) -> Iterator[Result]:
    """The ranker against each peer in AUC over all impressions of a day, in the mean of days."""
    users, place = np.unique(judged.log.user_ids, return_inverse=True)
    rows = [np.flatnonzero(judged.days == day) for day in sorted(set(judged.days))]

    def mean(values: np.ndarray, of_days: Sequence[np.ndarray]) -> float:
        return float(np.mean([ordering.auc(done[each], values[each]) for each in of_days]))

    found = {name: mean(values, rows) for name, values in scores.items()}
    generator = np.random.Generator(np.random.Philox(key=[0, len(users)]))
    samples: dict[str, list[float]] = {name: [] for name in scores}
    for _ in range(_SAMPLES):
        counts = np.bincount(generator.integers(0, len(users), len(users)), minlength=len(users))
        drawn = [np.repeat(each, counts[place[each]]) for each in rows]
        for name, values in scores.items():
            samples[name].append(mean(values, drawn))
    for name in scores:
        if name != _OURS:
            gains = np.subtract(samples[_OURS], samples[name])
            low, high = np.quantile(gains, [0.025, 0.975])
            note = _note(name, (low, high), len(users), scores)
            yield _result(metric, (found[_OURS], found[name]), note)


def _note(
    peer: str, interval: tuple[float, float], num_users: int, peers: Mapping[str, object]
) -> str:
    missing = "" if _TREES in peers else f"; {_TREES} is missing: it could not be installed"
    return (
        f"peer: {peer}; 95 % interval of the difference over {num_users:,} users "
        f"[{interval[0]:+.4f}, {interval[1]:+.4f}]{missing}"
    )


def _result(metric: str, values: tuple[float, float], note: str) -> Result:
    ours, peer = values
    unit = metric.split("_")[-1]
    return Result(name=f"learning_kuairand_{metric}", ours=ours, peer=peer, unit=unit, note=note)
