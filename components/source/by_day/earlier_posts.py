"""The posts that files by UTC day show before a day, of which each day reads its own files alone.

They are kept below `work/` through the newest days, so that a day goes on from the day before it.
"""

import datetime
from pathlib import Path

import numpy as np

from components.source import arrivals
from components.source.by_day import work_files
from components.source.by_day.day_files import DayFiles
from components.source.layouts import Layout
from components.source.raw_rows import RawRows
from components.source.shown_posts import ShownCollector, ShownPosts
from components.tables.text_collector import TextCollector
from phoenix.data.days import day_number


def load(files: DayFiles, day: datetime.date) -> ShownPosts:
    """Reads the files of the days before a day, from the newest day on that was saved.

    Raises:
      BadDataError: If a file is damaged or lacks a column.
    """
    earlier_days = [each for each in files.days if each < day]
    unread_days: list[datetime.date] = []
    texts = TextCollector()
    collector = ShownCollector(texts)
    while earlier_days:
        path = _path(files, earlier_days[-1])
        if path.exists():
            collector.add(ShownPosts.load(path))
            break
        unread_days.append(earlier_days.pop())
    for each in reversed(unread_days):
        for rows in files.rows(each):
            collector.add(posts_of(files.layout, rows, each, texts))
    if unread_days:
        save(files, unread_days[0], collector.posts())
    return collector.posts()


def save(files: DayFiles, day: datetime.date, posts: ShownPosts) -> None:
    """Keeps the posts that are shown through a day for the days after it."""
    files.work.mkdir(parents=True, exist_ok=True)
    posts.save(_path(files, day))
    work_files.remove_old(files.work, "shown-*.npy")


def posts_of(layout: Layout, rows: RawRows, day: datetime.date, texts: TextCollector) -> ShownPosts:
    """Returns the posts in rows that arrived on a day; `texts` takes the texts of their ids."""
    days = np.full(len(rows.lines), day_number(day))
    return ShownPosts.of(*arrivals.impressions(layout, rows, days, texts)[:3])


def _path(files: DayFiles, day: datetime.date) -> Path:
    """Returns the file of the posts shown through a day; another one when a file changes."""
    read = [file for each in files.days if each <= day for file in files.of(each)]
    return files.work / f"shown-{work_files.identity(files.layout, read)}.npy"
