import datetime
from dataclasses import asdict
from pathlib import Path

import pytest

from components import contract
from components.errors import BadDataError
from components.run import provenance
from components.run.context import Context, Outcome
from components.settings.config import Config
from components.store.artifacts import Store, Unchanged

DAY = datetime.date(2026, 1, 2)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    config = Config.model_validate(
        {
            "store": str(tmp_path),
            "first_day": "2026-01-01",
            "ingest_events": {"source": {"layout": "synthetic"}},
            "actions": [{"name": "favorite", "is_positive": True}],
        }
    )
    return Context(contract.MATERIALIZE_FEEDS, config, DAY, Store(config.store))


def write(context: Context, text: str, **recipe: object) -> None:
    with context.write(**{"inputs": [], "config": {}} | recipe) as draft:
        (draft.folder / "file").write_text(text)


def test_what_a_step_writes_is_the_current_artifact_of_its_day(context: Context) -> None:
    write(context, "one", suffix="-000-of-002")
    artifact = context.written_artifact("-000-of-002")
    assert artifact.path("file").read_text() == "one"
    assert (artifact.ref.kind, artifact.ref.partition) == ("materialize_feeds", f"{DAY}-000-of-002")
    assert context.read("materialize_feeds", DAY, suffix="-000-of-002") == artifact
    assert context.head("materialize_feeds", DAY) is None, "the suffix names another partition"


def test_the_recipe_holds_the_inputs_the_code_and_the_libraries(context: Context) -> None:
    write(context, "one")
    ref, source = context.written_artifact().ref, {"name": "log.csv", "bytes": 7}
    write(context, "two", inputs=[ref, source], config={"size": 3}, seed=5)
    recipe = context.written_artifact().manifest["recipe"]
    assert recipe["inputs"] == [asdict(ref), source]
    assert (recipe["config"], recipe["seed"]) == ({"size": 3}, 5)
    assert recipe["code"] == provenance.code_digest("components.materialize_feeds")
    assert recipe["libraries"] == provenance.library_versions()


def test_the_same_recipe_is_written_once(context: Context) -> None:
    write(context, "one")
    with pytest.raises(Unchanged):
        write(context, "two")
    assert context.written_artifact().path("file").read_text() == "one"


def test_an_artifact_that_is_missing_is_named_with_the_step_to_run(context: Context) -> None:
    with pytest.raises(
        BadDataError,
        match="materialize_feeds of 2026-01-02 needs publish_release of 2026-01-01, which is "
        "missing: run `phoenix step publish_release --day 2026-01-01` first",
    ):
        context.read("publish_release", DAY - datetime.timedelta(days=1))


def test_an_outcome_has_no_news_unless_a_step_says_so(context: Context) -> None:
    write(context, "one")
    outcome = Outcome(context.written_artifact())
    assert (outcome.is_unchanged, outcome.run_again, outcome.also_changed) == (False, (), ())
