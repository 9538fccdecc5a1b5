"""The published weights of actions in a score: the defaults of `actions.weight`."""

from collections.abc import Mapping
from types import MappingProxyType

# The weights published with the home mixer in August 2026, by action; they multiply probabilities.
PUBLISHED_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "favorite": 0.5,
        "reply": 5.0,
        "repost": 1.0,
        "photo_expand": 0.05,
        "click": 0.4,
        "profile_click": 0.0,
        "vqv": 0.05,
        "share": 2.0,
        "share_via_dm": 5.0,
        "share_via_copy_link": 20.0,
        "dwell": 0.0,
        "quote": 5.0,
        "quoted_click": 0.05,
        "follow_author": 4.0,
        "not_interested": -43.2,
        "block_author": -31.2,
        "mute_author": -58.8,
        "report": -234.0,
        "dwell_time": 0.004,
        "video_open": 0.05,
        "open_link": 0.2,
        "not_dwelled": -0.02,
    }
)
