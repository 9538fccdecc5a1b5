"""Recommenders that a day's evaluation compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.features import log_actions, shapes, windows_files
from components.features.later_labels import LaterLabels
from components.release import models
from components.release.models import ModelFolder
from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from components.tables.action_lists import released_heads
from phoenix.recommend import named_actions
from phoenix.recommend.baselines import MostPopular, Random


@dataclass(frozen=True)
class Entrants:
    """The recommenders that take part for one role."""

    role: str
    candidate: Artifact  # of the training step; may hold no model
    champion: Artifact | None  # release
    # By candidate, champion, most_popular, random, as far as they are there; by the role, each is a
    # `Retriever` or a `Ranker` of `phoenix.recommend.recommender`.
    models: Mapping[str, Any]
    notes: tuple[str, ...]  # why one of them is not there

    @property
    def has_candidate(self) -> bool:
        """Whether a model was trained for this day."""
        return "candidate" in self.models


def most_popular(context: Context, refs: Sequence[Ref], labels: LaterLabels) -> MostPopular:
    """Returns the most popular recommender of some days.

    Args:
      context: The run.
      refs: Features of the days; at least one.
      labels: What arrived for them later.
    """
    manifests = {ref.partition: context.store.manifest(ref) for ref in refs}
    actions = log_actions.of_partitions(manifests, context)
    parts = [
        windows_files.read_candidates(
            context.store.read_file(ref, data_files.IMPRESSIONS_FILE),
            actions[ref.partition],
            labels.known(ref, manifests[ref.partition]["facts"]),
        )
        for ref in refs
    ]
    return MostPopular.fit(
        np.concatenate([each.post_ids for each in parts]),
        np.concatenate([each.actions for each in parts]),
        actions=context.config.action_names,
        positive_actions=[action.name for action in context.config.actions if action.is_positive],
        unknown_bits=np.concatenate([each.unknown_actions for each in parts]),
        weights=np.concatenate([each.weights for each in parts]),
    )


def entrants_of(
    context: Context,
    role: str,
    candidate: Artifact,
    champion: Artifact | None,
    *,
    popular: MostPopular | None,
) -> Entrants:
    """Loads the models that a day can compare, and notes why one of them cannot take part.

    Raises:
      BadDataError: If a model is damaged, or cannot play the role.
    """
    load = models.load_retriever if role == "retrieval" else models.load_ranker
    adapt: Any = named_actions.retriever_for if role == "retrieval" else named_actions.ranker_for
    actions = context.config.action_names
    taking_part: dict[str, Any] = {}
    notes = []
    if candidate.facts["trained"]:
        model = load(candidate.path(models.MODEL))
        own = released_heads(candidate.facts, model.actions, context.config)
        taking_part["candidate"] = adapt(model, own, actions)
    else:
        notes.append(candidate.facts["reason"])
    compatible = champion
    if champion is not None and (problem := _mismatch(context, champion, role)) is not None:
        notes.append(problem)
        compatible = None
    if compatible is not None and compatible.facts[role]["folder"] == role:
        model = load(compatible.path(role))
        own = released_heads(compatible.facts[role], model.actions, context.config)
        taking_part["champion"] = adapt(model, own, actions)
        if missing := [name for name in actions if name not in own]:
            notes.append(
                f"the champion of {compatible.ref.partition} does not know {', '.join(missing)}"
            )
    # A champion that is the most popular recommender takes part as it would be served today, and
    # for one that cannot be used it is what would be served.
    elif popular is not None:
        taking_part["champion"] = popular
    if popular is not None:
        taking_part["most_popular"] = popular
    taking_part["random"] = Random(actions, context.config.seed)
    return Entrants(role, candidate, compatible, taking_part, tuple(notes))


def _mismatch(context: Context, champion: Artifact, role: str) -> str | None:
    """Returns why the champion's model cannot be used with this configuration, or None."""
    description = ModelFolder(champion, champion.facts[role]["folder"]).description
    own = released_heads(champion.facts[role], description["actions"], context.config)
    if not set(own) & set(context.config.action_names):
        return f"the champion of {champion.ref.partition} knows none of the actions"
    spec = shapes.hash_spec(context.config.hashing).to_dict()
    # The most popular recommender has neither hashes nor attributes, so nothing to disagree with.
    if description.get("hash_spec", spec) != spec:
        return f"the champion of {champion.ref.partition} has other hashes"
    declared = [each.to_dict() for each in context.config.attributes.attributes]
    if description.get("config", {}).get("attributes", declared) != declared:
        return f"the champion of {champion.ref.partition} has other attributes"
    return None
