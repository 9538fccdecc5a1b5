"""Bind models, corpus and decision into one verified release."""

import json
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from components import contract, step
from components.errors import BadConfigurationError, BadDataError
from components.features import shapes
from components.features.log_actions import LogActions
from components.features.windows_files import WindowsFiles
from components.release import answers, decisions, mixtures, release_files
from components.release.answers import Answer
from components.release.corpus import Corpus
from components.release.models import ModelFolder
from components.release.releases import ROLES
from components.release.shares import share_of
from components.run import compilation
from components.run.context import Context, Outcome
from components.serving.seen import SeenPairs
from components.serving.server import Server
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.store.storage import MANIFEST
from components.tables import action_lists
from phoenix.data import attributes

logger = logging.getLogger(__name__)


def run(
    context: Context,
    *,
    answer: str | None = None,
    answered_by: str | None = None,
    note: str | None = None,
) -> Outcome:
    """Copies everything that feeds need into one artifact, after it has answered a few requests.

    Args:
      context: The run.
      answer: Of a person who was asked before the release, "approve" or "reject"; None asks nobody,
        and what somebody answered about this evaluation before still counts. It shapes nothing in
        the release, so it is no part of its key.
      answered_by: Who answered.
      note: Why.

    Raises:
      BadConfigurationError: If nobody is said to have answered, or somebody nothing.
      BadDataError: If an input is missing or damaged, the corpus is of another model, the release
        cannot answer, or somebody rejected it.
      Unchanged: If there is nothing new.
    """
    config = context.config
    given = _given(answer, answered_by, note)
    evaluation = context.read(contract.EVALUATE_MODELS.name, context.day)
    approval = _approval(context, evaluation, given)
    corpus = context.read(contract.EXPORT_CORPUS.name, context.day)
    features = context.head(contract.BUILD_FEATURES.name, context.day)
    models = {role: decisions.model_of(context.store, evaluation, role) for role in ROLES}
    _refuse_other_actions(evaluation, config)
    # Before anything is copied: a corpus of yesterday's model is the usual mistake of a rerun.
    fallback = ModelFolder(evaluation, decisions.FALLBACK)
    share = share_of(evaluation.facts["retrieval"])
    retriever = mixtures.digest(models["retrieval"].digest, fallback.digest, share)
    Corpus.read(corpus.folder).refuse_other_model(retriever)
    settings = {
        "publish_release": config.publish_release.model_dump(mode="json"),
        "actions": [[action.name, action.score_weight] for action in config.actions],
        "action_list": action_lists.recipe(config),
        "hash_spec": shapes.hash_spec(config.hashing).digest(),
        "attributes": attributes.digest(config.attributes.attributes),
    }
    inputs = [evaluation.ref, corpus.ref, *(models[role].artifact.ref for role in ROLES)]
    inputs += [features] if features else []
    with context.write(inputs=inputs, config=settings) as draft:
        compilation.use_cache(context.store)
        description = _description(config, evaluation, models, context.day)
        for role in ROLES:
            if description[role]["folder"] == role:
                models[role].copy_to(draft.folder / role)
        fallback.copy_to(draft.folder / decisions.FALLBACK)
        corpus_folder = draft.folder / release_files.CORPUS_FOLDER
        # Without its manifest: the files are listed in that of the release.
        shutil.copytree(corpus.folder, corpus_folder, ignore=shutil.ignore_patterns(MANIFEST))
        shutil.copy(evaluation.path(release_files.DECISION_FILE), draft.folder)
        text = json.dumps(description, sort_keys=True, indent=1)
        (draft.folder / release_files.RELEASE_FILE).write_text(text + "\n", encoding="utf-8")
        probes = _probe(context, draft.folder)
        draft.facts.update(
            description,
            corpus={**corpus.facts, "from": asdict(corpus.ref)},
            probes=probes,
            approval=approval,
        )
    return Outcome(context.written_artifact())


def _given(answer: str | None, answered_by: str | None, note: str | None) -> Answer | None:
    """Returns the answer of the options, or None without one.

    Raises:
      BadConfigurationError: If one of the options is there without the others that it needs.
    """
    who, why = (answered_by or "").strip(), (note or "").strip()
    if answer is None:
        for option, value in (("--answered-by", who), ("--note", why)):
            if value:
                raise BadConfigurationError(
                    f"{option} {value!r} comes with --answer approve or --answer reject, got none."
                )
        return None
    if not who:
        raise BadConfigurationError(f"--answer {answer} comes with --answered-by, got nobody.")
    return Answer(answer, who, why)


def _approval(
    context: Context, evaluation: Artifact, given: Answer | None
) -> dict[str, str] | None:
    """Returns who approved a release and why, or None where nobody was asked.

    Raises:
      BadDataError: If somebody rejected it, now or before.
    """
    if given is not None:
        answers.record(context.store, evaluation.ref, given)
    answer = given or answers.newest(context.store, evaluation.ref)
    if answer is None:
        return None
    if answer.answer == answers.REJECT:
        raise BadDataError(
            f"{answer.rejection(str(context.day))} What was live stays live. To publish the day "
            f"with the models of the champion, run {contract.EVALUATE_MODELS.name} with --force "
            "keep and a reason, and the steps after it; whoever changes their mind runs "
            f"{contract.PUBLISH_RELEASE.name} with --answer approve."
        )
    return {"answered_by": answer.answered_by, "note": answer.note}


