"""A customer who is erased is gone: from every table, every file and every page, and does not come back."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock, db, storage
from host.delivery.worker import drain
from host.inbox import erasure
from host.inbox.contacts.models import ContactAttribute, ContactEntry, ContactMerge, ContactValue
from host.inbox.notes import add_note
from host.models.api_keys import ApiKey, IdempotentRequest
from host.models.inbox import Attachment, Contact, ContactIdentity, Conversation, DeliveryState, Message
from host.models.queue import OutboxEntry
from host.models.users import AuditEntry
from host.queue import catch_ups
from host.queue.journal import Journal
from host.web.request_helpers import Role
from tests.asking import name_to_type
from tests.helpers import Browser, StandInGeneration, build_app, client_for, do, make_user, queue_reply
from tests.instagram import test_unsend, world
from tests.instagram.test_history import Reader
from tests.instagram.test_unsend import KEPT, SECRET, edit, said, unsend
from tests.instagram.world import ANA, KIT, LINK, Addon, Meta, item, payload


def made(database: db.Database, ig: Addon, folder: Path) -> Iterator[test_unsend.Desk]:
    storage.use(storage.FolderStore(folder / "attachments"))
    journal = Journal(folder / "spool", wake=lambda _: None)
    journal.start()
    yield test_unsend.Desk(ig, database, folder, journal, world.connect(ig), ig.channel.InstagramAdapter())
    journal.stop()


@pytest.fixture
def desk(desk: db.Database, ig: Addon, tmp_path: Path) -> Iterator[test_unsend.Desk]:
    yield from made(desk, ig, tmp_path)


@pytest.fixture
def every_desk(any_desk: db.Database, ig: Addon, tmp_path: Path) -> Iterator[test_unsend.Desk]:
    """The same, once for each kind of server."""
    yield from made(any_desk, ig, tmp_path)


def rows(model: type[Any]) -> list[Any]:
    with db.read() as session:
        return list(session.scalars(sa.select(model).order_by(model.id)))


def contact_of(igsid: str = ANA) -> int:
    with db.read() as session:
        query = sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == igsid)
        return session.scalars(query).one()


def conversation_of(igsid: str = ANA) -> Conversation:
    return next(row for row in rows(Conversation) if row.contact_id == contact_of(igsid))


def erase(desk: test_unsend.Desk, igsid: str = ANA) -> erasure.Holdings:
    return do(erasure.erase, desk.account.workspace_id, contact_of(igsid))


def answered(desk: test_unsend.Desk, conversation: int) -> None:
    """Keep an answer for a program that may repeat its request."""
    now = clock.now()

    def use_case(session: Session) -> None:
        key = ApiKey(
            workspace_id=desk.account.workspace_id,
            name="Shop",
            token_hash="0" * 64,
            hint="lk_",
            scopes="write",
            created_at=now,
        )
        session.add(key)
        session.flush()
        session.add(
            IdempotentRequest(
                key_id=key.id,
                name_hash="1" * 64,
                fingerprint="2" * 64,
                claimed_until=now,
                status=201,
                answer=f'{{"data":[{{"id":1,"conversationId":{conversation},"text":"{SECRET}"}}]}}',
                expires_at=now,
            )
        )

    db.write(use_case)


def keep_about(session: Session, contact: Contact) -> None:
    """Plant it where the team keeps something about a customer, and with one who is a part of them."""
    now = clock.now()
    part = Contact(workspace_id=contact.workspace_id, name=SECRET, created_at=now, merged_into_id=contact.id)
    glaze = ContactAttribute(
        workspace_id=contact.workspace_id, name="Glaze", name_key="3" * 64, kind="text", created_at=now
    )
    session.add_all([part, glaze])
    session.flush()
    contact.opted_out_at, contact.opted_out_source = now, SECRET
    session.add(ContactValue(contact_id=part.id, attribute_id=glaze.id, value=SECRET))
    for one in (contact, part):
        content = {"field": "name", "before": SECRET, "after": SECRET}
        session.add(ContactEntry(contact_id=one.id, kind="changed", text="", content=content, at=now))
    taken = {"name": {"before": SECRET, "after": SECRET}}
    session.add(
        ContactMerge(contact_id=contact.id, other_id=part.id, state="merged", moved={}, taken=taken, at=now)
    )


def furnish(desk: test_unsend.Desk) -> None:
    """Plant the text everywhere a customer's words can get to."""
    picture = {"type": "image", "payload": {"url": f"{LINK}&name={SECRET}", "title": SECRET}}
    desk.receive(said(words=f"{SECRET} one"), said("k1", KEPT, KIT))
    desk.receive(edit("m1", f"{SECRET} two", 1), edit("elsewhere", f"{SECRET} three", 1))
    desk.receive(said("m2", None, attachments=[picture]), said("m3", "this", reply_to={"mid": "m1"}))
    desk.receive(world.echo(mid="m5", text=SECRET), item(postback={"mid": "m6", "title": SECRET}))
    desk.receive(item(reaction={"mid": "m1", "action": "react", "reaction": "love", "emoji": "❤"}))
    key = storage.store(f"{SECRET} in a file".encode())

    def use_case(session: Session) -> None:
        attachment = session.scalars(sa.select(Attachment)).first()
        assert attachment is not None
        attachment.storage_key, attachment.state = key, "stored"
        identity = session.scalars(sa.select(ContactIdentity).where(ContactIdentity.external_id == ANA)).one()
        identity.name = identity.username = identity.picture_url = SECRET
        identity.profile = {"about": SECRET}
        contact = session.get_one(Contact, identity.contact_id)
        contact.name, contact.email = SECRET, f"{SECRET}@example.com"
        keep_about(session, contact)

    db.write(use_case)
    conversation = conversation_of()
    do(
        queue_reply,
        desk.account.workspace_id,
        conversation.id,
        f"{SECRET} from us",
        reply_key="planted-reply",
        adapter=desk.adapter,
    )
    answered(desk, conversation.id)
    do(
        add_note,
        desk.account.workspace_id,
        conversation.id,
        text=f"{SECRET} between us",
        reply_key="planted-note",
    )


