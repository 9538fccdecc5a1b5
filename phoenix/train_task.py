"""What a run learns: the objective, and how its batches are made of windows."""

from collections.abc import Callable
from typing import NamedTuple

from phoenix.batches import (
    PostFrequencies,
    TrainBatch,
    WindowSource,
    model_inputs,
    train_batch,
    windows_between,
)
from phoenix.config import check
from phoenix.hashing import HashSpec
from phoenix.model_runners import ModelConfig
from phoenix.next_item import (
    Catalogue,
    NextItemBatch,
    NextItemBatches,
    NextItemObjective,
)
from phoenix.objectives import Objective, objective_of
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from phoenix.train_config import TrainConfig
from phoenix.windows import Windows, positive_bits

_SCAN_ROWS = 8192  # Windows per read when the whole source is scanned.

Batch = TrainBatch | NextItemBatch


class Task(NamedTuple):
    """Of B padded windows and a step, or None in a validation, `batch` makes what is learned."""

    objective: Objective
    batch: Callable[[Windows, int | None], Batch]


def task_of(
    model_config: ModelConfig,
    config: TrainConfig,
    *,
    hash_spec: HashSpec,
    actions: tuple[str, ...],
    source: WindowSource,
    num_train: int,
) -> Task:
    """Returns the task of a run.

    Args:
      model_config: Of the ranker or the retrieval model.
      config: How to train.
      hash_spec: Of the windows.
      actions: The names of the A actions, in the order of the bits.
      source: What is trained on.
      num_train: Windows of the source that are trained on: the first ones.

    Raises:
      ConfigError: If the ranker is to learn next items, or a batch is to be cut into parts for it.
      ValueError: If an action is unknown, or there is no event to learn from.
    """
    is_retrieval = isinstance(model_config, PhoenixRetrievalModelConfig)
    if config.next_item is None:
        is_corrected = is_retrieval or config.ranking.popularity_power > 0
        frequencies = PostFrequencies.of(source, num_train) if is_corrected else None

        def batch(windows: Windows, step: int | None) -> TrainBatch:
            del step  # nothing is random
            inputs = model_inputs(windows, actions, model_config)
            return train_batch(windows, inputs, len(actions), frequencies)

        objective = objective_of(
            model_config,
            actions,
            ranking=config.ranking,
            positive_actions=config.positive_actions,
        )
        return Task(objective, batch)
    check(is_retrieval, "TrainConfig.next_item", expected="None for a ranker", got=config.next_item)
    # The list of posts is one for the whole batch.
    check(
        config.accumulation_steps == 1,
        "TrainConfig.accumulation_steps",
        expected="1 where `next_item` is set",
        got=config.accumulation_steps,
    )
    assert isinstance(model_config, PhoenixRetrievalModelConfig)
    bits = positive_bits(actions, config.positive_actions)
    parts = windows_between(source, 0, num_train, limit=_SCAN_ROWS)
    batches = NextItemBatches(
        model_config=model_config,
        config=config.next_item,
        actions=actions,
        catalogue=Catalogue.of(parts, hash_spec, positive_bits=bits),
        positive_bits=bits,
        seed=config.seed,
    )
    return Task(NextItemObjective(model_config), batches)
