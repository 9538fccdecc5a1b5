"""The facts of a day, from run records and verified manifests, by step.

A day may be in progress or broken: whatever is missing is empty, and what is damaged is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import contract
from components.errors import BadDataError
from components.settings.config import Config
from components.store import records
from components.store.artifacts import Ref, Store


@dataclass(frozen=True, kw_only=True)
class DayFacts:
    """The facts of one day."""

    store: Store
    config: Config
    day: str
    records: Mapping[str, Sequence[Mapping[str, Any]]]  # by step; several if it is sharded
    refs: Mapping[str, Ref]  # by step, or step and shard
    manifests: Mapping[str, Mapping[str, Any]]  # by the same names
    damaged: Mapping[str, str]  # by the same names: what is wrong

    @classmethod
    def read(cls, store: Store, config: Config, day: str) -> "DayFacts":
        """Collects the facts of `day`, YYYY-MM-DD."""
        by_step: dict[str, list[Mapping[str, Any]]] = {}
        for record in records.read(store, day):
            by_step.setdefault(record["step"], []).append(record)
        refs: dict[str, Ref] = {}
        manifests: dict[str, Mapping[str, Any]] = {}
        damaged: dict[str, str] = {}
        for name, ref in _heads(store, day).items():
            try:
                manifests[name] = store.manifest(ref)
                refs[name] = ref
            except BadDataError as error:
                damaged[name] = str(error)
        return cls(
            store=store,
            config=config,
            day=day,
            records=by_step,
            refs=refs,
            manifests=manifests,
            damaged=damaged,
        )

    def facts(self, step: str) -> Mapping[str, Any]:
        """Returns what a step recorded in its artifact; nothing if there is none."""
        return self.manifests[step]["facts"] if step in self.manifests else {}

    def file(self, step: str, name: str) -> Path:
        """Returns a file of the artifact of a step, verified.

        Raises:
          BadDataError: If the file is missing or damaged.
          KeyError: If the step has no artifact of this day.
        """
        return self.store.read_file(self.refs[step], name)


def _heads(store: Store, day: str) -> dict[str, Ref]:
    """Returns the current artifacts of a day, shards included, by step and suffix of the shard."""
    refs = {}
    for step in contract.STEPS.values():
        partitions = [day]
        if step.is_sharded:
            names = store.storage.names(f"pointers/heads/{step.name}")
            partitions = [name for name in names if name.startswith(day)]
        for partition in partitions:
            ref = store.head(step.name, partition)
            if ref is not None:
                refs[step.name + partition.removeprefix(day)] = ref
    return refs
