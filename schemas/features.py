"""`features`: windows of impressions with their history, hashed, in fixed shapes.

Glossary of shapes: S: history length, C: candidates, nu / ni / na: user / post / author hashes.
The columns are the fields of `phoenix.windows.Windows`, in their order, after the id of the window.
Arrays of shape `[S, ni]` lie flat in a list of `S * ni` values; the length of `history_post_ids`
gives S, so every shape can be read from the file itself.
"""

from dataclasses import dataclass

import pyarrow as pa

from schemas.columns import TIMESTAMP, Column, Table, fixed_lists, id_column


@dataclass(frozen=True, kw_only=True)
class WindowShape:
    """The fixed sizes of a window."""

    history_length: int  # S
    num_candidates: int  # C
    num_user_hashes: int  # nu
    num_post_hashes: int  # ni
    num_author_hashes: int  # na


def features_table(shape: WindowShape) -> Table:
    """Returns the table of windows of one shape."""
    s, c = shape.history_length, shape.num_candidates
    ni, na = shape.num_post_hashes, shape.num_author_hashes
    history, candidates = "Of the history, oldest first.", "Of the candidates, in order of time."
    columns = (
        id_column("window_id", "`event_id` of the first impression.", is_unique=True),
        id_column("user_ids", "Whose window it is."),
        Column(
            name="starts_at",
            type=TIMESTAMP,
            description="Time of the first impression; nothing from then on is in the history.",
            unit="ms since 1970",
        ),
        *fixed_lists(["user_hashes"], pa.int32(), shape.num_user_hashes, "Rows of the user table."),
        *fixed_lists(["history_post_ids", "history_author_ids"], pa.int64(), s, history),
        *fixed_lists(["history_post_hashes"], pa.int32(), s * ni, history),
        *fixed_lists(["history_author_hashes"], pa.int32(), s * na, history),
        *fixed_lists(["history_shown_at"], TIMESTAMP, s, history),
        *fixed_lists(["history_actions"], pa.uint64(), s, history),
        *fixed_lists(["history_surfaces"], pa.int32(), s, history),
        *fixed_lists(["history_dwell_seconds"], pa.float32(), s, history),
        *fixed_lists(["candidate_post_ids", "candidate_author_ids"], pa.int64(), c, candidates),
        *fixed_lists(["candidate_post_hashes"], pa.int32(), c * ni, candidates),
        *fixed_lists(["candidate_author_hashes"], pa.int32(), c * na, candidates),
        *fixed_lists(["candidate_shown_at"], TIMESTAMP, c, candidates),
        *fixed_lists(["candidate_surfaces"], pa.int32(), c, candidates),
        *fixed_lists(["labels"], pa.uint64(), c, candidates),
        *fixed_lists(["label_dwell_seconds"], pa.float32(), c, candidates),
    )
    return Table("features", "One row is one window of one user.", columns)
