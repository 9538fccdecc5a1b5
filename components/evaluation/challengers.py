"""Challengers: recipes that are neither promoted nor dropped yet.

A challenger is a recipe, and its newest model stands for it: where a model is trained every day,
the evidence of all of them adds up; where none is trained, the last one is scored again. They are
handed from evaluation to evaluation along the releases: today's challengers are those that the
evaluation behind the champion's release left. So a withdrawn release takes its evidence along, a
day without one is skipped, and a day that is run again finds what it found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import contract
from components.erasure import forgotten
from components.release.shares import share_of
from components.settings.config import Config
from components.store.artifacts import Artifact, Ref
from components.tables import data_files
from phoenix.metrics.evidence import Evidence
from schemas.evidence import EVIDENCE

EVIDENCE_FILE = "evidence.parquet"


@dataclass(frozen=True)
class Challenger:
    """A recipe, its newest model, and the evidence that it is better than the champion."""

    ref: Ref  # of the training of its newest model
    recipe: str  # digest, as `decisions.recipe_digest`
    opponent: str  # recipe of the champion that it was compared with
    evidence: Evidence
    share: float = 1.0  # of the model; below 1 in a mixture with most popular

    @property
    def name(self) -> str:
        """The name under which it takes part in an evaluation, e.g. `challenger_2026-01-03`."""
        kind = "challenger" if self.share == 1 else "mixture"
        return f"{kind}_{self.ref.partition}"

    @property
    def key(self) -> str:
        """What the file of the evidence calls it."""
        return self.ref.key if self.share == 1 else f"{self.ref.key}*{self.share}"

    def to_json(self) -> dict[str, Any]:
        """Returns all but the arrays, which are in the file of the evidence."""
        return {
            "ref": asdict(self.ref),
            "recipe": self.recipe,
            "opponent": self.opponent,
            "model_share": self.share,
            "num_days": self.evidence.num_days,
        }


def evaluation_of(release: Artifact) -> Ref:
    """Returns the evaluation that decided on a release."""
    kind = contract.EVALUATE_MODELS.name
    inputs = release.manifest["recipe"]["inputs"]
    return next(Ref(**each) for each in inputs if each.get("kind") == kind)


def read(evaluation: Artifact, role: str, config: Config) -> list[Challenger]:
    """Reads the challengers that an evaluation left for a role, without forgotten users."""
    handed_on = evaluation.facts[role].get("challengers", ())  # earlier formats have none
    if not handed_on:
        return []
    rows = data_files.read(evaluation.path(EVIDENCE_FILE), EVIDENCE)
    rows = rows.filter(pc.field("role") == role)
    is_kept = ~np.isin(rows["user_id"].to_numpy(), forgotten.erased_ids(config))
    rows = rows.filter(pa.array(is_kept))
    return [_challenger(each, rows) for each in handed_on]


def _challenger(value: Mapping[str, Any], rows: pa.Table) -> Challenger:
    ref, share = Ref(**value["ref"]), share_of(value)
    challenger = Challenger(ref, value["recipe"], value["opponent"], Evidence.none(), share)
    own = rows.filter(pc.field("challenger") == challenger.key)
    columns = (own[name].to_numpy() for name in ("user_id", "difference", "weight"))
    return replace(challenger, evidence=Evidence(*columns, num_days=value["num_days"]))


def write(folder: Path, by_role: Mapping[str, Sequence[Challenger]]) -> None:
    """Writes the evidence of the challengers of all roles, if there are any."""
    parts = [
        data_files.arrow_table(
            EVIDENCE,
            {
                "role": np.full(len(each.evidence.user_ids), role, object),
                "challenger": np.full(len(each.evidence.user_ids), each.key, object),
                "user_id": each.evidence.user_ids,
                "difference": each.evidence.sums,
                "weight": each.evidence.weights,
            },
        )
        for role, challengers in by_role.items()
        for each in challengers
    ]
    if parts:
        data_files.write(folder / EVIDENCE_FILE, pa.concat_tables(parts))
