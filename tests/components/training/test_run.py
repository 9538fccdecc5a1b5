"""Training reads the days it should, starts where it should, and survives a kill."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from components import contract
from components.contract import ExitCode

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
DATA_STEPS = ("ingest_events", "validate_events", "build_features")


def _force_promotion(world, day: str) -> None:
    assert world.run("evaluate_models", day, force="promote", reason="a test") == 0
    assert world.run_day(day, ("export_corpus", "publish_release")) == [0, 0]


def test_training_never_reads_the_day_itself(three_days) -> None:
    for step in ("train_retrieval", "train_ranker"):
        artifact = three_days.artifact(step, DAYS[2])
        used = artifact.manifest["recipe"]["inputs"]
        assert [item["partition"] for item in used if item["kind"] == "build_features"] == (
            artifact.facts["partitions"]
        )
        assert DAYS[2] not in artifact.facts["partitions"]
        assert artifact.path("curve.svg").stat().st_size > 1000


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


def test_tables_that_no_memory_holds_are_bad_configuration(world, capfd) -> None:
    world.edit("user_rows: 500,", "user_rows: 500000000,").edit("emb_size: 16", "emb_size: 1024")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.BAD_CONFIGURATION
    assert "not enough memory; lower `batch_size`" in capfd.readouterr().out


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
    shutil.rmtree(Path(world.config.store) / "publish_release" / DAYS[1])  # no warm start
    assert world.run(step, DAYS[2]) == ExitCode.BAD_DATA
    assert f"without a gap; missing: {DAYS[0]}" in capfd.readouterr().out


def test_a_promoted_champion_is_the_start_of_the_next_training(world) -> None:
    _force_promotion(world, DAYS[1])
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert (facts["started_from"], facts["partitions"]) == (DAYS[1], [DAYS[1]])


@pytest.mark.parametrize(
    ("window_days", "started_from", "partitions"),
    [(7, DAYS[2], list(DAYS[1:])), (1, None, [DAYS[2]])],
)
def test_a_warm_start_leaves_out_no_day_that_the_champion_has_not_seen(
    window_days: int, started_from: str | None, partitions: list[str], world
) -> None:
    _force_promotion(world, DAYS[1])  # a model that has seen the first day alone,
    assert world.run("evaluate_models", DAYS[2], force="keep", reason="a test") == 0
    assert world.run_day(DAYS[2], ("export_corpus", "publish_release")) == [0, 0]  # kept,
    world.edit("epochs: 2", f"epochs: 2\n  window_days: {window_days}")
    assert set(world.run_day("2026-01-04", DATA_STEPS)) == {0}
    assert world.run("train_ranker", "2026-01-04") == ExitCode.DONE
    facts = world.artifact("train_ranker", "2026-01-04").facts
    assert (facts["started_from"], facts["partitions"]) == (started_from, partitions)


def test_a_champion_of_another_shape_is_not_a_start(world) -> None:
    _force_promotion(world, DAYS[1])
    world.edit("num_layers: 1", "num_layers: 2")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert (facts["started_from"], facts["partitions"]) == (None, list(DAYS[:2]))


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (("epochs: 2", "epochs: 2\n  every_days: 2"), {}, None),
        (("epochs: 2", "epochs: 2\n  every_days: 3"), {}, "every 3th day"),
        (("min_windows: 10", "min_windows: 100000"), {}, "fewer than min_windows, 100000"),
        (("epochs: 2", "epochs: 2"), {"retrain": "never"}, "--retrain never"),
        (("epochs: 2", "epochs: 2\n  every_days: 3"), {"retrain": "always"}, None),
    ],
)
def test_training_happens_when_it_was_asked_for(
    change: tuple[str, str], options: dict, reason: str | None, world
) -> None:
    world.edit(*change)
    assert world.run("train_ranker", DAYS[2], **options) in (0, ExitCode.NOTHING_TO_DO)
    facts = world.artifact("train_ranker", DAYS[2]).facts
    assert facts["trained"] == (reason is None)
    assert reason is None or reason in facts["reason"]


def start_training(world, **environment: str) -> subprocess.Popen:
    argv = contract.TRAIN_RANKER.argv(config=str(world.path), day=DAYS[2])
    return subprocess.Popen(
        [sys.executable, "-m", "components.train_ranker", *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, int(ExitCode.TRY_AGAIN))],
)
def test_a_killed_or_stopped_training_goes_on_and_ends_with_the_same_weights(
    number: signal.Signals, code: int, world
) -> None:
    # Only a kill needs a state on the way; who is asked to stop saves one.
    every = 5 if number == signal.SIGKILL else 100_000
    world.edit("epochs: 2", f"epochs: 20\n  checkpoint_every_steps: {every}")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    undisturbed = world.artifact("train_ranker", DAYS[2]).ref.digest
    shutil.rmtree(Path(world.config.store) / "train_ranker" / DAYS[2])

    work = Path(world.config.store) / "work"
    with start_training(world) as process:
        assert process.stderr is not None
        for line in process.stderr:
            is_saved = number == signal.SIGTERM or list(work.glob("train_ranker-*/step_*"))
            if " of 640: loss" in line and is_saved:
                break
        process.send_signal(number)
        process.stderr.read()
        assert process.wait() == code, "the training was over before it could be stopped"
    assert list(work.glob("train_ranker-*/step_*"))

    assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    assert world.artifact("train_ranker", DAYS[2]).ref.digest == undisturbed
    assert not list(work.glob("train_ranker-*"))


def test_a_training_stopped_on_four_devices_goes_on_with_one(world, caplog) -> None:
    world.edit(
        "train_ranker:\n",
        "train_ranker:\n  devices: {num_data_shards: 2, num_table_shards: 2}\n  "
        "curve: {every_steps: 1}\n",
    )
    with start_training(
        world, XLA_FLAGS="--xla_force_host_platform_device_count=4", JAX_PLATFORMS="cpu"
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "Step 1 of 64: loss" in line)
        process.send_signal(signal.SIGTERM)
        (stopped,) = re.findall(r"Stopped after step (\d+) of 64", process.stderr.read())
        assert process.wait() == ExitCode.TRY_AGAIN
    world.edit("  devices: {num_data_shards: 2, num_table_shards: 2}\n", "")
    with caplog.at_level(logging.INFO, "components.training.run"):
        assert world.run("train_ranker", DAYS[2]) == ExitCode.DONE
    assert re.findall(r"Step (\d+) of 64", caplog.text)[0] == str(int(stopped) + 1)
    done = world.artifact("train_ranker", DAYS[2]).ref
    world.edit("  curve: {every_steps: 1}\n", "  curve: {every_steps: 1}\n  input: {prefetch: 3}\n")
    assert world.run("train_ranker", DAYS[2]) == ExitCode.NOTHING_TO_DO
    assert world.artifact("train_ranker", DAYS[2]).ref == done


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
    _force_promotion(world, DAYS[2])
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
