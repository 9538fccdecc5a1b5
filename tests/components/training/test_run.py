"""Training reads the days it should, starts where it should, and survives a kill."""

import json
import re
import shutil
from pathlib import Path

import pytest

from components.contract import ExitCode

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
DATA_STEPS = ("ingest_events", "validate_events", "build_features")


def test_training_never_reads_the_day_itself(three_days) -> None:
    for step in ("train_retrieval", "train_ranker"):
        artifact = three_days.artifact(step, DAYS[2])
        used = artifact.manifest["recipe"]["inputs"]
        assert [item["partition"] for item in used if item["kind"] == "build_features"] == (
            artifact.facts["partitions"]
        )
        assert DAYS[2] not in artifact.facts["partitions"]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("checkpoints: {result: best}", "`checkpoints.result`: expected last .* `validation.frac"),
        ("validation: {fraction: 0.0001}", "`validation.fraction`: expected 0, or a window to"),
        ("validation: {fraction: 0.1, monitor: auc}", "`validation.monitor`: .* validation_auc/cl"),
    ],
)
def test_what_the_trainer_refuses_is_named_as_in_the_file(
    settings: str, complaint: str, world, capfd
) -> None:
    world.edit("train_ranker:\n", f"train_ranker:\n  {settings}\n")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.BAD_CONFIGURATION
    said = json.loads(capfd.readouterr().out)["error"]
    assert re.search(rf"`train_ranker`: .*{complaint}", said)


def test_settings_are_judged_before_any_data_is_read(world, capfd) -> None:
    world.edit("train_ranker:\n", "train_ranker:\n  optimizer: {name: adamx}\n")
    shutil.rmtree(Path(world.config.store) / "build_features" / DAYS[0])
    assert world.run("train_ranker", DAYS[2]) == ExitCode.BAD_CONFIGURATION
    assert "`optimizer.name`" in capfd.readouterr().out
    # A day on which nothing is trained asks nothing of the machine.
    assert world.run("train_ranker", DAYS[2], retrain="never") == ExitCode.DONE


def test_the_state_that_became_the_model_is_a_fact_and_on_the_page(world) -> None:
    world.edit(
        "train_ranker:\n",
        "train_ranker:\n  validation: {fraction: 0.2}\n  checkpoints: {result: epoch_1}\n",
    )
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    artifact = world.artifact("train_ranker", DAYS[2])
    curve = json.loads(artifact.path("curve.json").read_text())
    (ends,) = [p for p in curve if p["epoch"] == 0 and "validation_loss" in p]
    assert artifact.facts["result"] == {
        "name": "epoch_1",
        "step": ends["step"],
        "epoch": 1,
        "monitor": "validation_loss",
        "value": ends["validation_loss"],
    }
    page = (Path(world.config.store) / "pages" / DAYS[2] / "index.html").read_text()
    assert f"the state <b>epoch_1</b>, after step {ends['step']}, in epoch 1" in page


@pytest.mark.parametrize("step", ["train_retrieval", "train_ranker"])
def test_a_gap_in_the_window_is_refused_by_its_day(step: str, world, capfd) -> None:
    shutil.rmtree(Path(world.config.store) / "build_features" / DAYS[0])
    section = f"{step}:\n"
    world.edit(section, f"{section}  warm_start: false\n")
    assert world.run(step, DAYS[2]) == ExitCode.BAD_DATA
    assert f"without a gap; missing: {DAYS[0]}" in capfd.readouterr().out


def test_models_with_other_losses_are_trained_judged_and_told_apart(world) -> None:
    plain = world.artifact("train_ranker", DAYS[2]).ref.key
    world.edit(
        "train_ranker:\n",
        "train_ranker:\n  losses: {dwell: absolute_error, popularity_power: 0.5}\n",
    ).edit(
        "train_retrieval:\n",
        "train_retrieval:\n  negatives: {global_per_row: 2, hard_per_row: 1}\n"
        "  recency_half_life_days: 1\n",
    ).edit("{name: click}", "{name: click, focal_gamma: 1.0, jrc_share: 0.5}")
    steps = ("train_retrieval", "train_ranker", "evaluate_models")
    assert world.run_day(DAYS[2], steps) == [0, 0, 0]
    retrieval, ranker = (world.artifact(step, DAYS[2]) for step in steps[:2])
    assert ranker.ref.key != plain
    assert ranker.facts["last_point"]["auc/click"] > 0
    assert ranker.facts["last_point"]["dwell_xauc"] > 0
    assert 0 < retrieval.facts["last_point"]["recall_at_10"] < 1
    evaluated = world.artifact("evaluate_models", DAYS[2])
    metrics = json.loads(evaluated.path("metrics.json").read_text())["ranker"]
    for name in ("mean_absolute_error", "mean_squared_error", "xauc"):
        assert metrics["candidate"][f"dwell_{name}"] > 0
        assert f"dwell_{name}" not in metrics["random"]


def test_retrieval_that_learns_next_items_is_trained_judged_and_exported(world) -> None:
    world.edit(
        "train_retrieval:\n  model: {",
        "train_retrieval:\n  objective: next_item\n  max_listed_posts: 50\n"
        "  model: {user_pooling: last, ",
    )
    assert world.run_day(DAYS[2], ("train_retrieval", "evaluate_models")) == [0, 0]
    trained = world.artifact("train_retrieval", DAYS[2])
    assert trained.facts["trained"]
    assert trained.facts["last_loss"] < trained.facts["first_loss"]
    evaluated = world.artifact("evaluate_models", DAYS[2])
    metrics = json.loads(evaluated.path("metrics.json").read_text())["retrieval"]
    assert metrics["candidate"]["recall@20"] > 0
    assert world.run("evaluate_models", DAYS[2], force="promote", reason="a test") == 0
    assert world.run("export_corpus", DAYS[2]) == 0
    corpus = world.artifact("export_corpus", DAYS[2])
    assert (corpus.facts["model"], corpus.facts["emb_size"]) == ("two_tower", 16)


def test_the_examples_of_the_documentation_run_as_they_stand(world, monkeypatch, capsys) -> None:
    page = (Path(__file__).parents[3] / "docs/training.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    monkeypatch.chdir(Path(world.config.store).parent)
    days = {"2026-03-03": DAYS[1], "2026-03-04": DAYS[2], "2026-03-05": DAYS[2]}
    for example in examples:
        for kind, day in re.findall(r"store/(\w+)/([0-9-]+)/KEY", example):
            there = f"store/{kind}/{days[day]}/{world.artifact(kind, days[day]).ref.key}"
            example = example.replace(f"store/{kind}/{day}/KEY", there)
        exec(compile(example, "docs/training.md", "exec"), {})
    assert "ChosenState(name='best'" in capsys.readouterr().out
    assert Path("mine/model.json").exists()
    assert "mean_probability" in Path("out/metrics.json").read_text()
