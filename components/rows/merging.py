"""One impression of several rows that share user, post and time: its states, by their arrival.

The first row that arrived is the impression as it was known first; what later rows add to it are
labels, each known from its own arrival on. Rows are as an engine gives them (`engine_rows`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.rows.rules import KEY, ORDER, SIGNALS
from components.tables import data_files
from phoenix.data.states import States, cumulative_states
from schemas.events import LABELS

_LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class RepetitionCounts:
    """Numbers of rows that share user, post and time with another."""

    num_exact: int  # rows removed because another says the same
    num_conflicting: int  # rows merged into another that says something else
    num_conflicts: int  # rows that others were merged into
    num_folded: int = 0  # actions that belong to the impression of another row


def add_up(parts: Sequence[RepetitionCounts]) -> RepetitionCounts:
    """Returns the numbers of all parts together."""
    numbers = [astuple(part) for part in parts]
    return RepetitionCounts(*map(sum, zip(*numbers, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The impressions of repeated rows."""

    firsts: pa.Table  # one row for each, as it was first known, with the columns that came in
    id_rows: np.ndarray  # `[k]` int64: of the rows that came in, those whose ids these have
    labels: pa.Table  # `LABELS`: their later states
    last_states: pa.Table  # event_id, actions, dwell_seconds: what all rows of each say together
    counts: RepetitionCounts


def merge_repetitions(rows: pa.Table, places: np.ndarray) -> tuple[pa.Table, Merged]:
    """Puts one row in the place of those that share user, post and time.

    Optional columns are those of the first row: each says how that very row was served.

    Args:
      rows: With the columns of an engine, in the order of the source.
      places: `[k]` int64, rising: the rows of which impressions are made.

    Returns:
      The impressions, sorted by `rules.ORDER`, and what was made of the rows that are repeated.
    """
    index, moments = _in_order(rows, places)
    repeated = np.flatnonzero(_are_repeated(moments, rows["post_id"].to_numpy(), index))
    of_repeated = rows.take(pa.array(index[repeated]))
    by_arrival = [(name, "ascending") for name in (*KEY, "ingested_at", "place")]
    order = pc.call_function("sort_indices", [of_repeated], pc.SortOptions(by_arrival))
    merged = merge(of_repeated.take(order))
    if len(repeated):
        # In the order, the place of an impression is that of the row whose id it has.
        id_rows = repeated[order.to_numpy()[merged.id_rows]]
        index[repeated] = -1
        index[id_rows] = len(rows) + np.arange(len(id_rows))
        index = index[index >= 0]
        rows = pa.concat_tables([rows, merged.firsts.cast(rows.schema)])
    return rows.take(pa.array(index)), merged


