"""Small logs in the exact form of public ones: the same people and items in the words of each."""

import csv
import datetime
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

FIRST_DAY = datetime.date(2019, 11, 1)
_START = int(datetime.datetime(2019, 11, 1, tzinfo=datetime.UTC).timestamp())
_SECONDS = 86_400
NUM_ITEMS = 48  # more than a feed holds, beside those that a user has seen


class Event(NamedTuple):
    """Something that a user did with an item, or saw."""

    time: int  # seconds since 1970
    user: int  # from 1
    item: int  # from 1
    action: str  # view, favorite, cart or purchase


def events(*, num_days: int = 2, num_users: int = 20, num_items: int = NUM_ITEMS) -> list[Event]:
    """Returns what users did, in order of time: views, of which some led to more."""
    rng = np.random.default_rng(20191101)
    log = []
    for day in range(num_days):
        for user in range(1, num_users + 1):
            for start in np.sort(rng.integers(0, _SECONDS - 1_000, 6)):
                item = int(rng.integers(1, num_items + 1))
                time = _START + day * _SECONDS + int(start)
                log.append(Event(time, user, item, "view"))
                # Each user likes the items of one half.
                if item % 2 == user % 2 and rng.random() < 0.6:
                    log.append(Event(time + 40, user, item, "favorite"))
                    log.append(Event(time + 60, user, item, "cart"))
                    if rng.random() < 0.5:
                        log.append(Event(time + 90, user, item, "purchase"))
    return sorted(log)


