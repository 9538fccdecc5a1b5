"""Blocks of all partitions come in order, and only if they are what the models were made for."""

import datetime

import numpy as np
import pytest

from components import contract
from components.errors import BadDataError
from components.features import shapes, windows_files
from components.features.training_source import feature_windows
from components.run.context import Context
from phoenix.data.windows import concatenate

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


def context_of(world):
    return Context(contract.TRAIN_RANKER, world.config, datetime.date(2026, 1, 3), world.store)


def refs_of(world):
    return [world.store.head("build_features", day) for day in DAYS]


def test_blocks_are_those_of_the_partitions_in_order(three_days) -> None:
    source = feature_windows(context_of(three_days), refs_of(three_days))
    artifacts = [three_days.artifact("build_features", day) for day in DAYS]
    assert source.num_windows == sum(artifact.facts["windows"] for artifact in artifacts)
    spec = shapes.hash_spec(three_days.config.hashing)
    expected = concatenate([windows_files.read_windows(a.folder, spec=spec) for a in artifacts])
    found = concatenate([source.read(chunk) for chunk in range(len(source.chunk_sizes))])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_features_of_another_shape_are_refused(world) -> None:
    refs = refs_of(world)
    world.edit("num_candidates: 4", "num_candidates: 5")
    with pytest.raises(BadDataError, match="5 candidates, got 8 and 4: build these features"):
        feature_windows(context_of(world), refs)