def _in_order(rows: pa.Table, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brings rows into the order of `rules.ORDER`.

    One number for user and time is sorted in a third of the time that an engine takes for rows.

    Args:
      rows: With the columns of an engine, of one day.
      places: `[k]` int64, rising: the rows that are asked for.

    Returns:
      `[k]` int64: their places, in order; and the numbers of their moments, which rise.
    """
    users, times, event_ids = (rows[name].to_numpy()[places] for name in ORDER[:3])
    dictionary = pa.array(users).dictionary_encode()  # to sort them would take ten times as long
    ranks = np.argsort(np.argsort(np.asarray(dictionary.dictionary)))
    times = times - times.min(initial=_LATEST)
    moments = ranks[np.asarray(dictionary.indices)] * (times.max(initial=0) + 1) + times
    order = np.argsort(moments)
    ties = np.flatnonzero(_of_pairs(np.diff(moments[order]) == 0))
    tied = order[ties]
    order[ties] = tied[np.lexsort((tied, event_ids[tied], moments[tied]))]
    return places[order], moments[order]


def _are_repeated(moments: np.ndarray, post_ids: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`[k]` bool: which rows share user, post and time with another; see the caller."""
    # Rows of one moment stand together, in the order of their ids.
    is_repeated = np.zeros(len(moments), bool)
    places = np.flatnonzero(_of_pairs(np.diff(moments) == 0))
    if len(places):
        posts = post_ids[index[places]]
        order = np.lexsort((posts, moments[places]))
        is_same = (np.diff(moments[places][order]) == 0) & (np.diff(posts[order]) == 0)
        is_repeated[places[order]] = _of_pairs(is_same)
    return is_repeated


def _of_pairs(is_same: np.ndarray) -> np.ndarray:
    """Returns which items are in a pair of neighbours that are the same.

    >>> _of_pairs(np.array([True, False, False])).tolist()
    [True, True, False, False]
    """
    return np.append(is_same, False) | np.append(False, is_same)


def merge(rows: pa.Table) -> Merged:
    """Makes impressions and labels of rows that share user, post and time.

    Args:
      rows: With the columns of an engine, sorted by key, arrival and place.
    """
    columns = _columns(rows)
    groups = _groups(columns)
    states = _states(columns, groups)
    heads = np.flatnonzero(np.diff(groups, prepend=-1))
    is_first = np.diff(groups[states.rows], prepend=-1) > 0
    # The id of the first row in the order of the source: of rows with one key the others' ids are
    # made to differ, and say nothing.
    id_rows = np.lexsort((columns["place"], groups))[heads]
    event_ids = columns["event_id"][id_rows]
    firsts = rows.take(pa.array(heads))
    for name, values in (
        ("event_id", event_ids),
        ("actions", states.actions[is_first].view(np.int64)),
        ("dwell_seconds", states.dwell_seconds[is_first]),
    ):
        index = firsts.schema.get_field_index(name)
        firsts = firsts.set_column(index, name, pa.array(values))
    is_last = np.diff(groups[states.rows], append=-1) != 0
    last_states = {
        "event_id": event_ids,
        "actions": states.actions[is_last],
        "dwell_seconds": states.dwell_seconds[is_last],
    }
    return Merged(
        firsts=firsts,
        id_rows=id_rows,
        labels=_labels(columns, states, is_wanted=~is_first),
        last_states=pa.table(last_states),
        counts=_count(columns, groups),
    )


def labels_of(rows: pa.Table) -> pa.Table:
    """Makes labels of rows whose impressions are elsewhere: each arrival with all so far.

    Args:
      rows: With the columns of an engine, sorted by key, arrival and place.

    Returns:
      `LABELS`.
    """
    columns = _columns(rows)
    states = _states(columns, _groups(columns))
    return _labels(columns, states, is_wanted=np.ones(len(states.rows), bool))


def with_folded(merged: Merged, carried: pa.Table, num_repeats: int) -> Merged:
    """Adds to the impressions of a log of actions what folding took from their rows.

    Args:
      merged: Of the actions of one impression each.
      carried: Actions of impressions of earlier days, sorted as `labels_of` takes them.
      num_repeats: Rows that only repeated another action.
    """
    counts = merged.counts
    num_merged = counts.num_exact + counts.num_conflicting
    return replace(
        merged,
        labels=pa.concat_tables([merged.labels, labels_of(carried)]),
        counts=RepetitionCounts(
            num_exact=num_repeats,
            num_conflicting=0,
            num_conflicts=0,
            num_folded=num_merged + len(carried),
        ),
    )


def with_repeats(merged: Merged, num_repeats: int) -> Merged:
    """Adds rows that only repeated another, as their own ids say."""
    counts = merged.counts
    return replace(merged, counts=replace(counts, num_exact=counts.num_exact + num_repeats))


def with_last_states(accepted: pa.Table, last_states: pa.Table) -> pa.Table:
    """Returns accepted rows with all that the day came to know of them, for its statistics.

    Args:
      accepted: In the schema `EVENTS`.
      last_states: See `Merged`.
    """
    place = pc.call_function(
        "index_in", [accepted["event_id"]], pc.SetLookupOptions(last_states["event_id"])
    )
    has_more = np.asarray(place.is_valid())
    if not has_more.any():
        return accepted
    rows = place.drop_null()
    for name in ("actions", "dwell_seconds"):
        values = accepted[name].to_numpy().copy()
        values[has_more] = last_states[name].take(rows).to_numpy()
        index = accepted.schema.get_field_index(name)
        accepted = accepted.set_column(index, accepted.schema.field(index), pa.array(values))
    return accepted


def _columns(rows: pa.Table) -> dict[str, np.ndarray]:
    """Returns the columns that decide; what was served is text in part, and only taken along."""
    return data_files.columns(rows.select([*KEY, "event_id", "ingested_at", *SIGNALS, "place"]))


def _groups(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the number of the impression of each sorted row, from 0."""
    is_new = np.ones(len(columns["place"]), bool)
    keys = [columns[name] for name in KEY]
    is_new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.cumsum(is_new) - 1


def _states(columns: Mapping[str, np.ndarray], groups: np.ndarray) -> States:
    actions = columns["actions"].view(np.uint64)
    return cumulative_states(groups, columns["ingested_at"], actions, columns["dwell_seconds"])


def _labels(
    columns: Mapping[str, np.ndarray], states: States, *, is_wanted: np.ndarray
) -> pa.Table:
    rows = states.rows[is_wanted]
    names = (*KEY, "ingested_at")
    values = {name: columns[name][rows] for name in names}
    values["actions"] = states.actions[is_wanted]
    values["dwell_seconds"] = states.dwell_seconds[is_wanted]
    return data_files.arrow_table(LABELS, values)


def _count(columns: Mapping[str, np.ndarray], groups: np.ndarray) -> RepetitionCounts:
    keys = [groups, *(columns[name] for name in SIGNALS)]
    order = np.lexsort(keys[::-1])
    is_version = np.ones(len(order), bool)  # the first row of those that say the same
    is_version[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    num_versions = np.bincount(groups[order][is_version])
    return RepetitionCounts(
        num_exact=int(np.count_nonzero(~is_version)),
        num_conflicting=int((num_versions - 1).sum()),
        num_conflicts=int((num_versions > 1).sum()),
    )
