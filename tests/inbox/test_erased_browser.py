"""What was erased, deleted or taken away leaves colleagues' open pages, and they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.events.models import ActorKind
from host.inbox import erasure
from host.inbox.kept_drafts import content, drafts
from host.inbox.kept_drafts.models import KeptDraft
from host.inbox.notes import delete_note
from host.models.inbox import Conversation, Message
from host.models.users import Role
from host.sdk.messages import MessageUnsent
from host.users import members
from host.users.actor import Actor
from tests import helpers
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

SECRET = "Is it in stock?"
REPLY = "[data-form=reply] textarea"
TOLD = "main [data-erased-notice]"
COVER = "dialog[data-left][open]"
SOON = 15_000
"""Milliseconds to wait on a busy machine; the page itself asks within a tenth of a second."""


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


@pytest.fixture
def bo(desk: Desk) -> tuple[int, helpers.Browser]:
    """A colleague, who is an agent."""
    user = helpers.make_user(name="Bo T.", workspace=desk.workspace, role=Role.AGENT)
    return user.id, helpers.client_for(desk.app, user)


def erase(scene: scenes.Scene, contact: str = "ana") -> None:
    with db.read() as session:
        contact_id = session.get_one(Conversation, scene.conversation(contact)).contact_id
    do(erasure.erase, scene.desk.workspace, contact_id)


def unsend(scene: scenes.Scene, contact: str, external_id: str) -> None:
    scene.apply(MessageUnsent(contact=contact, external_id=external_id, at=clock.now()))


def followed(desk: Desk, count: int = 1) -> None:
    """Wait until *count* pages follow what happens."""
    until(lambda: desk.hub.count >= count)


def kept() -> list[str]:
    with db.read() as session:
        return [text for text in session.scalars(sa.select(KeptDraft.content)) if text]


def says(page: Any, words: str) -> bool:
    """Whether a page, its fields, its title or its storage has *words*."""
    found = page.evaluate(
        """() => [document.documentElement.outerHTML, document.title, JSON.stringify({...sessionStorage}),
        JSON.stringify({...localStorage}),
        ...[...document.querySelectorAll("textarea, input")].map((one) => one.value)]"""
    )
    return any(words in one for one in found)


def told(page: Any, words: str) -> None:
    page.wait_for_selector(f"{TOLD} >> text={words}", timeout=SOON)


def test_an_erased_customer_leaves_every_page_and_whoever_wrote_is_told(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: tuple[int, helpers.Browser]
) -> None:
    here = f"/{scene.conversation('ana')}"
    mias, bos = open_page(here), open_page(browser=bo[1])
    followed(desk, 2)
    assert says(mias, SECRET)
    assert says(bos, SECRET)
    mias.fill(REPLY, "Dear Ana, yes")
    until(lambda: "Dear Ana, yes" in "".join(kept()))
    erase(scene)
    told(mias, "what you were writing here")
    mias.wait_for_selector(".log >> text=erased", timeout=SOON)
    for page in (mias, bos):
        until(lambda page=page: not says(page, SECRET) and not says(page, "Ana Q."))
    until(lambda: not says(mias, "Dear Ana"))
    assert kept() == []
    assert bos.locator(TOLD).count() == 0, "this page had nothing of it but its row"


def test_a_draft_elsewhere_in_the_browser_goes_too(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    page.fill(REPLY, "Dear Ana, yes")
    page.click(f"[data-row='{jon}'] .conv")
    page.wait_for_selector(".thread-head h2 >> text=Jon B.")
    page.fill(REPLY, "Dear Jon")
    followed(desk)
    erase(scene)
    told(page, "what you had begun to write to them")
    until(lambda: not says(page, "Dear Ana"))
    assert page.locator(REPLY).input_value() == "Dear Jon"


def test_what_was_begun_without_a_line_is_not_kept_once_it_is_back(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    followed(desk)
    page.context.set_offline(True)
    page.wait_for_selector("body > .offline")
    page.fill(REPLY, "Dear Ana, yes")
    erase(scene)
    page.context.set_offline(False)
    told(page, "what you were writing here")
    until(lambda: not says(page, "Dear Ana") and not says(page, SECRET))
    assert kept() == []


def test_a_draft_that_outlived_the_app_is_not_taken_over(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    here = f"/{scene.conversation('ana')}"
    page = open_page(here)
    followed(desk)
    page.context.set_offline(True)
    page.wait_for_selector("body > .offline")
    page.fill(REPLY, "Dear Ana, yes")
    until(lambda: "Dear Ana" in page.evaluate("JSON.stringify({...localStorage})"))
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
    erase(scene)
    page.context.set_offline(False)
    page.goto(desk.path(here))
    told(page, "what you were writing here")
    until(lambda: not says(page, "Dear Ana"))
    assert kept() == []


def test_a_message_that_is_unsent_is_quoted_no_more(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    message = scene.said("ana", "Ana Q.", "My card is 4711", clock.now())
    conversation = scene.conversation("ana")
    with db.read() as session:
        id_ = session.scalars(sa.select(Message.id).where(Message.external_id == message)).one()
    quote = {"id": str(id_), "name": "Ana Q.", "text": "My card is 4711"}
    db.write(
        drafts.save,
        workspace_id=desk.workspace,
        conversation_id=conversation,
        accounts=None,
        user_id=desk.mia.id,
        version=0,
        content=content.Content(
            texts={"reply": content.Text("Never write that")}, parts={"reply": {"quote": quote}}
        ),
        now=clock.now(),
    )
    page = open_page(f"/{conversation}")
    page.wait_for_selector("[data-quoted]:not([hidden]) >> text=4711")
    followed(desk)
    unsend(scene, "ana", message)
    told(page, "no longer quotes it")
    until(lambda: not says(page, "4711"))
    assert page.locator(REPLY).input_value() == "Never write that"
    until(lambda: ["4711" in one for one in kept()] == [False])


def test_a_deleted_note_leaves_the_pages_of_others(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: tuple[int, helpers.Browser]
) -> None:
    scene.note("ana", "She shouted at me", clock.now(), desk.mia.id)
    page = open_page(f"/{scene.conversation('ana')}", browser=bo[1])
    followed(desk)
    assert says(page, "shouted")
    with db.read() as session:
        note = session.scalars(sa.select(Message.id).where(Message.kind == "note")).one()
    actor = Actor(ActorKind.USER, desk.mia.id)
    do(delete_note, desk.workspace, note, actor=actor)
    until(lambda: not says(page, "shouted"))


def test_whoever_is_removed_from_a_workspace_sees_nothing_of_it(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: tuple[int, helpers.Browser]
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", browser=bo[1])
    followed(desk)
    page.fill(REPLY, "Dear Ana, yes")
    db.write(members.remove, desk.workspace, bo[0])
    page.wait_for_selector(f"{COVER} >> text=no longer a member", timeout=SOON)
    assert page.locator(f"{COVER} >> text=what you were writing").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(COVER).is_visible()
    assert page.locator("main").is_hidden()
    until(lambda: not says(page, SECRET) and not says(page, "Dear Ana"))


def test_a_conversation_one_may_see_no_more_leaves_the_page(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: tuple[int, helpers.Browser]
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", browser=bo[1])
    followed(desk)
    db.write(members.set_accounts, desk.workspace, bo[0], frozenset())
    told(page, "can no longer see this conversation")
    until(lambda: not says(page, SECRET) and not says(page, "Ana Q."))


def test_other_pages_are_loaded_again_and_say_why(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page()
    with db.read() as session:
        contact = session.get_one(Conversation, scene.conversation("ana")).contact_id
    others = []
    for path in (f"/w/{desk.workspace}/contacts", f"/w/{desk.workspace}/contacts/{contact}"):
        other = page.context.new_page()
        other.goto(path)
        assert says(other, "Ana Q.")
        others.append(other)
    followed(desk, 2)
    erase(scene)
    for other in others:
        other.bring_to_front()
        told(other, "was erased")
        until(lambda other=other: not says(other, "Ana Q."))


def test_a_copy_on_the_device_follows(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page()
    followed(desk)
    stored = """async (text) => {
      const found = [];
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const one of await cache.keys()) found.push((await (await cache.match(one))?.text()) ?? "");
      }
      return found.some((one) => one.includes(text));
    }"""
    page.evaluate(
        """async ([path, text]) => {
          const cache = await caches.open("lobby-1-copy-0-0-0");
          await cache.put(path, new Response(text));
        }""",
        [f"/w/{desk.workspace}/inbox/{ana}/thread", SECRET],
    )
    assert page.evaluate(stored, SECRET)
    erase(scene)
    until(lambda: not page.evaluate(stored, SECRET))
