from dataclasses import fields

from phoenix.metrics.evidence import Evidence
from schemas.evidence import EVIDENCE


def test_evidence_has_a_column_for_each_array_of_it() -> None:
    assert EVIDENCE.names == ["role", "challenger", "user_id", "difference", "weight"]
    # `num_days` is one number for all rows, so it stands in the decision.
    assert len(EVIDENCE.names) - 2 == len(fields(Evidence)) - 1
