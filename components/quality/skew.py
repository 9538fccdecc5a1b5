"""The distance between what the live model sees and what it was trained on.

Two comparisons, each with limits that its own past calibrates: the events of the day against those
of the days on which the released models were trained, and the features from which the feeds were
made against the features of that training. Feeds are made for every user at midnight while training
has a window for every session, so they are never alike; what is told is that this changed.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import contract
from components.features import statistics
from components.quality import day_statistics, drift
from components.quality.common_actions import Measured, of_common_actions
from components.quality.drift import Comparison
from components.run.context import Context
from components.settings.config import Config
from components.settings.feeds import PublishFeedsConfig
from components.store.artifacts import Artifact, Ref, Store
from components.tables import action_lists
from phoenix.data.histograms import Histogram

SKEW_FILE = "skew.json"  # of publish_feeds
KINDS = ("training_drift", "serving_skew")  # the severity of each is a setting of publish_feeds
_TRAININGS = (contract.TRAIN_RETRIEVAL.name, contract.TRAIN_RANKER.name)

Histograms = Mapping[str, Histogram]


@dataclass(frozen=True)
class Watch:
    """Everything that is compared, read from the artifacts."""

    day: datetime.date
    config: Config
    trained_on: Sequence[Ref]  # features, oldest first; none if no released model was trained
    earlier: Sequence[tuple[Ref, Mapping[str, Any]]]  # publish_feeds and skew file, oldest first
    pairs: Mapping[str, tuple[Histograms, Histograms]]  # kind -> of the training, of the day

    @property
    def refs(self) -> list[Ref]:
        """The artifacts that were read beside the release and the shards."""
        return [*self.trained_on, *(ref for ref, _ in self.earlier)]

    def compare(self) -> "Skew":
        """Measures all distances."""
        comparisons = {
            kind: drift.compare(
                *pair, [day.get(kind, {}) for _, day in self.earlier], self.config.baseline
            )
            for kind, pair in self.pairs.items()
        }
        distances = {kind: drift.to_dict(each) for kind, each in comparisons.items()}
        return Skew(
            comparisons=comparisons,
            distances=distances,
            trained_on=[ref.partition for ref in self.trained_on],
            section=self.config.publish_feeds,
        )


@dataclass(frozen=True)
class Skew:
    """The distances of one day, by kind."""

    comparisons: Mapping[str, Sequence[Comparison]]
    distances: Mapping[str, Any]  # the comparisons as later days read them
    trained_on: Sequence[str]  # days
    section: PublishFeedsConfig

    def alarms(self) -> list[dict[str, Any]]:
        """Returns the distances above their limits, with the severity that the kind has."""
        return [
            {"kind": kind, "name": each.name, "value": each.value, "limit": each.limit}
            | {"severity": self._severity(kind)}
            for kind, comparisons in self.comparisons.items()
            for each in comparisons
            if each.is_alarm and self._severity(kind) != "ignore"
        ]

    def breaches(self) -> list[str]:
        """Returns a sentence for each alarm that is critical."""
        return [
            f"{each['kind']} of {each['name']} is {each['value']:g}, at most {each['limit']:g} was "
            f"expected (`publish_feeds.{each['kind']}` is critical)"
            for each in self.alarms()
            if each["severity"] == "critical"
        ]

    def save(self, folder: Path) -> None:
        """Writes the distances."""
        text = json.dumps(self.distances, sort_keys=True, indent=1)
        (folder / SKEW_FILE).write_text(text + "\n", encoding="utf-8")

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest says."""
        comparisons = [each for part in self.comparisons.values() for each in part]
        return {
            "trained_on": list(self.trained_on),
            "compared": len(comparisons),
            "judged": sum(each.limit is not None for each in comparisons),
            "alarms": self.alarms(),
        }

    def _severity(self, kind: str) -> str:
        severities = {
            "training_drift": self.section.training_drift,
            "serving_skew": self.section.serving_skew,
        }
        return severities[kind]


