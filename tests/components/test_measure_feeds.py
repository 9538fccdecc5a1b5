"""Every impression of a day is accounted to the feed that showed it, and to no other."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from components import contract, measure_feeds, step
from components.contract import ExitCode
from tests.components.earnings.served_days import ServedDays, ms

DAY, NEXT = "2026-01-02", "2026-01-03"


@pytest.fixture
def days(tmp_path) -> ServedDays:
    return ServedDays.new(tmp_path)


def _of(facts, day: str):
    return next(each for each in facts["releases"] if each["day"] == day)


def test_a_day_on_which_nothing_was_live_says_so(days) -> None:
    days.events(DAY, user_id=[1], post_id=[2], shown_at=[ms(DAY, 5)], actions=[1])
    code, facts = days.measure(NEXT)
    assert code == ExitCode.DONE
    assert facts["told"] == f"nothing was live on {DAY}: its 1 impressions came from no feed"
    code, facts = days.measure(DAY)
    assert (code, facts["told"]) == (
        ExitCode.DONE,
        "there are no accepted events of 2026-01-01: nothing is measured",
    )


def test_a_backfill_whose_feeds_came_after_their_days_says_so(days) -> None:
    days.go_live(*days.release("2026-01-01", {1: [10]}), ms("2026-01-09", 1))
    days.events(DAY, user_id=[1], post_id=[10], shown_at=[ms(DAY, 5)], actions=[1])
    code, facts = days.measure(NEXT)
    assert code == ExitCode.DONE
    assert "the feeds of 2026-01-01 were not live by then: those of a backfill" in facts["told"]
    assert days.measure(NEXT)[0] == ExitCode.NOTHING_TO_DO


def test_two_releases_of_one_day_have_the_impressions_of_their_times(days) -> None:
    first = days.release("2026-01-01", {1: [10, 11], 2: [10]})
    second = days.release("2026-01-02", {1: [11, 12]}, model="b", score=0.25)
    days.go_live(*first, ms("2026-01-01", 20))
    days.go_live(*second, ms(DAY, 12))
    days.events(
        DAY,
        user_id=[1, 1, 1, 2, 2],
        post_id=[10, 11, 11, 10, 10],
        shown_at=[ms(DAY, 1), ms(DAY, 11.9), ms(DAY, 12), ms(DAY, 2), ms(DAY, 13)],
        actions=[1, 0, 3, 4, 1],
    )
    code, facts = days.measure(NEXT)
    assert code == ExitCode.DONE
    assert facts["impressions"] == 5
    assert facts["share"]["mean"] == pytest.approx(4 / 5)
    earned = _of(facts, "2026-01-01")["measures"]["engagement"]
    assert (earned["impressions"], earned["users"]) == (3, 2)
    assert earned["mean"] == pytest.approx((1 + 0 - 1) / 3)
    later = _of(facts, "2026-01-02")
    assert later["measures"]["engagement"]["mean"] == pytest.approx(3)
    assert later["measures"]["predicted"]["mean"] == pytest.approx(0.25)
    assert later["before"]["partition"] == "2026-01-01"
    # User 2 has no feed of the second release.
    assert facts["none"]["measures"]["engagement"]["impressions"] == 1
    table = pq.read_table(days.measured(NEXT).path("earned.parquet")).to_pylist()
    places = {
        (row["source"], row["rank"]): row["impressions"]
        for row in table
        if row["release"] == first[0].digest and row["measure"] == "like"
    }
    assert places == {
        ("all", None): 3,
        ("popular", None): 1,
        ("popular", 1): 1,
        ("retrieval", None): 2,
        ("retrieval", 1): 1,
        ("retrieval", 2): 1,
    }


def test_what_the_log_says_goes_before_times(days) -> None:
    first = days.release("2026-01-01", {1: [10, 11]})
    second = days.release("2026-01-02", {1: [12]}, model="b")
    days.go_live(*first, ms("2026-01-09", 1))
    days.go_live(*second, ms("2026-01-09", 2))
    days.events(
        DAY,
        user_id=[1, 1, 1, 1, 1],
        post_id=[10, 99, 12, 10, 10],
        shown_at=[ms(DAY, hour) for hour in range(5)],
        actions=[1, 0, 2, 0, 0],
        feed=np.array([first[1].digest, first[0].digest, second[1].key, "home", None], object),
        position=np.array([7, 3, np.nan, 1, 1]),
        propensity=np.array([0.5, np.nan, 1, np.nan, np.nan]),
        weight=np.array([2.0, 1, 4, 1, 1]),
    )
    _, facts = days.measure(NEXT)
    earned = _of(facts, "2026-01-01")
    assert earned["measures"]["engagement"]["impressions"] == 3
    assert earned["measures"]["engagement"]["mean"] == pytest.approx(2 / 3)
    assert earned["measures"]["propensity"]["mean"] == pytest.approx(0.5)
    assert set(earned["sources"]) == {"retrieval", "unlisted"}
    assert _of(facts, "2026-01-02")["measures"]["share"]["mean"] == 1
    assert facts["strange"] == 1
    assert facts["none"]["measures"]["engagement"]["impressions"] == 2
    rows = pq.read_table(days.measured(NEXT).path("earned.parquet")).to_pylist()
    ranks = {(row["source"], row["rank"]) for row in rows if row["release"] == first[0].digest}
    assert {("retrieval", 7), ("unlisted", 3)} <= ranks


def test_earned_and_foretold_go_by_the_same_weights(days) -> None:
    published = days.release("2026-01-01", {1: [10]}, score=0.25)
    days.go_live(*published, ms("2026-01-01", 20))
    days.events(DAY, user_id=[1], post_id=[10], shown_at=[ms(DAY, 3)], actions=[1])
    text = days.path.read_text()
    days.path.write_text(text.replace("name: like, weight: 1.0", "name: like, weight: 4.0"))
    measures = _of(days.measure(NEXT)[1], "2026-01-01")["measures"]
    assert (measures["engagement"]["mean"], measures["predicted"]["mean"]) == (4, 1)
    days.path.write_text(text + "  - {name: save, weight: 1.0, is_positive: true}\n")
    measures = _of(days.measure(NEXT)[1], "2026-01-01")["measures"]
    assert "predicted" not in measures, "nothing was foretold of what counts by now"


def test_a_log_may_name_feeds_as_pages_and_commands_do(days) -> None:
    release, feeds = days.release("2026-01-01", {1: [10]})
    days.go_live(release, feeds, ms("2026-01-01", 20))
    names = [release.digest[:12], release.key[:12], feeds.digest[:12], feeds.key[:12]]
    count = len(names)
    columns = {
        "user_id": [1] * count,
        "post_id": [10] * count,
        "shown_at": [ms(DAY, hour) for hour in range(count)],
        "actions": [1] * count,
    }
    days.events(DAY, **columns, feed=np.array(names, object))
    _, facts = days.measure(NEXT)
    assert facts["strange"] == 0
    assert _of(facts, "2026-01-01")["measures"]["engagement"]["impressions"] == count
    days.events(DAY, **columns, feed=np.array([name[:8] for name in names], object))
    facts = days.measure(NEXT)[1]
    assert "nothing was live" in facts["told"]


def test_a_measure_that_is_there_already_still_draws_the_page_of_its_release(days) -> None:
    published = days.release("2026-01-01", {1: [10]})
    days.go_live(*published, ms("2026-01-01", 20))
    days.events(DAY, user_id=[1], post_id=[10], shown_at=[ms(DAY, 3)], actions=[1])
    for expected in (ExitCode.DONE, ExitCode.NOTHING_TO_DO):
        pages: list[str] = []
        code, _ = step.execute(
            contract.MEASURE_FEEDS,
            measure_feeds.run,
            days.config,
            contract.parse_day(NEXT),
            draw=lambda _, __, day, pages=pages: pages.append(str(day)),
        )
        assert (code, pages) == (expected, [NEXT, "2026-01-01"])


def test_an_action_that_arrives_on_the_next_day_is_earned(days) -> None:
    published = days.release("2026-01-01", {1: [10], 2: [10]})
    days.go_live(*published, ms("2026-01-01", 20))
    at = ms(DAY, 3)
    days.events(DAY, user_id=[1, 2], post_id=[10, 10], shown_at=[at, at], actions=[0, 0])
    days.events(
        NEXT,
        {"user_id": [2, 9], "post_id": [10, 10], "shown_at": [at, at], "actions": [2, 1]},
        user_id=[1],
        post_id=[5],
        shown_at=[ms(NEXT, 1)],
        actions=[0],
    )
    _, facts = days.measure(NEXT)
    assert _of(facts, "2026-01-01")["measures"]["engagement"]["mean"] == pytest.approx(1)


def test_a_measure_made_again_is_the_same_whatever_went_live_since(days) -> None:
    published = days.release("2026-01-01", {1: [10]})
    days.go_live(*published, ms("2026-01-01", 20))
    days.events(DAY, user_id=[1], post_id=[10], shown_at=[ms(DAY, 3)], actions=[1])
    days.measure(NEXT)
    before = days.measured(NEXT).ref
    days.go_live(*days.release(NEXT, {1: [11]}, model="b"), ms(NEXT, 5))
    assert days.measure(NEXT)[0] == ExitCode.NOTHING_TO_DO
    assert days.measured(NEXT).ref == before


def test_forgotten_users_are_in_no_measure(days, tmp_path) -> None:
    published = days.release("2026-01-01", {1: [10], 2: [10]})
    days.go_live(*published, ms("2026-01-01", 20))
    shown_at = [ms(DAY, 3)] * 2
    days.events(DAY, user_id=[1, 2], post_id=[10, 10], shown_at=shown_at, actions=[1, 0])
    days.measure(NEXT)
    (tmp_path / "forget.txt").write_text("2\n")
    text = days.path.read_text().replace(
        "ingest_events: {", "ingest_events: {erased_users: forget.txt, "
    )
    days.path.write_text(text)
    assert days.measure(NEXT)[0] == ExitCode.DONE
    users = pq.read_table(days.measured(NEXT).path("user_earnings.parquet"))
    assert users["user_id"].to_pylist() == [1]


def test_earnings_are_those_of_the_book_of_the_world_to_the_last_impression(days) -> None:
    generator = np.random.default_rng(3)
    users = range(1, 81)

    def feeds() -> dict[int, list[int]]:
        return {user: generator.choice(30, 6, replace=False).tolist() for user in users}

    published, served = [], []
    for number, model in enumerate("ab", 1):
        own = {user: [post + 1 for post in posts] for user, posts in feeds().items()}
        published.append(days.release(f"2026-01-0{number}", own, model=model))
        served.append(own)
    days.go_live(*published[0], ms("2026-01-01", 22))
    days.go_live(*published[1], ms(DAY, 14))
    rows, late, book = [], [], {}
    for user in users:
        for at in np.sort(generator.choice(86_400_000, 10, replace=False)).tolist():
            live = int(at >= 14 * 3_600_000)
            is_from_feed = generator.random() < 0.6
            # What the world shows of its own is in no feed.
            post = int(generator.choice(served[live][user])) if is_from_feed else 1_000 + user
            actions = int(generator.integers(0, 8))
            later = int(generator.integers(0, 8)) if generator.random() < 0.2 else 0
            rows.append((user, post, ms(DAY, 0) + at, actions))
            if later:
                late.append((user, post, ms(DAY, 0) + at, later))
            done = actions | later
            place = ("none", None)
            if is_from_feed:
                place = (published[live][0].digest, served[live][user].index(post) + 1)
            entry = book.setdefault(place, [0, 0])
            entry[0] += 1
            entry[1] += (done & 1) + 2 * (done >> 1 & 1) - (done >> 2 & 1)
    names = ("user_id", "post_id", "shown_at", "actions")
    days.events(DAY, **dict(zip(names, zip(*rows, strict=True), strict=True)))
    labels = dict(zip(names, zip(*late, strict=True), strict=True))
    days.events(NEXT, labels, user_id=[1], post_id=[1], shown_at=[ms(NEXT, 1)], actions=[0])
    days.measure(NEXT)
    found: dict[tuple, list[float]] = {}
    for row in pq.read_table(days.measured(NEXT).path("earned.parquet")).to_pylist():
        is_of_place = row["rank"] is not None or row["source"] == "none"
        if row["measure"] == "engagement" and is_of_place:
            entry = found.setdefault((row["release"], row["rank"]), [0, 0])
            entry[0] += row["impressions"]
            entry[1] += row["impressions"] * row["mean"]
    assert found.keys() == book.keys()
    for place, entry in book.items():
        assert found[place] == pytest.approx(entry), place
