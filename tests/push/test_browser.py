"""Chromium gets pushes: turned on, tested, shown by the service worker, opened, ended by signing out."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.inbox import Conversation
from host.push.models import PushDevice
from tests.accessibility import violations
from tests.conftest import CHROMIUM_FLAGS, missing
from tests.inbox import conftest as inbox
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.push.phones import HOSTS, devices_of, push
from tests.push.service import BrowserKeys, PushService, base64url
from tests.push.test_sending import writes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

base, open_page = inbox.base, inbox.open_page
PAGE = "/notifications/settings"
STAND_IN = """
  // The real ones would ask the vendor's push service.
  const keys = %s;
  const unsubscribe = async () => { localStorage.pushOn = ""; };
  const subscribed = { endpoint: keys.endpoint, toJSON: () => keys, unsubscribe };
  PushManager.prototype.subscribe = async (options) => {
    const isGood = options.userVisibleOnly && options.applicationServerKey.length === 65;
    if (!isGood) throw new Error("bad options");
    localStorage.pushOn = "1";
    return subscribed;
  };
  PushManager.prototype.getSubscription = async () => (localStorage.pushOn ? subscribed : null);
"""


@pytest.fixture(scope="module")
def chromium(chromium: Any) -> Iterator[Any]:
    """The Chromium with windows: the one without refuses every page its notifications."""
    whole = shutil.which("chromium")
    if whole is None:
        missing("Chromium")
    browser = chromium.browser_type.launch(executable_path=whole, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data, push_hosts=",".join(HOSTS))


class Tab:
    """A page of Chromium to which the tests deliver what the push service got."""

    def __init__(self, page: Any, base: str, service: PushService) -> None:
        self.page, self.base, self.service, self.keys = page, base, service, BrowserKeys()
        wanted = self.keys.subscription(service.endpoint("chromium"))
        given = {"p256dh": base64url(self.keys.point), "auth": base64url(self.keys.auth)}
        page.context.grant_permissions(["notifications"], origin=base)
        page.context.add_init_script(STAND_IN % json.dumps({"endpoint": wanted.endpoint, "keys": given}))
        self.tools = page.context.new_cdp_session(page)
        self.registration = ""
        self.tools.on("ServiceWorker.workerRegistrationUpdated", self._registered)
        self.tools.send("ServiceWorker.enable")
        self.delivered = 0

    def _registered(self, event: Any) -> None:
        for one in event["registrations"]:
            if not one["isDeleted"]:
                self.registration = one["registrationId"]

    def deliver(self, text: str | None = None) -> None:
        """Hand everything that the push service got since to the service worker, or *text*."""
        until = time.monotonic() + 10
        while text is None and len(self.service.got) <= self.delivered and time.monotonic() < until:
            self.page.wait_for_timeout(50)
        found = self.service.got[self.delivered :]
        self.delivered = len(self.service.got)
        for each in [self.keys.decrypt(one.body).decode() for one in found] if text is None else [text]:
            values = {"origin": self.base, "registrationId": self.registration, "data": each}
            self.tools.send("ServiceWorker.deliverPushMessage", values)

    def pressed(self, address: str) -> str:
        """Return what pressing a notification about *address* does; a test is no person who presses it."""
        (worker,) = self.page.context.service_workers
        found: str = worker.evaluate(
            """async (address) => {
                 let did = "";
                 self.clients.openWindow = async (url) => { did = `opened ${url}`; };
                 WindowClient.prototype.focus = async function focus() { did = `focused ${this.url}`; };
                 await open(address);
                 return did;
               }""",
            address,
        )
        return found

    def shown(self) -> list[list[str]]:
        found: list[list[str]] = self.page.evaluate(
            """async () => (await (await navigator.serviceWorker.ready).getNotifications())
                 .map((one) => [one.title, one.body, one.tag, one.data.url])"""
        )
        return found

    def press(self, tag: str, action: str) -> None:
        """Press a button of the notification *tag*, as its event does; a test is no person who presses it."""
        (worker,) = self.page.context.service_workers
        worker.evaluate(
            """async ([tag, action]) => {
                 const [found] = await self.registration.getNotifications({ tag });
                 const { content, until = "" } = found.data;
                 found.close();
                 await act(content, action, until);
               }""",
            [tag, action],
        )

    def badge(self) -> int | None:
        """Return the number that the service worker last put on the icon of the app; 0: cleared."""
        (worker,) = self.page.context.service_workers
        found: int | None = worker.evaluate("self.badgeShown ?? null")
        return found

    def watch_badge(self) -> None:
        (worker,) = self.page.context.service_workers
        worker.evaluate(
            """() => {
                 WorkerNavigator.prototype.setAppBadge = async (number) => { self.badgeShown = number; };
                 WorkerNavigator.prototype.clearAppBadge = async () => { self.badgeShown = 0; };
               }"""
        )

    def wait_shown(self, count: int) -> list[list[str]]:
        until = time.monotonic() + 10
        while len(self.shown()) != count and time.monotonic() < until:
            self.page.wait_for_timeout(50)
        found = self.shown()
        assert len(found) == count, found
        return found


def test_push_from_turning_it_on_to_signing_out(
    desk: Desk, open_page: Open, base: str, service: PushService
) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=9))
    scene.assign("ana", desk.mia.id, desk.mia.id, scene.ago(minutes=8))
    page = open_page("")
    tab = Tab(page, base, service)
    page.goto(PAGE)
    page.click("[data-push-on]")
    page.wait_for_selector("[data-device] [data-here]:visible")
    (device,) = devices_of(desk.mia.id)
    assert page.is_hidden("[data-push-new]")
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        page.set_viewport_size(size)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.click(f"[data-device='{device}'] [data-push-test] button")
    tab.deliver()
    page.wait_for_selector("[data-device] [data-result] >> text=Arrived after")
    assert [one[0] for one in tab.wait_shown(1)] == ["Test from Lobby"]

    page.goto("/account")
    writes(scene, "My order 4711 is missing.")
    push()
    tab.deliver()
    address = desk.path(f"/{scene.conversation('ana')}")
    (pushed,) = [one for one in tab.wait_shown(2) if one[2] != "lobby-test"]
    assert pushed[0].startswith("New message on")
    assert pushed[3] == address
    writes(scene, "Hello?")
    push()
    tab.deliver()
    page.wait_for_timeout(300)
    assert len(tab.shown()) == 2, "one more message replaces the first"

    assert tab.pressed(address) == f"opened {base}{address}", "no page shows it"
    page.goto(address)
    assert tab.pressed(address) == f"focused {base}{address}"
    assert tab.pressed("https://evil.example/") == ""

    tab.deliver("this is no JSON")
    assert "Lobby" in [one[0] for one in tab.wait_shown(3)], "something is shown for every push"

    page.goto(PAGE)
    page.click("details.menu:last-of-type > summary[aria-label^='Your account']")
    page.click("text=Sign out")
    page.wait_for_url("**/login**")
    assert devices_of(desk.mia.id) == []


def test_snoozing_from_the_notification(desk: Desk, open_page: Open, base: str, service: PushService) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=9))
    scene.assign("ana", desk.mia.id, desk.mia.id, scene.ago(minutes=8))
    page = open_page("")
    tab = Tab(page, base, service)
    page.goto(PAGE)
    page.click("[data-push-on]")
    page.wait_for_selector("[data-device] [data-here]:visible")
    page.goto("/account")
    tab.watch_badge()
    writes(scene, "My order 4711 is missing.")
    push()
    tab.deliver()
    ((title, _, tag, _),) = tab.wait_shown(1)
    buttons = page.evaluate(
        """async () => (await (await navigator.serviceWorker.ready).getNotifications())
             .flatMap((one) => one.actions.map((each) => each.title))"""
    )
    assert buttons == ["Open", "Snooze an hour"]
    assert tab.badge() == 1

    def snoozed() -> bool:
        with db.read() as session:
            return session.get_one(Conversation, scene.conversation("ana")).snooze_kind is not None

    tab.press(tag, "snooze")
    ((said, _, again, _),) = tab.wait_shown(1)
    assert said.startswith("Snoozed until ")
    assert again == tag
    assert snoozed()
    tab.press(tag, "undo")
    assert [one[0] for one in tab.wait_shown(1)] == [title]
    assert not snoozed()

    page.context.clear_cookies()
    tab.press(tag, "snooze")
    ((said, why, _, url),) = tab.wait_shown(1)
    assert said == "Not snoozed"
    assert "sign" in why.lower()
    assert url == desk.path(f"/{scene.conversation('ana')}")
    assert not snoozed()


def test_one_push_takes_back_all_that_is_shown_of_a_conversation(
    desk: Desk, open_page: Open, base: str, service: PushService
) -> None:
    page = open_page("")
    tab = Tab(page, base, service)
    page.goto(PAGE)
    page.click("[data-push-on]")
    page.wait_for_selector("[data-device] [data-here]:visible")

    def shows(tag: str, title: str, url: str, **more: object) -> None:
        shown = {"title": title, "body": "My card is 4711", "tag": tag, "url": url, "at": 1, "version": 1}
        tab.deliver(json.dumps(shown | more))

    for number, path in enumerate(("/w/1/inbox/7", "/w/1/inbox/7", "/w/1/inbox/71", "/w/2/inbox/7")):
        shows(f"lobby-{number}", "Ana Q.", path)
        tab.wait_shown(number + 1)
    gone = "The customer was erased"
    shows("lobby-0", gone, "/w/1/inbox/7", body="shop", silent=True, closes="/w/1/inbox/7")
    shown = tab.wait_shown(3)
    assert sorted((tag, title) for title, _, tag, _ in shown) == [
        ("lobby-0", gone),
        ("lobby-2", "Ana Q."),
        ("lobby-3", "Ana Q."),
    ]
    shows("lobby-2", "You are no longer in this workspace", "/", body="", silent=True, closes="/w/1/")
    left = tab.wait_shown(2)
    assert sorted(tag for _, _, tag, _ in left) == ["lobby-2", "lobby-3"]


def test_a_replaced_subscription_is_repaired(
    desk: Desk, open_page: Open, base: str, service: PushService
) -> None:
    page = open_page("")
    tab = Tab(page, base, service)
    page.goto(PAGE)
    page.click("[data-push-on]")
    page.wait_for_selector("[data-device] [data-here]:visible")
    (one,) = devices_of(desk.mia.id)
    page.wait_for_function(
        "() => Object.keys(localStorage).some((name) => name.startsWith('lobby-push-endpoint-'))"
    )
    (worker,) = page.context.service_workers

    def kept() -> str:
        with db.read() as session:
            return session.get_one(PushDevice, one).endpoint

    keys = {"p256dh": base64url(tab.keys.point), "auth": base64url(tab.keys.auth)}
    # The service worker does it with no page's help.
    worker.evaluate(
        """([old, endpoint, keys]) =>
             resubscribe({ endpoint: old }, { toJSON: () => ({ endpoint, keys }) })""",
        [service.endpoint("chromium"), service.endpoint("second"), keys],
    )
    assert kept() == service.endpoint("second")
    # The page remembers the first, finds the device gone by that name, and repairs what it can.
    moved = {"endpoint": service.endpoint("second"), "keys": keys}
    page.context.add_init_script(STAND_IN % json.dumps(moved))
    page.goto("/account")
    page.wait_for_function(
        "(wanted) => Object.values(localStorage).includes(wanted)", arg=service.endpoint("second")
    )
    # Now without the service worker: the page alone tells the desk.
    third = {"endpoint": service.endpoint("third"), "keys": keys}
    page.context.add_init_script(STAND_IN % json.dumps(third))
    with page.expect_response("**/notifications/devices/moved"):
        page.goto("/account")
    assert kept() == service.endpoint("third")
    assert devices_of(desk.mia.id) == [one]


def test_a_tab_leaves_to_the_push_what_is_pushed(
    desk: Desk, open_page: Open, base: str, service: PushService
) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=9))
    scene.assign("ana", desk.mia.id, desk.mia.id, scene.ago(minutes=8))
    page = open_page("")
    tab = Tab(page, base, service)
    page.context.add_init_script(
        """window.shownHere = 0; const Real = window.Notification;
           window.Notification = class extends Real {
             constructor(...all) { super(...all); window.shownHere += 1; }
           };"""
    )
    page.goto(PAGE)
    page.click("[data-push-on]")
    page.wait_for_selector("[data-device] [data-here]:visible")
    writes(scene)
    with page.expect_response("**/notifications/news") as answer:
        page.goto("/account")
    assert [one["pushed"] for one in answer.value.json()["show"]] == [True]
    page.wait_for_timeout(300)
    assert page.evaluate("window.shownHere") == 0
    assert tab.shown() == []
