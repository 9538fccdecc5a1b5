"""Answers of a real server, over HTTP."""

import pytest

from components.serving import published
from tests.components.api.serving_process import serving
from tests.components.cli.commands import LAST, user_of

PLACE = ("rank", "post_id", "author_id", "title", "score", "source")


def test_a_feed_is_what_was_published(three_days, served) -> None:
    user = user_of(three_days)
    answer = served.client.get(f"/feeds/{user}")
    expected = published.feed(three_days.store, three_days.config, user).to_json()
    assert answer.status_code == 200
    got = answer.json()
    assert [item.pop("rank") for item in got["items"]] == [1, 2, 3, 4, 5]
    assert got["items"] == [{name: item[name] for name in PLACE[1:]} for item in expected["items"]]
    facts = ("user_id", "day", "release", "kind", "made_on", "age_days")
    assert {name: got[name] for name in facts} == {name: expected[name] for name in facts}
    assert got["live_release"] == three_days.artifact("publish_release", LAST).ref.digest


def test_ids_are_text_in_the_answer(three_days, served) -> None:
    answer = served.client.get(f"/feeds/{user_of(three_days)}").json()
    ids = [answer["user_id"], *(item["post_id"] for item in answer["items"])]
    assert all(isinstance(each, str) for each in ids)


def test_an_unknown_user_has_the_default_feed(three_days, served) -> None:
    got = served.client.get("/feeds/123456789").json()
    expected = published.feed(three_days.store, three_days.config, "123456789")
    assert (got["kind"], got["user_id"]) == ("default", "123456789")
    assert [item["post_id"] for item in got["items"]] == [item.post for item in expected.items]


def test_a_request_can_shorten_a_feed_and_leave_posts_out(three_days, served) -> None:
    user = user_of(three_days)
    posts = [item["post_id"] for item in served.client.get(f"/feeds/{user}").json()["items"]]
    params = {"k": 2, "exclude": [posts[0], posts[2]]}
    items = served.client.get(f"/feeds/{user}", params=params).json()["items"]
    assert [item["post_id"] for item in items] == [posts[1], posts[3]]
    assert [item["rank"] for item in items] == [1, 2]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/feeds/joe", 400, "The user 'joe' is no id: expected a whole number above 0."),
        ("/feeds/7?k=0", 400, "k: Input should be greater than or equal to 1, got '0'."),
        ("/feeds/7?k=many", 400, "k: Input should be a valid integer"),
        ("/feeds/7?exclude=x", 400, "The post 'x' is no id"),
        ("/feeds/7?length=3", 400, "length: Extra inputs are not permitted"),
        ("/feeds/7?surface=9", 404, "No feed of surface 9; there are of 1."),
        ("/feed/7", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_refused_with_the_reason(served, path, code, words) -> None:
    answer = served.client.get(path)
    assert answer.status_code == code
    assert words in answer.json()["reason"]


def test_another_method_is_refused(served) -> None:
    answer = served.client.post("/feeds/7")
    assert (answer.status_code, answer.json()) == (405, {"reason": "Method Not Allowed"})


def test_the_page_of_the_interface_names_what_can_be_asked(served) -> None:
    get = served.client.get("/openapi.json").json()["paths"]["/feeds/{user}"]["get"]
    assert {each["name"] for each in get["parameters"]} == {"user", "k", "surface", "exclude"}
    assert served.client.get("/docs").status_code == 200


def test_before_the_first_publication_it_waits(three_days, tmp_path) -> None:
    path = tmp_path / "empty.yaml"
    old = str(three_days.config.store)
    path.write_text(three_days.path.read_text().replace(old, str(tmp_path / "store")))
    with serving(path) as server:
        for address in ("/feeds/7", "/healthz"):
            answer = server.client.get(address)
            assert answer.status_code == 503
            assert answer.json()["reason"] == "Nothing is published yet."


def test_a_token_is_asked_for_but_by_the_probe(three_days) -> None:
    with serving(three_days.path, PHOENIX_SERVE_TOKEN="secret") as server:
        get = server.client.get
        assert get("/healthz").status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            for path in ("/feeds/7", "/metrics", "/docs"):
                answer = get(path, headers=headers)
                assert answer.status_code == 401
                assert "Authorization" in answer.json()["reason"]
        assert get("/feeds/7", headers={"Authorization": "Bearer secret"}).status_code == 200
