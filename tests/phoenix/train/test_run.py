"""A run is known by its parts, and parts that do not fit make none."""

import numpy as np
import pytest

from phoenix.config import ConfigError
from phoenix.data.days import DAY_MS
from phoenix.data.hashing import HashSpec
from phoenix.data.window_source import InMemoryWindows
from phoenix.train.config import ComputeConfig, PrefetchConfig
from phoenix.train.run import Run
from phoenix.train.states import StateEntry
from tests.phoenix.planted import ACTIONS, RANKER, RETRIEVAL, SPEC, train_config, untrained, world

WINDOWS = world(20).windows


def make(windows=WINDOWS, **parts) -> Run:
    defaults = {
        "model_config": RANKER,
        "train_config": train_config(RANKER, batch_size=4, validation={"fraction": 0.25}),
        "hash_spec": SPEC,
        "actions": ACTIONS,
        "source": InMemoryWindows(windows),
    }
    return Run(**{**defaults, **parts})


def test_the_latest_windows_are_held_out():
    # In order of users, as features are: the newest accounts are not the latest windows.
    starts = np.random.default_rng(0).permutation(20) + 5
    run = make(WINDOWS._replace(starts_at=starts))
    assert (run.num_train, run.num_windows) == (15, 20)
    assert run.epochs.num_steps == 4
    trained, held_out = (part.read(0).starts_at for part in (run.split.train, run.split.validation))
    assert sorted([*trained, *held_out]) == sorted(starts)
    assert trained.max() < held_out.min() == run.split.since


@pytest.mark.parametrize(
    ("model", "options", "is_by_day"),
    [(RETRIEVAL, {}, True), (RETRIEVAL, {"objective": "next_item"}, False), (RANKER, {}, False)],
)
def test_windows_that_are_compared_with_each_other_are_of_one_day(model, options, is_by_day):
    days = np.repeat([3, 4], 10)
    run = make(
        WINDOWS._replace(starts_at=days * DAY_MS),
        model_config=model,
        train_config=train_config(model, batch_size=5, **options),
    )
    batches = run.epochs.batches(run.source, 0)
    num_days = [len(set(batch.windows.starts_at.tolist())) for _, batch in batches]
    assert num_days == [1] * 4 if is_by_day else max(num_days) > 1


def test_equal_parts_make_one_run_on_any_devices():
    assert make().identity == make(compute=ComputeConfig(input=PrefetchConfig(prefetch=7))).identity
    last = WINDOWS.user_ids + np.eye(20, dtype=np.int64)[-1]
    others = [
        make(
            train_config=train_config(RANKER, batch_size=4, validation={"fraction": 0.25}, seed=1)
        ),
        make(model_config=RETRIEVAL),
        make(WINDOWS.rows(slice(19))),
        make(WINDOWS._replace(user_ids=last)),
        make(actions=ACTIONS[::-1]),
        make(start=untrained(RANKER)),
    ]
    assert len({make().identity, *(run.identity for run in others)}) == 1 + len(others)


def test_a_state_of_another_run_is_refused_by_what_differs(tmp_path):
    ours, theirs = (
        make(),
        make(train_config=train_config(RANKER, batch_size=5, validation={"fraction": 0.25})),
    )
    ours.check_state(StateEntry(tmp_path, ours.description()))
    with pytest.raises(ValueError, match=r"`train_config\.batch_size` expected 4, got 5\."):
        ours.check_state(StateEntry(tmp_path, theirs.description()))
    others = make(WINDOWS._replace(user_ids=WINDOWS.user_ids + 1))
    with pytest.raises(ValueError, match="the windows or the starting weights differ"):
        ours.check_state(StateEntry(tmp_path, others.description()))


def test_parts_that_do_not_fit_make_no_run():
    with pytest.raises(ValueError, match="no window to train on: the source has 0"):
        make(WINDOWS.rows(slice(0)))
    with pytest.raises(ConfigError, match="a window to validate on among 20"):
        make(train_config=train_config(RANKER, validation={"fraction": 0.01}))
    with pytest.raises(ValueError, match=r"reads .* hashes"):
        make(hash_spec=HashSpec.documented(num_hashes=3))
    with pytest.raises(ValueError, match="another configuration"):
        make(start=untrained(RETRIEVAL))
