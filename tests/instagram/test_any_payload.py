"""Whatever of a payload is missing, null, of another type or unknown: nothing raises, and no event is lost.

An event is not lost if the desk holds what it says, or the journal has it with the reason why not.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.core.cleaning import external_id
from host.core.db import Base
from host.inbox.apply.incoming import message_key
from host.models.channels import AccountWarning
from host.models.inbox import Actor, ContactIdentity, Mark, Message, Reaction
from host.models.notifications import Notification
from host.models.posts import LookUp
from host.models.queue import EventState, InboundEvent
from host.models.users import Role
from host.sdk.channel import AccountRef
from host.sdk.messages import (
    AccountNoticed,
    ConversationHandedOver,
    Ignored,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    MessageUnsent,
    ToLookUp,
)
from host.sdk.testing import check_changes
from host.sdk.webhooks import Envelope
from tests import helpers
from tests.instagram import golden_receive, test_golden_receive
from tests.instagram.golden_receive import Stage
from tests.instagram.receiving import KINDS
from tests.instagram.test_envelopes import BOUND, SECRET
from tests.instagram.world import ANA, KIT, POTTERY, Addon

GOLDEN = {kind.name: test_golden_receive.read(kind.name)["payloads"] for kind in KINDS}
GONE: Any = object()
DAMAGE: tuple[Any, ...] = (
    *(GONE, None, True, False, 0, 1, -7, 2.5, 10**30, "", "0", "true", "text", "\ud800", KIT, ANA, POTTERY),
    *("x" * 2_000, [], [None], {}, {"unknown": {"id": ANA}}, [{"unknown": 1}]),
)
"""What a value is replaced with; GONE: it is missing."""
CONTAINERS = ("messaging", "standby", "changes")
KEPT = (
    *(
        "messages",
        "attachments",
        "reactions",
        "message_marks",
        "posts",
        "look_ups",
        "conversations",
        "contact_identities",
        "contacts",
    ),
    *("inbound_events", "inbound_requests", "lanes", "domain_events", "account_warnings", "notifications"),
)
"""What a played payload leaves behind."""

Place = tuple[Any, Any]
"""An object or a list, and the key of something in it."""


def places(value: Any) -> Iterator[Place]:
    """Yield every place inside *value*, outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


def damage(place: Place, value: Any) -> None:
    inside, key = place
    if value is GONE:
        del inside[key]
    else:
        inside[key] = copy.deepcopy(value)


def rename(place: Place) -> None:
    """Call a field what nobody knows."""
    inside, key = place
    if isinstance(inside, dict):
        inside["hologram"] = inside.pop(key)


