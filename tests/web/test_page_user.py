"""A page sends nothing once another person, or nobody, is signed in in its browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from host.core import db
from host.users import sessions
from tests import helpers
from tests.inbox import desks, scenes, toys
from tests.inbox.desks import Desk

TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')
JSON = {"Accept": "application/json"}


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> scenes.Scene:
    made = scenes.Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    return made


def sign_in(browser: helpers.Browser, user_id: int) -> None:
    """Sign *user_id* in in *browser*, as its login page does."""
    token = db.write(sessions.start, user_id, "127.0.0.1")
    with browser.session_transaction() as session:
        session.clear()
        session["login"] = token


def token_of(page: Any) -> str:
    found = TOKEN.search(page.text)
    assert found is not None
    return found[1]


def outbound(id_: int) -> list[str | None]:
    return [one.text for one in toys.thread(id_) if one.direction != "inbound"]


def test_a_page_and_an_answer_say_whose_they_are(desk: Desk, scene: scenes.Scene) -> None:
    mia = str(desk.mia.id)
    page = desk.browser.get(desk.path())
    assert f'data-user="{mia}"' in page.text
    part = desk.browser.get(desk.path(f"/{scene.conversation('ana')}/thread"), headers=JSON)
    poll = desk.browser.get(f"/w/{desk.workspace}/live/poll")
    assert {one.headers["X-Page-User"] for one in (page, part, poll)} == {mia}
    nobody = helpers.browser(desk.app)
    assert 'data-user="0"' in nobody.get("/login").text
    assert nobody.get(f"/w/{desk.workspace}/live/poll", headers=JSON).headers["X-Page-User"] == "0"
    assert "X-Page-User" not in nobody.get("/static/lobby.css").headers


def test_another_persons_page_sends_nothing(desk: Desk, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    mia, bo = desk.mia.id, toys.make_user(desk.workspace, "Bo K.")
    hers = token_of(desk.browser.get(desk.path(f"/{ana}")))
    sign_in(desk.browser, bo)
    his = token_of(desk.browser.get(desk.path(f"/{ana}")))
    fields = {"text": "Yes, it is.", "reply_key": "0" * 32, "seen": "0"}
    # A script of her page that has got his token, and a form of her page.
    for token, headers in [(his, {"X-Page-User": str(mia), **JSON}), (hers, JSON)]:
        answer = desk.browser.post(
            desk.path(f"/{ana}/reply"), data={"csrf_token": token, **fields}, headers=headers
        )
        assert answer.status_code == 409
        assert answer.json["error"]["code"] == "other_person"
        assert "Nothing was sent" in answer.json["error"]["message"]
    assert outbound(ana) == []
    form = desk.browser.post(desk.path(f"/{ana}/reply"), data={"csrf_token": hers, **fields})
    assert form.status_code == 409
    assert "who is no longer signed in" in form.text
    assert outbound(ana) == []


@pytest.mark.parametrize("path", ["/thread", "/draft"])
def test_another_persons_page_is_given_nothing(desk: Desk, scene: scenes.Scene, path: str) -> None:
    ana = scene.conversation("ana")
    bo = toys.make_user(desk.workspace, "Bo K.")
    headers = {"X-Page-User": str(desk.mia.id), **JSON}
    sign_in(desk.browser, bo)
    answer = desk.browser.get(desk.path(f"/{ana}{path}"), headers=headers)
    assert (answer.status_code, answer.headers["X-Page-User"]) == (409, str(bo))
    stream = f"/w/{desk.workspace}/live?after=0&page_user={desk.mia.id}"
    assert desk.browser.get(stream).status_code == 409


def test_a_page_whose_person_signed_out_is_asked_to_sign_in(desk: Desk, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    hers = token_of(desk.browser.get(desk.path(f"/{ana}")))
    desk.browser.post_form("/logout")
    for path in ("/reply", "/read"):
        fields = {"csrf_token": hers, "text": "Yes, it is.", "reply_key": "0" * 32, "until": "0"}
        answer = desk.browser.post(desk.path(f"/{ana}{path}"), data=fields, headers=JSON)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "not_signed_in")
        form = desk.browser.post(desk.path(f"/{ana}{path}"), data=fields)
        assert form.status_code == 302
        assert form.location.startswith("/login")
    assert outbound(ana) == []


def test_signing_out_clears_the_device_though_the_session_has_ended(desk: Desk, scene: scenes.Scene) -> None:
    token = token_of(desk.browser.get(desk.path()))
    db.write(sessions.end_all, desk.mia.id)
    answer = desk.browser.post("/logout", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
    assert "storage" in answer.headers["Clear-Site-Data"]


def test_the_same_person_in_a_new_session_gets_a_token_for_the_old_page(
    desk: Desk, scene: scenes.Scene
) -> None:
    ana = scene.conversation("ana")
    page = desk.browser.get(desk.path(f"/{ana}"))
    sign_in(desk.browser, desk.mia.id)
    headers = {"X-Page-User": str(desk.mia.id), "X-CSRFToken": token_of(page), **JSON}
    answer = desk.browser.post(desk.path(f"/{ana}/read"), data={"until": "0"}, headers=headers)
    assert (answer.status_code, answer.headers["X-Form-Expired"]) == (400, "1")
    now = desk.browser.get("/page-user").json
    assert now["user"] == str(desk.mia.id)
    headers["X-CSRFToken"] = now["token"]
    assert (
        desk.browser.post(desk.path(f"/{ana}/read"), data={"until": "0"}, headers=headers).status_code < 300
    )
    assert helpers.browser(desk.app).get("/page-user").json["user"] == "0"


def test_a_page_that_cannot_know_says_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tabs believe what a page says: what another site posts comes without a cookie."""
    answer = helpers.browser(desk.app).post("/login", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert 'data-user=""' in answer.text
    monkeypatch.setattr(sessions, "load", lambda *_: (_ for _ in ()).throw(PoolTimeoutError("full")))
    answer = desk.browser.get(desk.path())
    assert answer.status_code == 503
    assert 'data-user=""' in answer.text
    assert "X-Page-User" not in answer.headers
