"""The text of a proposed configuration."""

import datetime

import yaml

from components.profiling import configuration_text
from components.profiling.proposals import Proposal, ProposedAction


def test_the_text_says_what_was_proposed_and_why() -> None:
    source = {
        "layout": "columns",
        "events": "/logs: all/{day}/*.csv",
        "event_names": ["1", "on", "user id"],
        "event_columns": {f"column_{n}": f"a long name of a column {n}" for n in range(6)},
        "delimiter": "\t",
        "surfaces": {"home": 0, "no": 1, "2": 2, "*": 3},
    }
    proposal = Proposal(
        title="A log.",
        source=source,
        actions=[ProposedAction(name="buy", column="event", values=("yes", "1"), weight=-2.0)],
        first_day=datetime.date(2026, 3, 1),
        reasons={"delimiter": "there is a tab"},
        notes=("Look at this.",),
    )
    text = configuration_text.text(proposal, store="s3://bucket/store")
    assert yaml.safe_load(text) == {
        "store": "s3://bucket/store",
        "first_day": datetime.date(2026, 3, 1),
        "ingest_events": {"source": source},
        "actions": [{"name": "buy", "column": "event", "values": ["yes", "1"], "weight": -2.0}],
    }
    assert "    # there is a tab\n    delimiter: " in text
    assert "# Note: Look at this.\n" in text
