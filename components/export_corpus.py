"""Embed every eligible post with the chosen retrieval model."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from components import contract, step
from components.errors import BadDataError
from components.features import day_counts, post_facts, shapes
from components.features.post_facts import PostFacts
from components.release import decisions, eligible_posts, mixtures, models
from components.release.corpus import Corpus
from components.release.models import ModelFolder
from components.release.shares import share_of
from components.run import compilation
from components.run.context import Context, Outcome
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from phoenix.data import attributes
from phoenix.data.hashing import HashSpec, collision_report
from phoenix.memory import keep_freed_memory
from phoenix.recommend.baselines import Collection
from phoenix.recommend.embedding_runner import EmbeddingRunner, NonFiniteOutputError
from phoenix.recommend.recommender import PostInputs, Retriever

logger = logging.getLogger(__name__)

_MAX_CONFUSED = 0.01  # share of ids that a model may take for another before we say so


def run(context: Context) -> Outcome:
    """Writes the vectors of all eligible posts of the day, bound to the model that made them.

    Raises:
      BadDataError: If an input is missing or damaged, or the model gives vectors that are no
        numbers.
      Unchanged: If there is nothing new.
    """
    evaluation = context.read(contract.EVALUATE_MODELS.name, context.day)
    validated = _validated(context)
    model = decisions.model_of(context.store, evaluation, "retrieval")
    share = share_of(evaluation.facts["retrieval"])
    fallback = ModelFolder(evaluation, decisions.FALLBACK)
    digest = mixtures.digest(model.digest, fallback.digest, share)
    settings = {
        "export_corpus": context.config.export_corpus.model_dump(mode="json"),
        "attributes": attributes.declaration(context.config.attributes.attributes),
    }
    inputs = [evaluation.ref, model.artifact.ref, validated]
    counted = None
    if model.description.get("config", {}).get("has_counts"):
        # Feeds of the day are for its end, when all of it is known.
        counted = context.read(contract.BUILD_FEATURES.name, context.day).ref
        inputs.append(counted)
        settings["positive_actions"] = day_counts.positive_actions(context.config).tolist()
    with context.write(inputs=inputs, config=settings) as draft:
        compilation.use_cache(context.store)
        posts = context.store.read_file(validated, data_files.POSTS_FILE)
        collection = eligible_posts.collection_of(posts, context.config, context.day)
        moment = int(eligible_posts.feed_moment(context.day).timestamp() * 1000)
        own, ages = post_facts.attributes_and_ages(context, validated, collection.post_ids, moment)
        inputs = PostInputs(attributes=own, age_minutes=ages)
        if counted is not None:
            ids = collection.post_ids, collection.author_ids
            popularity = day_counts.popularity_of_posts(context, counted, *ids)
            inputs = inputs._replace(popularity=popularity)
        collection = replace(collection, inputs=inputs)
        popular = models.load_most_popular(evaluation.path(decisions.FALLBACK))
        retriever = mixtures.retriever(model.retriever(), popular, share)
        vectors = _embed(retriever, collection, of=model.artifact)
        num_eligible = int(collection.is_eligible.sum())
        Corpus(
            digest,
            collection.post_ids,
            collection.author_ids,
            collection.is_eligible,
            PostFacts.read(posts).created_at(collection.post_ids),
            own,
            vectors,
        ).write(draft.folder)
        draft.facts.update(
            model=mixtures.label(model.kind, share),
            model_digest=digest,
            posts=len(collection.post_ids),
            eligible=num_eligible,
            emb_size=vectors.shape[1],
            collisions=collisions(
                shapes.hash_spec(context.config.hashing),
                collection.post_ids,
                collection.author_ids,
            ),
        )
        logger.info("Embedded %d of %d posts.", num_eligible, len(collection.post_ids))
    return Outcome(context.written_artifact())


def _validated(context: Context) -> Ref:
    """Returns the artifact of validate_events of the day, of which a few files are read.

    Raises:
      BadDataError: If there is none.
    """
    kind = contract.VALIDATE_EVENTS.name
    # The reference alone: events are most of the artifact, and `read` would verify them all. Only
    # for a missing one it is called, to say what is missing.
    return context.head(kind, context.day) or context.read(kind, context.day).ref


def _embed(retriever: Retriever, collection: Collection, *, of: Artifact) -> np.ndarray:
    """`[M, D]` float32: the vectors of all eligible posts, zero for the others.

    Args:
      retriever: The model.
      collection: The posts.
      of: Where the model is, to say of which it was.

    Raises:
      BadDataError: If the model gives vectors that are no numbers.
    """
    runner = EmbeddingRunner(retriever=retriever, splits={"posts": collection})
    try:
        return runner.run()["posts"]
    except NonFiniteOutputError as error:
        raise BadDataError(f"{of.ref}: {error}") from error


def collisions(spec: HashSpec, post_ids: np.ndarray, author_ids: np.ndarray) -> dict[str, Any]:
    """Returns how well hash tables separate posts and authors, and warns if a table is too small.

    Args:
      spec: The hashes of the models.
      post_ids: `[M]` int64.
      author_ids: `[M]` int64, of these posts.

    Returns:
      The fields of `CollisionReport` for `post` and `author`.
    """
    reports = {
        "post": collision_report(post_ids, spec.post),
        "author": collision_report(author_ids, spec.author),
    }
    for kind, report in reports.items():
        confused = report.num_ids - report.num_keys
        if confused > _MAX_CONFUSED * report.num_ids:
            logger.warning(
                "%d of %d %ss share all their rows with another: enlarge hashing.%s_rows.",
                *(confused, report.num_ids, kind, kind),
            )
    return {kind: asdict(report) for kind, report in reports.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the step from the command line and returns its exit code."""
    return step.main(contract.EXPORT_CORPUS, run, argv)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
