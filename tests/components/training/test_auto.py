"""Settings that are `auto` are numbers of the log, found once and kept while it stays alike."""

import html
from pathlib import Path

import pytest

from components.contract import ExitCode
from components.release import decisions
from components.settings.config import Config
from components.store.artifacts import Store
from components.training import auto
from components.training.auto import Origin
from tests.components.training.log_store import (
    config_of,
    day_of,
    write_features,
    write_training,
)

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def origin_of(config: Config, number: int) -> Origin:
    return auto.origin_of(config, Store(config.store), day_of(number), "ranker")


def test_a_log_without_a_day_still_gives_numbers(tmp_path) -> None:
    origin = origin_of(config_of(tmp_path), 0)
    assert origin.log.rows == 0
    assert origin.numbers["model"]["emb_size"] == 32


def test_an_average_day_counts_and_empty_ones_do_not(tmp_path) -> None:
    config = config_of(tmp_path)
    for number, rows in enumerate((4_000, 0, 8_000)):
        write_features(config, number, rows)
    log = auto.log_size(config, Store(config.store), day_of(3))
    assert (log.rows, log.windows, log.users) == (6_000, 1_500, 600)


def test_explicit_settings_stay_as_they_are(tmp_path) -> None:
    section = {"epochs": 3, "model": {"emb_size": 48, "factorization": False}}
    config = config_of(tmp_path, train_ranker=section)
    numbers = origin_of(config, 0).numbers
    assert "epochs" not in numbers
    assert "emb_size" not in numbers["model"]
    made = auto.with_numbers(config, "ranker", numbers).model_dump(mode="json")
    ranker = made["train_ranker"]
    assert (ranker["epochs"], ranker["model"]["emb_size"]) == (3, 48)
    assert not ranker["model"]["factorization"]
    assert "auto" not in {str(ranker[name]) for name in numbers}
    assert "auto" not in {str(value) for value in ranker["model"].values()}
    assert made["train_retrieval"]["epochs"] == "auto"


@pytest.mark.parametrize(("rows", "is_kept"), [(15_000, True), (1_500, True), (25_000, False)])
def test_numbers_are_kept_until_the_log_is_another_one(rows: int, is_kept: bool, tmp_path) -> None:
    config = config_of(tmp_path)
    write_features(config, 0, 5_000)
    first = origin_of(config, 1)
    # What another version found, so that keeping differs from finding the same.
    kept = first._replace(numbers={**first.numbers, "epochs": 7})
    write_training(config, 1, {"trained": True, "auto": kept.to_json()})
    write_training(config, 2, {"trained": False})  # nothing was trained, so nothing was found
    write_features(config, 1, 2 * rows - 5_000) if rows > 5_000 else write_features(config, 0, rows)
    origin = origin_of(config, 3)
    assert (origin == kept) == is_kept
    assert (origin.numbers["epochs"] == 7) == is_kept
    assert is_kept or "before, 5,000 rows" in origin.reason


def test_numbers_are_kept_by_the_rule_that_is_in_the_artifact(tmp_path) -> None:
    config = config_of(tmp_path)
    write_features(config, 0, 5_000)
    first = origin_of(config, 1)
    assert first.to_json()["rows"] == [1_250, 20_000]
    kept = first._replace(rows=(4_000, 6_000))  # of a version with another rule
    write_training(config, 1, {"trained": True, "auto": kept.to_json()})
    assert origin_of(config, 2).numbers == kept.numbers
    write_features(config, 0, 7_000)
    assert "before, 5,000 rows" in origin_of(config, 2).reason


def test_a_training_of_the_format_before_keeps_its_numbers_until_the_log_is_four_times_as_large(
    tmp_path,
) -> None:
    config = config_of(tmp_path)
    write_features(config, 0, 5_000)
    facts = origin_of(config, 1).to_json()
    written = {name: facts[name] for name in ("numbers", "log", "reason")}
    assert Origin.of_facts({"auto": written}) == Origin.of_facts({"auto": facts})._replace(
        window_budget=None
    )


def test_as_many_days_as_a_budget_of_windows_allows_and_another_budget_gives_others(
    tmp_path,
) -> None:
    config = config_of(tmp_path, train_ranker={"window_budget": 7_000})
    write_features(config, 0, 5_000)  # 1,250 windows
    first = origin_of(config, 1)
    assert first.numbers["window_days"] == 5
    kept = first._replace(numbers={**first.numbers, "epochs": 7, "window_days": 6})
    write_training(config, 1, {"trained": True, "auto": kept.to_json()})
    assert origin_of(config, 2) == kept
    numbers = origin_of(config_of(tmp_path, train_ranker={"window_budget": 4_000}), 2).numbers
    assert (numbers["window_days"], numbers["epochs"]) == (3, 7)


def test_a_setting_that_became_auto_is_found_beside_those_that_are_kept(tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"batch_size": 999})
    write_features(config, 0, 5_000)
    first = origin_of(config, 1)
    kept = first._replace(numbers={**first.numbers, "epochs": 7})
    write_training(config, 1, {"trained": True, "auto": kept.to_json()})
    numbers = origin_of(config_of(tmp_path), 2).numbers
    assert (numbers["batch_size"], numbers["epochs"]) == (32, 7)


def test_the_model_of_a_training_with_sizes_of_its_own_is_kept(tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"model": {"emb_size": 48}})
    write_features(config, 0, 5_000)
    write_training(config, 1, {"trained": True, "auto": None})
    assert origin_of(config_of(tmp_path), 2).numbers["model"]["emb_size"] == 48
    assert origin_of(config_of(tmp_path), 2).numbers["epochs"] == 4


def test_batches_can_be_cut_and_epochs_be_chosen_as_the_file_says(tmp_path) -> None:
    section = {"optimizer": {"accumulation_steps": 3}, "checkpoints": {"result": "epoch_9"}}
    numbers = origin_of(config_of(tmp_path, train_ranker=section), 0).numbers
    assert (numbers["batch_size"], numbers["epochs"]) == (33, 9)


def test_a_training_tells_its_numbers_their_reason_and_that_it_was_short(world) -> None:
    world.edit(
        "train_ranker:\n  min_windows: 10\n  batch_size: 32\n  epochs: 2\n",
        "train_ranker:\n  min_windows: 10\n  epochs: 1\n",
    )
    trained = []
    for day in DAYS[1:]:
        assert world.run("train_ranker", day) == ExitCode.DONE
        trained.append(world.artifact("train_ranker", day))
    first, second = trained
    origin = Origin.of_facts(first.facts)
    assert origin is not None
    assert origin.log.rows == 1_500
    assert first.manifest["recipe"]["config"]["train_ranker"]["batch_size"] == 32
    assert first.manifest["recipe"]["config"]["model"]["has_factorization"]
    # The next day is the same recipe, so that evidence of the two adds up.
    assert second.facts["auto"] == first.facts["auto"]
    assert decisions.recipe_digest(first) == decisions.recipe_digest(second)
    page = (Path(world.config.store) / "pages" / DAYS[1] / "index.html").read_text()
    assert "batch_size 32, learning_rate 0.003" in page
    assert origin.reason in html.unescape(page)
    assert f"{first.facts['steps']} steps on" in html.unescape(page)
    assert "too few to learn much" in page
