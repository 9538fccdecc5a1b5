"""Days to train on and the model to start from."""

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.features import shapes
from components.features.partitions import days_before
from components.release import releases
from components.release.models import ModelFolder
from components.run.context import Context
from components.store.artifacts import Artifact
from components.tables import action_lists
from components.training import trainer_settings

if TYPE_CHECKING:
    from phoenix.model_runners import ModelConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The days and the start of a training run, or the reason why there is none."""

    role: str  # retrieval or ranker
    days: Sequence[datetime.date]
    champion: Artifact | None  # to start from
    reason: str | None = None  # why nothing is trained

    @property
    def section_name(self) -> str:
        """The section of the configuration, which is the step."""
        return f"train_{self.role}"


def plan(context: Context, role: str, *, retrain: str, model_config: "ModelConfig") -> Plan:
    """Decides on which days to train and from which model to start.

    Args:
      context: The run of the training step.
      role: retrieval or ranker.
      retrain: "auto" as configured, "always", or "never".
      model_config: The model of the configuration.

    Raises:
      BadDataError: If the champion is damaged.
    """
    section = trainer_settings.section_of(context.config, role)
    window = days_before(context.config, context.day, section.window_days)
    age = (context.day - context.config.first_day).days
    if retrain == "never":
        return Plan(role, (), None, "--retrain never")
    if not window:
        return Plan(role, (), None, "the first day: there is no day before it to train on")
    if retrain == "auto" and age % section.every_days:
        return Plan(role, (), None, f"trained on every {section.every_days}th day, not on this one")
    champion = _compatible_champion(context, role, model_config) if section.warm_start else None
    if champion is None:
        return Plan(role, window, None)
    newest = datetime.date.fromisoformat(champion.facts[role]["trained_through"])
    # A gap between the champion and the window would leave days out that nobody misses.
    if newest + datetime.timedelta(days=1) < window[0]:
        logger.info("Training from scratch: the champion ends on %s, before the window.", newest)
        return Plan(role, window, None)
    return Plan(role, [day for day in window if day > newest], champion)


def _compatible_champion(
    context: Context, role: str, model_config: "ModelConfig"
) -> Artifact | None:
    """The release to start from, if its model has the configured shape, hashes and actions.

    Its description is compared, so the files of a model that does not fit are never read.
    """
    ref = releases.champion_as_of(context.store, context.day)
    if ref is None or context.store.manifest(ref)["facts"][role]["folder"] != role:
        return None  # the champion is the most popular recommender
    release = context.store.read(ref)
    description = ModelFolder(release, role).description
    expected = {
        "config": model_config.to_dict(),
        "actions": list(context.config.action_names),
        "hash_spec": shapes.hash_spec(context.config.hashing).to_dict(),
    }
    different = [name for name, value in expected.items() if description.get(name) != value]
    own = action_lists.released_heads(release.facts[role], description["actions"], context.config)
    if "actions" not in different and own != context.config.action_names:
        different.append("meaning of its actions")
    if different:
        logger.info("Training from scratch: the champion has another %s.", " and ".join(different))
        return None
    return release
