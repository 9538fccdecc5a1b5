"""The rule of folding by its definition: actions one by one, each asked of all impressions."""

from collections.abc import Sequence

# User, post, time, days until it arrived.
Row = tuple[int, int, int, int]
Start = tuple[int, int, int]  # of an impression: user, post, time


def plain_times(rows: Sequence[Row], earlier: Sequence[Start], fold: int) -> list[int]:
    """The definition: what arrived first comes first, and of it what was done first."""
    starts = {tuple(each) for each in earlier}
    result = [0] * len(rows)
    for turn in sorted({row[3] for row in rows}):
        before_turn = set(starts)
        for place in sorted(range(len(rows)), key=lambda place: rows[place][2]):
            user, post, time, own_turn = rows[place]
            if own_turn != turn:
                continue
            # A late action is first asked whether it belongs to what was known before it arrived.
            known = before_turn if turn else starts
            match = plain_match((user, post, time), list(known), fold, is_late=turn > 0)
            if match is None:
                match = plain_match((user, post, time), list(starts), fold, is_late=False)
            if match is None:
                match = time
                starts.add((user, post, time))
            result[place] = match
    return result


def plain_match(action: Start, known: Sequence[Start], fold: int, *, is_late: bool) -> int | None:
    """The impression of an action: the last before it, of a late one maybe the next one."""
    user, post, time = action
    own = [start for u, p, start in known if (u, p) == (user, post)]
    past = [start for start in own if start <= time <= start + fold]
    future = [start for start in own if is_late and time < start <= time + fold]
    if past:
        return max(past)
    return min(future) if future else None
