"""What does not fit the log is said before a night is lost on it."""

from components.store.artifacts import Store
from components.training import fit
from tests.components.training.log_store import config_of, write_features


def misfits(config) -> list[str]:
    return list(fit.misfits(config, Store(config.store)))


def test_a_store_without_features_and_settings_that_follow_the_log_have_no_misfit(tmp_path) -> None:
    config = config_of(tmp_path)
    assert misfits(config) == []
    write_features(config, 0, 5_000)
    assert misfits(config) == []
    # Of which a training is short whatever is done.
    write_features(config, 0, 200)
    assert misfits(config) == []


def test_trainings_that_are_too_short_are_told_with_their_numbers(tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"batch_size": 256, "epochs": 1})
    write_features(config, 0, 5_000)
    (misfit,) = misfits(config)
    assert misfit.startswith("`train_ranker`: 5 steps on 1,250 windows are too few")


def test_a_batch_larger_than_all_windows_is_told(tmp_path) -> None:
    config = config_of(tmp_path, train_ranker={"batch_size": 2_048, "epochs": 200})
    write_features(config, 0, 5_000)
    (misfit,) = misfits(config)
    assert (
        misfit == "`train_ranker`: `batch_size` is 2048, more than the 1,250 windows of a training"
    )


def test_a_history_longer_than_any_is_told_once_histories_have_grown(tmp_path) -> None:
    config = config_of(tmp_path, build_features={"history_length": 32, "history_days": 2})
    write_features(config, 1, 5_000, longest_history=9)
    assert misfits(config) == []
    write_features(config, 2, 5_000, longest_history=9)
    (misfit,) = misfits(config)
    assert "`build_features.history_length` is 32" in misfit
    assert "more than 9 impressions" in misfit
