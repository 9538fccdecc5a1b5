"""A ranker that reads counts goes from training to feeds, and explains them."""

import pyarrow.parquet as pq

from components.contract import ExitCode
from components.features import day_counts
from components.release import models
from components.serving import retrace
from phoenix.recommend import named_actions
from tests.components.conftest import CHAIN, DAYS, new_world


def test_feeds_are_ranked_by_what_was_counted_through_the_end_of_their_day(tmp_path) -> None:
    world = new_world(tmp_path).edit("reads_post_age: true}", "reads_counts: true}")
    done = (ExitCode.DONE, ExitCode.NOTHING_TO_DO)
    assert all(code in done for code in world.run_day(DAYS[0]))
    for name in CHAIN[: CHAIN.index("evaluate_models")]:
        assert world.run(name, DAYS[1]) in done
    assert world.run("evaluate_models", DAYS[1], force="promote", reason="a test") in done
    rest = CHAIN[CHAIN.index("evaluate_models") + 1 :]
    assert all(code in done for code in world.run_day(DAYS[1], rest))
    release = world.artifact("publish_release", DAYS[1])
    assert named_actions.reads_evidence(models.load_ranker(release.path("ranker")))
    features = world.artifact("build_features", DAYS[1])
    rates = day_counts.rates_after(features.folder, features.manifest, world.config)
    assert rates.tables["all"].shown.max() == sum(
        world.artifact("build_features", day).facts["impressions"] for day in DAYS[:2]
    )
    row = pq.read_table(world.artifact("publish_feeds", DAYS[1]).path("feeds.parquet")).to_pylist()[
        0
    ]
    told = retrace.retrace(
        world.store,
        world.config,
        release_digest=release.ref.digest,
        user_id=row["user_id"],
        post_id=row["post_id"],
    )
    assert (told.score_place, told.score) == (row["rank"], row["score"])
