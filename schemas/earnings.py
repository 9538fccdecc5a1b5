"""`earned` and `user_earnings`: what became of the feeds that were live on a day."""

import pyarrow as pa

from schemas.columns import Column, Table, id_column

ALL = "all"  # of sources
NO_FEED = "none"  # release and source of impressions that came from no published feed
UNLISTED = "unlisted"  # source: the log names the feed, which does not list the post for the user
ENGAGEMENT = "engagement"  # measure: the weighted sum of what the user did

# Verdicts on a release beside the one before it.
LESS, MORE = "surely less", "surely more"
UNSURE, FEW = "not sure", "too few users"

_RELEASE = Column(
    name="release",
    type=pa.string(),
    description=f"Digest of the release whose feed showed the post; `{NO_FEED}`: no feed did.",
)
_END = {"type": pa.float64(), "is_nullable": True}

EARNED = Table(
    "earned",
    "One row is one measure of the impressions of a release: of all, by source, or by rank, too.",
    (
        _RELEASE,
        Column(
            name="source",
            type=pa.string(),
            description=f"As the feed says: retrieval, popular, ...; `{ALL}`, `{NO_FEED}`, or "
            f"`{UNLISTED}`: the log names a feed that does not list the post.",
        ),
        Column(
            name="rank",
            type=pa.int32(),
            description="Position in the log, where it says one, or else rank in the feed; null: "
            "all ranks, or not known.",
            is_nullable=True,
        ),
        Column(
            name="measure",
            type=pa.string(),
            description=f"`{ENGAGEMENT}`: sum of the weights of the actions that followed; "
            "`predicted`: what the release foretold of it; `propensity`; or an action by its name.",
        ),
        Column(name="users", type=pa.int64(), description="Who were shown these.", minimum=0),
        Column(
            name="impressions",
            type=pa.float64(),
            description="By their weights, of those of which the measure is known.",
            minimum=0.0,
        ),
        Column(name="mean", description="Per impression.", **_END),
        Column(name="low", description="Lower end of its interval, by user.", **_END),
        Column(name="high", description="Upper end of its interval, by user.", **_END),
    ),
)

USER_EARNINGS = Table(
    "user_earnings",
    "One row is what one user did with the impressions of one release on one day.",
    (
        _RELEASE,
        id_column("user_id", "Who was shown them."),
        Column(
            name="engagement",
            type=pa.float64(),
            description="Sum of the weights of the actions that followed.",
        ),
        Column(name="impressions", type=pa.float64(), description="By their weights.", minimum=0.0),
    ),
)
