"""Names that logs give to their columns and to what users do: the vocabulary of a first guess."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Canonical column -> names of source columns, the likeliest first, without case and punctuation.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "visitorid", "customerid", "memberid", "accountid", "profileid"),
        *("uid", "actorid", "viewerid", "clientid", "personid", "readerid", "playerid", "buyerid"),
        *("deviceid", "cookieid", "sessionid"),
    ),
    "post_id": (
        *("postid", "itemid", "item", "productid", "product", "videoid", "movieid", "articleid"),
        *("newsid", "contentid", "docid", "documentid", "trackid", "songid", "bookid", "adid"),
        *("offerid", "listingid", "assetid", "repoid", "businessid", "recipeid", "jobid", "sku"),
        *("asin", "parentasin", "gameid", "noteid", "photoid", "creativeid", "targetid", "post"),
    ),
    "author_id": (
        *("authorid", "creatorid", "sellerid", "itemseller", "publisherid", "channelid"),
        *("artistid", "ownerid", "merchantid", "shopid", "storeid", "uploaderid", "brandid"),
        *("author", "creator", "seller", "publisher", "channel", "artist", "brand"),
        *("categoryid", "category"),
    ),
    "shown_at": (
        *("shownat", "timestamp", "eventtime", "time", "timems", "ts", "at", "datetime"),
        *("eventtimestamp", "occurredat", "impressiontime", "servertime", "requesttime"),
        *("createdat", "created", "date", "eventdate", "unixtime", "unixreviewtime", "reviewtime"),
    ),
    "ingested_at": ("ingestedat", "receivedat", "received", "loadedat", "arrivedat", "arrival"),
    "surface": ("surface", "page", "tab", "placement", "screen", "pagetype", "scene"),
    "dwell_seconds": (
        *("dwellseconds", "dwelltime", "dwell", "playtimems", "playtime", "watchtime", "seconds"),
        *("watchtimems", "readtime", "timespent", "dwellms", "watchseconds", "playduration"),
    ),
    "position": ("position", "rank", "pos", "slot", "rankposition", "itemposition"),
    "propensity": ("propensity", "propensityscore", "pscore"),
    "request_id": ("requestid", "impressionid", "slateid", "queryid", "searchid", "listid"),
    "feed": ("feed", "feedid", "releaseid"),
    "source_event_id": ("eventid", "eventuuid", "messageid", "insertid"),
    "weight": ("weight", "sampleweight"),
    "sampling_rate": ("samplingrate", "samplerate"),
}
POST_COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "post_id": (*COLUMN_NAMES["post_id"], "id"),
    "author_id": COLUMN_NAMES["author_id"],
    "created_at": ("createdat", "created", "uploaddt", "uploaddate", "publishedat", "published"),
    "duration_seconds": ("durationseconds", "duration", "length", "videoduration", "runtime"),
    "tag": ("tag", "tags", "category", "genre", "genres", "topic", "subcategory"),
    "title": ("title", "name", "headline", "producttitle"),
}
EVENT_TYPE_NAMES = (
    *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviortype"),
    *("behaviour", "interaction", "interactiontype", "type", "activity", "feedback"),
)
RATING_NAMES = ("rating", "score", "stars", "overall", "grade", "ratingscore")


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The meaning of a word for what a user does."""

    name: str  # of the action
    published_as: str | None = None  # the action whose published weight it takes
    weight: float | None = None  # its own, where no published action is near
    is_positive: bool = False


