"""Examples show the first posts of the same users under both models."""

import numpy as np
import pyarrow as pa

from components.evaluation import examples
from components.evaluation.results import Result
from components.tables.id_texts import IdTexts
from tests.components.conftest import DAYS


def test_each_model_orders_the_same_users_posts_each_once() -> None:
    users = np.repeat(np.arange(10), 6)
    posts = np.tile(np.array([1, 2, 3, 4, 5, 1]), 10)
    scores = np.tile(np.array([0.1, 0.9, 0.3, 0.3, 0.2, 0.95]), 10)
    found = examples.of_scores(users, posts, scores)
    assert found == {user: [1, 2, 3, 4, 5] for user in (0, 4, 9)}
    assert examples.of_scores(users, posts, -scores).keys() == found.keys()
    nobody = np.empty(0, np.int64)
    assert examples.of_scores(nobody, nobody, nobody.astype(float)) == {}


def test_answers_end_where_a_corpus_has_nothing_more() -> None:
    answers = np.array([[7, 8, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4]])
    assert examples.of_answers(np.array([3, 5]), answers) == {3: [7, 8], 5: [9, 8, 7, 6, 5]}


def test_a_decision_shows_champion_and_candidate_by_names(three_days, tmp_path) -> None:
    decision = three_days.artifact("evaluate_models", DAYS[-1]).facts["ranker"]
    assert len(decision["examples"]) == 3
    for each in decision["examples"]:
        assert sorted(each["champion"]) == sorted(each["candidate"]) or len(each["champion"]) == 5
        assert 0 <= each["history"] <= 8
    page = three_days.store.storage.read(f"pages/{DAYS[-1]}/index.html").decode()
    assert "What the candidate changes for 3 users" in page
    IdTexts.of("post_id", np.array([4]), pa.array(["a post"])).write(tmp_path)
    windows = _windows(three_days)
    user = int(windows.user_ids[0])
    result = Result({}, None, examples={user: [4, 9]})
    both = {"candidate": result, "champion": result}
    (change,) = examples.changes(both, windows, tmp_path)
    assert change["champion"] == change["candidate"] == ["a post", "9"]
    assert examples.changes({"candidate": result}, windows, tmp_path) == []


def _windows(three_days):
    from components import contract
    from components.evaluation.contests import contests_of
    from components.features.later_labels import later_labels
    from components.run.context import Context
    from tests.components.conftest import day_of

    day = day_of(DAYS[-1])
    context = Context(contract.EVALUATE_MODELS, three_days.config, day, three_days.store)
    features = three_days.artifact("build_features", DAYS[-1])
    validated = three_days.artifact("validate_events", DAYS[-1])
    labels = later_labels(context, [day], through=day)
    return contests_of(context, features, validated, labels)["ranker"].windows
