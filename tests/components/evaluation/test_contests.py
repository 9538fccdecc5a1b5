"""The contests of a day are those that the gate holds, on the users of the day's sample."""

import numpy as np

from components import contract
from components.evaluation.contests import contests_of
from components.features.later_labels import later_labels
from components.run.context import Context
from tests.components.conftest import DAYS, day_of


def test_both_contests_ask_the_same_users_and_retrievers_know_what_was_popular(three_days) -> None:
    day = day_of(DAYS[2])
    section = three_days.config.evaluate_models.model_copy(update={"max_users": 30})
    config = three_days.config.model_copy(update={"evaluate_models": section})
    context = Context(contract.EVALUATE_MODELS, config, day, three_days.store)
    features = three_days.artifact("build_features", DAYS[2])
    validated = three_days.artifact("validate_events", DAYS[2])
    contests = contests_of(context, features, validated, later_labels(context, [day], through=day))
    retrieval, ranker = contests["retrieval"], contests["ranker"]
    assert len(np.unique(ranker.windows.user_ids)) == 30
    np.testing.assert_array_equal(retrieval.windows.user_ids, ranker.windows.user_ids)
    posts = retrieval.collection
    for known in (posts.inputs.popularity, posts.inputs.attributes, posts.inputs.age_minutes):
        assert len(known) == len(posts.post_ids)
