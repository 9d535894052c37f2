"""What open pages are told when something is erased, deleted or taken away, and what drafts keep of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from host.core import db
from host.events.models import ActorKind
from host.inbox import erasure, retention
from host.inbox.kept_drafts import drafts
from host.inbox.kept_drafts.content import Content, Text
from host.inbox.notes import add_note, delete_note
from host.live import events
from host.models.inbox import Conversation
from host.sdk.channel import AccountRef
from host.users import members
from host.users.actor import Actor
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.toys import apply, received

NOW = toys.START + timedelta(hours=1)


@pytest.fixture
def conversation(account: AccountRef, mia: int) -> Conversation:
    apply(account, received("My card is 4711", external_id="said"))
    return toys.only(Conversation)


def told(topic: str, accounts: frozenset[int] | None = None) -> list[dict[str, Any]]:
    """Return what browsers that see *accounts* are told of *topic*."""
    with db.read() as session:
        workspace_id = session.scalars(sa.select(Conversation.workspace_id)).first()
        assert workspace_id is not None
        found = events.narrowed(session, events.newer(session, 0, 1000), accounts)
    return [msgspec.json.decode(one.payload) for one in found if one.topic == topic]


def erase(conversation: Conversation) -> None:
    do(erasure.erase, conversation.workspace_id, conversation.contact_id)


def save(
    conversation: Conversation, user: int, content: Content, *, version: int = 0, erased: str | None = None
) -> Any:
    return db.write(
        drafts.save,
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        accounts=None,
        user_id=user,
        version=version,
        content=content,
        now=NOW,
        erased=erased,
    )


def read(conversation: Conversation, user: int) -> Any:
    with db.read() as session:
        return drafts.read(session, user, conversation.id)


def test_erasing_a_customer_is_told_of_each_conversation(conversation: Conversation) -> None:
    erase(conversation)
    assert told("erased") == [{"conversation": conversation.id, "contact": conversation.contact_id}]
    assert told("erased", frozenset({conversation.account_id})) == told("erased")
    assert told("erased", frozenset({987})) == []


def test_reaching_the_end_of_the_retention_is_told(conversation: Conversation) -> None:
    toys.change_row(Conversation, conversation.id, status="closed", created_at=toys.START)
    db.write(retention.erase_portion, conversation.workspace_id, toys.START + timedelta(days=9), 0)
    assert told("erased") == [{"conversation": conversation.id}]


def test_a_message_without_content_is_told_apart_from_one_that_changed(
    conversation: Conversation, account: AccountRef, mia: int
) -> None:
    (message,) = toys.thread(conversation.id)
    ids = {"conversation": conversation.id, "message": message.id}
    apply(account, toys.unsent("said", at=60))
    assert told("changed") == [{**ids, "emptied": True}]


def test_a_deleted_note_is_told_so(conversation: Conversation, mia: int) -> None:
    note = do(
        add_note,
        conversation.workspace_id,
        conversation.id,
        text="Rude",
        reply_key="note-0001",
        actor=mia,
        now=NOW,
    )
    do(delete_note, conversation.workspace_id, note.id, actor=Actor(ActorKind.USER, mia), now=NOW)
    assert told("changed") == [{"conversation": conversation.id, "message": note.id, "emptied": True}]


def test_whoever_may_see_less_is_told(conversation: Conversation, mia: int) -> None:
    other = toys.make_user(conversation.workspace_id, "Bo T.")
    db.write(members.set_accounts, conversation.workspace_id, other, frozenset())
    db.write(members.remove, conversation.workspace_id, other)
    assert told("access") == [{"users": [other]}, {"users": [other]}]
    assert told("access", frozenset()) == told("access"), "it names no account"


def test_a_draft_begun_before_the_erasure_is_not_saved_after_it(conversation: Conversation, mia: int) -> None:
    begun = Content({"reply": Text("Dear Ana")})
    assert read(conversation, mia).erased == ""
    erase(conversation)
    late = save(conversation, mia, begun, erased="")
    assert late.newer
    assert late.content.is_empty
    assert read(conversation, mia).content.is_empty
    mark = read(conversation, mia).erased
    assert mark == late.erased != ""
    assert save(conversation, mia, begun, erased=mark).content == begun, (
        "what is begun since is about somebody else"
    )


def test_a_draft_quotes_no_message_that_was_unsent(
    conversation: Conversation, account: AccountRef, mia: int
) -> None:
    apply(account, received("Another", external_id="other", at=30))
    ids = {one.external_id: one.id for one in toys.thread(conversation.id)}
    quote = {"quote": {"id": str(ids["said"]), "name": "Ana", "text": "My card is 4711"}}
    kept = {"quote": {"id": str(ids["other"]), "name": "Ana", "text": "Another"}}
    before = save(conversation, mia, Content({"reply": Text("No")}, parts={"reply": quote, "private": kept}))
    apply(account, toys.unsent("said", at=60))
    after = read(conversation, mia)
    assert after.content == Content({"reply": Text("No")}, parts={"private": kept})
    assert after.version == before.version + 1
