"""The login dialogs: what a person decides there, and what the code they bring back buys."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox import seed
from sandbox.server import Server
from tests.sandbox.helpers import Meta

BACK = "http://127.0.0.1:9/back"
SCOPES = "pages_show_list,instagram_basic"


def facebook(server: Server, **form: Any) -> requests.Response:
    return requests.post(
        f"{server.url}/www.facebook.com/v26.0/dialog/oauth",
        params={"client_id": seed.APP_ID, "redirect_uri": BACK, "state": "s-1", "scope": SCOPES},
        data={"decision": "allow", **form},
        allow_redirects=False,
        timeout=10,
    )


def brought(response: requests.Response) -> dict[str, str]:
    assert response.status_code == 302, response.text
    address = urlsplit(response.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == BACK
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def exchange(server: Server, code: str, **more: str) -> requests.Response:
    query = {
        "client_id": seed.APP_ID,
        "client_secret": seed.APP_SECRET,
        "redirect_uri": BACK,
        "code": code,
        **more,
    }
    return requests.get(f"{server.url}/graph.facebook.com/oauth/access_token", params=query, timeout=10)


def test_a_code_buys_a_token_for_what_was_ticked_once(server: Server, meta: Meta) -> None:
    page = "100000000000002"
    back = brought(facebook(server, scope=["pages_show_list"], page=[page]))
    assert back["state"] == "s-1"
    assert exchange(server, back["code"], redirect_uri=f"{BACK}/").json()["error"]["code"] == 100
    token = exchange(server, back["code"]).json()
    assert token["token_type"] == "bearer"
    assert exchange(server, back["code"]).json()["error"]["error_subcode"] == 36009
    pages = meta.get("me/accounts", token["access_token"], fields="id,access_token")["data"]
    assert [one["id"] for one in pages] == [page]
    worth = meta.get("debug_token", pages[0]["access_token"], input_token=pages[0]["access_token"])["data"]
    assert (worth["type"], worth["scopes"]) == ("PAGE", ["pages_show_list"])
    assert worth["expires_at"] > 0, "a Page token of a short-lived user token ends with it"


def test_pages_come_page_by_page(server: Server, meta: Meta) -> None:
    everything = [page["id"] for page in meta.control("GET", "state")["pages"]]
    back = brought(facebook(server, scope=["pages_show_list"], page=everything))
    token = exchange(server, back["code"]).json()["access_token"]
    first = meta.get("me/accounts", token, fields="id", limit="3")
    assert len(first["data"]) == 3
    after = first["paging"]["cursors"]["after"]
    assert "next" in first["paging"]
    second = meta.get("me/accounts", token, fields="id", limit="3", after=after)
    assert "next" not in second["paging"]
    assert [one["id"] for one in first["data"] + second["data"]] == everything


def test_cancelling_brings_the_reason_back(server: Server) -> None:
    back = brought(facebook(server, decision="deny"))
    assert back == {
        "error": "access_denied",
        "error_code": "200",
        "error_description": "Permissions error",
        "error_reason": "user_denied",
        "state": "s-1",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_id": "1"}, "Invalid App ID"),
        ({"redirect_uri": "javascript:alert(1)"}, "URL blocked"),
        ({"scope": "everything"}, "Invalid Scopes: everything"),
    ],
)
def test_what_is_wrong_with_the_app_is_said_and_never_sent_back(
    server: Server, change: dict[str, str], words: str
) -> None:
    query = {"client_id": seed.APP_ID, "redirect_uri": BACK, "scope": SCOPES, **change}
    answer = requests.get(
        f"{server.url}/www.facebook.com/v26.0/dialog/oauth", params=query, timeout=10, allow_redirects=False
    )
    assert answer.status_code == 400
    assert words in answer.text


def test_an_app_in_development_lets_only_its_own_people_in(server: Server, meta: Meta) -> None:
    meta.control("PATCH", f"apps/{seed.APP_ID}", {"mode": "dev"})
    answer = facebook(server)
    assert (answer.status_code, "App not active" in answer.text) == (400, True)
    meta.control("PATCH", f"apps/{seed.APP_ID}", {"roles": [seed.USER_ID]})
    assert "code" in brought(facebook(server))


@pytest.mark.parametrize("wrapped", [False, True])
def test_instagram_answers_in_either_shape(server: Server, meta: Meta, wrapped: bool) -> None:
    meta.control("PATCH", "settings", {"wrap_logins": wrapped})
    answer = requests.post(
        f"{server.url}/www.instagram.com/oauth/authorize",
        params={"client_id": seed.APP_ID, "redirect_uri": BACK, "scope": "instagram_business_basic"},
        data={"decision": "allow", "account": "17841400000000001", "scope": "instagram_business_basic"},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.headers["Location"].endswith("#_")
    code = brought(answer)["code"]
    form = {
        "client_id": seed.APP_ID,
        "client_secret": seed.APP_SECRET,
        "grant_type": "authorization_code",
        "redirect_uri": BACK,
        "code": code,
    }
    address = f"{server.url}/api.instagram.com/oauth/access_token"
    token = requests.post(address, data=form, timeout=10).json()
    inner = token["data"][0] if wrapped else token
    assert str(inner["user_id"]) == "17841400000000001"
    me = meta.graph("GET", "me", inner["access_token"], "I", params={"fields": "user_id,username"}).json()
    assert (me["data"][0] if wrapped else me)["username"] == "sample.pottery"
    again = requests.post(address, data=form, timeout=10)
    assert (again.status_code, again.json()["error_type"]) == (400, "OAuthException")
