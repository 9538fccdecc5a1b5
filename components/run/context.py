"""One run of one step: what it may read, how it writes, and what it ends with."""

import datetime
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from components import contract
from components.errors import BadDataError
from components.run import provenance
from components.settings.config import Config
from components.store.artifacts import Artifact, Draft, Recipe, Ref, Store


@dataclass(frozen=True)
class Outcome:
    """The result of one run: its artifact, and news of other days.

    The news depends on what else the store holds, not on the inputs of the artifact, so it goes
    into the record of the run and never into the artifact.
    """

    artifact: Artifact
    is_unchanged: bool = False  # the artifact was there already, with the same content key
    run_again: Sequence[str] = ()  # days, YYYY-MM-DD, for which rows arrived since they were run
    also_changed: Sequence[datetime.date] = ()  # days whose pages show this run, beside its own


@dataclass(frozen=True)
class Context:
    """One run of one step: it reads artifacts of other steps by day, and writes its own."""

    step: contract.Step
    config: Config
    day: datetime.date
    store: Store

    def head(self, kind: str, day: datetime.date) -> Ref | None:
        """Returns the current artifact of `kind` for a day, or None."""
        return self.store.head(kind, day.isoformat())

    def read(self, kind: str, day: datetime.date, *, suffix: str = "") -> Artifact:
        """Opens the current artifact of `kind` for a day, verified.

        Raises:
          BadDataError: If there is none, or it is damaged.
        """
        return self.store.read(self._head(kind, day, suffix))

    def _head(self, kind: str, day: datetime.date, suffix: str) -> Ref:
        partition = day.isoformat() + suffix
        ref = self.store.head(kind, partition)
        if ref is None:
            raise BadDataError(
                f"{self.step.name} of {self.day} needs {kind} of {partition}, which is missing: "
                f"run `phoenix step {kind} --day {day}` first."
            )
        return ref

    def write(
        self,
        *,
        inputs: Sequence[Ref | Mapping[str, Any]],
        config: Mapping[str, Any],
        seed: int | None = None,
        suffix: str = "",
    ) -> AbstractContextManager[Draft]:
        """Makes this step's artifact of this day; see `Store.write`.

        Args:
          inputs: References of the artifacts read, and name, size and digest of other sources.
          config: The parts of the configuration that shape the content.
          seed: The random seed, where there is one.
          suffix: Added to the day, for shards.
        """
        recipe = Recipe(
            kind=self.step.name,
            partition=self.day.isoformat() + suffix,
            inputs=[asdict(item) if isinstance(item, Ref) else dict(item) for item in inputs],
            config=config,
            code=provenance.code_digest(self.step.module),
            libraries=provenance.library_versions(),
            seed=seed,
        )
        return self.store.write(recipe)

    def written_artifact(self, suffix: str = "") -> Artifact:
        """Opens the artifact that this step has just written for this day.

        Its digests were made of these very files a moment ago: whoever reads them verifies them.
        """
        return self.store.artifact(self._head(self.step.name, self.day, suffix))