def test_nothing_of_them_is_left_anywhere(every_desk: test_unsend.Desk) -> None:
    desk = every_desk
    furnish(desk)
    assert {
        *("attachments", "contact_identities", "contacts", "conversations"),
        *("contact_entries", "contact_merges", "contact_values"),
        *("inbound_events", "inbound_requests", "message_marks", "messages", "api_idempotent_requests"),
    } <= set(desk.found(SECRET))
    before = {row.id: (row.direction, row.sent_at, row.external_id) for row in rows(Message)}
    owner = make_user(workspace=desk.account.workspace_id, role=Role.OWNER)
    client = browser(desk, owner)
    address = f"/w/{desk.account.workspace_id}/inbox/{conversation_of().id}"
    asked = text(client.get(f"{address}/erase"))
    assert "the content of 6 messages" in asked or "the content of 7 messages" in asked
    assert all(each in asked for each in ("1 private note", "1 file", "1 pending reply, which", ANA))
    name = name_to_type(asked)
    for given in ({}, {"understood": "1"}, {"name": ""}, {"name": f"{name} x"}, {"name": name[:-1]}):
        refused = client.post_form(f"{address}/erase", **given)
        assert (refused.status_code, name_to_type(text(refused))) == (400, name)
    assert desk.found(SECRET), "a press without the name does nothing"
    assert client.post_form(f"{address}/erase", name=f"  {name.upper()} ").status_code == 303

    assert desk.found(SECRET) == []
    for path in (address, f"{address}?pane=contact", address.rpartition("/")[0], f"{address}/messages"):
        shown = text(client.get(path))
        assert SECRET not in shown
    assert "Erased" in text(client.get(address))
    left = {row.id: (row.direction, row.sent_at, row.external_id) for row in rows(Message)}
    assert left.items() >= before.items(), "who and when stay"
    assert all(row.erased_at for row in rows(Message) if row.id in before and row.text == "" != row.kind)
    (entry,) = [row for row in rows(AuditEntry) if row.action == "contact.erased"]
    assert entry.user_id == owner.id
    assert entry.details["replies_withdrawn"] == 1
    erased = next(row for row in rows(Contact) if row.id == contact_of())
    assert erased.opted_out_at is not None, "what they asked for stays"


