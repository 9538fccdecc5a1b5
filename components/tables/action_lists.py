"""The lists of actions that artifacts carry: names in the order of the bits, and their meanings.

Whoever reads an artifact reads its bits by name, since the configured list may be another by now. A
name that stands for something else than it did is refused: its bits cannot be compared.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import contract
from components.errors import BadDataError
from components.settings.actions import Action
from components.settings.config import Config
from phoenix.data.actions import BitMap, heads_of

UNKNOWN = "unknown_actions"  # a fact: of the day in validate_events, by day in build_features
_NUM_LISTED_DAYS = 10  # in a message


@dataclass(frozen=True)
class RecordedAction:
    """An action as an artifact knows it."""

    name: str | None  # None: an artifact of the first format names the columns alone
    meaning: Mapping[str, Any] | None  # None: an artifact of the first format does not say it

    def is_same(self, action: Action) -> bool:
        """Whether a configured action means what this one did, as far as that is known."""
        if self.meaning is None:
            return True
        now = _meaning(action)
        columns = (now["column"], *action.formerly)
        return self.meaning["column"] in columns and all(
            self.meaning[part] == now[part] for part in ("values", "at_least", "at_most")
        )


@dataclass(frozen=True)
class ActionList:
    """The actions of an artifact, in the order of their bits."""

    actions: tuple[RecordedAction, ...]

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> "ActionList":
        """Reads the list of an artifact of any format.

        Args:
          manifest: Of ingest_events, validate_events, build_features or a training.
        """
        facts = manifest["facts"].get("actions")
        if facts is not None:
            return cls.from_json(facts)
        # The first format has no such fact, but the recipe names actions, or their columns.
        recorded = manifest["recipe"]["config"].get("actions", ())
        return cls(tuple(_of_first_format(each) for each in recorded))

    @classmethod
    def from_json(cls, content: Iterable[Mapping[str, Any]]) -> "ActionList":
        """Reads what `to_json` returned."""
        return cls(
            tuple(
                RecordedAction(
                    each["name"], {name: each[name] for name in each if name != "name"} or None
                )
                for each in content
            )
        )

    def names_in(self, config: Config) -> tuple[str, ...]:
        """Returns the names of the actions, as the configuration calls them, by their bits.

        What the configuration does not know keeps its name.
        """
        return tuple(
            _name_in(config, each) or f"bit {bit}" for bit, each in enumerate(self.actions)
        )

    def renamed(self, names: Iterable[str], config: Config) -> list[str]:
        """Returns names of this artifact as the configuration calls them."""
        then = {each.name: each for each in self.actions if each.name is not None}
        return [(_name_in(config, then[name]) if name in then else None) or name for name in names]

    def changed(self, config: Config) -> list[str]:
        """Returns the configured actions that mean something else here, in their order."""
        recorded = dict(zip(self.names_in(config), self.actions, strict=True))
        return [
            action.name
            for action in config.actions
            if action.name in recorded and not recorded[action.name].is_same(action)
        ]

    def known(self, config: Config, unknown: Iterable[str] = ()) -> frozenset[str]:
        """Returns the configured actions that statistics by name can be compared of.

        Args:
          config: The actions.
          unknown: Names that the artifact itself says it does not know.
        """
        names = {each.name for each in self.actions}
        return frozenset(
            action.name
            for action in config.actions
            if action.name in names and action.name not in {*unknown, *self.changed(config)}
        )

    def bit_map(self, config: Config) -> BitMap:
        """Returns the way from these bits to those of the configuration."""
        return BitMap(self.names_in(config), config.action_names)

    def unknown_in(self, config: Config) -> list[str]:
        """Returns the configured actions that are not in this list, in their order."""
        names = self.names_in(config)
        return [name for name in config.action_names if name not in names]


def to_json(config: Config) -> list[dict[str, Any]]:
    """Returns the configured list as artifacts carry it: names and meanings, by their bits."""
    return [{"name": action.name, **_meaning(action)} for action in config.actions]


def without_columns(config: Config, columns: Collection[str]) -> Config:
    """Returns a configuration without the actions of some columns, of which a day does not know."""
    actions = [each for each in config.actions if (each.column or each.name) not in columns]
    return config.model_copy(update={"actions": tuple(actions)})


def known_actions(manifest: Mapping[str, Any], config: Config) -> frozenset[str]:
    """Returns the configured actions that the statistics of an artifact know by name.

    Args:
      manifest: Of validate_events, or of build_features, on all of whose days they must be known.
      config: The actions.
    """
    facts = manifest["facts"].get(UNKNOWN, ())
    unknown = (
        {name for names in facts.values() for name in names}
        if isinstance(facts, Mapping)
        else set(facts)
    )
    return ActionList.of_manifest(manifest).known(config, unknown)


def released_heads(
    role: Mapping[str, Any], names: Iterable[str], config: Config
) -> tuple[str, ...]:
    """Returns the actions of a released model, as the configuration calls them, by their bits.

    One that meant something else when the model learned it has a name that is nobody's.

    Args:
      role: What the release says of the model.
      names: The model's own, for a release of the first format, which does not say meanings.
      config: The actions.
    """
    recorded = role.get("actions") or [{"name": name} for name in names]
    actions = ActionList.from_json(recorded)
    return heads_of(actions.names_in(config), actions.changed(config))


def recipe(config: Config) -> dict[str, Any]:
    """Returns what shapes the reading of bits: the list, and the earlier names of actions."""
    formerly = {action.name: list(action.formerly) for action in config.actions if action.formerly}
    return {"actions": to_json(config), **({"formerly": formerly} if formerly else {})}


def refuse_changes(lists: Mapping[str, ActionList], config: Config, *, reader: str) -> None:
    """Refuses days on which a configured action meant something else.

    Args:
      lists: Of the artifacts that are read, by their day.
      config: The actions.
      reader: What reads them, for the message.

    Raises:
      BadDataError: Naming the actions, the days, and what to do.
    """
    days_by_action: dict[str, list[str]] = {}
    for day, each in sorted(lists.items()):
        for name in each.changed(config):
            days_by_action.setdefault(name, []).append(day)
    if not days_by_action:
        return
    sentences = [
        _sentence(name, days, lists[days[0]], config) for name, days in days_by_action.items()
    ]
    days = sorted({day for days in days_by_action.values() for day in days})
    step = f"phoenix step {contract.INGEST_EVENTS.name}"
    commands = ", ".join(f"`{step} --day {day}`" for day in days[:_NUM_LISTED_DAYS])
    commands += " and so on" if len(days) > _NUM_LISTED_DAYS else ""
    raise BadDataError(
        # All are ingested first: a day may hold rows that belong to an earlier one.
        f"{reader}: {'; '.join(sentences)}. Run these days again: {commands}, then `phoenix data "
        f"--days {days[0]}..{days[-1]}`. Or give the action of today another name: of what they "
        "did not record, old days know nothing. If only the name of its column is new, list the "
        "old one under `formerly`."
    )


def _sentence(name: str, days: Sequence[str], recorded: ActionList, config: Config) -> str:
    """Returns what an action meant on some days, and what it means now."""
    then = dict(zip(recorded.names_in(config), recorded.actions, strict=True))[name].meaning or {}
    now = next(_meaning(action) for action in config.actions if action.name == name)
    return (
        f"the action {name!r} had another meaning on {_listed(days)} ({_in_words(then)}; now "
        f"{_in_words(now)})"
    )


def _meaning(action: Action) -> dict[str, Any]:
    return {
        "column": action.column or action.name,
        "values": sorted(set(action.values)),
        "at_least": action.at_least,
        "at_most": action.at_most,
    }


def _of_first_format(recorded: str | Mapping[str, Any] | Sequence[Any]) -> RecordedAction:
    """Returns an action as recipes of the first format have it: a name, a rule, or a row."""
    if isinstance(recorded, str):
        return RecordedAction(recorded, None)
    if isinstance(recorded, Mapping):
        return RecordedAction(None, {**recorded, "values": sorted(set(recorded["values"]))})
    return RecordedAction(recorded[0], None)  # of a training: the name, then its part in the loss


def _name_in(config: Config, recorded: RecordedAction) -> str | None:
    if recorded.name is None:  # by what it means, which is all that is known of it
        same = (action.name for action in config.actions if recorded.is_same(action))
        return next(same, None)
    if recorded.name in config.action_names:
        return recorded.name
    renamed = (each.name for each in config.actions if recorded.name in each.formerly)
    return next(renamed, recorded.name)


def _in_words(meaning: Mapping[str, Any]) -> str:
    """Returns a meaning in a few words.

    >>> _in_words({"column": "rating", "values": [], "at_least": 4.0, "at_most": None})
    "column 'rating', at_least 4"
    """
    words = [f"column {meaning['column']!r}"]
    words += [f"values {meaning['values']}"] if meaning["values"] else []
    limits = ("at_least", "at_most")
    words += [f"{name} {meaning[name]:g}" for name in limits if meaning[name] is not None]
    return ", ".join(words)


def _listed(days: Sequence[str]) -> str:
    more = len(days) - _NUM_LISTED_DAYS
    return ", ".join(days[:_NUM_LISTED_DAYS]) + (f" and {more} more days" if more > 0 else "")
