"""The authors of posts that name none: each is its own."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.tables import cells
from components.tables.text_collector import TextCollector


def keep_texts(
    layout: Layout,
    columns: Mapping[str, str],
    rows: RawRows,
    post_ids: np.ndarray,
    texts: TextCollector,
) -> None:
    """Keeps the texts of posts that are their own authors as those of authors, too.

    Args:
      layout: The kinds of ids; where authors are no text, there is nothing to keep.
      columns: Canonical column -> source column, of events or of posts.
      rows: n rows.
      post_ids: `[n]` their posts.
      texts: Takes the texts.
    """
    if "author_id" not in layout.text_ids:
        return
    is_own = cells.says_nothing(rows.cells[columns["author_id"]], layout.null_words)
    if "post_id" in layout.text_ids:
        of_posts = rows.cells[columns["post_id"]].filter(pa.array(is_own))
        read = texts.reader_that_takes("author_id")
        read(of_posts, layout.text_ids["post_id"], layout.null_words)
    else:
        texts.take_digits("author_id", post_ids[is_own & (post_ids > 0)])
