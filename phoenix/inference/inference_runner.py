"""The common part of the two inference runners: parameters, and inputs checked and padded."""

import dataclasses
from abc import ABC, abstractmethod

import numpy as np

from phoenix.buckets import power_of_two
from phoenix.data import attributes
from phoenix.data.engagement.rates import LEVELS, POPULARITY
from phoenix.example_data import create_dummy_batch_from_config, create_dummy_embeddings_from_config
from phoenix.inference.input_shapes import Part, check_inputs
from phoenix.inference.ranking import ACTIONS
from phoenix.inputs import slates
from phoenix.inputs.batch import RecsysBatch, RecsysEmbeddings
from phoenix.model_runners import BaseModelRunner
from phoenix.recsys_model import PhoenixModelConfig


@dataclasses.dataclass
class BaseInferenceRunner(ABC):
    """Calls a model with parameters. Attribute `name` is for logs."""

    name: str

    @property
    @abstractmethod
    def runner(self) -> BaseModelRunner:
        """The model runner."""

    def _get_num_actions(self) -> int:
        """Actions of the model; a retrieval model, which predicts none, reads the public ones."""
        model = self.runner.model
        return model.num_actions if isinstance(model, PhoenixModelConfig) else len(ACTIONS)

    def create_dummy_batch(self, batch_size: int = 1) -> RecsysBatch:
        """An all-zero batch of the shapes of the configuration, with its optional inputs."""
        model = self.runner.model
        history, candidates = model.history_seq_len, model.candidate_seq_len
        batch = create_dummy_batch_from_config(
            model.hashes, history, candidates, self._get_num_actions(), batch_size
        )
        if model.has_post_age:
            batch = batch._replace(
                history_post_age_minutes=np.zeros((batch_size, history), np.float32),
                candidate_post_age_minutes=np.zeros((batch_size, candidates), np.float32),
            )
        if model.has_dwell:
            dwell = np.zeros((batch_size, history), np.float32)
            batch = batch._replace(history_dwell_seconds=dwell)
        if model.user_attributes:
            width = attributes.width(model.user_attributes)
            batch = batch._replace(user_attributes=np.zeros((batch_size, width), np.float32))
        if model.post_attributes:
            width = attributes.width(model.post_attributes)
            batch = batch._replace(
                history_attributes=np.zeros((batch_size, history, width), np.float32),
                candidate_attributes=np.zeros((batch_size, candidates, width), np.float32),
            )
        if model.reads_evidence:
            shape = batch_size, candidates, len(LEVELS)
            batch = batch._replace(
                candidate_log_odds=np.zeros((*shape, self._get_num_actions()), np.float32),
                candidate_log_counts=np.zeros(shape, np.float32),
            )
        if model.reads_popularity:
            shape = batch_size, candidates, len(POPULARITY)
            batch = batch._replace(candidate_popularity=np.zeros(shape, np.float32))
        return batch

    def create_dummy_embeddings(self, batch_size: int = 1) -> RecsysEmbeddings:
        """All-zero table rows for `create_dummy_batch`."""
        model = self.runner.model
        return create_dummy_embeddings_from_config(
            model.hashes,
            model.emb_size,
            model.history_seq_len,
            model.candidate_seq_len,
            batch_size,
        )

    @abstractmethod
    def initialize(self) -> None:
        """Makes parameters and jitted functions."""

    def _check(self, batch: RecsysBatch, embeddings: RecsysEmbeddings, *parts: Part) -> None:
        if not hasattr(self, "params"):
            raise RuntimeError(f"{self.name}: `initialize` must be called first.")
        check_inputs(self.runner.model, batch, embeddings, *parts)

    def _pad_inputs(
        self, batch: RecsysBatch, embeddings: RecsysEmbeddings
    ) -> tuple[RecsysBatch, RecsysEmbeddings]:
        """Pads users, and histories where that moves no candidate, to a bucket."""
        num_users, num_events = np.shape(batch.history_post_hashes)[:2]
        users, events = power_of_two(num_users), slates.history_bucket(num_events)
        if self.runner.model.model.candidate_positions == "slot":
            events = num_events
        batch = slates.padded_users(slates.padded_history(batch, events), users)
        return batch, slates.padded_users(slates.padded_history(embeddings, events), users)