def bytes_of(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


def events_in(payload: Any) -> int:
    entries = payload.get("entry") if isinstance(payload, dict) else None
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    lists = [entry[name] for entry in entries for name in CONTAINERS if isinstance(entry.get(name), list)]
    return sum(map(len, lists))


@pytest.mark.parametrize("name", GOLDEN)
def test_every_single_damage_leaves_every_event_an_envelope_that_can_be_read(ig: Addon, name: str) -> None:
    bound = ig.accounts.Bound(**{**BOUND, "comments_id": 2})
    book = ig.accounts.Book(by_id={POTTERY.encode(): (bound,)}, by_account={POTTERY: (bound,)})
    (*_, original) = GOLDEN[name]
    for index in range(len(list(places(original)))):
        for value in (*DAMAGE, rename):
            payload = copy.deepcopy(original)
            place = list(places(payload))[index]
            rename(place) if value is rename else damage(place, value)
            found = ig.webhook.envelopes.cut(bytes_of(payload), book, SECRET)
            assert len(found) >= max(events_in(payload), 1)
            for each in found:
                of_comments = each.channel == "instagram-comments"
                changes = (ig.comments.events if of_comments else ig.webhook.events).parse(each)
                check_changes(changes)
                assert changes
                assert (
                    each.lane
                    or each.set_aside
                    or each.ignored
                    or isinstance(changes[0], Ignored | AccountNoticed)
                )


@st.composite
def damaged(draw: st.DrawFn) -> list[Any]:
    """The webhooks of one kind of event, damaged in up to three places."""
    payloads = copy.deepcopy(GOLDEN[draw(st.sampled_from(list(GOLDEN)))])
    for _ in range(draw(st.integers(1, 3))):
        found = [place for payload in payloads for place in places(payload)]
        if not found:
            break
        place, value = draw(st.sampled_from(found)), draw(st.sampled_from([*DAMAGE, rename]))
        rename(place) if value is rename else damage(place, value)
    return payloads


@pytest.fixture
def stage(ig: Addon, account: AccountRef, data: Path) -> Iterator[Stage]:
    storage.use(storage.FolderStore(data / "attachments"))
    with clock.travel(golden_receive.moment()):
        found = golden_receive.set_stage(ig, account, data)
        helpers.make_user(workspace=account.workspace_id, role=Role.OWNER)  # somebody to notify
        yield found
        found.journal.stop()


def clear(session: Session) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name in KEPT:
            session.execute(sa.delete(table))


def check_nothing_is_lost(stage: Stage, payloads: list[Any]) -> None:
    db.write(clear)
    stage.deliver(map(bytes_of, payloads))
    with db.read() as session:
        events = session.scalars(sa.select(InboundEvent)).all()
        assert events, "every webhook leaves something in the journal"
        for event in events:
            adapter = stage.directory.adapter(event.channel)
            assert adapter is not None
            if event.state == EventState.PENDING:
                # A comment of ours waits for the one it answers.
                (ours,) = adapter.parse(envelope_of(event))
                assert isinstance(ours, MessageEchoed)
                assert not ours.contact
            elif event.state != EventState.APPLIED:
                assert event.reason
            elif event.body is not None:
                changes = adapter.parse(envelope_of(event))
                told = [change for change in changes if not isinstance(change, Ignored)]
                assert told
                for change in told:
                    assert is_there(session, change, event), change


def envelope_of(event: InboundEvent) -> Envelope:
    key, body = event.dedupe_key, event.body or b""
    return Envelope(event.account_id, event.lane, key, event.kind, body, occurred_at=event.occurred_at)


def any_row(session: Session, kind: type[Base]) -> bool:
    return session.scalar(sa.select(kind).limit(1)) is not None


def is_there(session: Session, change: InboundChange, event: InboundEvent) -> bool:
    """Tell whether the desk holds what *change* says."""
    if isinstance(change, MessageReceived):
        return _message(session, message_key(change, event.dedupe_key)) is not None
    if isinstance(change, ToLookUp):
        return any_row(session, LookUp)
    if isinstance(change, ConversationHandedOver):
        return _message(session, external_id(f"handover:{event.dedupe_key}")) is not None
    if isinstance(change, AccountNoticed):
        if change.over:
            return True  # what it ends may have come again in a later event
        notified = any_row(session, Notification)
        return notified and (any_row(session, AccountWarning) or not change.bad)
    assert isinstance(change, MessageEchoed | MessageReacted | MessageEdited | MessageUnsent | MessagesRead)
    name = external_id(change.external_id)
    message = _message(session, name)
    contact = external_id(change.contact)
    person = session.scalar(sa.select(ContactIdentity).where(ContactIdentity.external_id == contact))
    marks = set(session.scalars(sa.select(Mark.kind).where(Mark.external_id == name)))
    if isinstance(change, MessageEchoed):
        return message is not None
    if isinstance(change, MessageReacted):
        actor = Actor.TEAM if change.ours else Actor.CUSTOMER
        query = sa.select(Reaction.id).where(Reaction.external_id == name, Reaction.actor == actor)
        return session.scalar(query) is not None
    if isinstance(change, MessagesRead):
        assert person is not None
        seen = person.seen_at is not None or name in (person.seen_early or ())
        return seen or (message is not None and message.direction == "inbound")
    if message is None:
        return bool(marks)
    if isinstance(change, MessageEdited):
        # One that says what the message says, or said before, is none.
        return message.edit_count > 0 or message.unsent_at is not None or event.channel != "instagram"
    return message.unsent_at is not None


def _message(session: Session, name: str) -> Message | None:
    return session.scalar(sa.select(Message).where(Message.external_id == name))


CASUAL = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@CASUAL
@given(payloads=damaged())
def test_a_damaged_payload_ends_in_the_desk_or_in_the_journal_with_a_reason(
    stage: Stage, payloads: list[Any]
) -> None:
    check_nothing_is_lost(stage, payloads)


@pytest.mark.slow
@settings(CASUAL, max_examples=800)
@given(payloads=damaged())
def test_so_do_many_more_damaged_payloads(stage: Stage, payloads: list[Any]) -> None:
    check_nothing_is_lost(stage, payloads)


def test_the_names_of_what_is_cleared_are_those_of_tables() -> None:
    assert set(KEPT) <= set(Base.metadata.tables)


@pytest.mark.parametrize("flag", [True, "true", " TRUE ", 1, "1"])
def test_a_flag_counts_as_text_and_as_a_number_too(ig: Addon, flag: object) -> None:
    assert ig.values.flag(flag)
    deleted = {
        "sender": {"id": ANA},
        "recipient": {"id": POTTERY},
        "message": {"mid": "m", "is_deleted": flag},
    }
    assert ig.webhook.envelopes.kind_of(deleted, ours=False) == "unsend"


@pytest.mark.parametrize("flag", [False, None, 0, "false", "0", "", [], {}, "2", 2.0])
def test_what_does_not_say_yes_is_no_flag(ig: Addon, flag: object) -> None:
    assert not ig.values.flag(flag)


def test_what_was_sent_to_us_is_no_echo_even_if_it_says_so(ig: Addon) -> None:
    event = {"sender": {"id": ANA}, "recipient": {"id": POTTERY}, "message": {"mid": "m", "is_echo": True}}
    assert ig.webhook.envelopes.sides_of(event, POTTERY) == (ANA, False)
    assert ig.webhook.envelopes.kind_of(event, ours=False) == "message"
    echo = {"recipient": {"id": ANA}, "message": {"mid": "m", "is_echo": "true"}}
    assert ig.webhook.envelopes.sides_of(echo, POTTERY) == (ANA, True)
    assert ig.webhook.envelopes.kind_of(echo, ours=True) == "echo"
