from pathlib import Path

import numpy as np
import pytest

from components.features import event_log
from components.features.impression_facts import ImpressionFacts
from components.settings.attributes import AttributesConfig
from components.source import attribute_files
from tests.components.event_rows import (
    STEPS_PER_DAY,
    config_of,
    created_at,
    day_of,
    ms,
    write_posts,
)


def columns(posts: list[int], steps: list[int]) -> list[np.ndarray]:
    """Impressions of some posts, up to `dwell_seconds`, and weights."""
    empty = event_log.no_log(0)[:8]
    zeros = [np.zeros(len(posts), column.dtype) for column in empty]
    zeros[1], zeros[3] = np.array(posts), np.array([ms(step) for step in steps])
    return [*zeros, np.ones(len(posts), np.float32)]


def test_an_impression_takes_what_its_own_day_knew(tmp_path: Path) -> None:
    days = {day_of(number): write_posts(tmp_path / str(number), number) for number in range(3)}
    steps = [2 * STEPS_PER_DAY + 5, 5, STEPS_PER_DAY + 5, 5]
    log = ImpressionFacts(days).complete_log(columns([1, 1, 1, 3], steps))
    assert len(set(log.created_at.tolist())) == 4
    np.testing.assert_array_equal(log.created_at, created_at(log.post_ids, log.shown_at))
    assert log.attributes.shape == (4, 0)


def test_an_impression_of_another_day_is_a_bug(tmp_path: Path) -> None:
    facts = ImpressionFacts({day_of(0): write_posts(tmp_path / "posts", 0)})
    with pytest.raises(KeyError):
        facts.complete_log(columns([1], [STEPS_PER_DAY]))


def test_without_attributes_nothing_is_known_of_users() -> None:
    facts = ImpressionFacts({})
    assert facts.width == 0
    assert facts.of_users(np.array([1, 2]), np.array([0, 0]), day_of(0)).shape == (2, 0)


def test_of_a_post_counts_what_was_known_a_gap_before_it_was_shown(tmp_path: Path) -> None:
    lines = f"post,since,size\n1,{ms(0)},5\n1,{ms(2)},6\n"
    (tmp_path / "known.csv").write_text(lines)
    size = {"name": "size", "side": "post", "column": "size", "kind": "raw", "default": -1}
    files = {"files": str(tmp_path / "known.csv"), "id": "post", "known_at": "since"}
    chosen = AttributesConfig.model_validate({"posts": files, "declared": [size]})
    config = config_of(gap_minutes=240).model_copy(update={"attributes": chosen})
    attribute_files.write(write_posts(tmp_path / "day", 0), config, day_of(0), {})
    facts = ImpressionFacts({day_of(0): tmp_path / "day"}, chosen, gap_minutes=240)
    log = facts.complete_log(columns([1, 1, 1, 1], [1, 2, 3, 4]))
    assert log.attributes[:, 0].tolist() == [-1, 5, 5, 6]
