"""Names that logs give to their columns and to what users do: the vocabulary of a first guess."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from components.settings.source import NULL_WORDS
from components.tables import cells

# Canonical column -> names of source columns, the likeliest first, without case and punctuation.
# A bare word is here only if it names one person or thing: `client` and `device` may be kinds.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("userid", "user", "visitorid", "customerid", "memberid", "accountid", "profileid"),
        *("uid", "actorid", "viewerid", "clientid", "personid", "readerid", "playerid", "buyerid"),
        *("subscriberid", "listenerid", "shopperid", "consumerid", "guestid", "reviewerid"),
        *("useruuid", "userhash", "userkey", "userpseudoid", "anonymousid", "distinctid"),
        *("fullvisitorid", "member", "customer", "visitor", "viewer", "reader", "subscriber"),
        *("listener", "shopper", "buyer", "consumer", "guest", "reviewer", "account", "username"),
        *("deviceid", "cookieid", "sessionid"),
    ),
    "post_id": (
        *("postid", "itemid", "item", "productid", "product", "videoid", "movieid", "articleid"),
        *("newsid", "contentid", "docid", "documentid", "trackid", "songid", "bookid", "adid"),
        *("offerid", "listingid", "assetid", "repoid", "businessid", "recipeid", "jobid", "sku"),
        *("asin", "parentasin", "gameid", "noteid", "photoid", "creativeid", "targetid", "post"),
        *("storyid", "clipid", "filmid", "episodeid", "podcastid", "showid", "mediaid", "imageid"),
        *("pinid", "tweetid", "statusid", "threadid", "questionid", "courseid", "appid", "skuid"),
        *("goodsid", "hotelid", "propertyid", "restaurantid", "venueid", "poiid", "programid"),
        *("entityid", "objectid", "materialid", "publicationid", "pageid", "streamid", "audioid"),
        *("itemkey", "productkey", "productcode", "itemcode", "article", "story", "video", "clip"),
        *("track", "song", "movie", "film", "episode", "podcast", "book", "listing", "recipe"),
        *("tweet", "course", "game", "slug", "permalink", "url"),
    ),
    "author_id": (
        *("authorid", "creatorid", "sellerid", "itemseller", "publisherid", "channelid"),
        *("artistid", "ownerid", "merchantid", "shopid", "storeid", "uploaderid", "brandid"),
        *("writerid", "vendorid", "supplierid", "contributorid", "journalistid", "developerid"),
        *("companyid", "studioid", "author", "creator", "seller", "publisher", "channel"),
        *("artist", "brand", "writer", "merchant", "vendor", "uploader", "supplier", "shop"),
        *("contributor", "journalist", "developer", "studio", "byline", "authorname"),
        *(
            "itembrand",
            "creatorname",
            "artistname",
            "sellername",
            "brandname",
            "channelname",
            "publishername",
        ),
        *("categoryid", "category"),
    ),
    "shown_at": (
        *("shownat", "seenat", "viewedat", "displayedat", "servedat", "exposedat", "impressedat"),
        *("impressionat", "impressiontime", "impressiontimestamp", "impressionts", "showntime"),
        *("timestamp", "eventtime", "time", "timems", "ts", "at", "datetime", "eventtimestamp"),
        *("eventts", "eventat", "eventdatetime", "occurredat", "happenedat", "servertime"),
        *("servertimestamp", "requesttime", "loggedat", "logtime", "recordedat", "timestampms"),
        *("tsms", "epoch", "epochms", "unixtimestamp", "createdat", "created", "date", "eventdate"),
        *("unixtime", "unixreviewtime", "reviewtime", "clienttime", "clienttimestamp", "utctime"),
        *("watchedat", "playedat", "listenedat", "readat", "visitedat", "visittime", "startedat"),
        *("starttime", "clickedat", "clicktime", "purchasedat", "orderedat", "orderdate"),
    ),
    "ingested_at": ("ingestedat", "receivedat", "received", "loadedat", "arrivedat", "arrival"),
    "surface": (
        *("surface", "page", "tab", "placement", "screen", "pagetype", "scene", "surfacename"),
        *("screenname", "pagename", "placementname", "widget", "module"),
    ),
    "dwell_seconds": (
        *("dwellseconds", "dwelltime", "dwell", "playtimems", "playtime", "watchtime", "seconds"),
        *("watchtimems", "readtime", "timespent", "dwellms", "watchseconds", "playduration"),
        *("dwelltimems", "dwelltimeseconds", "timeonpage", "watchedseconds", "secondswatched"),
        *("viewduration", "watchduration", "listenduration", "engagementtimemsec"),
    ),
    "position": (
        *("position", "rank", "pos", "slot", "rankposition", "itemposition", "displayposition"),
        *("shownposition", "listposition", "itemrank"),
    ),
    "propensity": ("propensity", "propensityscore", "pscore"),
    "request_id": (
        *("requestid", "impressionid", "slateid", "queryid", "searchid", "listid", "pageviewid"),
        *("recommendationid", "recid", "servingid"),
    ),
    "feed": ("feed", "feedid", "releaseid"),
    "source_event_id": ("eventid", "eventuuid", "messageid", "insertid"),
    "weight": ("weight", "sampleweight"),
    "sampling_rate": ("samplingrate", "samplerate"),
}
POST_COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "post_id": (*COLUMN_NAMES["post_id"], "id"),
    "author_id": COLUMN_NAMES["author_id"],
    "created_at": (
        *("createdat", "created", "uploaddt", "uploaddate", "uploadedat", "publishedat"),
        *("published", "publishdate", "publisheddate", "publicationdate", "releasedat"),
        *("releasedate", "postedat", "writtenat", "createdate", "creationdate"),
    ),
    "duration_seconds": ("durationseconds", "duration", "length", "videoduration", "runtime"),
    "tag": ("tag", "tags", "category", "genre", "genres", "topic", "subcategory"),
    "title": ("title", "name", "headline", "producttitle"),
}
EVENT_TYPE_NAMES = (
    *("event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviortype"),
    *("behaviour", "behaviourtype", "interaction", "interactiontype", "type", "activity"),
    *("activitytype", "feedback", "engagement", "engagementtype", "actionname", "verb"),
)
RATING_NAMES = ("rating", "score", "stars", "overall", "grade", "ratingscore")


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The meaning of a word for what a user does."""

    name: str  # of the action
    published_as: str | None = None  # the action whose published weight it takes
    weight: float | None = None  # its own, where no published action is near
    is_positive: bool = False


