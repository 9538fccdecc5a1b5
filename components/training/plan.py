"""Days to train on and the model to start from."""

import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.features import shapes
from components.features.partitions import days_before
from components.release import releases
from components.release.models import ModelFolder
from components.run.context import Context
from components.settings.config import Config
from components.store.artifacts import Artifact
from components.tables import action_lists
from components.training import trainer_settings

if TYPE_CHECKING:
    from phoenix.model_runners import ModelConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """The champion from which a training goes on."""

    release: Artifact
    actions: tuple[str, ...]  # those of its model, as the configuration calls them


@dataclass(frozen=True)
class Plan:
    """The days and the start of a training run, or the reason why there is none."""

    role: str  # retrieval or ranker
    days: Sequence[datetime.date]
    start: Start | None = None
    reason: str | None = None  # why nothing is trained
    scratch_reason: str | None = None  # why a training does not go on from a champion

    @property
    def section_name(self) -> str:
        """The section of the configuration, which is the step."""
        return f"train_{self.role}"

    def new_actions(self, config: Config) -> list[str]:
        """Returns the actions of which the model to start from knows nothing."""
        own = () if self.start is None else self.start.actions
        return [name for name in config.action_names if self.start and name not in own]


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
    window_days = trainer_settings.number(section.window_days)
    window = days_before(context.config, context.day, window_days)
    age = (context.day - context.config.first_day).days
    if retrain == "never":
        return Plan(role, (), reason="--retrain never")
    if not window:
        reason = "the first day: there is no day before it to train on"
        return Plan(role, (), reason=reason)
    if retrain == "auto" and age % section.every_days:
        reason = f"trained on every {section.every_days}th day, not on this one"
        return Plan(role, (), reason=reason)
    start = _start(context, role, model_config) if section.warm_start else "`warm_start` is false"
    if isinstance(start, Start):
        newest = datetime.date.fromisoformat(start.release.facts[role]["trained_through"])
        # A gap between the champion and the window would leave days out that nobody misses.
        if newest + datetime.timedelta(days=1) >= window[0]:
            return Plan(role, [day for day in window if day > newest], start)
        start = f"the champion ends on {newest}, and `window_days` begins later"
    logger.info("Training from scratch: %s.", start)
    return Plan(role, window, scratch_reason=start)


def _start(context: Context, role: str, model_config: "ModelConfig") -> Start | str:
    """The release to start from, if its model has the configured shape and hashes; else why not.

    Its description is compared, so the files of a model that does not fit are never read. Its list
    of actions may be another one: the trainer moves what it knows by name.
    """
    ref = releases.champion_as_of(context.store, context.day)
    if ref is None:
        return "no release was published before this day"
    if context.store.manifest(ref)["facts"][role]["folder"] != role:
        return f"the champion, the release of {ref.partition}, is the most popular recommender"
    release = context.store.read(ref)
    description = ModelFolder(release, role).description
    expected = {
        "config": _shape(model_config.to_dict()),
        "hash_spec": shapes.hash_spec(context.config.hashing).to_dict(),
    }
    actual = {"config": _shape(description["config"]), "hash_spec": description.get("hash_spec")}
    names = {"config": f"`train_{role}.model`", "hash_spec": "`hashing`"}
    different = [names[name] for name in expected if actual[name] != expected[name]]
    if different:
        return (
            f"the champion, the release of {ref.partition}, was made with another "
            f"{' and another '.join(different)}"
        )
    names_now = context.config.action_names
    own = action_lists.released_heads(release.facts[role], description["actions"], context.config)
    if not set(own) & set(names_now):
        return f"the champion, the release of {ref.partition}, knows no action of today"
    return Start(release, own)


def _shape(model_config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration of a model without its number of actions, which may change."""
    return {name: value for name, value in model_config.items() if name != "num_actions"}
