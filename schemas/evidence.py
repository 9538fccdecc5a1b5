"""`evidence`: what users say of models that are not decided yet, as one evaluation hands it on."""

import pyarrow as pa

from schemas.columns import Column, Table, id_column

EVIDENCE = Table(
    "evidence",
    "One row is what one user says of one challenger, added up over days.",
    (
        Column(name="role", type=pa.string(), description="retrieval or ranker."),
        Column(
            name="challenger",
            type=pa.string(),
            description="Key of its training, and of a mixture the share of the model.",
        ),
        id_column("user_id", "Who was measured."),
        Column(
            name="difference",
            type=pa.float64(),
            description="Metric of the challenger less that of the champion, weighted, summed.",
        ),
        Column(name="weight", type=pa.float64(), description="Of the user, summed.", minimum=0),
    ),
)