# Yes and no as other languages write them; flags of English words are read without a word.
_FOREIGN_YES = frozenset(("ja", "oui", "si", "sí", "sim", "tak", "da", "да", "是", "はい"))
_FOREIGN_NO = frozenset(("nein", "non", "nee", "nej", "não", "nao", "nie", "нет", "否", "いいえ"))
# The word alone says that the post was seen: an impression without an action.
SEEN = frozenset(
    (
        *("view", "views", "viewed", "impression", "impressions", "show", "shown", "seen", "pv"),
        *("exposure", "expose", "display", "served", "detailpageview", "pageview", "productview"),
        *("viewitem", "viewitemlist", "productviewed", "productlistviewed", "articleviewed"),
        *("itemviewed", "contentviewed", "viewcontent", "viewproduct", "screenview"),
        *("none", "noaction", "skip", "ignore"),
    )
)
_FAVORITE = Meaning(name="favorite", is_positive=True)
_CART = Meaning(name="cart", weight=1.0, is_positive=True)
_PURCHASE = Meaning(name="purchase", weight=5.0, is_positive=True)
_FOLLOW = Meaning(name="follow_author", is_positive=True)
_DISLIKE = Meaning(name="dislike", weight=-1.0)
_CLICK = Meaning(name="click")
_WATCHED = Meaning(name="long_view", published_as="vqv", is_positive=True)
_SHARE = Meaning(name="share", is_positive=True)
_REPOST = Meaning(name="repost", is_positive=True)
_REPLY = Meaning(name="reply", is_positive=True)
_MEANINGS: Mapping[str, Meaning] = {
    **dict.fromkeys(("click", "clicked", "clk", "open", "opened", "tap", "tapped"), _CLICK),
    **dict.fromkeys(("selectitem", "productclicked", "articleclicked", "itemclicked"), _CLICK),
    **dict.fromkeys(("like", "liked", "favorite", "favourite", "fav", "heart", "love"), _FAVORITE),
    **dict.fromkeys(("favorited", "favourited", "hearted", "loved", "faved"), _FAVORITE),
    **dict.fromkeys(("upvote", "star", "watchevent", "collect", "save", "saved"), _FAVORITE),
    **dict.fromkeys(("upvoted", "starred", "collected", "bookmarked", "thumbup"), _FAVORITE),
    **dict.fromkeys(("bookmark", "wishlist", "addtowishlist", "thumbsup", "digg"), _FAVORITE),
    **dict.fromkeys(("cart", "addtocart", "basket", "addtobasket", "addcart", "atc"), _CART),
    **dict.fromkeys(("addedtocart", "addtobag", "addedtobasket", "productadded"), _CART),
    **dict.fromkeys(("buy", "bought", "purchase", "purchased", "transaction"), _PURCHASE),
    **dict.fromkeys(("order", "ordered", "checkout", "conversion", "paid", "pay"), _PURCHASE),
    **dict.fromkeys(
        ("converted", "booking", "booked", "ordercompleted", "checkoutcompleted"), _PURCHASE
    ),
    **dict.fromkeys(
        ("download", "downloaded", "install", "installed"),
        Meaning(name="download", weight=1.0, is_positive=True),
    ),
    **dict.fromkeys(("share", "shared", "forward", "forwarded", "send", "sent"), _SHARE),
    **dict.fromkeys(("repost", "retweet", "reblog", "forkevent", "fork", "reshare"), _REPOST),
    **dict.fromkeys(("reposted", "retweeted", "reblogged", "reshared"), _REPOST),
    **dict.fromkeys(("comment", "commented", "reply", "replied"), _REPLY),
    **dict.fromkeys(("follow", "followed", "subscribe", "subscribed", "followauthor"), _FOLLOW),
    **dict.fromkeys(
        ("longview", "finish", "finished", "complete", "completed", "watched", "play", "played"),
        _WATCHED,
    ),
    **dict.fromkeys(("watch", "listen", "listened", "streamed"), _WATCHED),
    **dict.fromkeys(("profileenter", "profileclick"), Meaning(name="profile_click")),
    **dict.fromkeys(
        ("hate", "hated", "hide", "hidden", "notinterested", "dismiss", "dismissed"),
        Meaning(name="not_interested"),
    ),
    **dict.fromkeys(("removefromcart", "productremoved", "dislike", "downvote"), _DISLIKE),
    **dict.fromkeys(("disliked", "downvoted", "thumbdown", "thumbsdown"), _DISLIKE),
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
            if word in (plain(name), re.sub(r"(uuid|guid|hash|key)$", "id", plain(name))):
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
    bare = _bare(re.sub(r"_(count|cnt)$", "", word))
    known = _MEANINGS.get(_singular(plain(bare))) or _MEANINGS.get(plain(word))
    if known is not None:
        return known
    name = re.sub(r"[^a-z0-9]+", "_", bare).strip("_")
    return Meaning(name=name if name[:1].isalpha() else f"action_{name}".rstrip("_"), weight=1.0)


def foreign_yes(words_of_column: Iterable[str]) -> tuple[str, ...]:
    """Returns the words for yes where all are yes or no of another language; none elsewhere.

    >>> foreign_yes(["ja", "Nein"]), foreign_yes(["yes", "no"]), foreign_yes(["ja", "buy"])
    (('ja',), (), ())
    """
    texts = list(words_of_column)
    yes = tuple(text for text in texts if text.lower() in _FOREIGN_YES)
    return yes if all(t in yes or t.lower() in _FOREIGN_NO for t in texts) else ()


def says_no(word: str) -> bool:
    """Whether a word says that nothing was done: that a post was seen, no, or nothing.

    >>> says_no("Page View"), says_no("No"), says_no("0"), says_no("NULL"), says_no("buy")
    (True, True, True, True, False)
    """
    is_yes, is_flag = cells.parse_flag(pa.array([word]))
    is_no = bool(is_flag[0] and not is_yes[0])
    text = word.strip()
    return is_no or plain(word) in SEEN or text in ("", *NULL_WORDS) or text.lower() in _FOREIGN_NO


def is_action_word(word: str) -> bool:
    """Whether a word is known to say that a user did something, or saw something."""
    bare = plain(_bare(word))
    return _singular(bare) in _MEANINGS or bare in SEEN


def _bare(word: str) -> str:
    """Returns a word without what only says that it is a flag or a count.

    >>> _bare("is_click"), _bare("wasLiked"), _bare("isclick"), _bare("issue")
    ('click', 'liked', 'click', 'issue')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    bare = re.sub(r"^(is|has|did|label|was|num|n|user)_|_(flag|label|ind|yn)$", "", words)
    rest = bare.removeprefix("is")
    return rest if plain(rest) in _MEANINGS else bare


def _singular(word: str) -> str:
    """Returns the word of which one is the plural, if that is known, else the word."""
    return word[:-1] if word.endswith("s") and word[:-1] in _MEANINGS else word
