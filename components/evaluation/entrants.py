"""Recommenders that a day's evaluation compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from components.evaluation import mixed_entrants
from components.evaluation.challengers import Challenger
from components.evaluation.mixed_entrants import Mixed
from components.evaluation.results import Result
from components.features import day_counts, shapes
from components.release import decisions, mixtures, models
from components.release.models import ModelFolder
from components.release.shares import share_of
from components.run.context import Context
from components.settings.steps import EvaluateConfig
from components.store.artifacts import Artifact, Ref
from components.tables.action_lists import released_heads
from phoenix.recommend import named_actions
from phoenix.recommend.baselines import MostPopular, Random
from phoenix.recommend.recommender import Ranker, Retriever


@dataclass(frozen=True)
class Entrants:
    """The recommenders that take part for one role."""

    role: str
    candidate: Artifact  # of the training step; may hold no model
    champion: Artifact | None  # release
    challengers: Sequence[Challenger]  # that the evaluation before left
    trainings: Mapping[str, Artifact]  # of the challengers that take part, by their names
    # By candidate, champion, most_popular, random and names of challengers, as far as they are
    # there; by the role, each is a `Retriever` or a `Ranker` of `phoenix.recommend.recommender`.
    models: Mapping[str, Any]
    notes: tuple[str, ...]  # why one of them is not there
    # Those that are mixtures, by their names; the champion is none of them.
    mixtures: Mapping[str, Mixed] = field(default_factory=dict)

    @property
    def has_candidate(self) -> bool:
        """Whether a model was trained for this day."""
        return "candidate" in self.models

    @property
    def opponent(self) -> str:
        """The recipe of the champion, with which challengers and candidate are compared."""
        return opponent_of(self.champion, self.role)

    def without_settled(self, section: EvaluateConfig, results: Mapping[str, Result]) -> "Entrants":
        """Returns the entrants without mixtures of which one part is surely better alone.

        The champion's own recipe stays: it is asked whether newer days may take its place.

        Args:
          section: The settings of the gate.
          results: Of the users who decide, by the names of all but the mixtures.
        """
        words = {
            name: reason
            for name, each in self.mixtures.items()
            if not self._is_refresh(each)
            and (reason := mixed_entrants.settled(section, each, results)) is not None
        }
        return replace(
            self,
            models={name: each for name, each in self.models.items() if name not in words},
            mixtures={name: each for name, each in self.mixtures.items() if name not in words},
            notes=(*self.notes, *(f"no mixture: {reason}" for reason in words.values())),
        )

    def _is_refresh(self, mixed: Mixed) -> bool:
        """Whether a mixture is the champion's recipe on newer days."""
        if mixed.model != "candidate":
            return False
        return decisions.recipe_digest(self.candidate, mixed.share) == self.opponent

    @property
    def champion_trained_through(self) -> str:
        """The newest day whose data are in the champion."""
        assert self.champion is not None, "only a champion of the store has a recipe"
        return self.champion.facts[self.role]["trained_through"]


def opponent_of(champion: Artifact | None, role: str) -> str:
    """Returns the recipe of the champion of a role; of the most popular recommender, its name."""
    if champion is None or champion.facts[role]["folder"] != role:
        return MostPopular.name
    facts = champion.facts[role]
    # A release of a format before names no recipe; its model is the only one of it.
    return facts.get("recipe") or facts["digest"]


def most_popular(context: Context, ref: Ref) -> MostPopular:
    """Returns the most popular recommender as of the end of a day.

    Args:
      context: The run.
      ref: Features of the day.
    """
    config = context.config
    return MostPopular(
        actions=config.action_names,
        positive_actions=config.positive_actions,
        rates=day_counts.post_rates_after(context, ref),
    )


