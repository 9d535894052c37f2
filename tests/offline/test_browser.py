"""Chromium reads conversations offline: copied, opened, brought up to date, and deleted in time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.users import workspaces
from tests.accessibility import violations
from tests.conftest import CHROMIUM_FLAGS, missing
from tests.helpers import do
from tests.inbox import conftest as inbox
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

base, open_page = inbox.base, inbox.open_page
PHONE = {"viewport": {"width": 360, "height": 780}}
LINE = "body > .offline"
STATE = """async () => {
  for (const name of await caches.keys()) {
    if (!name.startsWith('lobby-1-copy-')) continue;
    const state = await (await (await caches.open(name)).match('/offline/state'))?.json();
    if (state) return state;
  }
  return null;
}"""
COPY = """
  const name = (await caches.keys()).find((one) => one.startsWith('lobby-1-copy-'));
  const cache = await caches.open(name);
"""
LEFT = "Object.keys(localStorage).some((key) => key.startsWith('lobby-left-'))"
OF_TAB = "/^lobby-(draft|reply|kept)-/"
NAMES = "async () => (await caches.keys()).filter((name) => name.startsWith('lobby-1-copy-'))"
SOON = (
    "setTimeout = ((real) => (run, after, ...more) => real(run, Math.min(after, 400), ...more))(setTimeout);"
)
"""The first copy is made some seconds after the page has come."""


@pytest.fixture(scope="module")
def chromium(chromium: Any) -> Iterator[Any]:
    whole = shutil.which("chromium")
    if whole is None:
        missing("Chromium")
    browser = chromium.browser_type.launch(executable_path=whole, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    made = Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    made.said("jon", "Jon B.", "Invoice, second try", made.ago(minutes=5))
    return made


@pytest.fixture
def phone(desk: Desk, scene: Scene, open_page: Open) -> Any:
    """A page on a phone that has a copy."""
    page = open_page("", **PHONE)
    page.context.add_init_script(SOON)
    page.evaluate("user => localStorage.setItem(`lobby-offline-${user}`, 'yes')", desk.mia.id)
    page.goto(desk.path(""))
    copied(page)
    return page


def copied(page: Any, count: int = 2) -> Any:
    until(lambda: (page.evaluate(STATE) or {}).get("count") == count, 15)
    return page.evaluate(STATE)


def reads(page: Any, name: str, text: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")
    page.wait_for_selector(f".thread-scroll >> text={text}")


def another(page: Any, address: str) -> Any:
    """Start the app anew at *address*: no page of the desk is open then."""
    context = page.context
    page.goto("about:blank")
    page.close()
    found = context.new_page()
    found.goto(address)
    return found


def test_conversations_are_read_without_a_connection(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    phone.context.set_offline(True)
    page = another(phone, base + desk.path(""))
    page.wait_for_selector(f"[data-row='{ana}']")
    page.wait_for_selector(f"{LINE} >> text=2 conversations can be read")
    page.click(f"[data-row='{ana}'] .conv")
    reads(page, "Ana Q.", "Is it in stock?")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    # A notification or a bookmark leads to a conversation; the way from the app's icon to the inbox is known.
    page.goto(base + desk.path(f"/{jon}"))
    reads(page, "Jon B.", "Invoice, second try")
    page.goto(f"{base}/")
    page.wait_for_selector(f"[data-row='{jon}']")
    page.goto(f"{base}/account")
    page.wait_for_selector("h1 >> text=No connection")
    assert violations(page) == []

    # Back with a connection: what came meanwhile, and nothing of before.
    scene.said("ana", "Ana Q.", "Said while away", clock.now())
    page.goto(base + desk.path(f"/{ana}"))
    reads(page, "Ana Q.", "Is it in stock?")
    page.context.set_offline(False)
    page.wait_for_selector(".thread-scroll >> text=Said while away")
    page.wait_for_selector(LINE, state="detached")


def test_a_conversation_that_is_not_here_says_so(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    phone.context.set_offline(True)
    page = another(phone, base + desk.path(""))
    page.wait_for_selector(f"{LINE} >> text=2 conversations can be read")
    page.goto(base + desk.path("/999"))
    page.wait_for_selector("text=This conversation isn’t on this device.")


def test_the_copy_follows_what_happens(desk: Desk, scene: Scene, phone: Any) -> None:
    before = phone.evaluate(STATE)
    asked: list[Any] = []
    phone.on("request", lambda request: asked.append(request) if request.resource_type == "fetch" else None)
    scene.said("ana", "Ana Q.", "One more", clock.now())
    phone.goto(desk.path(""))
    until(lambda: phone.evaluate(STATE)["after"] > before["after"], 15)
    threads = [request.url for request in asked if request.url.endswith("/thread")]
    assert [url.rsplit("/", 2)[1] for url in threads] == [str(scene.conversation("ana"))]
    # A copy is no activity of the person: it must not keep their session alive.
    pages = [request for request in asked if request.url.endswith(desk.path("")) or request.url in threads]
    assert len(pages) == 2
    assert all("x-prefetch" in request.headers for request in pages)


def test_a_lost_conversation_leaves_the_device(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    ana = scene.conversation("ana")
    scene.close("ana", desk.mia.id, clock.now())
    phone.goto(desk.path(""))
    copied(phone, 1)
    paths = phone.evaluate(
        f"async () => {{ {COPY} return (await cache.keys()).map(({{ url }}) => new URL(url).pathname); }}"
    )
    assert desk.path(f"/{ana}/thread") not in paths
    assert desk.path(f"/{scene.conversation('jon')}/thread") in paths


def test_signing_out_deletes_it(phone: Any) -> None:
    phone.click("summary[aria-label^='Your account']")
    phone.click("text=Sign out")
    phone.wait_for_url("**/login**")
    until(lambda: phone.evaluate(NAMES) == [], 10)


def test_signing_out_without_a_connection(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    phone.context.set_offline(True)
    page = another(phone, base + desk.path(""))
    page.wait_for_selector(f"{LINE} >> text=2 conversations can be read")
    page.click("summary[aria-label^='Your account']")
    page.click("text=Sign out")
    page.wait_for_selector("h1 >> text=You are signed out on this device")
    assert page.evaluate(NAMES) == []
    assert page.evaluate("localStorage.length") == 0
    page.goto(base + desk.path(""))
    page.wait_for_selector("h1 >> text=You are signed out on this device")
    page.context.set_offline(False)
    page.goto(base + desk.path(""))
    page.wait_for_url("**/login**")


def test_what_was_deleted_without_a_connection_stays_deleted(
    desk: Desk, scene: Scene, phone: Any, base: str
) -> None:
    """No tab writes on the device what signing out deleted: neither the one that leaves nor another."""
    ana = desk.path(f"/{scene.conversation('ana')}")
    phone.set_viewport_size({"width": 1440, "height": 900})
    phone.goto(base + ana)
    other = phone.context.new_page()
    other.goto(base + ana)
    phone.context.set_offline(True)
    for page in (phone, other):
        page.fill("[data-form=reply] textarea", "Yes, it is.")
    until(lambda: phone.evaluate(LEFT) and other.evaluate(LEFT))
    phone.click("[aria-label^='Your account']")
    phone.click("[data-signs-out] button")
    phone.click("[data-ask-yes]")
    for page in (phone, other):
        page.wait_for_selector("h1 >> text=You are signed out on this device")
        assert page.evaluate("localStorage.length") == 0
        assert page.evaluate(f"Object.keys(sessionStorage).filter((key) => {OF_TAB}.test(key))") == []
    assert phone.evaluate(NAMES) == []


def test_an_old_copy_is_deleted(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    phone.evaluate(
        f"""async () => {{
              {COPY}
              const state = await (await cache.match('/offline/state')).json();
              state.at -= 8 * 24 * 3600 * 1000;
              await cache.put('/offline/state', Response.json(state));
            }}"""
    )
    phone.context.set_offline(True)
    page = another(phone, base + desk.path(""))
    page.wait_for_selector("h1 >> text=No connection")
    assert page.evaluate(NAMES) == []


def test_a_session_that_ended_elsewhere_deletes_it(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    phone.context.clear_cookies()
    page = another(phone, base + desk.path(""))
    page.wait_for_url("**/login**")
    until(lambda: page.evaluate(NAMES) == [], 10)


def test_a_start_does_not_wait_for_the_desk(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    scene.said("ana", "Ana Q.", "Said while away", clock.now())
    context = phone.context
    phone.goto("about:blank")
    (worker,) = context.service_workers
    worker.evaluate(
        """() => { const real = self.fetch;
             self.slow = true;
             self.registration.navigationPreload.disable();
             self.fetch = async (request) => {
               const later = () => new Promise((on) => setTimeout(on, 50));
               if (request.mode === 'navigate') while (self.slow) await later();
               return real(request);
             }; }"""
    )
    phone.close()
    page = context.new_page()
    page.goto(base + desk.path(""))
    page.wait_for_selector(f"[data-row='{scene.conversation('jon')}']")
    assert page.evaluate("'copied' in document.documentElement.dataset")
    worker.evaluate("() => { self.slow = false; }")
    page.wait_for_selector(f"[data-row='{scene.conversation('ana')}'] >> text=Said while away")


def test_another_version_starts_from_the_desk(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    """After an update the page of the version before is shown as it was, and then replaced as a whole."""
    phone.evaluate(
        f"""async () => {{
              {COPY}
              const there = await caches.open(name.replace(/copy-[0-9a-f]+/, 'copy-000000'));
              const state = await (await cache.match('/offline/state')).json();
              for (const one of await cache.keys()) {{
                let response = await cache.match(one);
                if (new URL(one.url).pathname === state.page) {{
                  const html = await response.text(), {{ headers }} = response;
                  const other = html.replace(/data-version="[0-9a-f]+"/, 'data-version="000000"');
                  response = new Response(other, {{ headers }});
                }}
                await there.put(one, response);
              }}
              await caches.delete(name);
            }}"""
    )
    page = another(phone, base + desk.path(""))
    page.wait_for_selector("html:not([data-version='000000'])")  # of another document
    until(lambda: page.evaluate(STATE) is not None, 15)
    until(lambda: "000000" not in str(page.evaluate(NAMES)), 15)


def test_a_workspace_without_copies(desk: Desk, scene: Scene, phone: Any) -> None:
    do(workspaces.change, desk.workspace, offline_conversations=0)
    phone.goto(desk.path(""))
    until(lambda: phone.evaluate(NAMES) == [], 15)


def test_a_device_is_asked(desk: Desk, scene: Scene, open_page: Open) -> None:
    page = open_page("", **PHONE)
    page.context.add_init_script(SOON)
    page.goto(desk.path(""))
    page.wait_for_timeout(1500)
    assert page.evaluate(NAMES) == []
    page.goto("/notifications/settings")
    page.click("text=Keep conversations")
    page.wait_for_selector("text=This device keeps conversations.")
    assert violations(page) == []
    page.goto(desk.path(""))
    copied(page)
    page.goto("/notifications/settings")
    page.click("[data-offline-off]")
    wait(page, "document.querySelector('[data-offline-result]').textContent.includes('no conversations')")
    assert page.evaluate(NAMES) == []


def test_a_full_device_keeps_what_it_has(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    before = phone.evaluate(STATE)
    scene.said("ana", "Ana Q.", "One more", clock.now())
    phone.context.add_init_script(
        "const full = async () => { throw new DOMException('full', 'QuotaExceededError'); };"
        "if (window.Cache) Cache.prototype.put = full;"
    )
    phone.goto(desk.path(""))
    phone.wait_for_timeout(2500)
    assert phone.evaluate(STATE) == before
    phone.context.set_offline(True)
    page = another(phone, base + desk.path(""))
    page.click(f"[data-row='{scene.conversation('ana')}'] .conv")
    reads(page, "Ana Q.", "Is it in stock?")
