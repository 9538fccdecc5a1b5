"""Is what the live model sees what it was trained on?

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

from components.drawings import drift as drift_drawings
from components.features import statistics
from components.quality import day_statistics, drift
from components.quality.drift import Comparison
from components.run.context import Context
from components.settings.config import Config
from components.settings.steps import PublishFeedsConfig
from components.store.artifacts import Artifact, Ref, Store
from phoenix.data.histograms import Histogram

SKEW_FILE = "skew.json"  # of publish_feeds
KINDS = ("training_drift", "serving_skew")  # the severity of each is a setting of publish_feeds
_TRAININGS = ("train_retrieval", "train_ranker")

Histograms = Mapping[str, Histogram]


@dataclass(frozen=True)
class Watch:
    """Everything that is compared."""

    day: datetime.date
    config: Config
    trained_on: Sequence[Ref]  # features, oldest first; none if no released model was trained
    past: Sequence[tuple[Ref, Mapping[str, Any]]]  # publish_feeds and its skew file, oldest first
    pairs: Mapping[str, tuple[Histograms, Histograms]]  # kind -> of the training, of the day

    @property
    def refs(self) -> list[Ref]:
        """What was read beside the release and the shards."""
        return [*self.trained_on, *(ref for ref, _ in self.past)]

    def compare(self) -> "Skew":
        """Measures all distances."""
        found = {
            kind: drift.compare(
                *pair, [day.get(kind, {}) for _, day in self.past], self.config.baseline
            )
            for kind, pair in self.pairs.items()
        }
        recorded = {kind: drift.recorded(each) for kind, each in found.items()}
        days = [(ref.partition, day) for ref, day in self.past] + [(str(self.day), recorded)]
        drawn = {
            kind: drift_drawings.over_time([(name, day.get(kind, {})) for name, day in days])
            for kind in KINDS
        }
        return Skew(
            found=found,
            recorded=recorded,
            drawings={kind: each for kind, each in drawn.items() if each is not None},
            trained_on=[ref.partition for ref in self.trained_on],
            section=self.config.publish_feeds,
        )


@dataclass(frozen=True)
class Skew:
    """What was found."""

    found: Mapping[str, Sequence[Comparison]]
    recorded: Mapping[str, Any]
    drawings: Mapping[str, bytes]
    trained_on: Sequence[str]  # days
    section: PublishFeedsConfig

    def alarms(self) -> list[dict[str, Any]]:
        """Returns the distances above their limits, with the severity that the kind has."""
        return [
            {"kind": kind, "name": each.name, "value": each.value, "limit": each.limit}
            | {"severity": getattr(self.section, kind)}
            for kind, comparisons in self.found.items()
            for each in comparisons
            if each.is_alarm and getattr(self.section, kind) != "ignore"
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
        """Writes the distances and their drawings."""
        text = json.dumps(self.recorded, sort_keys=True, indent=1)
        (folder / SKEW_FILE).write_text(text + "\n", encoding="utf-8")
        for kind, drawing in self.drawings.items():
            (folder / f"{kind}.svg").write_bytes(drawing)

    def facts(self) -> dict[str, Any]:
        """Returns what the manifest says."""
        compared = sum(len(each) for each in self.found.values())
        judged = sum(
            each.limit is not None for comparisons in self.found.values() for each in comparisons
        )
        return {
            "trained_on": list(self.trained_on),
            "compared": compared,
            "judged": judged,
            "alarms": self.alarms(),
        }


def watch(context: Context, release: Artifact, shards: Sequence[Artifact]) -> Watch:
    """Collects what is compared, and nothing of a later day.

    Args:
      context: The run of publish_feeds.
      release: From which the feeds were made.
      shards: Of materialize_feeds.

    Raises:
      BadDataError: If something that it is made of is missing or damaged.
    """
    store, day, config = context.store, context.day, context.config
    trained_on = training_features(store, release.ref, config)
    past = []
    for back in range(config.baseline.days, 0, -1):
        ref = context.head("publish_feeds", day - datetime.timedelta(days=back))
        if ref is not None and SKEW_FILE in store.manifest(ref)["files"]:
            past.append((ref, json.loads(store.read_file(ref, SKEW_FILE).read_bytes())))
    pairs = {}
    if trained_on:
        accepted = [_accepted_of(store, ref) for ref in trained_on]
        seen = [day_statistics.read(store, ref).histograms for ref in accepted]
        today = day_statistics.read(store, context.read("validate_events", day).ref).histograms
        pairs["training_drift"] = (statistics.merge(seen), today)
        name = statistics.FEATURES_FILE
        learned = [statistics.read(store.read_file(ref, name)) for ref in trained_on]
        served = [statistics.read(shard.path(name)) for shard in shards]
        pairs["serving_skew"] = (
            statistics.merge(learned),
            statistics.merge(served),
        )
    return Watch(day, config, trained_on, past, pairs)


def training_features(store: Store, release: Ref, config: Config) -> list[Ref]:
    """Returns the features on which the models of a release were trained, oldest first.

    They are followed through the recipes: of the release, of the training, of the release from
    which that training started, as far back as the training window of the configuration reaches.
    A release works without what it was made of, so what was removed since is left out.
    """
    reach = max(config.train_retrieval.window_days, config.train_ranker.window_days)
    found: dict[str, Ref] = {}
    waiting, known = [release], {release}
    while waiting:
        ref = waiting.pop()
        inputs = [each for each in store.manifest(ref)["recipe"]["inputs"] if "kind" in each]
        for made_of in (Ref(**each) for each in inputs):
            if made_of in known or not store.holds(made_of):
                continue
            if made_of.kind == "build_features" and ref.kind in _TRAININGS:
                if store.holds(_accepted_of(store, made_of)):
                    found[made_of.partition] = made_of
            elif made_of.kind in (*_TRAININGS, "publish_release"):
                known.add(made_of)
                waiting.append(made_of)
    return [found[day] for day in sorted(found)[-reach:]]


def _accepted_of(store: Store, features: Ref) -> Ref:
    """Returns the accepted events of the day of which features are."""
    inputs = store.manifest(features)["recipe"]["inputs"]
    of_day = [
        each
        for each in inputs
        if each.get("kind") == "validate_events" and each["partition"] == features.partition
    ]
    return Ref(**of_day[-1])
