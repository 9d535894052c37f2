"""Chromium shares to Lobby: kept on the device, added to the reply somebody chooses, and gone afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db, storage
from host.models.media import Upload
from tests.accessibility import violations
from tests.inbox import conftest as inbox
from tests.inbox import toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.live.served import until
from tests.media import samples
from tests.offline import test_browser as offline

pytestmark = [pytest.mark.browser, pytest.mark.slow]

base, chromium, open_page = inbox.base, offline.chromium, inbox.open_page
PHONE = offline.PHONE
BOX = "[data-shared]"
NAMES = "async () => (await caches.keys()).filter((name) => name === 'lobby-1-share')"
SHARE = """([fields, files]) => {
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', action: '/share', enctype: 'multipart/form-data' });
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement('textarea');
    Object.assign(field, { name, value });
    form.append(field);
  }
  const picker = document.createElement('input'), chosen = new DataTransfer(), { items } = chosen;
  Object.assign(picker, { type: 'file', name: 'files', multiple: true });
  for (const [name, type, bytes] of files) items.add(new File([new Uint8Array(bytes)], name, { type }));
  picker.files = chosen.files;
  form.append(picker);
  document.body.append(form);
  form.submit();
}"""
"""What the system does when somebody chooses Lobby in another app's share sheet."""


@pytest.fixture
def channel() -> toys.Toy:
    return toys.Rich()


@pytest.fixture
def desk(database: db.Database, data: Path, channel: toys.Toy) -> Desk:
    storage.use(storage.FolderStore(data / "attachments"))
    return open_desk(data, channel)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    made = Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    made.said("jon", "Jon B.", "Invoice, second try", made.ago(minutes=5))
    return made


@pytest.fixture
def phone(desk: Desk, scene: Scene, open_page: Open) -> Any:
    page = open_page("", **PHONE)
    page.goto(desk.path(""))
    page.evaluate(
        """async () => {
             await navigator.serviceWorker.register('/sw.js', { scope: '/' });
             await navigator.serviceWorker.ready;
             while (!navigator.serviceWorker.controller) await new Promise((on) => setTimeout(on, 50));
           }"""
    )
    return page


def share(page: Any, files: list[Any] | None = None, **fields: str) -> None:
    with page.expect_navigation(wait_until="load"):
        page.evaluate(SHARE, [fields, files or []])


def picture(name: str = "mug.jpg") -> list[Any]:
    return [name, "image/jpeg", list(samples.picture("JPEG"))]


def shown(page: Any) -> str:
    page.wait_for_selector(f"{BOX}:not([hidden])")
    return str(page.inner_text(BOX))


def opens(page: Any, scene: Scene, name: str) -> None:
    page.click(f"[data-row='{scene.conversation(name)}'] a")
    page.wait_for_selector("[data-composer]")


def written(page: Any) -> str:
    return str(page.input_value("[data-form=reply] textarea"))


def is_gone(page: Any) -> bool:
    return bool(page.is_hidden(BOX)) and page.evaluate(NAMES) == []


def test_a_picture_and_a_text_reach_the_reply(desk: Desk, scene: Scene, phone: Any) -> None:
    share(phone, [picture()], title="", text="This one?", url="https://shop.example/mug")
    assert phone.url.endswith(desk.path(""))
    said = shown(phone)
    assert "mug.jpg" in said
    assert "This one? https://shop.example/mug" in said
    assert "Open the conversation to add it to." in said
    assert not phone.is_visible("[data-shared-add]")
    assert violations(phone) == []
    opens(phone, scene, "ana")
    phone.click("[data-shared-add]")
    until(lambda: written(phone) == "This one?\nhttps://shop.example/mug", 5)
    until(lambda: len(toys.everything(Upload)) == 1, 10)
    until(lambda: is_gone(phone), 10)
    phone.click("[data-form=reply] [data-send]")
    until(lambda: "This one?\nhttps://shop.example/mug" in toys.texts(), 10)
    phone.goto(desk.path(""))
    phone.wait_for_timeout(300)
    assert phone.is_hidden(BOX)


def test_it_is_added_below_what_is_written(desk: Desk, scene: Scene, phone: Any) -> None:
    phone.goto(desk.path(f"/{scene.conversation('ana')}"))
    phone.fill("[data-form=reply] textarea", "Hello Ana,")
    share(phone, text="https://shop.example/mug", url="https://shop.example/mug", title="A mug")
    opens(phone, scene, "ana")
    phone.click("[data-shared-add]")
    until(lambda: written(phone) == "Hello Ana,\n\nA mug\nhttps://shop.example/mug", 5)


def test_a_reload_and_another_conversation_keep_it(desk: Desk, scene: Scene, phone: Any) -> None:
    share(phone, text="Keep me")
    opens(phone, scene, "ana")
    phone.reload()
    assert "Keep me" in shown(phone)
    phone.goto(desk.path(""))
    opens(phone, scene, "jon")
    assert "Keep me" in shown(phone)
    phone.click("[data-shared-discard]")
    until(lambda: is_gone(phone), 5)
    assert written(phone) == ""