def test_somebody_elses_words_stay(desk: test_unsend.Desk) -> None:
    furnish(desk)
    erase(desk)
    assert desk.message("k1").text == KEPT
    assert desk.message("k1").erased_at is None
    kept = [one for one in desk.events("message") if one.body is not None]
    assert [KEPT.encode() in (one.body or b"") for one in kept] == [True]


def test_what_waited_to_be_sent_is_not_sent(desk: test_unsend.Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(desk)
    monkeypatch.setattr(desk.adapter, "send", lambda _: pytest.fail("it was sent"), raising=False)
    erase(desk)
    generation = type("G", (), {"directory": Directory([desk.adapter]), "number": 1})()
    drain(generation, direction="out")
    assert [entry.open for entry in rows(OutboxEntry)] == [False]
    assert {row.state for row in rows(Message)} <= {None, DeliveryState.SENT}


def test_while_one_is_being_sent_nothing_is_erased(desk: test_unsend.Desk) -> None:
    furnish(desk)
    sending = sa.update(Message).where(Message.reply_key == "planted-reply").values(state="sending")
    db.write(lambda session: session.execute(sending) and None)
    with pytest.raises(erasure.BeingSentError):
        erase(desk)
    assert desk.found(SECRET)


def test_nothing_brings_it_back(desk: test_unsend.Desk) -> None:
    body = desk.receive(said(), said("k1", KEPT, KIT))
    late = payload(world.entry(at(-60, "m9", f"{SECRET} on its way")))
    erase(desk)
    desk.deliver(body)
    desk.deliver(late)
    desk.receive(edit("m1", f"{SECRET} edited", 2), edit("m9", f"{SECRET} edited", 2), unsend("m1"))
    assert "m9" in {row.external_id for row in rows(Message)}
    assert desk.found(SECRET) == []


def at(seconds: float, mid: str, words: str) -> dict[str, Any]:
    """Return a message the provider dates so many seconds from now."""
    when = clock.now() + timedelta(seconds=seconds)
    return item(message={"mid": mid, "text": words}, timestamp=int(when.timestamp() * 1000))


def test_if_they_write_again_that_is_a_new_beginning(desk: test_unsend.Desk) -> None:
    desk.receive(said())
    erase(desk)
    identity = rows(ContactIdentity)[0]
    assert identity.profile_due_at is None
    desk.receive(at(30, "m2", "Hello again"))
    assert [row.text for row in rows(Message) if row.external_id == "m2"] == ["Hello again"]
    assert conversation_of().unread_count == 1
    assert rows(ContactIdentity)[0].profile_due_at is not None, "they are asked about anew"


@pytest.mark.slow
def test_the_history_does_not_bring_it_back(every_desk: test_unsend.Desk, meta: Meta) -> None:
    desk = every_desk
    meta.wrote(ANA, f"{SECRET} long ago")
    reader = Reader(desk.ig)
    reader.run()
    assert desk.found(SECRET)
    erase(desk)
    assert desk.found(SECRET) == []
    for message in meta.box.world.conversations.values():
        message.messages[0].mid += "-by-another-name"
    with db.read() as session:
        account = session.scalars(sa.select(ContactIdentity.account_id)).one()
    db.write(catch_ups.ask, account)
    reader.run()
    assert desk.found(SECRET) == []


def test_agents_and_strangers_cannot(desk: test_unsend.Desk) -> None:
    desk.receive(said())
    address = f"/w/{desk.account.workspace_id}/inbox/{conversation_of().id}/erase"
    agent = browser(desk, make_user(workspace=desk.account.workspace_id, role=Role.AGENT))
    stranger = browser(desk, make_user(workspace=world.workspace("Other"), role=Role.OWNER))
    for client, status in ((agent, 403), (stranger, 404)):
        assert client.get(address).status_code == status
        assert client.post_form(address, name="Anything").status_code == status
    assert desk.found(SECRET)
    assert "Erase this customer" not in text(agent.get(address.removesuffix("/erase") + "?pane=contact"))


def browser(desk: test_unsend.Desk, user: Any) -> Browser:
    data = desk.folder / "installation"
    data.mkdir(exist_ok=True)
    return client_for(
        build_app(data, generation=StandInGeneration(directory=Directory([desk.adapter]))), user
    )


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))
