"""Days on which published feeds were live, written into a store as the steps write them."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components import contract, measure_feeds, step
from components.serving import feed_files
from components.serving.feed_files import Feeds, Origin
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Artifact, Recipe, Ref, Store
from components.tables import action_lists, bucket_files, data_files
from phoenix.data.days import midnight_ms
from schemas.events import EVENTS, LABELS

CONFIG = """
store: store
first_day: 2026-01-01
ingest_events: {source: {layout: synthetic}}
actions:
  - {name: like, weight: 1.0, is_positive: true}
  - {name: share, weight: 2.0, is_positive: true}
  - {name: hide, weight: -1.0}
"""
ROLES = ("retrieval", "ranker")


def ms(day: str, hour: float) -> int:
    """A moment of a day."""
    return midnight_ms(datetime.date.fromisoformat(day)) + round(hour * 3_600_000)


@dataclass
class ServedDays:
    """A store, whose days are written one by one."""

    path: Path
    num_moves: int = field(default=0)

    @classmethod
    def new(cls, folder: Path, more: str = "") -> "ServedDays":
        """An empty store with a configuration, to which lines may be added."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "phoenix.yaml").write_text(CONFIG + more)
        return cls(folder / "phoenix.yaml")

    @property
    def config(self) -> Config:
        """The configuration."""
        return load(self.path)

    @property
    def store(self) -> Store:
        """The store."""
        return Store(self.config.store)

    def release(
        self, day: str, feeds: Mapping[int, Sequence[int]], *, model: str = "a", score: float = 0.5
    ) -> tuple[Ref, Ref]:
        """Publishes posts by user, best first; even users get popular ones.

        Args:
          day: Of the release.
          feeds: Posts by user.
          model: Name of both models.
          score: Foretold probability of the first action.
        """
        roles = {
            role: {"folder": role, "model": role, "digest": f"{role}-{model}", "verdict": "kept"}
            | {"figure": None}
            for role in ROLES
        }
        facts = {**roles, "trained_through": day, "actions": [], "weights": []}
        release = self._write("publish_release", day, facts, {"model": model, "day": day})
        shape = (len(feeds), max(map(len, feeds.values()), default=0))
        post_ids = np.zeros(shape, np.int64)
        for row, posts in enumerate(feeds.values()):
            post_ids[row, : len(posts)] = posts
        ones = np.ones(shape, np.float32)
        names = self.config.action_names
        probabilities = np.zeros((*shape, len(names)), np.float32)
        probabilities[..., 0] = score
        table = feed_files.to_table(
            Feeds(
                user_ids=np.array(list(feeds), np.int64),
                post_ids=post_ids,
                author_ids=np.ones(shape, np.int64),
                scores=(score + 0.001) * ones,
                base_scores=(score + 0.001) * ones,
                multipliers=ones,
                probabilities=probabilities,
                retrieval_scores=ones,
                is_unscored=np.array([user % 2 == 0 for user in feeds], bool),
                sources=np.array([[user % 2 == 0] * shape[1] for user in feeds], np.int64),
            ),
            Origin(datetime.date.fromisoformat(day)),
            schema=feed_files.schema(names, release.digest),
        )

        def write(folder: Path) -> None:
            with feed_files.writer(folder, table.schema, num_buckets=1) as writer:
                writer.write_rows(table)

        published = self._write(
            "publish_feeds",
            day,
            {"users": len(feeds), "release": release.digest},
            {"feeds": asdict(release), "score": score},
            write,
        )
        return release, published

    def go_live(self, release: Ref, feeds: Ref, at: int, *, withdrawn: Sequence[str] = ()) -> None:
        """Moves the pointer at a moment, in ms."""
        self.num_moves += 1
        moved_at = datetime.datetime.fromtimestamp(at / 1000, datetime.UTC)
        value = {"release": asdict(release), "feeds": asdict(feeds), "day": release.partition}
        entry = {
            "number": self.num_moves,
            "value": value | ({"withdrawn": list(withdrawn)} if withdrawn else {}),
            "moved_at": moved_at.isoformat(timespec="milliseconds"),
            "actor": "test",
            "reason": "published",
        }
        data = json.dumps(entry).encode()
        assert self.store.storage.create(f"pointers/live/{self.num_moves:08d}.json", data)

    def events(self, day: str, labels: Mapping[str, Any] | None = None, **columns: Any) -> Ref:
        """Writes the accepted events of a day, and labels that arrived on it.

        Args:
          day: Of the events.
          labels: Columns user_id, post_id, shown_at and actions, of another day.
          **columns: user_id, post_id, shown_at, actions, and those that are optional.
        """
        count = len(columns["user_id"])
        defaults: dict[str, Any] = {
            "event_id": np.arange(count) + 1,
            "author_id": np.ones(count, np.int64),
            "ingested_at": columns["shown_at"],
            "surface": np.ones(count, np.int64),
            "dwell_seconds": np.zeros(count),
        }
        values = {name: np.asarray(each) for name, each in {**defaults, **columns}.items()}
        rows = data_files.arrow_table(EVENTS, values)
        facts: dict[str, Any] = {
            "accepted": count,
            "actions": action_lists.to_json(self.config),
        }
        late = {} if labels is None else {name: np.asarray(each) for name, each in labels.items()}
        if labels is not None:
            late |= {
                "ingested_at": np.full(len(late["user_id"]), ms(day, 1)),
                "dwell_seconds": np.zeros(len(late["user_id"])),
            }
            days = late["shown_at"].astype("datetime64[ms]").astype("datetime64[D]")
            facts["labels_by_day"] = {str(each): int((days == each).sum()) for each in set(days)}

        def write(folder: Path) -> None:
            bucket_files.write(folder, data_files.ACCEPTED_FILE, rows, num_buckets=1)
            if labels is not None:
                table = data_files.arrow_table(LABELS, late)
                bucket_files.write(folder, data_files.LABELS_FILE, table, num_buckets=1)

        recipe = {name: np.asarray(each).tolist() for name, each in columns.items()}
        return self._write("validate_events", day, facts, {"rows": repr(recipe)}, write)

    def measure(self, day: str) -> tuple[int, dict[str, Any]]:
        """Runs the step; returns its exit code and its facts."""
        code, result = step.execute(
            contract.MEASURE_FEEDS,
            measure_feeds.run,
            self.config,
            datetime.date.fromisoformat(day),
        )
        return int(code), result.get("facts", result)

    def measured(self, day: str) -> Artifact:
        """The measure of a day, verified."""
        ref = self.store.head(contract.MEASURE_FEEDS.name, day)
        assert ref is not None
        return self.store.read(ref)

    def _write(
        self, kind: str, day: str, facts: Mapping[str, Any], config: Mapping[str, Any], write=None
    ) -> Ref:
        recipe = Recipe(kind=kind, partition=day, inputs=[], config=config, code="", libraries={})
        with self.store.write(recipe) as draft:
            if write is not None:
                write(draft.folder)
            draft.facts.update(facts)
        ref = self.store.head(kind, day)
        assert ref is not None
        return ref


MANY = {user: [user * 10, user * 10 + 1] for user in range(1, 301)}


def watched(days: ServedDays, day: str, likes: float, seed: int) -> None:
    """Shows every user both posts of their feed, and lets them like a share of them."""
    generator = np.random.default_rng(seed)
    users = np.repeat(list(MANY), 2)
    days.events(
        day,
        user_id=users,
        post_id=np.concatenate(list(MANY.values())),
        shown_at=np.full(len(users), ms(day, 6)),
        actions=(generator.random(len(users)) < likes).astype(np.uint64),
    )


def fallen(days: ServedDays, *, live: str = "b") -> list[tuple[Ref, Ref]]:
    """Lets models `b` take the place of `a` on the third day, and earn half."""
    published = [
        days.release(f"2026-01-0{number}", MANY, model=model, score=0.4 + number / 100)
        for number, model in enumerate(["a", "a", "b", live], 1)
    ]
    for number, each in enumerate(published, 1):
        days.go_live(*each, ms(f"2026-01-0{number + 1}", 0))
    for number, likes in zip(range(2, 5), (0.6, 0.6, 0.3), strict=True):
        watched(days, f"2026-01-0{number}", likes, seed=number)
        days.measure(f"2026-01-0{number + 1}")
    return published
