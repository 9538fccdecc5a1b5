"""What people answered who were asked before a release: a log by day, as every pointer is one.

An answer is of one evaluation. Whoever decides anew asks a new question.
"""

from dataclasses import dataclass

from components.store.artifacts import Ref, Store
from components.store.pointers import Pointer

APPROVE, REJECT = "approve", "reject"


@dataclass(frozen=True)
class Answer:
    """An answer, by whom, and why."""

    answer: str  # APPROVE or REJECT
    answered_by: str
    note: str

    def rejection(self, day: str) -> str:
        """Returns who rejected the release of a day, and why, as a sentence."""
        why = self.note or "no reason was given"
        return f"The release of {day} was rejected by {self.answered_by}: {why}."


def newest(store: Store, evaluation: Ref) -> Answer | None:
    """Returns the newest answer of anybody who was asked about an evaluation, or None."""
    for entry in reversed(_pointer(store, evaluation.partition).log()):
        if entry.value["evaluation"] == evaluation.digest:
            return Answer(entry.value["answer"], entry.actor, entry.reason)
    return None


def record(store: Store, evaluation: Ref, answer: Answer) -> None:
    """Keeps an answer, unless it is there already.

    Raises:
      TryAgainError: If somebody else answered in the meantime.
    """
    if newest(store, evaluation) == answer:
        return
    target = _pointer(store, evaluation.partition)
    target.move(
        {"evaluation": evaluation.digest, "answer": answer.answer},
        newest=target.read(),
        reason=answer.note,
        actor=answer.answered_by,
    )


def _pointer(store: Store, day: str) -> Pointer:
    return store.pointer(f"answers/{day}")