def test_two_tabs_add_it_once(desk: Desk, scene: Scene, phone: Any, base: str) -> None:
    share(phone, text="Only once")
    other = phone.context.new_page()
    other.goto(base + desk.path(f"/{scene.conversation('jon')}"))
    assert "Only once" in shown(other)
    opens(phone, scene, "ana")
    phone.click("[data-shared-add]")
    until(lambda: is_gone(phone), 5)
    other.click("[data-shared-add]")
    until(lambda: other.is_hidden(BOX), 5)
    assert (written(phone), written(other)) == ("Only once", "")


@pytest.mark.parametrize("button", ["add", "discard"])
def test_a_tab_that_shows_an_older_share_leaves_the_newer_alone(
    desk: Desk, scene: Scene, phone: Any, button: str
) -> None:
    share(phone, [picture("old.jpg")], text="The older")
    opens(phone, scene, "ana")
    newer = phone.context.new_page()
    newer.goto(phone.url)
    share(newer, [picture("new.jpg")], text="The newer")
    assert "The older" in shown(phone)
    phone.click(f"[data-shared-{button}]")
    until(lambda: "The newer" in shown(phone), 5)
    assert written(phone) == ""
    phone.click("[data-shared-add]")
    until(lambda: written(phone) == "The newer", 5)
    until(lambda: [one.name for one in toys.everything(Upload)] == ["new.jpg"], 10)
    until(lambda: is_gone(phone), 10)


@pytest.mark.parametrize("channel", [toys.Toy()])
def test_a_channel_that_takes_no_files_says_so(desk: Desk, scene: Scene, phone: Any) -> None:
    share(phone, [picture()])
    opens(phone, scene, "ana")
    assert "Files can’t be added here." in shown(phone)
    assert phone.is_hidden("[data-shared-add]")


def test_a_picture_that_did_not_arrive_is_offered_again(desk: Desk, scene: Scene, phone: Any) -> None:
    phone.route("**/uploads", lambda route: route.abort())
    share(phone, [picture()], text="Once is enough")
    opens(phone, scene, "ana")
    phone.click("[data-shared-add]")
    phone.wait_for_selector("[data-form=reply] [data-again]:visible")
    phone.unroute("**/uploads")
    phone.reload()
    assert "mug.jpg" in shown(phone)
    phone.click("[data-shared-add]")
    until(lambda: is_gone(phone), 10)
    assert written(phone) == "Once is enough"
    assert len(toys.everything(Upload)) == 1


def test_too_many_files_are_left_out_and_said(desk: Desk, scene: Scene, phone: Any) -> None:
    share(phone, [picture(f"{number}.jpg") for number in range(12)])
    assert "10 files" in shown(phone)
    assert "Left out: 2." in shown(phone)


def test_a_film_too_large_is_left_out_and_there_is_nothing_to_add(
    desk: Desk, scene: Scene, phone: Any
) -> None:
    share(phone, [["film.mp4", "video/mp4", 101 * 1024 * 1024]])
    opens(phone, scene, "ana")
    assert "Left out: 1." in shown(phone)
    assert phone.is_hidden("[data-shared-add]")
    phone.click("[data-shared-discard]")
    until(lambda: is_gone(phone), 5)


def test_an_empty_share_and_a_hostile_one(desk: Desk, scene: Scene, phone: Any) -> None:
    share(phone)
    phone.wait_for_timeout(300)
    assert phone.is_hidden(BOX)
    name = "<img src=x onerror=alert(1)>" + "é" * 250 + ".jpg"
    share(phone, [picture(name)], text="<script>alert(1)</script>" + "🙂" * 30_000)
    assert "<img src=x" in shown(phone)
    box = phone.locator(BOX).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["viewport"]["width"]
    assert box["height"] < 160


def test_it_is_of_whoever_sees_it_first_and_for_an_hour(desk: Desk, scene: Scene, phone: Any) -> None:
    change = """async (change) => {
      const cache = await caches.open('lobby-1-share');
      const what = await (await cache.match('/share/what')).json();
      await cache.put('/share/what', Response.json({ ...what, ...change }));
    }"""
    for changed in ({"user": "999"}, {"at": clock.now().timestamp() * 1000 - 3_700_000}):
        share(phone, text="Not for you")
        shown(phone)
        phone.evaluate(change, changed)
        phone.reload()
        until(lambda: is_gone(phone), 5)


def test_signing_out_deletes_it_and_signing_in_keeps_what_came_before(
    desk: Desk, scene: Scene, phone: Any, base: str
) -> None:
    share(phone, text="Seen")
    shown(phone)
    phone.context.clear_cookies()
    phone.goto(desk.path(""))
    phone.wait_for_selector("[name=password]")
    until(lambda: phone.evaluate(NAMES) == [], 5)
    share(phone, text="Shared while signed out")
    phone.wait_for_selector("[name=password]")
    assert phone.evaluate(NAMES) == ["lobby-1-share"]


def test_a_device_without_room(desk: Desk, scene: Scene, phone: Any) -> None:
    (worker,) = phone.context.service_workers
    worker.evaluate(
        """() => {
             Cache.prototype.put = async () => { throw new DOMException('full', 'QuotaExceededError'); };
           }"""
    )
    share(phone, text="No room")
    assert "Nothing was added" in phone.inner_text("h1")
    assert phone.evaluate(NAMES) == []
