"""Recommenders that a day's evaluation compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.features import shapes, windows_files
from components.release import models
from components.release.models import ModelFolder
from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from phoenix.recommend.baselines import MostPopular, Random


@dataclass(frozen=True)
class Entrants:
    """Who takes part for one role."""

    role: str
    candidate: Artifact  # of the training step; may hold no model
    champion: Artifact | None  # release
    models: Mapping[str, Any]  # candidate, champion, most_popular, random: those that there are
    notes: tuple[str, ...]  # why one of them is not there

    @property
    def has_candidate(self) -> bool:
        """Whether a model was trained for this day."""
        return "candidate" in self.models


def most_popular(context: Context, refs: Sequence[Ref]) -> MostPopular:
    """Counts the positive actions of some days' candidates."""
    paths = [context.store.read_file(ref, data_files.IMPRESSIONS_FILE) for ref in refs]
    parts = [windows_files.read_candidates(path) for path in paths]
    return MostPopular.fit(
        np.concatenate([posts for posts, _ in parts]),
        np.concatenate([actions for _, actions in parts]),
        actions=context.config.action_names,
        positive_actions=[action.name for action in context.config.actions if action.is_positive],
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
    taking_part: dict[str, Any] = {}
    notes = []
    if candidate.facts["trained"]:
        taking_part["candidate"] = load(candidate.path(models.MODEL))
    else:
        notes.append(candidate.facts["reason"])
    usable = champion
    if champion is not None and (problem := _mismatch(context, champion, role)) is not None:
        notes.append(problem)
        usable = None
    if usable is not None and usable.facts[role]["folder"] == role:
        taking_part["champion"] = load(usable.path(role))
    elif popular is not None:  # also what a champion that is the most popular is today
        taking_part["champion"] = popular
    if popular is not None:
        taking_part["most_popular"] = popular
    taking_part["random"] = Random(context.config.action_names, context.config.seed)
    return Entrants(role, candidate, usable, taking_part, tuple(notes))


def _mismatch(context: Context, champion: Artifact, role: str) -> str | None:
    """Why the champion's model cannot be used with this configuration, or None."""
    description = ModelFolder(champion, champion.facts[role]["folder"]).description
    if tuple(description["actions"]) != context.config.action_names:
        return f"the champion of {champion.ref.partition} has other actions"
    spec = shapes.hash_spec(context.config.hashing).to_dict()
    if description.get("hash_spec", spec) != spec:
        return f"the champion of {champion.ref.partition} has other hashes"
    declared = [each.to_dict() for each in context.config.attributes.attributes]
    if description.get("config", {}).get("attributes", declared) != declared:
        return f"the champion of {champion.ref.partition} has other attributes"
    return None
