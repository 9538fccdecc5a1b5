"""Models asked by the names of actions, whatever list of actions they were trained with.

A list of actions changes while a model lives: actions come, go and change their places. Each model
here reads the histories of one list and answers in its order; a model that was trained with another
list is asked in that of its own, by name. What it cannot know of a history is unknown to it, and
an action that it does not predict has the probability 0.

Glossary of shapes:
  N: windows, C: candidates, M: posts, D: size of a vector, A: actions.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phoenix.data.actions import BitMap
from phoenix.data.windows import Windows
from phoenix.recommend.baselines import Baseline
from phoenix.recommend.recommender import PostInputs, Ranker, Retriever


def retriever_for(
    retriever: Retriever, own: tuple[str, ...], actions: tuple[str, ...]
) -> Retriever:
    """Returns a retriever that reads histories of another list of actions.

    Args:
      retriever: The model.
      own: The actions of its own list, see `phoenix.data.actions.heads_of`.
      actions: Those of the windows.
    """
    histories = BitMap(actions, own)
    if histories.is_identity or isinstance(retriever, Baseline):  # baselines read no history
        return retriever
    return RetrieverForActions(retriever, histories)


def ranker_for(ranker: Ranker, own: tuple[str, ...], actions: tuple[str, ...]) -> Ranker:
    """Returns a ranker that reads, and predicts, the actions of another list.

    Args:
      ranker: The model.
      own: The actions of its own list, see `phoenix.data.actions.heads_of`.
      actions: Those of the windows, and of the answer.
    """
    histories = BitMap(actions, own)
    return ranker if histories.is_identity else RankerForActions(ranker, histories)


@dataclass(frozen=True, eq=False)
class RetrieverForActions:
    """A retriever whose own list of actions is another than that of the windows."""

    retriever: Retriever
    histories: BitMap  # from the list of the windows to the model's own
    name: ClassVar[str] = "retriever_for_actions"

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the actions of the windows."""
        return self.histories.source

    def encode_users(self, windows: Windows) -> np.ndarray:
        """`[N, D]` float32: see `Retriever`."""
        return self.retriever.encode_users(with_histories(windows, self.histories))

    def encode_posts(
        self, post_ids: np.ndarray, author_ids: np.ndarray, inputs: PostInputs | None = None
    ) -> np.ndarray:
        """`[M, D]` float32: see `Retriever`."""
        return self.retriever.encode_posts(post_ids, author_ids, inputs)


@dataclass(frozen=True, eq=False)
class RankerForActions:
    """A ranker whose own list of actions is another than that of the windows."""

    ranker: Ranker
    histories: BitMap  # from the list of the windows to the model's own
    name: ClassVar[str] = "ranker_for_actions"

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the A actions of the windows, and of the answer."""
        return self.histories.source

    @property
    def unpredicted_actions(self) -> tuple[str, ...]:
        """The actions of which the model knows nothing."""
        return tuple(name for name in self.actions if name not in self.histories.target)

    def predict(self, windows: Windows) -> np.ndarray:
        """`[N, C, A]` float32: see `Ranker`; 0 for an action that the model does not predict."""
        own = self.ranker.predict(with_histories(windows, self.histories))
        answer = np.zeros((*own.shape[:-1], len(self.actions)), own.dtype)
        for place, head in enumerate(BitMap(self.histories.target, self.actions).places):
            if head is not None:
                answer[..., place] = own[..., head]
        return answer

    def predict_dwell(self, windows: Windows) -> np.ndarray | None:
        """`[N, C]` float32: see `Ranker`."""
        return self.ranker.predict_dwell(with_histories(windows, self.histories))


def reads_evidence(ranker: Ranker) -> bool:
    """Whether a ranker reads what was known of candidates before their day."""
    own = ranker.ranker if isinstance(ranker, RankerForActions) else ranker
    return not isinstance(own, Baseline) and bool(getattr(own, "reads_evidence", False))


def temperature(retriever: Retriever) -> float:
    """Returns the number over which the scores of a retriever are logarithms."""
    own = retriever.retriever if isinstance(retriever, RetrieverForActions) else retriever
    return float(getattr(own, "temperature", 1.0))


def unpredicted_actions(ranker: Ranker) -> tuple[str, ...]:
    """Returns the actions in the answer of a ranker of which it knows nothing."""
    return ranker.unpredicted_actions if isinstance(ranker, RankerForActions) else ()


def with_histories(windows: Windows, histories: BitMap) -> Windows:
    """Returns the windows with the actions of their histories in the bits of another list.

    Args:
      windows: N windows.
      histories: From the list of the windows to the other one.
    """
    unknown = windows.history_unknown_actions
    if unknown is None:
        unknown = np.zeros_like(windows.history_actions)
    if windows.candidate_log_odds is not None:
        # Of an action that nobody counted, nothing speaks for it or against it.
        columns = [windows.candidate_log_odds[..., place or 0] for place in histories.places]
        known = [float(place is not None) for place in histories.places]
        odds = np.stack(columns, axis=-1) * np.array(known, np.float32)
        windows = windows._replace(candidate_log_odds=odds)
    return windows._replace(
        history_actions=histories.bits(windows.history_actions),
        history_unknown_actions=histories.bits(unknown) | histories.unknown,
    )