def entrants_of(
    context: Context,
    role: str,
    candidate: Artifact,
    champion: Artifact | None,
    *,
    popular: MostPopular | None,
    challengers: Sequence[Challenger] = (),
) -> Entrants:
    """Loads the models that a day can compare, and notes why one of them cannot take part.

    Raises:
      BadDataError: If a model is damaged, or cannot play the role.
    """
    notes: list[str] = []
    taking_part: dict[str, Any] = {}
    if candidate.facts["trained"]:
        taking_part["candidate"] = _load(context, role, candidate, models.MODEL)
    else:
        notes.append(f"no candidate: {candidate.facts['reason']}")
    compatible = _compatible_champion(context, role, champion, notes)
    opponent = opponent_of(compatible, role)
    if opponent != MostPopular.name and compatible is not None:
        model = _load(context, role, compatible, role)
        taking_part["champion"] = _champion(model, role, compatible, popular)
    # A champion that is the most popular recommender takes part as it would be served today, and
    # for one that cannot be used it is what would be served.
    elif popular is not None:
        taking_part["champion"] = popular
    comparable = [each for each in challengers if each.opponent == opponent]
    notes += [
        f"the challenger of {each.ref.partition} was compared with another champion: dropped"
        for each in challengers
        if each.opponent != opponent
    ]
    share = context.config.evaluate_models.mixture_share
    shares = [1.0, *([share] if share else [])]
    is_trained = candidate.facts["trained"]
    recipes = [decisions.recipe_digest(candidate, each) for each in shares] if is_trained else []
    # Of the candidate's own recipe the newer model stands for it, with the same evidence.
    others = [each for each in comparable if each.recipe not in recipes]
    trainings = _trainings(context, others, notes)
    for each in others:
        if each.name in trainings and each.share == 1:
            taking_part[each.name] = _load(context, role, trainings[each.name], models.MODEL)
    mixed = {}
    if popular is not None:
        mixed = mixed_entrants.of_models(taking_part, share, others)
        for name, each in mixed.items():
            mix = mixtures.BY_ROLE[role]
            taking_part[name] = mix(taking_part[each.model], popular, each.share)
        taking_part["most_popular"] = popular
    notes += [
        f"the mixture of {each.ref.partition}: dropped, its model takes no part any more"
        for each in others
        if each.share < 1 and each.name not in mixed
    ]
    taking_part["random"] = Random(context.config.action_names, context.config.seed)
    return Entrants(
        role=role,
        candidate=candidate,
        champion=compatible,
        challengers=comparable,
        trainings=trainings,
        models=taking_part,
        notes=tuple(notes),
        mixtures=mixed,
    )


def _champion(
    model: Retriever | Ranker, role: str, champion: Artifact, popular: MostPopular | None
) -> Retriever | Ranker:
    """Returns the champion as it would be served today: of a mixture, both parts."""
    share = share_of(champion.facts[role])
    if share < 1 and popular is None:  # nothing was counted since
        popular = models.load_most_popular(champion.path(decisions.FALLBACK))
    return mixtures.BY_ROLE[role](model, popular, share)


def _compatible_champion(
    context: Context, role: str, champion: Artifact | None, notes: list[str]
) -> Artifact | None:
    """Returns the champion if its model can be used with this configuration, and notes why not."""
    if champion is None:
        return None
    facts, name = champion.facts[role], f"the champion of {champion.ref.partition}"
    folder = ModelFolder(champion, facts["folder"])
    if (problem := _mismatch(context, folder, facts)) is not None:
        notes.append(f"{name} {problem}")
        return None
    own = released_heads(facts, folder.description["actions"], context.config)
    missing = [action for action in context.config.action_names if action not in own]
    if missing and facts["folder"] == role:
        notes.append(f"{name} does not know {', '.join(missing)}")
    return champion


def _trainings(
    context: Context, challengers: Sequence[Challenger], notes: list[str]
) -> dict[str, Artifact]:
    """Returns by name the trainings of the challengers that can be used, and notes why not."""
    trainings = {}
    for challenger in challengers:
        training = context.store.read(challenger.ref)
        folder = ModelFolder(training, models.MODEL)
        if (problem := _mismatch(context, folder, training.facts)) is None:
            trainings[challenger.name] = training
        else:
            notes.append(f"the challenger of {challenger.ref.partition} {problem}: dropped")
    return trainings


def _load(context: Context, role: str, artifact: Artifact, folder: str) -> Retriever | Ranker:
    """Loads the model of a training or a release, asked by the actions of the configuration."""
    facts = artifact.facts if folder == models.MODEL else artifact.facts[role]
    actions, path = context.config.action_names, artifact.path(folder)
    if role == "retrieval":
        retriever = models.load_retriever(path)
        own = released_heads(facts, retriever.actions, context.config)
        return named_actions.retriever_for(retriever, own, actions)
    ranker = models.load_ranker(path)
    own = released_heads(facts, ranker.actions, context.config)
    return named_actions.ranker_for(ranker, own, actions)


def _mismatch(context: Context, folder: ModelFolder, facts: Mapping[str, Any]) -> str | None:
    """Returns why a model cannot be used with this configuration, or None; `facts` are of it."""
    description = folder.description
    own = released_heads(facts, description["actions"], context.config)
    if not set(own) & set(context.config.action_names):
        return "knows none of the actions"
    spec = shapes.hash_spec(context.config.hashing).to_dict()
    # The most popular recommender has neither hashes nor attributes, so nothing to disagree with.
    if description.get("hash_spec", spec) != spec:
        return "has other hashes"
    declared = [each.to_dict() for each in context.config.attributes.attributes]
    if description.get("config", {}).get("attributes", declared) != declared:
        return "has other attributes"
    return None