def watch(context: Context, release: Artifact, shards: Sequence[Artifact]) -> Watch:
    """Collects both sides of every comparison, and nothing of a later day.

    Args:
      context: The run of publish_feeds.
      release: The release from which the feeds were made.
      shards: The artifacts of materialize_feeds.

    Raises:
      BadDataError: If an artifact that is read is missing or damaged.
    """
    store, day, config = context.store, context.day, context.config
    trained_on = training_features(store, release.ref)
    earlier = []
    for back in range(config.baseline.days, 0, -1):
        ref = context.head(contract.PUBLISH_FEEDS.name, day - datetime.timedelta(days=back))
        # Feeds that were published before the skew was measured have no such file.
        if ref is not None and SKEW_FILE in store.manifest(ref)["files"]:
            earlier.append((ref, json.loads(store.read_file(ref, SKEW_FILE).read_bytes())))
    pairs = {}
    if trained_on:
        accepted = [_accepted_of(store, ref) for ref in trained_on]
        accepted.append(context.read(contract.VALIDATE_EVENTS.name, day).ref)
        days = [day_statistics.read(store, ref, config).measured for ref in accepted]
        # What is usual is the training's own data, not the last days: a model that was trained
        # long ago meets a world that has moved on.
        pairs["training_drift"] = _pair(days[:-1], days[-1:])
        name = statistics.FEATURES_FILE
        pairs["serving_skew"] = _pair(
            [_features(store, ref, config) for ref in trained_on],
            [
                Measured(statistics.read(shard.path(name)), frozenset(config.action_names))
                for shard in shards
            ],
        )
    return Watch(day, config, trained_on, earlier, pairs)


def _features(store: Store, features: Ref, config: Config) -> Measured:
    """Returns what the histories of a day's features look like, and the actions that they know."""
    histograms = statistics.read(store.read_file(features, statistics.FEATURES_FILE))
    return Measured(histograms, action_lists.known_actions(store.manifest(features), config))


def _pair(usual: Sequence[Measured], current: Sequence[Measured]) -> tuple[Histograms, Histograms]:
    """Adds up each side, over the actions that both know."""
    parts = of_common_actions([*usual, *current])
    return statistics.merge(parts[: len(usual)]), statistics.merge(parts[len(usual) :])


def training_features(store: Store, release: Ref) -> list[Ref]:
    """Returns the features on which the models of a release were trained, oldest first.

    They are followed through the recipes: of the release, of the training, of the release from
    which that training started, as many days as the longest window of these trainings has.
    A release works without what it was made of, so what was removed since is left out.
    """
    reach = 1
    features_by_day: dict[str, Ref] = {}
    queue, visited = [release], {release}
    while queue:
        ref = queue.pop()
        # Inputs without a kind are files of a source, not artifacts.
        recipe = store.manifest(ref)["recipe"]
        inputs = [each for each in recipe["inputs"] if "kind" in each]
        if ref.kind in _TRAININGS:
            reach = max(reach, recipe["config"][ref.kind]["window_days"])
        for input_ref in (Ref(**each) for each in inputs):
            if input_ref in visited or not store.holds(input_ref):
                continue
            if input_ref.kind == contract.BUILD_FEATURES.name and ref.kind in _TRAININGS:
                if store.holds(_accepted_of(store, input_ref)):
                    features_by_day[input_ref.partition] = input_ref
            elif input_ref.kind in (*_TRAININGS, contract.PUBLISH_RELEASE.name):
                visited.add(input_ref)
                queue.append(input_ref)
    return [features_by_day[day] for day in sorted(features_by_day)[-reach:]]


def _accepted_of(store: Store, features: Ref) -> Ref:
    """Returns the accepted events from which the features of a day were built."""
    inputs = store.manifest(features)["recipe"]["inputs"]
    events_of_day = [
        each
        for each in inputs
        if each.get("kind") == contract.VALIDATE_EVENTS.name
        and each["partition"] == features.partition
    ]
    # A replayed state reads the events of earlier days first; those of the day come last.
    return Ref(**events_of_day[-1])
