"""Devices on the page of notification settings, the service worker and the manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.users import AuditEntry, Workspace
from host.push import devices
from tests import helpers
from tests.helpers import Browser
from tests.inbox.desks import Desk, open_desk
from tests.push.phones import HOSTS, Phone, devices_of
from tests.push.service import BrowserKeys, PushService

PAGE = "/notifications/settings"
ANDROID = "Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"


@pytest.fixture
def desk(database: db.Database, data: object) -> Desk:
    return open_desk(data, push_hosts=",".join(HOSTS))  # type: ignore[arg-type]


def ask(browser: Browser, path: str, **fields: str) -> Any:
    """POST as the script of the page does."""
    headers = {"Accept": "application/json", "User-Agent": ANDROID}
    return browser.post(path, data={"csrf_token": browser.csrf(), **fields}, headers=headers)


def subscribe(browser: Browser, service: PushService, name: str = "phone", **values: str) -> BrowserKeys:
    """Have the page of a browser add it, and return its keys."""
    keys = BrowserKeys()
    wanted = keys.subscription(service.endpoint(name))
    form = {"endpoint": wanted.endpoint, "p256dh": wanted.p256dh, "auth": wanted.auth, **values}
    answer = ask(browser, "/notifications/devices", **form)
    assert answer.status_code == (400 if values else 200), answer.text
    return keys


def actions() -> list[tuple[str, str]]:
    with db.read() as session:
        query = sa.select(AuditEntry.action, AuditEntry.subject).where(
            AuditEntry.action.like("push%"), AuditEntry.remote != ""
        )
        return [tuple(row) for row in session.execute(query.order_by(AuditEntry.id))]


def test_a_device_is_added_tested_and_removed(desk: Desk, service: PushService) -> None:
    browser = desk.browser
    first = ask(browser, "/notifications/devices/key").json
    keys = subscribe(browser, service)
    subscribe(browser, service)
    keys = subscribe(browser, service)
    (one,) = devices_of(desk.mia.id)
    page = browser.get(PAGE).text
    assert "Firefox on Android" in page
    answer = ask(browser, f"/notifications/devices/{one}/test", test="x1")
    assert answer.json == {"worked": True, "sentence": "The push service accepted the test."}
    shown = json.loads(keys.decrypt(service.got[0].body))
    assert (shown["title"], shown["test"]) == ("Test from Lobby", "x1")
    assert f"k={first['key']}" in service.got[0].headers["authorization"]
    assert browser.get("/account").text.count("gets push notifications") == 1
    browser.post_form(f"/notifications/devices/{one}/end")
    assert devices_of(desk.mia.id) == []
    assert "gets push notifications" not in browser.get("/account").text
    assert "Firefox on Android" not in browser.get("/notifications").text
    assert actions() == [
        ("push_device.added", "Firefox on Android"),
        ("push_device.removed", "Firefox on Android"),
    ]


@pytest.mark.parametrize(
    ("status", "sentence", "left"),
    [
        (403, "The push service refused the test (403).", 1),
        (410, "This device no longer exists for its push service, so it was removed. Turn it on again.", 0),
    ],
)
def test_a_test_says_what_went_wrong(
    desk: Desk, service: PushService, status: int, sentence: str, left: int
) -> None:
    subscribe(desk.browser, service)
    (one,) = devices_of(desk.mia.id)
    service.script = [status]
    desk.browser.post_form(f"/notifications/devices/{one}/test")
    assert sentence in desk.browser.get(PAGE).text
    assert len(devices_of(desk.mia.id)) == left


@pytest.mark.parametrize(
    "wrong", [{"endpoint": "https://evil.example/x"}, {"p256dh": "AAAA"}, {"auth": ""}, {"endpoint": ""}]
)
def test_what_is_no_subscription_is_refused(desk: Desk, service: PushService, wrong: dict[str, str]) -> None:
    subscribe(desk.browser, service, **wrong)
    assert devices_of(desk.mia.id) == []


def test_devices_of_others_are_out_of_reach(desk: Desk, service: PushService) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    theirs = Phone(service, bo.id).id
    assert "Firefox on Android" not in desk.browser.get(PAGE).text
    desk.browser.post_form(f"/notifications/devices/{theirs}/end")
    assert desk.browser.post_form(f"/notifications/devices/{theirs}/test").status_code == 404
    assert desk.browser.post_form(f"/notifications/devices/{theirs}/content", content="1").status_code == 404
    assert devices_of(bo.id) == [theirs]
    assert service.got == []
    assert actions() == []


def test_a_browser_says_that_it_is_here(desk: Desk, service: PushService) -> None:
    subscribe(desk.browser, service)
    (one,) = devices_of(desk.mia.id)

    def here(name: str) -> object:
        form = {"endpoint": service.endpoint(name)}
        return desk.browser.post_form("/notifications/devices/here", **form).json

    assert here("phone") == {"id": one}
    assert here("other") == {"id": None}
    assert here("") == {"id": None}


def move(browser: Browser, old: str, keys: BrowserKeys, new: str, **headers: str) -> Any:
    """POST as the service worker does when its subscription was replaced: without a CSRF token."""
    form = {"old": old, **keys.form(new)}
    return browser.post(
        "/notifications/devices/moved", data=form, headers={"Accept": "application/json", **headers}
    )


def test_a_replaced_subscription_keeps_its_device(desk: Desk, service: PushService) -> None:
    subscribe(desk.browser, service)
    (one,) = devices_of(desk.mia.id)
    keys, new = BrowserKeys(), service.endpoint("new")
    assert move(desk.browser, service.endpoint("phone"), keys, new).json == {"id": one}
    desk.browser.post_form(f"/notifications/devices/{one}/test")
    (got,) = service.of("new")
    assert json.loads(keys.decrypt(got.body))["title"] == "Test from Lobby"
    assert move(desk.browser, service.endpoint("phone"), keys, new).json == {"id": None}, "only once"
    subscribe(desk.browser, service, "again")
    assert (
        move(desk.browser, service.endpoint("new"), BrowserKeys(), service.endpoint("again")).status_code
        == 200
    )
    assert len(devices_of(desk.mia.id)) == 1, "two of one browser become one"


def test_nobody_moves_the_device_of_another_or_to_it(desk: Desk, service: PushService) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    theirs = Phone(service, bo.id, "bo")
    subscribe(desk.browser, service)
    mine, bos = service.endpoint("phone"), service.endpoint("bo")
    (own,) = devices_of(desk.mia.id)
    assert move(desk.browser, bos, BrowserKeys(), service.endpoint("new")).json == {"id": None}
    assert move(desk.browser, mine, BrowserKeys(), bos).json == {"id": None}
    assert (devices_of(bo.id), devices_of(desk.mia.id)) == ([theirs.id], [own])
    stranger = helpers.browser(desk.app)
    assert move(stranger, mine, BrowserKeys(), service.endpoint("new")).status_code == 401
    elsewhere = move(
        desk.browser, mine, BrowserKeys(), service.endpoint("new"), **{"Sec-Fetch-Site": "cross-site"}
    )
    assert elsewhere.status_code == 403
    assert move(desk.browser, mine, BrowserKeys(), "https://evil.example/x").status_code == 400
    desk.browser.post_form(f"/notifications/devices/{own}/test")
    assert [one.path for one in service.got] == ["/push/phone"], "still the same"


def test_a_subscription_that_another_person_replays_is_theirs_alone(desk: Desk, service: PushService) -> None:
    keys = subscribe(desk.browser, service)
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    form = keys.form(service.endpoint("phone"))
    assert ask(helpers.client_for(desk.app, bo), "/notifications/devices", **form).status_code == 200
    assert devices_of(desk.mia.id) == [], "a browser has one person, so it never shows the pushes of two"
    assert len(devices_of(bo.id)) == 1


def test_names_and_text_are_offered_where_a_workspace_allows_them(desk: Desk, service: PushService) -> None:
    subscribe(desk.browser, service)
    (one,) = devices_of(desk.mia.id)
    assert "Show names and text" not in desk.browser.get(PAGE).text
    owner = helpers.make_user("o@example.com", "Olu P.", workspace=desk.workspace, role="owner")
    general = f"/w/{desk.workspace}/settings/general"
    helpers.client_for(desk.app, owner).post_form(general, pushes="content", name="Sample Pottery")
    with db.read() as session:
        assert session.get_one(Workspace, desk.workspace).pushes_content
    assert "Show names and text" in desk.browser.get(PAGE).text
    desk.browser.post_form(f"/notifications/devices/{one}/content", content="1")
    with db.read() as session:
        assert [row.content for row in devices.own(session, desk.mia.id)] == [True]
    desk.browser.post_form(f"/notifications/devices/{one}/content")
    with db.read() as session:
        assert [row.content for row in devices.own(session, desk.mia.id)] == [False]


def test_signing_out_ends_the_device(desk: Desk, service: PushService) -> None:
    subscribe(desk.browser, service)
    desk.browser.post_form("/logout")
    assert devices_of(desk.mia.id) == []


def test_the_worker_and_the_manifest_need_no_sign_in(desk: Desk) -> None:
    stranger = desk.app.test_client()
    worker = stranger.get("/sw.js")
    assert worker.mimetype == "text/javascript"
    assert worker.headers["Content-Security-Policy"] == "default-src 'self'"
    assert worker.headers["Cache-Control"] == "no-cache"
    assert "import" not in worker.text, "one file, one version"
    found = stranger.get("/manifest.webmanifest")
    assert found.mimetype == "application/manifest+json"
    manifest = json.loads(found.text)
    assert (manifest["name"], manifest["display"]) == ("Lobby", "standalone")
    for icon in manifest["icons"]:
        picture = stranger.get(icon["src"])
        assert picture.status_code == 200
        assert picture.data.startswith(b"\x89PNG")
    for path in ("icon-192.png", "badge-96.png"):
        assert f"/static/{path}" in worker.text
        assert stranger.get(f"/static/{path}").status_code == 200
    page = stranger.get("/login").text
    assert 'rel="manifest" href="/manifest.webmanifest"' in page
