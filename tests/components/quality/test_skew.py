import json

from components.features.statistics import FEATURES_FILE
from components.quality import skew
from components.quality.drift import Comparison
from components.quality.skew import Skew

LAST = "2026-01-03"


def found(value: float, limit: float | None, severity: str, three_days) -> Skew:
    comparisons = {"serving_skew": [Comparison("history_length", "psi", value, limit)]}
    section = three_days.config.publish_feeds.model_copy(update={"serving_skew": severity})
    return Skew(comparisons, {}, ["2026-01-01"], section)


def test_the_training_is_found_through_the_recipes(three_days) -> None:
    release = three_days.artifact("publish_release", LAST).ref
    trained = {
        day
        for role in ("retrieval", "ranker")
        for partition in ("2026-01-02", LAST)
        for day in three_days.artifact(f"train_{role}", partition).facts["partitions"]
    }
    features = skew.training_features(three_days.store, release)
    days = [ref.partition for ref in features]
    assert days == sorted(days)
    assert set(days) <= trained
    known = three_days.artifact("publish_feeds", LAST)
    assert known.facts["skew"]["trained_on"] == days
    inputs = [(each["kind"], each["partition"]) for each in known.manifest["recipe"]["inputs"]]
    assert all(("build_features", day) in inputs for day in days)
    assert max(partition for _, partition in inputs)[:10] == LAST, "nothing of a later day"


def test_what_feeds_were_made_from_is_compared_with_the_training(three_days) -> None:
    known = three_days.artifact("publish_feeds", LAST)
    recorded = json.loads(known.path(skew.SKEW_FILE).read_text())
    assert bool(recorded) == bool(known.facts["skew"]["trained_on"])
    served = [
        json.loads(
            three_days.artifact("materialize_feeds", f"{LAST}-00{shard}-of-002")
            .path(FEATURES_FILE)
            .read_text()
        )
        for shard in (0, 1)
    ]
    assert all(sum(each["history_length"]["counts"].values()) for each in served)


def test_only_a_critical_alarm_keeps_feeds_from_being_published(three_days) -> None:
    assert found(0.5, 0.2, "warning", three_days).breaches() == []
    (breach,) = found(0.5, 0.2, "critical", three_days).breaches()
    assert "serving_skew of history_length/psi is 0.5, at most 0.2 was expected" in breach
    for quiet in (
        found(0.1, 0.2, "critical", three_days),
        found(0.5, None, "critical", three_days),
        found(0.5, 0.2, "ignore", three_days),
    ):
        assert quiet.alarms() == []
    assert found(0.5, 0.2, "info", three_days).facts()["alarms"][0]["severity"] == "info"
