"""A question after closing, from an addon without a channel to Meta and back as a tap that only it gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import db, storage
from host.events import reading
from host.events.bodies.building import Body, build
from host.events.reading import BEGINNING
from host.inbox.conversation_actions import set_fields
from host.models.inbox import Conversation, ConversationStatus, Message
from host.queue.journal import Journal
from host.sdk import desk as sdk_desk
from host.sdk.desk import Grant, QuickReply
from tests.delivery.desk import drain
from tests.helpers import do
from tests.instagram import world
from tests.instagram.test_unsend import Desk
from tests.instagram.world import Addon, Meta, item


@pytest.fixture
def desk(desk: db.Database, ig: Addon, tmp_path: Path) -> Iterator[Desk]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    journal = Journal(tmp_path / "spool", wake=lambda _: None)
    journal.start()
    found = Desk(ig, desk, tmp_path, journal, world.connect(ig), ig.channel.InstagramAdapter())
    sdk_desk.provide(Directory([found.adapter]), {"survey": Grant("Survey", ["replies"], ["conversations"])})
    yield found
    sdk_desk.provide(Directory(()), {})
    journal.stop()


def only() -> Conversation:
    with db.read() as session:
        return session.scalars(sa.select(Conversation)).one()


def told(mid: str, adapter: Any) -> list[Body]:
    """Return what programs are told of a message."""
    reading.number_all()
    with db.read() as session:
        id_ = session.scalars(sa.select(Message.id).where(Message.external_id == mid)).one()
        events = [
            one
            for one in reading.after(session, BEGINNING, 200).events
            if (one.message_id, one.kind) == (id_, "message.received")
        ]
        built = build(session, events, Directory([adapter]), "https://desk.example")
        return [one.body for _event, bodies in built for one in bodies]


def asked_after_closing(desk: Desk, meta: Meta) -> list[dict[str, Any]]:
    """Ask the customer of a closed conversation; return the quick replies that Instagram got."""
    meta.wrote()
    desk.receive(item(message={"mid": "m1", "text": "Hi"}))
    conversation = only()
    do(set_fields, conversation.workspace_id, conversation.id, {"status": ConversationStatus.CLOSED})
    result = sdk_desk.of("survey").reply(
        conversation.id,
        "How did we do?",
        quick_replies=[QuickReply("Bad", "7:1"), QuickReply("Good", "7:5")],
        claims=True,
        after_closing=True,
        key="ask-7",
    )
    assert result.queued, result.reason
    generation: Any = SimpleNamespace(directory=Directory([desk.adapter]), number=1)
    drain(generation)
    (sent,) = [meta.box.world.messages[one["mid"]].body for one in meta.sent()]
    replies: list[dict[str, Any]] = sent["quick_replies"]
    assert [one["title"] for one in replies] == ["Bad", "Good"]
    assert only().status == ConversationStatus.CLOSED
    return replies


def test_a_question_goes_out_after_closing_and_its_tap_stays_quiet(desk: Desk, meta: Meta) -> None:
    replies = asked_after_closing(desk, meta)
    payload = replies[1]["payload"]
    desk.receive(item(message={"mid": "m2", "text": "Good", "quick_reply": {"payload": payload}}))
    found = only()
    assert (found.status, found.unread_count, found.waiting_since) == (ConversationStatus.CLOSED, 0, None)
    with db.read() as session:
        tap = session.scalars(sa.select(Message).where(Message.external_id == "m2")).one()
    assert tap.content == {"payload": "7:5", "claimed_by": "survey"}

    bodies = {body.name: msgspec.json.decode(body.body)["data"] for body in told("m2", desk.adapter)}
    assert list(bodies) == ["message.received"], "not instagram.quick_reply, which others may answer"
    assert bodies["message.received"]["claimedBy"] == "survey"
    assert bodies["message.received"]["content"]["payload"] == "7:5"

    desk.receive(item(message={"mid": "m3", "text": "Good", "quick_reply": {"payload": "7:5"}}))
    assert (only().status, only().unread_count) == (ConversationStatus.OPEN, 1)
    assert [body.name for body in told("m3", desk.adapter)] == ["message.received", "instagram.quick_reply"]


@pytest.mark.parametrize(("text", "payload"), [("Good", "7:5"), (" bAd ", "7:1"), ("2", "7:5")])
def test_a_typed_answer_counts_as_the_tap_that_some_apps_do_not_show(
    desk: Desk, meta: Meta, text: str, payload: str
) -> None:
    asked_after_closing(desk, meta)
    desk.receive(item(message={"mid": "m2", "text": text}))
    assert (only().status, only().unread_count) == (ConversationStatus.CLOSED, 0)
    bodies = {body.name: msgspec.json.decode(body.body)["data"] for body in told("m2", desk.adapter)}
    assert bodies["message.received"]["claimedBy"] == "survey"
    assert bodies["message.received"]["content"]["payload"] == payload


@pytest.mark.parametrize("text", ["3", "Good, thanks", "Hello", "0"])
def test_any_other_text_opens_the_conversation(desk: Desk, meta: Meta, text: str) -> None:
    asked_after_closing(desk, meta)
    desk.receive(item(message={"mid": "m2", "text": text}))
    assert (only().status, only().unread_count) == (ConversationStatus.OPEN, 1)


def test_a_typed_answer_is_a_message_while_the_addon_is_off(desk: Desk, meta: Meta) -> None:
    asked_after_closing(desk, meta)
    sdk_desk.provide(Directory([desk.adapter]), {})
    desk.receive(item(message={"mid": "m2", "text": "Good"}))
    assert (only().status, only().unread_count) == (ConversationStatus.OPEN, 1)