def _utc(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _write(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def retailrocket(folder: Path, log: Sequence[Event]) -> None:
    """Writes the files of RetailRocket, of which only one holds events."""
    words = {"view": "view", "cart": "addtocart", "purchase": "transaction"}
    rows = [
        (each.time * 1000 + 117, 257_000 + each.user, words[each.action], 355_000 + each.item, "")
        for each in log
        if each.action in words
    ]
    _write(
        folder / "events.csv",
        [("timestamp", "visitorid", "event", "itemid", "transactionid"), *rows],
    )
    _write(folder / "category_tree.csv", [("categoryid", "parentid"), (1016, 213)])
    properties = ("timestamp", "itemid", "property", "value")
    _write(
        folder / "item_properties_part1.csv",
        [properties, (1435460400000, 460429, "categoryid", 1338)],
    )


def rees46(folder: Path, log: Sequence[Event]) -> None:
    """Writes a month of REES46, whose times end with UTC."""
    names = ("event_time", "event_type", "product_id", "category_id", "category_code", "brand")
    rows = [
        (
            f"{_utc(each.time):%Y-%m-%d %H:%M:%S} UTC",
            each.action,
            44_600_000 + each.item,
            2_103_807_459_595_387_724 + each.item % 3,
            "",
            "shiseido",
            35.79,
            541_312_000 + each.user,
            "72d76fde-8bb3-4e00-8c23-a032dfed738c",
        )
        for each in log
        if each.action != "favorite"
    ]
    _write(folder / "2019-Nov.csv", [(*names, "price", "user_id", "user_session"), *rows])


def taobao(folder: Path, log: Sequence[Event]) -> None:
    """Writes the user behavior of Taobao: without a header, user by user."""
    words = {"view": "pv", "favorite": "fav", "cart": "cart", "purchase": "buy"}
    by_user = sorted(log, key=lambda each: (each.user, each.time))
    rows = [
        (each.user, 2_268_000 + each.item, 2_520_000 + each.item % 3, words[each.action], each.time)
        for each in by_user
    ]
    _write(folder / "UserBehavior.csv", rows)


def mind(folder: Path, log: Sequence[Event]) -> None:
    """Writes behaviors and news of MIND: lists of news with what was clicked, without a header."""
    liked = {(each.user, each.item) for each in log if each.action == "favorite"}
    lines = []
    for number, each in enumerate((e for e in log if e.action == "view"), start=1):
        other = each.item % NUM_ITEMS + 1
        moment = _utc(each.time)
        time = f"{moment.month}/{moment.day}/{moment:%Y} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
        shown = [f"N{n}-{int((each.user, n) in liked)}" for n in (each.item, other)]
        lines.append((str(number), f"U{13_000 + each.user}", time, "N1 N2", " ".join(shown)))
    _write_tabs(folder / "behaviors.tsv", lines)
    entity = '[{"Label": "Prince Philip", "Type": "P", "WikidataId": "Q80976"}]'
    news = [
        (
            *(f"N{n}", "news", f"news{n % 3}", f'"Wheel of Fortune" {n}, the "best'),
            *("", "https://assets.msn.com/labs/mind/AAGH0ET.html", entity, "[]"),
        )
        for n in range(1, NUM_ITEMS + 1)
    ]
    _write_tabs(folder / "news.tsv", news)


def _write_tabs(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Writes rows between tabs as they are: no quote means anything."""
    path.write_text("".join("\t".join(row) + "\n" for row in rows))


def open_bandit(folder: Path, log: Sequence[Event]) -> None:
    """Writes a log of Open Bandit: it has positions and propensities, and no user."""
    names = ("", "timestamp", "item_id", "position", "click", "propensity_score")
    liked = {(each.user, each.item) for each in log if each.action == "favorite"}
    rows = [
        (
            number,
            f"{_utc(each.time):%Y-%m-%d %H:%M:%S}.800000+00:00",
            each.item - 1,
            number % 3 + 1,
            int((each.user, each.item) in liked),
            0.0295,
            f"81ce123cbb5bd8ce{each.user:04x}",
            "03a5648a76832f83c859d46bc06cb64a",
        )
        for number, each in enumerate(log)
        if each.action == "view"
    ]
    _write(folder / "men.csv", [(*names, "user_feature_0", "user_feature_1"), *rows])


def movielens(folder: Path, log: Sequence[Event]) -> None:
    """Writes a folder of MovieLens as ml-latest-small is: user by user, and what nobody reads."""
    liked = {(each.user, each.item) for each in log if each.action == "favorite"}
    views = sorted((e for e in log if e.action == "view"), key=lambda each: each.user)
    rows = [
        (each.user, each.item, 4.5 if (each.user, each.item) in liked else 2.0, each.time)
        for each in views
    ]
    _write(folder / "ratings.csv", [("userId", "movieId", "rating", "timestamp"), *rows])
    movies = [(n, f"Movie {n}, The (1995)", "Adventure|Animation") for n in range(1, NUM_ITEMS + 1)]
    _write(folder / "movies.csv", [("movieId", "title", "genres"), *movies])
    tags = [("userId", "movieId", "tag", "timestamp"), (2, 1, "funny", _START)]
    _write(folder / "tags.csv", tags)
    _write(folder / "links.csv", [("movieId", "imdbId", "tmdbId"), (1, "0114709", 862)])
    (folder / "README.txt").write_text("Summary\n=======\n\nThis dataset describes ratings.\n")


def gharchive(folder: Path, log: Sequence[Event]) -> None:
    """Writes hours of GH Archive."""
    words = {"view": "PushEvent", "favorite": "WatchEvent", "cart": "ForkEvent"}
    by_hour: dict[str, list[str]] = {}
    for number, each in enumerate(log):
        moment = _utc(each.time)
        event = {
            "id": str(10_955_600_000 + number),
            "type": words.get(each.action, "PullRequestEvent"),
            "actor": {"id": each.user, "login": f"user{each.user}"},
            "repo": {"id": each.item, "name": f"owner{each.item % 3}/repo{each.item}"},
            "payload": {"action": "opened", "commits": [{"sha": "7638417d"}]},
            "public": True,
            "created_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        }
        name = f"{moment:%Y-%m-%d}-{moment.hour}.json.gz"
        by_hour.setdefault(name, []).append(json.dumps(event) + "\n")
    for name, lines in by_hour.items():
        with gzip.open(folder / name, "wt") as file:
            file.writelines(lines)


def kuairand(folder: Path, log: Sequence[Event]) -> None:
    """Writes a log and the videos of KuaiRand."""
    flags = ("is_click", "is_like", "is_follow", "is_comment", "is_forward", "is_hate")
    names = ("user_id", "video_id", "date", "hourmin", "time_ms", *flags, "long_view")
    liked = {(each.user, each.item) for each in log if each.action == "favorite"}
    rows = []
    for each in log:
        if each.action == "view":
            is_liked = int((each.user, each.item) in liked)
            moment = each.time * 1000 + 436
            marks = (is_liked, is_liked, 0, 0, 0, 0, is_liked)
            rows.append((each.user, each.item, 20191101, 0, moment, *marks, 0, 61_802, 49_866, 1))
    _write(
        folder / "log_standard_4_22_to_5_08_pure.csv",
        [(*names, "is_profile_enter", "play_time_ms", "duration_ms", "tab"), *rows],
    )
    videos = [
        (n, 7_349_000 + n % 3, "NORMAL", "2019-04-10", 87_433.0, 39)
        for n in range(1, NUM_ITEMS + 1)
    ]
    columns = ("video_id", "author_id", "video_type", "upload_dt", "video_duration", "tag")
    _write(folder / "video_features_basic_pure.csv", [columns, *videos])


PUBLIC: dict[str, Callable[[Path, Sequence[Event]], None]] = {
    "RetailRocket": retailrocket,
    "REES46": rees46,
    "Taobao": taobao,
    "MIND": mind,
    "Open Bandit": open_bandit,
    "MovieLens": movielens,
    "GH Archive": gharchive,
    "KuaiRand": kuairand,
}

# The first user, as each log writes the id.
FIRST_USER = {
    "RetailRocket": "257001",
    "REES46": "541312001",
    "Taobao": "1",
    "MIND": "U13001",
    "Open Bandit": "81ce123cbb5bd8ce0001",
    "MovieLens": "1",
    "GH Archive": "1",
    "KuaiRand": "1",
}
