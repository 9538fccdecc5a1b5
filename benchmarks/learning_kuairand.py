"""The ranker on KuaiRand-Pure against random, most popular and boosted trees, within users.

The configuration is `examples/kuairand.yaml`. The ranker learns from 26 April to 3 May 2022, as the
step of 4 May does, and is asked for the impressions of 4 and 5 May, as are the others, which know
the same days. The boosted trees read counts up to the start of each window, those of 4 and 5 May
included. Where the log is: the environment variable SOURCE, as in `make demo SOURCE=DIR`.

Glossary of shapes:
  E: impressions, T: the actions by which users are judged.
"""

import datetime
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks import environments, pipeline, point_in_time
from benchmarks.measurement import Result
from components import contract
from components.evaluation.entrants import most_popular
from components.features import partitions, shapes, windows_files
from components.features.later_labels import later_labels
from components.release import models
from components.run.context import Context
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Store
from phoenix.data.windows import Windows, concatenate, unpack_actions
from phoenix.metrics import by_user
from phoenix.metrics.by_user import UserValues
from phoenix.metrics.evidence import Evidence
from phoenix.recommend.baselines import Random
from phoenix.recommend.predict_runner import PredictRunner

_SOURCE = Path(__file__).parents[1] / "var" / "kuairand" / "source"  # as in the example
_FIRST, _TEST, _LAST = (
    datetime.date(2022, 4, 26),
    datetime.date(2022, 5, 4),
    datetime.date(2022, 5, 5),
)
_JUDGED = ("long_view", "click")
_K = 5  # of NDCG
_PACKAGES = ("lightgbm==4.7.0",)


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = pipeline.configure(folder, "kuairand", {"path": str(source.resolve())})
        config = load(path)
        pipeline.run_data_steps(path, _FIRST, _LAST)
        pipeline.run_step(path, "train_ranker", _TEST)
        windows = _windows(config)
        yield from _compared(windows, _predictions(config, windows, folder), config)


def _windows(config: Config) -> dict[datetime.date, Windows]:
    spec = shapes.hash_spec(config.hashing)
    found = {}
    for number in range((_LAST - _FIRST).days + 1):
        day = _FIRST + datetime.timedelta(days=number)
        folder = _context(config).read("build_features", day).folder
        found[day] = windows_files.read_windows(folder, spec=spec)
    return found


def _context(config: Config) -> Context:
    return Context(contract.EVALUATE_MODELS, config, _TEST, Store(config.store))


def _predictions(
    config: Config, windows: Mapping[datetime.date, Windows], folder: Path
) -> dict[str, np.ndarray]:
    """`[E, T]` by who predicts, for the impressions of the test days in order of the windows."""
    context, actions = _context(config), config.action_names
    trained = models.load(context.read("train_ranker", _TEST).path(models.MODEL))
    days = partitions.days_before(config, _TEST, config.evaluate_models.popularity_days)
    labels = later_labels(context, days, through=days[-1])
    popular = most_popular(context, partitions.features_of(context, days), labels)
    test = {"test": concatenate([windows[_TEST], windows[_LAST]])}
    places = [actions.index(action) for action in _JUDGED]
    rankers = {"ranker": trained, "random": Random(actions, config.seed), "most popular": popular}
    predicted = {
        name: PredictRunner(ranker=ranker, splits=test).predict("test").probabilities[:, places]
        for name, ranker in rankers.items()
    }
    return {**predicted, "LightGBM": _boosted_trees(config, windows, folder)}


def _boosted_trees(
    config: Config, windows: Mapping[datetime.date, Windows], folder: Path
) -> np.ndarray:
    """`[E, T]` predictions of the peer in its environment."""
    logs = [_impressions(each, config) for each in windows.values()]
    # Part 0 is learned from; the day before the test says when to stop.
    parts = [0 if day < _TEST - datetime.timedelta(days=1) else 1 for day in windows]
    parts = [2 if day >= _TEST else part for day, part in zip(windows, parts, strict=True)]
    log = point_in_time.Impressions(
        *(np.concatenate(columns) for columns in zip(*logs, strict=True))
    )
    sizes = [len(each.user_ids) for each in logs]
    places = [config.action_names.index(action) for action in _JUDGED]
    np.save(folder / "features.npy", point_in_time.features(log))
    np.save(folder / "labels.npy", log.done[:, places])
    np.save(folder / "part.npy", np.repeat(parts, sizes))
    python = environments.python_with("lightgbm", _PACKAGES)
    script = Path(__file__).with_name("boosted_trees.py")
    subprocess.run([python, script, folder], check=True)
    return np.load(folder / "predicted.npy")


def _impressions(windows: Windows, config: Config) -> point_in_time.Impressions:
    """The impressions of `windows`, in their order."""
    exists = windows.candidate_mask

    def of_window(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values[:, None], exists.shape)[exists]

    return point_in_time.Impressions(
        user_ids=of_window(windows.user_ids),
        post_ids=windows.candidate_post_ids[exists],
        author_ids=windows.candidate_author_ids[exists],
        surfaces=windows.candidate_surfaces[exists],
        shown_at=windows.candidate_shown_at[exists],
        known_at=of_window(windows.starts_at),
        done=unpack_actions(windows.labels[exists], len(config.actions)),
    )


def _compared(
    windows: Mapping[datetime.date, Windows], predicted: Mapping[str, np.ndarray], config: Config
) -> Iterator[Result]:
    test = _impressions(concatenate([windows[_TEST], windows[_LAST]]), config)
    for place, action in enumerate(_JUDGED):
        done = test.done[:, config.action_names.index(action)]
        scores = {name: values[:, place] for name, values in predicted.items()}
        users, posts = test.user_ids, test.post_ids
        yield from _against_each(
            f"{action}_gauc",
            {name: by_user.auc(users, each, done > 0) for name, each in scores.items()},
        )
        yield from _against_each(
            f"{action}_ndcg@{_K}",
            {name: by_user.ndcg(users, posts, each, done, _K) for name, each in scores.items()},
        )


def _against_each(metric: str, values: Mapping[str, UserValues]) -> Iterator[Result]:
    """The ranker against each peer in one metric."""
    ours = values["ranker"]
    nothing = ours._replace(values=np.zeros_like(ours.values))
    for name, peer in values.items():
        if name == "ranker":
            continue
        yield Result(
            name=f"learning_kuairand_{metric}",
            ours=ours.mean,
            peer=peer.mean,
            unit=metric.split("_")[-1],
            note=f"peer: {name}; 95 % intervals over {len(ours.values):,} users: ours "
            f"{_interval(ours, nothing)}, peer {_interval(peer, nothing)}, difference "
            f"{_interval(ours, peer)}",
        )


def _interval(values: UserValues, others: UserValues) -> str:
    found = Evidence.of_day(values, others).interval()
    assert found is not None
    return "[{:.4f}, {:.4f}]".format(*found)
