"""The command for next items: what it prints, and what it says of a wrong command line."""

import json

import numpy as np
import pytest

from benchmarks import next_item
from benchmarks.sequence_files import Log
from phoenix.recommend.leave_one_out import Events

CYCLE = [f"p{post}" for post in range(12)]


def written(folder):
    """Users who walk round one circle of posts."""
    lines = (f"u{user} {' '.join((CYCLE * 2)[user % 12 :][:8])}" for user in range(48))
    path = folder / "log"
    path.write_text("\n".join(lines))
    return path


def test_one_command_learns_what_follows_what_and_prints_one_object(tmp_path, capsys):
    options = ["--epochs", "30", "--batch-size", "8", "--max-length", "12", "--dropout-rate", "0"]
    command = ["--data", str(written(tmp_path)), "--format", "sequences", *options]
    assert next_item.main(command) == 0
    out, progress = capsys.readouterr()
    found = json.loads(out)
    assert found["ndcg_at_10"] > 0.9
    assert found["hr_at_10"] <= found["hr_at_50"] <= found["hr_at_200"] == 1
    assert (found["users"], found["posts"]) == (48, 12)
    assert progress.count("validation NDCG@10") == found["epochs"] >= found["best_epoch"]


@pytest.mark.parametrize(
    ("num_users", "num_posts", "num_events", "max_length", "dropout_rate"),
    [
        (6_040, 3_706, 1_000_209, 200, 0.2),
        (943, 1_349, 99_287, 200, 0.35),
        (22_363, 12_101, 198_502, 50, 0.5),
    ],
)
def test_sparse_logs_of_short_sequences_get_short_windows_and_more_dropout(
    num_users, num_posts, num_events, max_length, dropout_rate
):
    log = Log(
        [Events(np.zeros(0, np.int64), np.zeros(0, np.uint64))] * num_users,
        num_posts,
        num_events,
        (),
    )
    recipe = next_item.Recipe.for_log(log)
    assert (recipe.max_length, recipe.dropout_rate) == (max_length, dropout_rate)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-length", "1"),
        ("--emb-size", "63"),
        ("--dropout-rate", "1"),
        ("--learning-rate", "0"),
        ("--table-learning-rate", "nan"),
        ("--patience", "0"),
        ("--seed", "-1"),
    ],
)
def test_an_option_out_of_range_is_named(tmp_path, capsys, option, value):
    command = ["--data", str(written(tmp_path)), "--format", "sequences", option, value]
    assert next_item.main(command) == 78
    assert f"{option}`: expected" in capsys.readouterr().err
