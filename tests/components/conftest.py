"""What tests of the steps start from: three days of a small world, or a log of a few rows."""

import datetime
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from components import contract
from components.release import releases
from components.settings.config import Config
from components.settings.loading import load
from components.store.artifacts import Artifact, Store
from tests.components.sink_servers import PostgresServer, RedisServer, free_port
from tests.components.small_log import KUAIRAND, Deployment, row

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
CHAIN = tuple(contract.STEPS)
SHARDED_CHAIN = (*CHAIN[:-2], CHAIN[-2], *CHAIN[-2:])
_CONFIG = """
store: {store}
first_day: 2026-01-01
seed: 7
ingest_events:
  source:
    layout: synthetic
    num_users: 120
    num_authors: 15
    num_posts: 150
    num_posts_per_day: 10
    impressions_per_day: 1500
actions:
  - {{name: favorite, is_positive: true}}
  - {{name: click}}
  - {{name: share, is_positive: true}}
  - {{name: not_interested}}
hashing: {{user_rows: 500, post_rows: 500, author_rows: 100}}
build_features: {{history_length: 8, num_candidates: 4}}
train_retrieval:
  model: {{emb_size: 16, num_layers: 1, num_heads: 1, key_size: 8}}
  min_windows: 10
  batch_size: 32
  epochs: 2
train_ranker:
  min_windows: 10
  batch_size: 32
  epochs: 2
  model: {{emb_size: 16, num_layers: 1, num_heads: 1, key_size: 8, reads_post_age: true}}
evaluate_models: {{retrieval_k: 20}}
materialize_feeds: {{num_retrieved: 30, feed_length: 5, seen_days: 2, num_shards: 2}}
publish_feeds: {{min_coverage: 0.5}}
"""


@dataclass(frozen=True)
class World:
    """A configuration file and its store."""

    path: Path

    @property
    def config(self) -> Config:
        """The configuration."""
        return load(self.path)

    @property
    def store(self) -> Store:
        """The store."""
        return Store(self.config.store)

    def edit(self, old: str, new: str) -> "World":
        """Changes the configuration file."""
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))
        return self

    def run(self, name: str, day: str, **options: object) -> int:
        """Runs the real main of a step; returns its exit code."""
        import importlib

        argv = contract.STEPS[name].argv(config=str(self.path), day=day, **options)
        return importlib.import_module(f"components.{name}").main(argv)

    def run_day(self, day: str, steps: tuple[str, ...] = CHAIN) -> list[int]:
        """Runs steps in order, every shard of those that have some; returns the exit codes."""
        codes = []
        for name in steps:
            if name == "materialize_feeds":
                codes += [self.run(name, day, shard=shard, num_shards=2) for shard in (0, 1)]
            elif name == "publish_feeds":
                codes.append(self.run(name, day, num_shards=2))
            else:
                codes.append(self.run(name, day))
        return codes

    def artifact(self, kind: str, partition: str) -> Artifact:
        """Opens the current artifact of a partition, verified."""
        ref = self.store.head(kind, partition)
        assert ref is not None, f"no {kind} of {partition}"
        return self.store.read(ref)

    def heads(self) -> dict[str, str]:
        """The digest of every current artifact."""
        found = {}
        for kind in CHAIN:
            for partition in self.store.partitions(kind):
                ref = self.store.head(kind, partition)
                assert ref is not None
                found[f"{kind}/{partition}"] = ref.digest
        return found

    def live_day(self) -> str | None:
        """Which day is live."""
        live = releases.live(self.store)
        return None if live is None else live.day.isoformat()

    def copy(self, folder: Path) -> "World":
        """Returns the same world at another place, free to be changed."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.config.store, folder / "store")
        text = self.path.read_text().replace(self.config.store, str(folder / "store"))
        (folder / "world.yaml").write_text(text)
        return replace(self, path=folder / "world.yaml")


def day_of(text: str) -> datetime.date:
    """A day from its text."""
    return datetime.date.fromisoformat(text)


def new_world(folder: Path) -> World:
    """A world in which nothing has run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "world.yaml"
    path.write_text(_CONFIG.format(store=folder / "store"))
    return World(path)


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three finished days; for reading only."""
    world = new_world(tmp_path_factory.mktemp("three_days"))
    for day in DAYS:
        for code, name in zip(world.run_day(day), SHARDED_CHAIN, strict=True):
            assert code == 0, f"{name} of {day}"
    return world


@pytest.fixture
def world(three_days: World, tmp_path: Path) -> World:
    """A copy of the three finished days, free to be changed."""
    return three_days.copy(tmp_path / "world")


@pytest.fixture
def deployment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Deployment:
    """A configuration for a log of a few rows, which a test writes."""
    deployment = Deployment(tmp_path, capsys)
    deployment.configure(KUAIRAND)
    return deployment


@pytest.fixture(name="row")
def row_function() -> object:
    """The function that makes a good row."""
    return row


@pytest.fixture
def redis_server(
    require_program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisServer]:
    server = RedisServer(require_program("redis-server"), free_port(), tmp_path)
    server.start()
    monkeypatch.setenv("PHOENIX_REDIS_URL", server.url)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_cluster(require_program, tmp_path_factory) -> Iterator[PostgresServer]:
    """One cluster for all tests: to make it takes seconds."""
    programs, port = Path(require_program("initdb")).parent, free_port()
    as_user: list[str] = []
    data = tmp_path_factory.mktemp("postgres") / "data"
    if Path("/proc/self").owner() == "root":  # PostgreSQL refuses to run as root
        as_user = [require_program("setpriv"), "--reuid=postgres", "--regid=postgres"]
        as_user += ["--clear-groups"]
        data = Path(f"/tmp/phoenix-test-postgres-{port}")
    server = PostgresServer(programs, as_user, port, data)
    try:
        server.initialise()
        yield server
    finally:
        server.kill()
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def postgres_server(
    postgres_cluster: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> PostgresServer:
    """A server that holds nothing."""
    if postgres_cluster.process is None:
        postgres_cluster.start()
    postgres_cluster.empty()
    monkeypatch.setenv("PHOENIX_POSTGRES_DSN", postgres_cluster.dsn)
    return postgres_cluster
