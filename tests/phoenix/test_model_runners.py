"""Model runners: public initial values, and a batch for the devices."""

import jax
import numpy as np

from phoenix.model_runners import ModelRunner, RetrievalModelRunner
from phoenix.recsys_model import PhoenixModelConfig
from phoenix.recsys_retrieval_model import PhoenixRetrievalModelConfig
from tests.phoenix.golden_case import GoldenCase
from tests.phoenix.model_inputs import ranker, trunk


def test_initial_values_for_seed_42_are_the_public_ones(golden: GoldenCase) -> None:
    sizes = golden.sizes
    config = PhoenixModelConfig.public(golden.trunk(), sizes["D"], sizes["A"])
    runner = ModelRunner(config)
    runner.initialize()
    params = runner.load_or_init(golden.batch, golden.embeddings).params
    for module, weights in golden.params("rank.init|").items():
        for name, expected in weights.items():
            np.testing.assert_array_equal(params[module][name], expected, f"{module}/{name}")


def test_batch_size_is_at_least_one() -> None:
    runner = ModelRunner(ranker(), bs_per_device=0.125)
    runner.initialize()
    assert runner.batch_size == max(1, int(0.125 * len(jax.local_devices())))


def test_equal_seeds_give_equal_parameters_and_others_do_not(golden: GoldenCase) -> None:
    config = PhoenixRetrievalModelConfig(trunk(emb_size=64), 64)
    corpus = golden.arrays["retr.corpus"]
    found = []
    for seed in (1, 1, 2):
        runner = RetrievalModelRunner(config, rng_seed=seed)
        runner.initialize()
        state = runner.load_or_init(golden.batch, golden.embeddings, corpus, 5)
        found.append(state.params["phoenix_retrieval_model"]["proj_mat_1"])
    np.testing.assert_array_equal(found[0], found[1])
    assert np.any(found[0] != found[2])
