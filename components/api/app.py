"""The application: routes, who may ask, and reasons for what is refused."""

import json
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from components.api.follower import Follower
from components.api.live_feeds import LiveFeeds, Unwanted
from components.api.metrics import Metrics
from components.errors import BadConfigurationError
from components.settings.config import Config
from components.tables import id_texts

_OPEN = "/healthz"  # without a token: who asks whether it lives may know no secret


class FeedQuery(BaseModel):
    """What a request for a feed may say."""

    model_config = ConfigDict(extra="forbid")

    k: int | None = Field(default=None, ge=1, description="Places at most; by default all.")
    surface: int | None = Field(default=None, description="By default that of the feeds.")
    exclude: list[str] = Field(default=[], description="Posts to leave out; may be repeated.")


class Place(BaseModel):
    """One place in a feed."""

    rank: int
    post_id: str = Field(description="As the source writes it.")
    author_id: str = Field(description="As the source writes it.")
    title: str | None
    score: float
    source: str = Field(description="`retrieval`, `popular`, or another source of the feeds.")


class FeedAnswer(BaseModel):
    """A feed."""

    user_id: str = Field(description="As the request has it.")
    day: str = Field(description="Of the publication.")
    live_release: str = Field(description="Digest of the release that is live.")
    release: str = Field(description="Digest of the release that ranked this feed.")
    kind: str = Field(description="`fresh`, `kept`, `popular` or `default`.")
    made_on: str = Field(description="Day of the ranking.")
    age_days: int = Field(description="Days from the ranking to the publication.")
    items: list[Place]


class Refusal(BaseModel):
    """Why a request is refused."""

    reason: str


class _FeedRoute(APIRoute):
    """A route for whose query one model is asked, and for whose answer none.

    What FastAPI does in general takes three times as long as all the rest of an answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the endpoint itself."""
        return self.endpoint


def application(config: Config, follower: Follower, token: str | None) -> ASGIApp:
    """Returns the application.

    Args:
      config: Of the deployment.
      follower: Says what is served.
      token: That requests must carry; None for no token.
    """
    app = FastAPI(
        title="Phoenix",
        description="Feeds of the live release. Ids are text, as the source writes them.",
    )
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(ValidationError, _refuse_values)
    app.add_exception_handler(BadConfigurationError, _refuse_ids)
    metrics = Metrics(follower)

    async def feed(request: Request) -> Response:
        """A user's feed of the live release; the default feed for a user who has none."""
        params = request.query_params
        known = {**params, "exclude": params.getlist("exclude")} if params else {}
        query, user = FeedQuery.model_validate(known), request.path_params["user"]
        own = config.materialize_feeds.surface
        if query.surface not in (None, own):
            raise HTTPException(404, f"No feed of surface {query.surface}; there are of {own}.")
        user_id = id_texts.parse_id(user, "user_id", config)
        excluded = {id_texts.parse_id(post, "post_id", config) for post in query.exclude}
        served = follower.served  # once: all of the answer is of one publication
        rules = served.rules
        unwanted = Unwanted((rules.withdrawn, excluded), rules.blocked_by(user_id))
        answer = _published(served.feeds).feed(user_id, unwanted, query.k)
        body = json.dumps({"user_id": user, **answer}, ensure_ascii=False, separators=(",", ":"))
        return Response(body, media_type="application/json")

    async def healthz() -> JSONResponse:
        """Whether feeds can be served, of which publication, and what cannot be read."""
        feeds, problems = follower.served.feeds, dict(follower.problems)
        if feeds is None:
            reason = problems.get("feeds", "Nothing is published yet.")
            return JSONResponse({"reason": reason, "problems": problems}, 503)
        live = {"day": feeds.day, "live_release": feeds.live.release.digest}
        return JSONResponse({**live, "problems": problems})

    async def page() -> Response:
        """Counts and times of requests, in the text format of Prometheus."""
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    query = FeedQuery.model_json_schema()["properties"]
    parameters = [{"name": "user", "in": "path", "required": True, "schema": {"type": "string"}}]
    parameters += [{"name": name, "in": "query", "schema": each} for name, each in query.items()]
    app.router.add_api_route(
        "/feeds/{user:path}",
        feed,
        response_model=FeedAnswer,
        responses={400: {"model": Refusal}, 404: {"model": Refusal}, 503: {"model": Refusal}},
        openapi_extra={"parameters": parameters},
        route_class_override=_FeedRoute,
    )
    app.get(_OPEN)(healthz)
    app.get("/metrics")(page)
    return metrics.around(app if token is None else _with_token(app, token))


def _published(feeds: LiveFeeds | None) -> LiveFeeds:
    if feeds is None:
        raise HTTPException(503, "Nothing is published yet.")
    return feeds


def _with_token(app: ASGIApp, token: str) -> ASGIApp:
    """Returns an application that refuses requests without the token."""
    expected = f"Bearer {token}".encode()
    refusal = JSONResponse(
        {"reason": "Expected the header `Authorization: Bearer` with the token of this server."},
        401,
        headers={"WWW-Authenticate": "Bearer"},
    )

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != _OPEN:
            got = dict(scope["headers"]).get(b"authorization", b"")
            if not secrets.compare_digest(got, expected):
                return await refusal(scope, receive, send)
        return await app(scope, receive, send)

    return guarded


async def _refuse(request: Request, error: Exception) -> Response:
    """Says why, where Starlette refuses."""
    del request
    assert isinstance(error, HTTPException)
    return JSONResponse({"reason": error.detail}, error.status_code, headers=error.headers)


async def _refuse_values(request: Request, error: Exception) -> Response:
    """Names the parameter, what was expected, and what came."""
    del request
    assert isinstance(error, ValidationError)
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return JSONResponse({"reason": f"{name}: {first['msg']}, got {first['input']!r}."}, 400)


async def _refuse_ids(request: Request, error: Exception) -> Response:
    """Says what is no id."""
    del request
    return JSONResponse({"reason": str(error)}, 400)
