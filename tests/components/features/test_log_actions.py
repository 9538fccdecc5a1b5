"""Bits of a log by name, and what nobody could know on its days."""

import datetime

import numpy as np
import pytest

from components import contract
from components.errors import BadDataError
from components.features import log_actions
from components.features.event_log import no_log
from components.features.log_actions import LogActions, bits_of, names_of
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Store
from phoenix.data.days import DAY_MS, day_number
from tests.components.tables.test_action_lists import CLICK, LIKE, config_of, manifest

SHARE = {"name": "share"}
FIRST, SECOND = datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)


def context_of(config: Config, tmp_path) -> Context:
    """A run of build_features."""
    return Context(contract.BUILD_FEATURES, config, SECOND, Store(str(tmp_path)))


def log_of(bits: list[int], days: list[datetime.date]):
    """A log of impressions with these actions, one on each of the days."""
    times = np.array([day_number(day) * DAY_MS + 5 for day in days])
    return no_log(0)._replace(shown_at=times, actions=np.array(bits, np.uint64))


def test_events_of_each_day_have_the_list_of_their_day(tmp_path) -> None:
    today = config_of(LIKE, SHARE, CLICK)
    manifests = {
        str(FIRST): manifest(config_of(CLICK, LIKE), unknown_actions=["click"]),
        str(SECOND): manifest(today),
    }
    actions = log_actions.of_events(manifests, context_of(today, tmp_path))
    log = actions.log(log_of([1, 2, 1, 2], [FIRST, FIRST, SECOND, SECOND]))
    assert log.actions.tolist() == [4, 1, 1, 2]
    assert actions.unknown_by_day([FIRST, SECOND], today) == {str(FIRST): ["share", "click"]}


def test_a_log_has_one_list_and_its_days_know_what_they_knew(tmp_path) -> None:
    then = config_of(CLICK, LIKE)
    today = config_of(
        {"name": "favorite", "column": "like", "formerly": ("like",), "is_positive": True},
        SHARE,
        CLICK,
    )
    features = manifest(then, unknown_actions={str(FIRST): ["like"]})
    actions = LogActions.of_features(features, today)
    assert actions.log(log_of([3, 2], [FIRST, SECOND])).actions.tolist() == [5, 1]
    unknown = actions.unknown_by_day([FIRST, SECOND], today)
    assert unknown == {str(FIRST): ["favorite", "share"], str(SECOND): ["share"]}


def test_features_of_another_meaning_are_refused_with_all_days_of_their_histories(tmp_path) -> None:
    today = config_of(CLICK | {"at_least": 2}, LIKE)
    old = manifest(config_of(CLICK, LIKE), accepted={"2025-12-30": "digest"})
    with pytest.raises(BadDataError, match="meaning on 2025-12-30, 2026-01-01"):
        log_actions.of_partitions({str(FIRST): old}, context_of(today, tmp_path))


def test_names_and_bits_are_inverse() -> None:
    config = config_of(CLICK, LIKE, SHARE)
    assert names_of(bits_of(["share", "click", "gone"], config), config) == ["click", "share"]