def _description(
    config: Config,
    evaluation: Artifact,
    models: Mapping[str, ModelFolder],
    day: date,
) -> dict[str, Any]:
    """Returns what a release says of itself: for what it was made, and each of its two models."""
    description: dict[str, Any] = {
        "day": day.isoformat(),
        "actions": list(config.action_names),
        "weights": [action.score_weight for action in config.actions],
        "hash_spec": shapes.hash_spec(config.hashing).digest(),
        "attributes": attributes.digest(config.attributes.attributes),
    }
    for role in ROLES:
        decision = evaluation.facts[role]
        is_fallback = decision["choice"] == "fallback"
        description[role] = {
            "folder": decisions.FALLBACK if is_fallback else role,
            "model": decision["model"],
            "model_share": share_of(decision),
            "digest": models[role].digest,
            "verdict": decision["verdict"],
            "reasons": decision["reasons"],
            "trained_through": decision["trained_through"],
            "recipe": decision["recipe"],
            "figure": decision.get("figure"),  # an evaluation of a format before published none
            "actions": _actions_of(models[role], role),
            "drawn_per_window": _drawn_per_window(models[role], role),
        }
    description["trained_through"] = min(description[role]["trained_through"] for role in ROLES)
    return description


def _refuse_other_actions(evaluation: Artifact, config: Config) -> None:
    """Refuses an evaluation of another list of actions, whose fallback answers in its order.

    Raises:
      BadDataError: Naming both lists.
    """
    recorded = evaluation.facts.get("actions")  # a format before this one did not say it
    if recorded is not None and recorded != action_lists.to_json(config):
        names = [each["name"] for each in recorded]
        raise BadDataError(
            f"{evaluation.ref} is of the actions {names}, the configuration has others or means "
            f"something else: {list(config.action_names)}. Run `phoenix step "
            f"{contract.EVALUATE_MODELS.name} --day {evaluation.ref.partition}` again first."
        )


def _actions_of(model: ModelFolder, role: str) -> list[dict[str, Any]]:
    """Returns the actions that a model learned and what they meant, in the order of its heads."""
    facts = model.artifact.facts
    if model.artifact.ref.kind == contract.PUBLISH_RELEASE.name:
        facts = facts[role]
    # A model of a format before this one knows names alone.
    return facts.get("actions") or [{"name": name} for name in model.description["actions"]]


def _drawn_per_window(model: ModelFolder, role: str) -> int:
    """Returns how many posts a ranker was shown per window that were drawn for it; 0: none."""
    facts = model.artifact.facts
    if model.artifact.ref.kind == contract.PUBLISH_RELEASE.name:
        return facts[role].get("drawn_per_window", 0)  # a format before this one drew nothing
    return facts.get("negatives", {}).get("drawn_per_window", 0)


def _probe(context: Context, folder: Path) -> dict[str, int]:
    """Loads the release from its files as a server would, and lets it answer a few users.

    Returns:
      Keys: users, posts.

    Raises:
      BadDataError: If an answer is missing, not eligible or not finite.
    """
    server = Server.open(folder, context.config)
    features = context.read(contract.BUILD_FEATURES.name, context.day)
    spec = shapes.hash_spec(context.config.hashing)
    actions = LogActions.of_features(features.manifest, context.config)
    files = WindowsFiles(features.folder, spec=spec, actions=actions)
    windows = files.read(int(np.argmax(files.chunk_sizes)))  # one chunk has users enough
    _, first = np.unique(windows.user_ids, return_index=True)
    requests = windows.rows(np.sort(first)[: context.config.publish_release.num_probe_users])
    num_posts = 0
    for feeds in server.serve(requests, SeenPairs.none()):
        is_post = feeds.post_ids != 0
        rows = server.corpus.rows_of(feeds.post_ids[is_post])
        num_posts += int(is_post.sum())
        if (rows < 0).any() or not server.corpus.is_eligible[rows].all():
            raise BadDataError(f"The release of {context.day} answers with posts not eligible.")
        if not np.isfinite(feeds.scores[is_post]).all():
            raise BadDataError(f"The release of {context.day} answers with scores not finite.")
        if server.corpus.is_eligible.any() and not is_post[:, 0].all():
            users = feeds.user_ids[~is_post[:, 0]]
            raise BadDataError(f"The release of {context.day} has no answer for users {users[:5]}.")
    logger.info("The release answered %d users with %d posts.", len(requests.user_ids), num_posts)
    return {"users": len(requests.user_ids), "posts": num_posts}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.PUBLISH_RELEASE, run, argv)


if __name__ == "__main__":
    sys.exit(main())
