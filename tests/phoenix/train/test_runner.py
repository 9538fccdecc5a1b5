"""Claims about training: it learns, repeats bit by bit, survives kills, and skips bad steps."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from functools import lru_cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.data.actions import BitMap
from phoenix.data.hashing import HashSpec
from phoenix.files.verified_files import CheckpointError
from phoenix.metrics import ordering
from phoenix.metrics.by_user import retrieval
from phoenix.metrics.mergeable import Sums
from phoenix.recommend.predict_runner import PredictRunner
from phoenix.train.config import ComputeConfig, DevicesConfig, RetrievalTrainConfig
from phoenix.train.loss_config import NegativesConfig, RankingLossConfig
from phoenix.train.objectives.ranking import RankingObjective
from phoenix.train.optimizer import DivergenceError
from phoenix.train.runner import Progress, StopTraining, TrainRunner
from phoenix.train.states import TrainStates
from phoenix.train.step import train_step
from tests.phoenix.planted import ACTIONS, NUM_POSTS, RANKER, RETRIEVAL, author_of, runner, world

SMALL = world(200).windows
HELD_OUT = world(1500, seed=1)


def assert_same_bits(first, second):
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    for ours, theirs in zip(first.tables, second.tables, strict=True):
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.accumulator, theirs.accumulator)


def test_ranker_learns_who_likes_what():
    model = runner(RANKER, world(8000).windows, epochs=3).run().model
    windows = HELD_OUT.windows
    labels = (windows.labels & np.uint64(1)).ravel()
    predicted = model.predict(windows)[..., 0].ravel()
    is_own = (
        HELD_OUT.user_topics[windows.user_ids][:, None]
        == (HELD_OUT.post_topics[windows.candidate_post_ids])
    )
    best = ordering.auc(labels, is_own.ravel().astype(float))
    assert ordering.auc(labels, predicted) > 0.7
    assert ordering.auc(labels, predicted) > best - 0.02
    sums = Sums.of(labels, predicted).values()
    assert sums["calibration"] == pytest.approx(1, abs=0.1)
    assert sums["relative_cross_entropy"] > 15


def test_ranker_learns_how_long_users_stay():
    draw = np.random.default_rng(0)

    def with_dwell(made):
        is_long = made.post_topics[made.windows.candidate_post_ids] < 2
        seconds = np.where(is_long, 20, 5) * draw.uniform(0.5, 1.5, is_long.shape)
        return made.windows._replace(label_dwell_seconds=seconds.astype(np.float32))

    config = dataclasses.replace(RANKER, num_continuous=1)
    ranking = RankingLossConfig(dwell="squared_error")
    model = runner(config, with_dwell(world(1500)), epochs=2, losses=ranking).run().model
    windows = with_dwell(HELD_OUT)
    measured = PredictRunner(ranker=model, splits={"test": windows}).run()["test"].metrics
    seconds = windows.label_dwell_seconds
    assert measured["dwell_xauc"] > 0.7  # 0.75 is best: half of the pairs differ by noise alone.
    assert measured["dwell_mean_squared_error"] < 0.5 * np.var(seconds)
    assert measured["dwell_mean_absolute_error"] < 0.5 * np.mean(abs(seconds - np.median(seconds)))


def test_retrieval_finds_more_than_the_most_popular():
    training = world(8000)
    model = runner(RETRIEVAL, training.windows, epochs=3).run().model
    windows, posts = HELD_OUT.windows, np.arange(1, NUM_POSTS + 1)
    scores = model.encode_users(windows) @ model.encode_posts(posts, author_of(posts)).T
    retrieved = posts[np.argsort(-scores, axis=1)[:, :10]]
    is_liked = (windows.labels & np.uint64(1)) > 0
    row, place = np.nonzero(is_liked)
    relevant = (row, windows.candidate_post_ids[row, place])
    liked_before = training.windows.candidate_post_ids[training.windows.labels > 0]
    popular = np.argsort(-np.bincount(liked_before, minlength=NUM_POSTS + 1))[:10]
    rows = np.arange(len(windows.user_ids))
    popular_found = retrieval(rows, np.tile(popular, (len(rows), 1)), relevant)
    assert retrieval(rows, retrieved, relevant).recall.mean > 1.2 * popular_found.recall.mean
    topics = HELD_OUT.post_topics[retrieved]
    assert np.mean(topics == HELD_OUT.user_topics[windows.user_ids][:, None]) > 0.7  # Chance: 0.25.


@pytest.mark.parametrize("config", [RANKER, RETRIEVAL])
def test_one_seed_gives_one_model_and_one_curve(config):
    first = runner(
        config, SMALL, epochs=2, curve={"every_steps": 3}, validation={"fraction": 0.1}
    ).run()
    second = runner(
        config, SMALL, epochs=2, curve={"every_steps": 3}, validation={"fraction": 0.1}
    ).run()
    assert_same_bits(first.model, second.model)
    assert first.curve == second.curve
    assert [point["step"] for point in first.curve] == [3, 6]
    assert "validation_loss" in first.curve[-1]
    json.dumps(first.curve, allow_nan=False)


def test_another_seed_gives_another_model():
    models = [runner(RANKER, SMALL, seed=seed).run().model for seed in (1, 2)]
    assert not np.array_equal(models[0].tables.user.rows, models[1].tables.user.rows)


class InterruptError(Exception):
    """Stops a run from its own callback."""


def stop_at(step):
    def on_progress(progress: Progress) -> None:
        if progress.step >= step:
            raise InterruptError

    return on_progress


@lru_cache
def followed(half_life):
    """A training of which every step is a point of the curve."""
    options = {
        "curve": {"every_steps": 1, "half_life_steps": half_life},
        "validation": {"fraction": 0.25},
    }
    return runner(RANKER, SMALL, **options).run()


def test_metrics_of_the_validation_are_those_of_the_model():
    result = followed(1.0)
    windows = SMALL.rows(slice(150, None))
    measured = PredictRunner(ranker=result.model, splits={"test": windows}).run()["test"].metrics
    expected = measured["actions"]["like"]
    point = result.curve[-1]
    for name in ("auc", "pr_auc", "log_loss", "accuracy", "calibration"):
        assert point[f"validation_{name}/like"] == pytest.approx(expected[name], abs=2e-3)
    assert "validation_auc/hide" not in point  # Nobody hides anything.


def test_a_validation_judges_the_average_of_the_weights_which_becomes_the_model():
    options = {"validation": {"fraction": 0.25}, "optimizer": {"average_half_life": 5.0}}
    result = runner(RANKER, SMALL, learning_rate=2e-2, **options).run()
    windows = SMALL.rows(slice(150, None))
    measured = PredictRunner(ranker=result.model, splits={"test": windows}).run()["test"].metrics
    expected = measured["actions"]["like"]["log_loss"]
    assert result.curve[-1]["validation_log_loss/like"] == pytest.approx(expected, abs=1e-4)


def test_a_step_counts_half_in_the_metrics_after_the_half_life():
    sizes = np.array([64, 64, 22])  # windows of the three steps
    alone = np.array([point["accuracy/like"] for point in followed(1e-3).curve])
    for step, point in enumerate(followed(1.0).curve):
        weights = sizes[: step + 1] * 0.5 ** np.arange(step, -1, -1)
        expected = np.average(alone[: step + 1], weights=weights)
        assert point["accuracy/like"] == pytest.approx(expected, rel=1e-5)
        assert 0 < point["auc/like"] < 1


def test_retrieval_learns_with_drawn_and_rejected_posts_and_follows_its_recall():
    negatives = NegativesConfig(in_batch=False, global_per_row=4, hard_per_row=2)
    options = {
        "epochs": 2,
        "curve": {"every_steps": 8},
        "validation": {"fraction": 0.1},
        "negatives": negatives,
    }
    curve = runner(RETRIEVAL, world(1000).windows, **options).run().curve
    assert curve[-1]["loss"] < 0.97 * curve[0]["loss"]
    assert 0 < curve[-1]["recall_at_10"] < 1
    assert 0 < curve[-1]["validation_recall_at_10"] < 1


@pytest.mark.parametrize("config", [RANKER, RETRIEVAL])
def test_interrupted_run_continues_to_the_same_bits(config, tmp_path):
    options = {"epochs": 3, "checkpoint_every_steps": 2, "curve": {"every_steps": 3}}
    if config is RETRIEVAL:
        options["optimizer"] = {"average_half_life": 2.0}
    whole = runner(config, SMALL, **options).run()
    with pytest.raises(InterruptError):
        runner(
            config, SMALL, checkpoint_directory=tmp_path, on_progress=stop_at(9), **options
        ).run()
    assert TrainStates(tmp_path).find().progress["step"] == 8
    resumed = runner(config, SMALL, checkpoint_directory=tmp_path, **options).run()
    assert_same_bits(resumed.model, whole.model)
    assert resumed.curve == whole.curve
    assert resumed.steps == whole.steps == 12


def test_finished_run_is_not_trained_again(tmp_path):
    first = runner(RANKER, SMALL, checkpoint_directory=tmp_path, checkpoint_every_steps=2).run()
    steps = []
    again = runner(
        RANKER,
        SMALL,
        checkpoint_directory=tmp_path,
        checkpoint_every_steps=2,
        on_progress=lambda p: steps.append(p.step),
    ).run()
    assert steps == []
    assert again.curve == first.curve
    assert_same_bits(again.model, first.model)


def test_training_state_of_another_run_is_refused(tmp_path):
    runner(RANKER, SMALL, checkpoint_directory=tmp_path, checkpoint_every_steps=2).run()
    for changed in (
        runner(RANKER, SMALL, checkpoint_directory=tmp_path, seed=9),
        runner(RANKER, SMALL.rows(slice(150)), checkpoint_directory=tmp_path),
    ):
        with pytest.raises(ValueError, match="another configuration, data or starting model: "):
            changed.run()


def train_in_a_process(states: Path | str, model: Path) -> subprocess.Popen:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.phoenix.planted", str(states), str(model)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"},
    )


def wait_for(process: subprocess.Popen, condition) -> None:
    deadline = time.monotonic() + 240
    while process.poll() is None and not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def file_contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def newest_state(states: Path) -> int:
    return max((int(path.name.removeprefix("step_")) for path in states.glob("step_*")), default=0)


def test_model_after_kills_is_byte_identical_to_one_without(tmp_path):
    states = tmp_path / "states"
    random_steps = int(np.random.default_rng().integers(1, 20))
    conditions = [
        # In the middle of writing a state, when an older one exists; then some steps further on.
        lambda: any(states.glob("step_*")) and any(states.glob(".*.partial/*")),
        lambda: newest_state(states) >= reached + random_steps,
    ]
    for condition in conditions:
        reached = newest_state(states)
        process = train_in_a_process(states, tmp_path / "resumed")
        wait_for(process, condition)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert train_in_a_process(states, tmp_path / "resumed").wait(240) == 0
    assert train_in_a_process("none", tmp_path / "whole").wait(240) == 0
    assert file_contents(tmp_path / "resumed") == file_contents(tmp_path / "whole")


@pytest.fixture
def poison(monkeypatch):
    """Makes the loss of the steps for which `is_bad(first user hash)` holds not a number."""
    train_step.cache_clear()
    yield partial(_poison, monkeypatch)
    train_step.cache_clear()


def _poison(monkeypatch, is_bad):
    clean = RankingObjective.loss

    def loss(self, params, rows, batch, norms=None):
        value, scalars = clean(self, params, rows, batch, norms)
        bad = is_bad(jnp.asarray(batch.inputs.user_hashes)[0, 0])
        return jnp.where(bad, jnp.nan, 1.0) * value, scalars

    monkeypatch.setattr(RankingObjective, "loss", loss)


def test_steps_that_are_not_finite_change_nothing_and_are_counted(poison):
    start = runner(RANKER, SMALL).run().model
    train_step.cache_clear()
    poison(lambda _: True)
    result = runner(RANKER, SMALL, start=start, max_skipped_steps=4).run()
    assert result.skipped_steps == result.steps == 4
    assert result.curve == []
    assert_same_bits(result.model, start)


def test_good_steps_between_bad_ones_still_count(poison):
    poison(lambda first_hash: first_hash % 2 == 0)
    result = runner(RANKER, SMALL, epochs=5, max_skipped_steps=19).run()
    assert 0 < result.skipped_steps < result.steps == 20
    assert np.isfinite(result.curve[-1]["loss"])
    for leaf in jax.tree.leaves((result.model.params, result.model.tables)):
        assert np.all(np.isfinite(leaf))


def test_too_many_bad_steps_in_a_row_stop_the_run_and_say_where(poison):
    poison(lambda _: True)
    with pytest.raises(DivergenceError, match=r"Step 3 of 4 \(epoch 0\) .*'loss'.*number 3 in"):
        runner(RANKER, SMALL, max_skipped_steps=2).run()


def test_warm_start_continues_from_the_weights_and_leaves_them_alone():
    start = runner(RANKER, world(2000).windows, epochs=2).run()
    before = jax.tree.map(np.array, (start.model.params, start.model.tables))
    warm = runner(
        RANKER, SMALL, start=start.model, learning_rate=1e-6, table_learning_rate=1e-6
    ).run()
    cold = runner(RANKER, SMALL).run()
    assert warm.curve[0]["loss"] < cold.curve[0]["loss"] - 0.05
    after = (start.model.params, start.model.tables)
    jax.tree.map(np.testing.assert_array_equal, before, after)


def rates_of(*results):
    return [point["learning_rate"] for result in results for point in result.curve]


def test_trainings_that_go_on_from_each_other_are_one_for_the_optimizer():
    # One batch holds all windows, so that their order says nothing.
    schedule = {"schedule": "cosine", "warmup_steps": 2, "schedule_steps": 7, "schedule_end": 0.1}
    train = partial(runner, RANKER, world(64).windows, optimizer=schedule, curve={"every_steps": 1})
    whole = train(epochs=6).run()
    first = train(epochs=3).run()
    second = train(epochs=3, start=first.model).run()
    assert (second.optimizer.steps_before, second.optimizer.new_because) == (3, None)
    assert second.model.optimizer.steps == whole.model.optimizer.steps == 6
    np.testing.assert_allclose(rates_of(first, second), rates_of(whole))
    for name, array in whole.model.optimizer.arrays.items():
        np.testing.assert_allclose(second.model.optimizer.arrays[name], array, atol=1e-5)
    closely = partial(np.testing.assert_allclose, atol=1e-4)
    jax.tree.map(closely, second.model.params, whole.model.params)
    # Without the moments it is another training, which begins with the warm-up.
    alone = train(epochs=3, start=dataclasses.replace(first.model, optimizer=None)).run()
    assert alone.optimizer.new_because == "the model has none with it"
    assert rates_of(alone) == rates_of(first)


def test_the_total_of_a_schedule_is_that_of_the_training_from_scratch():
    schedule = {"schedule": "linear", "schedule_end": 0.2}
    train = partial(runner, RANKER, SMALL, optimizer=schedule, curve={"every_steps": 1})
    first = train(epochs=2).run()
    second = train(start=first.model).run()
    assert first.model.optimizer.schedule_steps == second.model.optimizer.schedule_steps == 8
    np.testing.assert_allclose(rates_of(second), [0.2 * 2e-3] * 4)


def test_a_warm_start_under_another_list_of_actions_goes_on_by_name():
    start = runner(RANKER, world(2000).windows, epochs=2).run().model
    actions = ("share", *ACTIONS[::-1])
    way = BitMap(ACTIONS, actions)
    histories, labels = way.bits(SMALL.history_actions), way.bits(SMALL.labels)
    windows = SMALL._replace(
        history_actions=histories,
        history_unknown_actions=np.full_like(histories, way.unknown),
        labels=labels,
        label_unknown_actions=np.full_like(labels, way.unknown),
    )
    config = dataclasses.replace(RANKER, num_actions=len(actions))
    options = {"actions": actions, "learning_rate": 1e-6, "table_learning_rate": 1e-6}
    result = runner(config, windows, start=start, **options).run()
    assert "other actions" in result.optimizer.new_because
    before, after = start.predict(SMALL), result.model.predict(windows)
    np.testing.assert_allclose(after[..., 1:], before[..., ::-1], atol=1e-3)


def test_last_windows_are_held_out_for_validation():
    held_out = []

    class Recording(TrainRunner):
        def validate(self, held):
            held_out.extend(window for part in held.windows() for window in part.user_ids)
            return super().validate(held)

    result = runner(RANKER, SMALL, kind=Recording, validation={"fraction": 0.25}).run()
    assert held_out == SMALL.user_ids[150:].tolist()
    first = runner(RANKER, SMALL.rows(slice(150))).run()
    assert_same_bits(result.model, first.model)


def test_progress_reports_reach_the_end():
    reports = []
    runner(RANKER, SMALL, epochs=2, curve={"every_steps": 2}, on_progress=reports.append).run()
    assert [report.step for report in reports] == [2, 4, 6, 8]
    assert reports[-1].total_steps == 8
    assert reports[-1].eta_seconds == 0
    assert all(report.windows_per_second > 0 and report.loss > 0 for report in reports)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no window"):
        runner(RANKER, SMALL.rows(slice(0))).run()
    with pytest.raises(ValueError, match=r"reads .* hashes"):
        runner(RANKER, SMALL, hash_spec=HashSpec.documented(num_hashes=3)).run()
    with pytest.raises(
        ConfigError, match="a RankerTrainConfig for this model, got a RetrievalTrainConfig"
    ):
        dataclasses.replace(runner(RANKER, SMALL), train_config=RetrievalTrainConfig()).run()
    compute = ComputeConfig(devices=DevicesConfig(num_data_shards=3))
    with pytest.raises(ConfigError, match=r"batch_size.*a multiple of .*, 3, got"):
        runner(RANKER, SMALL, compute=compute, batch_size=50).run()
    start = runner(RANKER, SMALL).run().model
    deeper = dataclasses.replace(RANKER.model, num_layers=2)
    with pytest.raises(ValueError, match="another configuration"):
        runner(dataclasses.replace(RANKER, model=deeper), SMALL, start=start).run()


class WithBias(TrainRunner):
    """Adds a metric by overriding one method."""

    def validate(self, held_out):
        (windows,) = held_out.windows()
        predicted = held_out.model().predict(windows)[..., 0]
        return {**super().validate(held_out), "bias": float(predicted.mean())}


def test_a_subclass_adds_a_metric_that_can_be_monitored(tmp_path):
    options = {
        "epochs": 3,
        "validation": {"fraction": 0.2, "monitor": "bias"},
        "checkpoints": {"result": "best"},
    }
    whole = runner(RANKER, SMALL, kind=WithBias, checkpoint_directory=tmp_path, **options)
    result = whole.run()
    biases = [point["bias"] for point in result.curve if "bias" in point]
    assert len(biases) == 3
    again = runner(RANKER, SMALL, checkpoint_directory=tmp_path, **options)
    best = again.checkpoint("best")
    assert_same_bits(best, result.model)
    held_out = SMALL.rows(slice(160, None))
    assert best.predict(held_out)[..., 0].mean() == pytest.approx(min(biases), rel=1e-5)
    with pytest.raises(CheckpointError, match=r"expected a checkpoint 'epoch_2'; there are last"):
        whole.checkpoint("epoch_2")


def test_a_runner_trains_once(tmp_path):
    refused = runner(RANKER, SMALL, epochs=2, checkpoints={"result": "epoch_1"})
    for _ in range(2):  # Nothing was trained: it may be asked again.
        with pytest.raises(ConfigError, match="no checkpoint directory"):
            refused.run()
    refused.checkpoint_directory = tmp_path
    refused.run()
    with pytest.raises(RuntimeError, match="has trained before"):
        refused.run()


def test_training_stops_when_nothing_gets_better():
    options = {"epochs": 9, "validation": {"fraction": 0.2, "patience": 2, "min_change": 1e9}}
    result = runner(RANKER, SMALL, **options).run()
    assert result.stopped_early
    assert result.steps == 3 * 3  # The first validation is the best one; two more bring nothing.


def test_a_metric_that_no_validation_has_is_refused_before_the_first_step():
    heard = []
    options = {
        "validation": {"fraction": 0.2, "monitor": "validation_auc/hid"},
        "curve": {"every_steps": 1},
    }
    refused = runner(RANKER, SMALL, on_progress=heard.append, **options)
    with pytest.raises(ConfigError, match=r"monitor`: expected .*validation_auc/hide.* got"):
        refused.run()
    assert heard == []


def test_a_validation_that_is_not_finite_stops_the_run_and_says_when():
    with pytest.raises(DivergenceError, match="validation after step 1 of 1 is not finite"):
        runner(
            RANKER,
            SMALL,
            batch_size=160,
            validation={"fraction": 0.2},
            table_learning_rate=1e38,
        ).run()


def test_the_state_that_became_the_model_is_told(tmp_path):
    options = {
        "epochs": 3,
        "validation": {"fraction": 0.2, "min_change": 1e9},
        "curve": {"every_steps": 2},
    }
    for chosen, step, epoch in (("best", 3, 1), ("epoch_2", 6, 2), ("last", 9, 3)):
        whole = runner(
            RANKER,
            SMALL,
            checkpoints={"result": chosen},
            checkpoint_directory=tmp_path / chosen,
            **options,
        ).run()
        losses = {point["step"]: point.get("validation_loss") for point in whole.curve}
        assert whole.state == (chosen, step, epoch, "validation_loss", losses[step])
        assert whole.state.value is not None
    unjudged = runner(RANKER, SMALL).run().state
    assert (unjudged.step, unjudged.value) == (4, None)


@pytest.mark.parametrize("chosen", ["best", "epoch_1"])
def test_the_whole_run_is_told_whichever_state_becomes_the_model(chosen, tmp_path):
    options = {
        "epochs": 3,
        "validation": {"fraction": 0.2, "min_change": 1e9},
        "curve": {"every_steps": 1},
    }
    options |= {"checkpoints": {"result": chosen}, "checkpoint_directory": tmp_path}
    whole = runner(RANKER, SMALL, **options)
    result = whole.run()
    assert (result.steps, result.stopped_early, len(result.curve)) == (9, False, 9)
    assert_same_bits(result.model, whole.checkpoint(chosen))
    first = runner(RANKER, SMALL, epochs=1, validation={"fraction": 0.2}).run().model
    assert_same_bits(result.model, first)


def test_a_stopped_run_is_saved_and_goes_on_to_the_same_bits(tmp_path):
    options = {"epochs": 3, "checkpoints": {"every_epoch": True}}
    whole = runner(RANKER, SMALL, **options).run()
    asked = iter([False, False, False, False, True])
    stopped = runner(
        RANKER, SMALL, checkpoint_directory=tmp_path, should_stop=lambda: next(asked), **options
    )
    with pytest.raises(StopTraining, match="after step 5 of 12"):
        stopped.run()
    again = runner(RANKER, SMALL, checkpoint_directory=tmp_path, **options)
    assert_same_bits(again.run().model, whole.model)
    first = runner(RANKER, SMALL, epochs=1).run().model
    assert_same_bits(again.checkpoint("epoch_1"), first)


def test_a_checkpoint_that_is_asked_for_needs_a_place():
    with pytest.raises(
        ConfigError, match=r"TrainConfig\.checkpoints\.result.*no checkpoint directory"
    ):
        runner(RANKER, SMALL, epochs=2, checkpoints={"result": "epoch_1"}).run()
    with pytest.raises(CheckpointError, match="expected a checkpoint 'last'; there are none"):
        runner(RANKER, SMALL).checkpoint("last")


def test_a_split_without_data_is_refused():
    with pytest.raises(
        ConfigError, match=r"validation\.fraction.* a window to validate on among 200"
    ):
        runner(RANKER, SMALL, validation={"fraction": 0.001}).run()


def test_batches_by_length_train_on_every_window(tmp_path):
    result = runner(RANKER, world(600).windows, input={"length_buckets": [2, 4]}, epochs=2).run()
    assert result.skipped_steps == 0
    assert np.isfinite(result.curve[-1]["loss"])


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_no_trace(tmp_path):
    draw = np.random.default_rng()
    states, resumed, kills = tmp_path / "states", tmp_path / "resumed", 0
    while kills < 10 and not resumed.exists():  # Else the run was over before the tenth kill.
        process = train_in_a_process(states, resumed)
        started = newest_state(states)
        # At least one more state, or ten kills could be ten starts; then anywhere.
        wait_for(process, lambda started=started: newest_state(states) > started)
        time.sleep(draw.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() != 0
    assert kills > 3
    if not resumed.exists():
        assert train_in_a_process(states, resumed).wait(240) == 0
    assert train_in_a_process("none", tmp_path / "whole").wait(240) == 0
    assert file_contents(resumed) == file_contents(tmp_path / "whole")
