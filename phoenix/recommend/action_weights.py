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
from phoenix.model_runners import ModelConfig
from phoenix.recsys_model import PhoenixModelConfig

# The parameters with an entry per action. What the model is told of an action that it has never
# seen must say nothing yet, so that it goes on as it was; what it answers begins as in any model.
_INPUTS = {"action_projection": 0}  # name -> axis of the actions
_OUTPUTS = {"unembeddings": 1, "factor_unembeddings": 1}


def with_actions(
    params: hk.Params, fresh: hk.Params, *, own: tuple[str, ...], actions: tuple[str, ...]
) -> hk.Params:
    """Returns the parameters of a model for another list of actions.

    Args:
      params: Of the model.
      fresh: Of a new model of the same configuration for `actions`.
      own: The actions of the model, see `phoenix.data.actions.heads_of`.
      actions: The list that is wanted.
    """
    if own == actions:
        return params
    places = BitMap(own, actions).places
    return {
        module: {
            name: _entries(params[module][name], weights, name, places)
            for name, weights in leaves.items()
        }
        for module, leaves in fresh.items()
    }


def with_num_actions(config: ModelConfig, count: int) -> ModelConfig:
    """Returns the configuration of the same model for another number of actions."""
    if not isinstance(config, PhoenixModelConfig):
        return config  # a retrieval model takes the number from its inputs
    return dataclasses.replace(config, num_actions=count)


def _entries(
    trained: jnp.ndarray, fresh: jnp.ndarray, name: str, places: tuple[int | None, ...]
) -> jnp.ndarray:
    """The entries of one parameter, `[A, D]` or `[D, A]`, by the new list."""
    if name not in _INPUTS and name not in _OUTPUTS:
        return trained
    axis = {**_INPUTS, **_OUTPUTS}[name]
    start = jnp.zeros_like(fresh) if name in _INPUTS else fresh
    entries = [
        jnp.take(start if place is None else trained, index if place is None else place, axis=axis)
        for index, place in enumerate(places)
    ]
    return jnp.stack(entries, axis=axis)
