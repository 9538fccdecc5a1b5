"""Weights of a trained model under another list of actions: what it knows it keeps, by name.

Few parameters have a row or a column per action. Where the list changes, those of known actions
move to their new places and those of unknown ones begin; all others stay as they are.

Glossary of shapes:
  A: actions, D: model width.
"""

import dataclasses

import haiku as hk
import jax.numpy as jnp

from phoenix.data.actions import BitMap
from phoenix.data.engagement.rates import LEVELS
from phoenix.model_runners import ModelConfig
from phoenix.recsys_model import PhoenixModelConfig

# The parameters with an entry per action. What the model is told of an action that it has never
# seen must say nothing yet, so that it goes on as it was; what it answers begins as in any model.
_INPUTS = {"action_projection": 0, "taste_weights": 0}  # name -> axis of the actions
_OUTPUTS = {
    "unembeddings": 1,
    "factor_unembeddings": 1,
    "evidence_weights": 1,
    "evidence_bias": 0,
    "evidence_output/w": 1,
    "evidence_output/b": 0,
    "slopes": 0,
    "biases": 0,
    "rates": 1,
}
# Reads the log-odds of every action at every level but the first, then the counts of all levels.
_EVIDENCE = "evidence_hidden/w"


def with_actions(
    params: hk.Params, fresh: hk.Params, *, own: tuple[str, ...], actions: tuple[str, ...]
) -> hk.Params:
    """Returns the parameters of a model for another list of actions, or for other losses.

    Args:
      params: Of the model; what a new loss needs beside them begins as in a new model.
      fresh: Of a new model of the same configuration for `actions`.
      own: The actions of the model, see `phoenix.data.actions.heads_of`.
      actions: The list that is wanted.
    """
    places = BitMap(own, actions).places
    return {
        module: {
            name: _entries(params[module][name], weights, _name(module, name), places)
            if name in params.get(module, {})
            else weights
            for name, weights in leaves.items()
        }
        for module, leaves in fresh.items()
    }


def with_num_actions(config: ModelConfig, count: int) -> ModelConfig:
    """Returns the configuration of the same model for another number of actions."""
    if not isinstance(config, PhoenixModelConfig):
        return config  # a retrieval model takes the number from its inputs
    return dataclasses.replace(config, num_actions=count)


def _name(module: str, name: str) -> str:
    """The name of a parameter; with that of its layer, where all layers call theirs the same."""
    return f"{module.rpartition('/')[2]}/{name}" if name in ("w", "b") else name


def _entries(
    trained: jnp.ndarray, fresh: jnp.ndarray, name: str, places: tuple[int | None, ...]
) -> jnp.ndarray:
    """The entries of one parameter, `[A, D]`, `[D, A]` or `[A]`, by the new list."""
    if name == _EVIDENCE:
        num_levels = len(LEVELS)
        own, counts = trained[:-num_levels], trained[-num_levels:]
        by_action = own.reshape(num_levels - 1, -1, own.shape[-1])  # [L - 1, A, H]
        moved = _moved(by_action, jnp.zeros_like(by_action), places, axis=1)
        return jnp.concatenate([moved.reshape(-1, own.shape[-1]), counts])
    if name not in _INPUTS and name not in _OUTPUTS:
        return trained
    start = jnp.zeros_like(fresh) if name in _INPUTS else fresh
    return _moved(trained, start, places, axis={**_INPUTS, **_OUTPUTS}[name])


def _moved(
    trained: jnp.ndarray, start: jnp.ndarray, places: tuple[int | None, ...], *, axis: int
) -> jnp.ndarray:
    """Entries along an axis: of known actions those that were trained, of others the start's."""
    entries = [
        # Whatever is new says nothing yet, so any entry of a start of zeros will do.
        jnp.take(start, min(index, start.shape[axis] - 1), axis=axis)
        if place is None
        else jnp.take(trained, place, axis=axis)
        for index, place in enumerate(places)
    ]
    return jnp.stack(entries, axis=axis)