# The word alone says that the post was seen: an impression without an action.
SEEN = frozenset(
    (
        *("view", "views", "viewed", "impression", "impressions", "show", "shown", "seen", "pv"),
        *("exposure", "expose", "display", "served", "detailpageview", "pageview", "productview"),
        *("viewitem", "none", "noaction", "skip", "ignore"),
    )
)
_FAVORITE = Meaning(name="favorite", is_positive=True)
_CART = Meaning(name="cart", weight=1.0, is_positive=True)
_PURCHASE = Meaning(name="purchase", weight=5.0, is_positive=True)
_FOLLOW = Meaning(name="follow_author", is_positive=True)
_DISLIKE = Meaning(name="dislike", weight=-1.0)
_MEANINGS: Mapping[str, Meaning] = {
    **dict.fromkeys(("click", "clicked", "clk", "open", "tap"), Meaning(name="click")),
    **dict.fromkeys(("like", "liked", "favorite", "favourite", "fav", "heart", "love"), _FAVORITE),
    **dict.fromkeys(("upvote", "star", "watchevent", "collect", "save", "saved"), _FAVORITE),
    **dict.fromkeys(("bookmark", "wishlist", "addtowishlist", "thumbsup", "digg"), _FAVORITE),
    **dict.fromkeys(("cart", "addtocart", "basket", "addtobasket"), _CART),
    **dict.fromkeys(("buy", "bought", "purchase", "purchased", "transaction"), _PURCHASE),
    **dict.fromkeys(("order", "ordered", "checkout", "conversion", "paid", "pay"), _PURCHASE),
    **dict.fromkeys(
        ("share", "shared", "forward", "send"), Meaning(name="share", is_positive=True)
    ),
    **dict.fromkeys(
        ("repost", "retweet", "reblog", "forkevent", "fork"),
        Meaning(name="repost", is_positive=True),
    ),
    **dict.fromkeys(
        ("comment", "commented", "reply", "replied"), Meaning(name="reply", is_positive=True)
    ),
    **dict.fromkeys(("follow", "followed", "subscribe", "followauthor"), _FOLLOW),
    **dict.fromkeys(
        ("longview", "finish", "finished", "complete", "completed", "watched", "play", "played"),
        Meaning(name="long_view", published_as="vqv", is_positive=True),
    ),
    **dict.fromkeys(("profileenter", "profileclick"), Meaning(name="profile_click")),
    **dict.fromkeys(("hate", "hide", "notinterested"), Meaning(name="not_interested")),
    **dict.fromkeys(("removefromcart", "dislike", "downvote", "thumbsdown"), _DISLIKE),
    **dict.fromkeys(("unlike", "unfollow", "unsubscribe", "uncollect"), _DISLIKE),
    **dict.fromkeys(("report", "reported", "spam"), Meaning(name="report")),
    **dict.fromkeys(("block", "blocked", "blockauthor"), Meaning(name="block_author")),
}


def plain(name: str) -> str:
    """Returns a name without case, blanks and punctuation.

    >>> plain("Event_Time"), plain("user.id")
    ('eventtime', 'userid')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def column_for(canonical: tuple[str, ...], names: list[str]) -> str | None:
    """Returns the column whose name is the likeliest of some, or None.

    Args:
      canonical: Plain names, the likeliest first.
      names: The columns of a source; of JSON, `a.b` may be known as `a.b` or as `b`.

    >>> column_for(COLUMN_NAMES["post_id"], ["visitorid", "itemid"])
    'itemid'
    """
    for word in canonical:
        for name in names:
            if plain(name) == word:
                return name
    for word in canonical:
        for name in names:
            if "." in name and plain(name.rpartition(".")[2]) == word:
                return name
    return None


def meaning_of(word: str) -> Meaning:
    """Returns the meaning of a value or of the name of a flag; of a strange word, a name alone.

    >>> meaning_of("is_like").name, meaning_of("addtocart").name, meaning_of("Pin it!").name
    ('favorite', 'cart', 'pin_it')
    >>> meaning_of("num_likes").name, meaning_of("clicks").name
    ('favorite', 'click')
    """
    bare = _bare(re.sub(r"_(count|cnt)$", "", word.lower()))
    known = _MEANINGS.get(_singular(plain(bare))) or _MEANINGS.get(plain(word))
    if known is not None:
        return known
    name = re.sub(r"[^a-z0-9]+", "_", bare).strip("_")
    return Meaning(name=name if name[:1].isalpha() else f"action_{name}".rstrip("_"), weight=1.0)


def is_action_word(word: str) -> bool:
    """Whether a word is known to say that a user did something, or saw something."""
    bare = plain(_bare(word))
    return _singular(bare) in _MEANINGS or bare in SEEN


def _bare(word: str) -> str:
    return re.sub(r"^(is|has|did|label|was|num|n)_|_(flag|label)$", "", word.lower())


def _singular(word: str) -> str:
    """Returns the word of which one is the plural, if that is known, else the word."""
    return word[:-1] if word.endswith("s") and word[:-1] in _MEANINGS else word
