"""Challengers are handed on whole, and without users who are to be forgotten."""

import numpy as np

from components.evaluation import challengers
from components.evaluation.challengers import Challenger
from components.store.artifacts import Artifact, Ref
from phoenix.metrics.evidence import Evidence


def _challenger(day: str, num_users: int, *, share: float = 1.0) -> Challenger:
    generator = np.random.default_rng(num_users)
    users = np.arange(1, num_users + 1)
    evidence = Evidence(users, generator.normal(size=num_users), np.full(num_users, 2.0), 3)
    ref = Ref("train_ranker", day, f"key of {day}", "digest")
    return Challenger(ref, "one recipe", "most_popular", evidence, share)


def _evaluation(folder, by_role: dict[str, list[Challenger]]) -> Artifact:
    challengers.write(folder, by_role)
    files = {path.name: {} for path in folder.iterdir()}
    facts = {role: {"challengers": [each.to_json() for each in by_role[role]]} for role in by_role}
    ref = Ref("evaluate_models", "2026-01-04", "key", "digest")
    return Artifact(ref, {"files": files, "facts": facts}, folder)


def test_what_is_handed_on_comes_back(tmp_path, three_days) -> None:
    written = {
        # A mixture has the training of its model, and evidence of its own.
        "ranker": [_challenger("2026-01-03", 5), _challenger("2026-01-03", 7, share=0.5)],
        "retrieval": [_challenger("2026-01-03", 4)],
    }
    evaluation = _evaluation(tmp_path, written)
    for role, expected in written.items():
        found = challengers.read(evaluation, role, three_days.config)
        assert [each.to_json() for each in found] == [each.to_json() for each in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.evidence.user_ids, other.evidence.user_ids)
            np.testing.assert_array_equal(one.evidence.sums, other.evidence.sums)
            np.testing.assert_array_equal(one.evidence.weights, other.evidence.weights)


def test_without_a_challenger_there_is_no_file(tmp_path, three_days) -> None:
    evaluation = _evaluation(tmp_path, {"ranker": [], "retrieval": []})
    assert list(tmp_path.iterdir()) == []
    assert challengers.read(evaluation, "ranker", three_days.config) == []


def test_the_evidence_of_forgotten_users_is_not_read(tmp_path, world) -> None:
    listed = world.path.parent / "erased.txt"
    listed.write_text("2\n")
    world.edit("ingest_events:", f"ingest_events:\n  erased_users: {listed}")
    evaluation = _evaluation(tmp_path, {"ranker": [_challenger("2026-01-03", 3)]})
    (found,) = challengers.read(evaluation, "ranker", world.config)
    assert found.evidence.user_ids.tolist() == [1, 3]


def test_the_evaluation_of_a_release_is_found_by_its_digest(three_days) -> None:
    release = three_days.artifact("publish_release", "2026-01-02")
    expected = three_days.artifact("evaluate_models", "2026-01-02").ref
    assert challengers.evaluation_of(release) == expected
