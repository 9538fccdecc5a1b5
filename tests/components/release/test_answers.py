"""An answer is kept, is of one evaluation, and the newest one counts."""

from pathlib import Path

from components.release import answers
from components.release.answers import Answer
from components.store.artifacts import Ref, Store

EVALUATION = Ref("evaluate_models", "2026-01-03", "key", "digest")


def test_the_newest_answer_to_the_same_question_counts(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert answers.newest(store, EVALUATION) is None
    rejection = Answer("reject", "ada", "looks odd")
    answers.record(store, EVALUATION, rejection)
    assert answers.newest(store, EVALUATION) == rejection
    approval = Answer("approve", "bob", "")
    answers.record(store, EVALUATION, approval)
    assert answers.newest(store, EVALUATION) == approval
    other = Ref("evaluate_models", "2026-01-03", "key", "another digest")
    assert answers.newest(store, other) is None


def test_a_task_that_is_tried_again_answers_once(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for _ in range(2):
        answers.record(store, EVALUATION, Answer("reject", "ada", "looks odd"))
    assert len(store.pointer("answers/2026-01-03").log()) == 1
