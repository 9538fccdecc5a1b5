"""Ten trainings that differ by their seed alone, each judged against each by the real gate."""

import itertools
import logging

import pytest

from components.evaluation import verdicts
from components.evaluation.verdicts import Outcome
from components.training import auto
from components.tuning.trials import Trials
from phoenix.metrics.evidence import Evidence
from tests.components.conftest import DAYS, World, day_of

logger = logging.getLogger(__name__)

NUM_SEEDS = 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_of_two_trainings_by_seed_alone_at_most_one_is_surely_better(world: World) -> None:
    """Logs the table: whoever retrains daily should know what a seed is worth."""
    day = day_of(DAYS[-1])
    numbers = auto.origin_of(world.config, world.store, day, "ranker").numbers
    config = auto.with_numbers(world.config, "ranker", numbers)
    trials = Trials(world.store, "ranker")
    values = []
    for seed in range(NUM_SEEDS):
        trial = trials.run(config.model_copy(update={"seed": seed}), day)
        assert trial.failure is None
        values.append(next(iter(trial.values.values())))
    logger.info("ndcg@5 by seed: %s", " ".join(f"{each.mean:.4f}" for each in values))
    promoted = set()
    for pair in itertools.permutations(range(NUM_SEEDS), 2):
        evidence = Evidence.of_day(values[pair[0]], values[pair[1]])
        verdict = verdicts.of_improvement(evidence, config.evaluate_models, min_gain=0.0)
        if verdict.outcome is Outcome.PROMOTED:
            promoted.add(pair)
            logger.info("seed %d over %d: %+.4f, %s", *pair, evidence.mean, verdict.interval)
    num_pairs = NUM_SEEDS * (NUM_SEEDS - 1)
    logger.info("promoted on the first day: %d of %d pairs", len(promoted), num_pairs)
    assert len({each.mean for each in values}) > 1, "the seed changes nothing"
    assert not promoted & {pair[::-1] for pair in promoted}
    # By point estimates, as the gate was before, it is one of the two of every pair.
    assert len(promoted) < num_pairs / 4
