"""Histograms of what models read of the histories of users; they add up over days and shards.

Training and feeds are measured by the same code, so that what differs between them differs in the
data. A share of the users is measured, the same ones everywhere.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.features.windows_files import Block
from components.settings.config import Config
from phoenix.data import histograms
from phoenix.data.hashing import GOLDEN
from phoenix.data.histograms import Histogram
from phoenix.data.histories import history_rows
from phoenix.data.windows import Windows

FEATURES_FILE = "feature_statistics.json"  # of build_features and materialize_feeds
_NO_ACTION = "(none)"
_HOUR_MS = 3_600_000
_SHARE_STEPS = 20  # of the share of impressions with an action


class Histories(NamedTuple):
    """The histories of N windows, oldest impression first, left-aligned."""

    starts_at: np.ndarray  # [N] int64, ms
    is_there: np.ndarray  # [N, S] bool
    shown_at: np.ndarray  # [N, S] int64, ms
    surfaces: np.ndarray  # [N, S]
    actions: np.ndarray  # [N, S] uint64


def of_block(block: Block, config: Config) -> dict[str, Histogram]:
    """Measures the histories of the windows of some users; see `measure`."""
    refs, log = block.refs, block.log
    sample = np.flatnonzero(_is_in_sample(refs.user_ids, config))
    length = config.build_features.history_length
    rows = history_rows(log, refs.user_ids[sample], refs.known_until[sample], length=length)
    # Row -1 marks a place without an impression; the appended 0 is what it takes.
    padded = [np.append(each, each.dtype.type(0)) for each in (log.shown_at, log.surfaces)]
    actions = np.append(log.actions, np.uint64(0))
    histories = Histories(
        refs.starts_at[sample], rows >= 0, padded[0][rows], padded[1][rows], actions[rows]
    )
    return measure(histories, config.action_names)


def of_windows(windows: Windows, config: Config) -> dict[str, Histogram]:
    """Measures the histories of windows; see `measure`."""
    sample = windows.rows(np.flatnonzero(_is_in_sample(windows.user_ids, config)))
    histories = Histories(
        sample.starts_at,
        sample.history_post_ids != 0,
        sample.history_shown_at,
        sample.history_surfaces,
        sample.history_actions,
    )
    return measure(histories, config.action_names)


def measure(histories: Histories, actions: Sequence[str]) -> dict[str, Histogram]:
    """Measures histories.

    Args:
      histories: Of N windows.
      actions: Names, in the order of their bits.

    Returns:
      Histograms of N values each (of actions: one for each that was done): the length of the
      history, the share of it with any action, and of its newest impression the age in hours when
      the window starts, the surface and the actions. A history without impressions has a length
      alone.
    """
    length = np.count_nonzero(histories.is_there, axis=1)  # [N]
    rows = np.flatnonzero(length)
    newest = length[rows] - 1
    age = (histories.starts_at[rows] - histories.shown_at[rows, newest]) / _HOUR_MS
    active = np.count_nonzero(histories.actions[rows], axis=1) / length[rows]
    bits = histories.actions[rows, newest]
    action_counts = {
        name: int(np.count_nonzero(bits & np.uint64(1 << number)))
        for number, name in enumerate(actions)
    }
    action_counts[_NO_ACTION] = int(len(bits) - np.count_nonzero(bits))
    return {
        "history_length": _count_values(length),
        "active_share": _count_values(np.floor(active * _SHARE_STEPS).astype(np.int64)),
        "newest_age_hours": histograms.of_numbers(age),
        "newest_surface": _count_values(histories.surfaces[rows, newest]),
        "newest_action": histograms.of_categories(action_counts),
    }


def write(path: Path, variables: Mapping[str, Histogram]) -> None:
    """Writes the histograms of variables as JSON; see `read`."""
    content = {name: histogram.to_dict() for name, histogram in variables.items()}
    path.write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Histogram]:
    """Reads the histograms that `write` wrote, by variable."""
    content = json.loads(path.read_bytes())
    return {name: Histogram.from_dict(each) for name, each in content.items()}


def _is_in_sample(user_ids: np.ndarray, config: Config) -> np.ndarray:
    # By a hash of the id, so that training and feeds measure the same users without a list.
    bits = (user_ids.astype(np.uint64) * GOLDEN) >> np.uint64(32)
    return bits < np.uint64(round(config.baseline.feature_users * 2**32))


def _count_values(values: np.ndarray) -> Histogram:
    names, counts = np.unique(values, return_counts=True)
    pairs = zip(names.tolist(), counts.tolist(), strict=True)
    return histograms.of_categories({str(name): count for name, count in pairs})


def merge(parts: Sequence[Mapping[str, Histogram]]) -> dict[str, Histogram]:
    """Adds up the histograms of several days, blocks or shards, by variable.

    >>> days = [{"hour": histograms.of_categories({"08": 2})} for _ in range(3)]
    >>> dict(merge(days)["hour"].counts)
    {'08': 6}
    """
    names = sorted({name for part in parts for name in part})
    return {name: histograms.merge(part[name] for part in parts if name in part) for name in names}
