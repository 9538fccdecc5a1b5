"""Trains the retrieval model on next items and reports how it ranks the whole catalogue.

usage: python -m benchmarks.next_item --data FILE --format movielens|sequences

Trains on all but the last two posts of each user, stops when NDCG@10 of the last but one gets no
better, and reports how the last one ranks: with the posts that the user had before left out, and,
under names that end in `_with_seen`, with them. Ties count against the model. Progress goes to
standard error; standard output is one JSON object.

Options that are not given follow the log: 200 events at once from 25 events per user on, else 50;
a dropout of 0.5 below 50 events per post, 0.35 below 150, else 0.2. What was chosen is printed
first.
"""

import argparse
import dataclasses
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.sequence_files import FORMATS, DataError, Log, read
from components.training.log_rules import dropout_rate
from phoenix.config import ConfigError, check, check_count

if TYPE_CHECKING:
    from phoenix.recommend.leave_one_out import LeaveOneOut
    from phoenix.recommend.trained import TrainedModel, TwoTower
    from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
    from phoenix.train.config import RetrievalTrainConfig

_LENGTHS = (12, 25, 50, 100)  # Batches hold sequences of about one length.
_SMALLEST_SHARE = 0.1  # Of the sequences; a length with fewer is not worth compiling for.
_LONG_LOG = 25  # Events per user from which on sequences are long.
_NEVER = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the model is trained."""

    emb_size: int = 64
    num_layers: int = 2
    num_heads: int = 2
    max_length: int = 200  # Events that the model sees at once.
    dropout_rate: float = 0.2
    batch_size: int = 64  # Sequences of `max_length`; of shorter ones, as many more.
    learning_rate: float = 2e-3
    table_learning_rate: float = 0.05
    epochs: int = 200
    patience: int = 10  # Epochs without a better NDCG@10 before training stops.
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"max_length": 2, "seed": 0}
        for field in dataclasses.fields(self):
            option, value = f"--{field.name.replace('_', '-')}", getattr(self, field.name)
            if field.type is int:
                check_count(option, value, minimum=least.get(field.name, 1))
            elif field.name == "dropout_rate":
                check(0 <= value < 1, option, expected="a number in [0, 1)", got=value)
            else:
                check(0 < value < np.inf, option, expected="a number > 0", got=value)
        size, unit = self.emb_size, 2 * self.num_heads
        expected = f"a multiple of {unit}, two for each head"
        check(size % unit == 0, "--emb-size", expected=expected, got=size)

    @classmethod
    def for_log(cls, log: Log) -> "Recipe":
        """What suits a log: short sequences and more dropout where each post is rare."""
        is_long = log.num_events >= _LONG_LOG * len(log.users)
        rate = dropout_rate(log.num_events / log.num_posts)
        return cls(max_length=200 if is_long else 50, dropout_rate=rate)


def run(log: Log, recipe: Recipe) -> dict[str, float]:
    """Trains, tests the model of the best epoch, and returns what is reported."""
    from phoenix.data.window_source import InMemoryWindows
    from phoenix.data.windows import concatenate
    from phoenix.memory import keep_freed_memory
    from phoenix.recommend.leave_one_out import (
        catalogue_hashes,
        hit_rate,
        ndcg,
        split,
        target_ranks,
    )
    from phoenix.train.runner import Progress, TrainRunner
    from phoenix.train.validation import HeldOut

    keep_freed_memory()
    spec = catalogue_hashes(log.num_posts)
    parts = split(log.users, max_length=recipe.max_length, hash_spec=spec)
    started = time.monotonic()
    lengths = _lengths(parts.train.history_post_ids)
    ranks_of = functools.partial(target_ranks, num_posts=log.num_posts, lengths=lengths)
    judging, curve = [0.0], []

    class Runner(TrainRunner):
        """Judges an epoch by the validation targets."""

        def validate(self, held_out: HeldOut) -> dict[str, float]:
            begun = time.monotonic()
            model = _retriever(held_out.model())
            ranks = ranks_of(model, parts.validation.windows, seen=parts.validation.seen)
            judging[0] += time.monotonic() - begun
            return {"ndcg_at_10": ndcg(ranks, 10)}

    def report(progress: Progress) -> None:
        curve.append(progress.metrics["ndcg_at_10"])
        print(
            f"epoch {progress.metrics['epoch'] + 1:.0f}: loss {progress.loss:.4f}, validation "
            f"NDCG@10 {progress.metrics['ndcg_at_10']:.4f}, {time.monotonic() - started:.0f} s",
            file=sys.stderr,
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        result = Runner(
            model_config=_model_config(recipe),
            train_config=_train_config(recipe, parts, lengths),
            hash_spec=spec,
            actions=log.actions,
            source=InMemoryWindows(concatenate([parts.train, parts.validation.windows])),
            checkpoint_directory=Path(folder),
            on_progress=report,
        ).run()
    seconds = time.monotonic() - started
    found: dict[str, float] = {}
    for suffix, seen in (("", parts.test.seen), ("_with_seen", None)):
        ranks = ranks_of(_retriever(result.model), parts.test.windows, seen=seen)
        found[f"hr_at_10{suffix}"] = hit_rate(ranks, 10)
        found[f"ndcg_at_10{suffix}"] = ndcg(ranks, 10)
        found[f"hr_at_50{suffix}"] = hit_rate(ranks, 50)
        found[f"hr_at_200{suffix}"] = hit_rate(ranks, 200)
    num_sequences = len(parts.train.user_ids) * len(curve)
    return {
        **{name: float(f"{value:.5f}") for name, value in found.items()},
        "validation_ndcg_at_10": float(f"{max(curve):.5f}"),
        "users": len(parts.test.seen),
        "posts": log.num_posts,
        "epochs": len(curve),
        "best_epoch": curve.index(max(curve)) + 1,
        "seconds": round(seconds, 1),
        "sequences_per_second": round(num_sequences / (seconds - judging[0]), 1),
    }


def _lengths(posts: np.ndarray) -> list[int]:
    """Which of `_LENGTHS` sequences are cut to, of their `[N, S]` posts; longer ones keep S."""
    used = np.count_nonzero(posts, axis=1)
    chosen: list[int] = []
    for length in _LENGTHS:
        fits = (used <= length) & (used > max(chosen, default=0))
        if length < posts.shape[1] and np.mean(fits) >= _SMALLEST_SHARE:
            chosen.append(length)
    return chosen


def _retriever(model: "TrainedModel") -> "TwoTower":
    """Returns the model as the retriever that this configuration trains."""
    from phoenix.recommend.trained import TwoTower

    assert isinstance(model, TwoTower), type(model)
    return model


def _model_config(recipe: Recipe) -> "PhoenixRetrievalModelConfig":
    from phoenix.grok import TransformerConfig
    from phoenix.inputs.config import HashConfig
    from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig

    key_size = recipe.emb_size // recipe.num_heads
    trunk = TransformerConfig(
        emb_size=recipe.emb_size,
        key_size=key_size,
        num_q_heads=recipe.num_heads,
        num_kv_heads=recipe.num_heads,
        num_layers=recipe.num_layers,
        attn_output_multiplier=key_size**-0.5,
        dropout_rate=recipe.dropout_rate,
    )
    return PhoenixRetrievalModelConfig(
        trunk,
        recipe.emb_size,
        hash_config=HashConfig(1, 1, 1),
        candidate_tower="mean",
        user_pooling="last",
        similarity="product",
        history_posts="shared",
    )


def _train_config(
    recipe: Recipe, parts: "LeaveOneOut", lengths: list[int]
) -> "RetrievalTrainConfig":
    from phoenix.train.config import (
        CheckpointsConfig,
        CurveConfig,
        InputConfig,
        OptimizerConfig,
        RetrievalTrainConfig,
        ValidationConfig,
    )

    num_train, num_users = len(parts.train.user_ids), len(parts.validation.seen)
    return RetrievalTrainConfig(
        seed=recipe.seed,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        weight_decay=1e-3,
        table_learning_rate=recipe.table_learning_rate,
        max_skipped_steps=10,
        checkpoint_every_steps=_NEVER,
        objective="next_item",
        optimizer=OptimizerConfig(warmup_steps=100),
        input=InputConfig(length_buckets=tuple(lengths)),
        validation=ValidationConfig(
            # The windows of validation are the last ones; half a window against rounding.
            fraction=(num_users + 0.5) / (num_train + num_users),
            monitor="ndcg_at_10",
            mode="max",
            patience=recipe.patience,
        ),
        curve=CurveConfig(every_steps=_NEVER),
        checkpoints=CheckpointsConfig(keep=1, result="best"),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line: 0 done, 65 damaged data, 78 a wrong command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.next_item", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--split", choices=["leave-one-out"], default="leave-one-out")
    fields = dataclasses.fields(Recipe)
    for field in fields:
        kind = float if isinstance(field.default, float) else int
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind)
    try:
        arguments = vars(parser.parse_args(argv))
    except SystemExit as end:
        return 78 if end.code else 0
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        log = read(arguments["data"], arguments["format"])
    except DataError as error:
        print(error, file=sys.stderr)
        return 65
    chosen = {field.name: arguments[field.name] for field in fields}
    changes = {name: value for name, value in chosen.items() if value is not None}
    try:
        recipe = dataclasses.replace(Recipe.for_log(log), **changes)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78
    print(
        f"{len(log.users)} users, {log.num_posts} posts, {log.num_events} events; {recipe}",
        file=sys.stderr,
    )
    print(json.dumps(run(log, recipe)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
