"""Whatever the order in which a provider tells us things, and however often, the thread ends up the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.core import db
from host.inbox.apply.changes import apply_changes
from host.models.inbox import ContactIdentity, Conversation, Message, Reaction
from host.sdk.messages import InboundChange, MessageEchoed, MessageReceived
from tests.inbox import toys
from tests.inbox.toys import START

CONTACTS = ("ana", "bo")
ABOUT = ("react", "react", "unreact", "edit", "edit", "edit", "unsend")


@dataclass(frozen=True)
class Story:
    """What really happened, each thing once, and the order and batches in which we are told."""

    happened: tuple[InboundChange, ...]
    told: tuple[tuple[int, ...], ...]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    happened: list[InboundChange] = []
    for second in range(draw(st.integers(1, 10))):
        contact = draw(st.sampled_from(CONTACTS))
        happened.append(draw(happenings(second, contact, happened)))
    return draw(tellings(happened))


@st.composite
def rumours(draw: st.DrawFn) -> Story:
    """Two messages about which much is said."""
    happened: list[InboundChange] = [
        toys.received("first", at=0, external_id="in-0"),
        toys.echoed("second", at=1, external_id="out-1", reply_to="in-0"),
    ]
    mids = ["in-0", "in-0", "out-1", "never"]
    for second in range(2, 2 + draw(st.integers(2, 7))):
        happened.append(draw(sayings(second, "ana", mids)))
    return draw(tellings(happened[draw(st.integers(0, 2)) :]))


@st.composite
def tellings(draw: st.DrawFn, happened: list[InboundChange]) -> Story:
    indexes = list(range(len(happened)))
    again = draw(st.lists(st.sampled_from(indexes), max_size=6))
    order = draw(st.permutations(indexes + again))
    told: list[tuple[int, ...]] = []
    while order:
        size = draw(st.integers(1, 4))
        told.append(tuple(order[:size]))
        order = order[size:]
    return Story(tuple(happened), tuple(told))


@st.composite
def happenings(draw: st.DrawFn, second: int, contact: str, happened: list[InboundChange]) -> InboundChange:
    said = [
        str(change.external_id)
        for change in happened
        if isinstance(change, MessageReceived | MessageEchoed)
        and change.contact == contact
        and change.external_id
    ]
    ours = [mid for mid in said if mid.startswith("out")]
    kind = draw(st.sampled_from(["in", "in", "out", "out", "read", "no id", *["about"] * 8]))
    text = draw(st.sampled_from(["hi", "ok", "", "Grüße 👋"]))
    quoted = draw(st.none() | st.sampled_from([*said, f"never-{contact}"]))
    if kind == "out":
        return toys.echoed(text, at=second, contact=contact, external_id=f"out-{second}", reply_to=quoted)
    if kind == "read" and ours:
        return toys.read(draw(st.sampled_from(ours)), at=second, contact=contact)
    if kind == "about":
        return draw(sayings(second, contact, [*said, f"never-{contact}"]))
    external_id = None if kind == "no id" else f"in-{second}"
    return toys.received(text, at=second, contact=contact, external_id=external_id, reply_to=quoted)


@st.composite
def sayings(draw: st.DrawFn, second: int, contact: str, mids: list[str]) -> InboundChange:
    """Something said about a message."""
    mid, kind = draw(st.sampled_from(mids)), draw(st.sampled_from(ABOUT))
    if kind == "unsend":
        return toys.unsent(mid, at=second, contact=contact)
    if kind == "edit":
        number = draw(st.none() | st.integers(1, 5))
        return toys.edited(mid, f"edit {second}", number, at=second, contact=contact)
    removed, team = kind == "unreact", draw(st.booleans())
    emoji = draw(st.sampled_from(["❤️", "👍"]))
    return toys.reacted(mid, emoji, at=second, contact=contact, removed=removed, ours=team)


@pytest.fixture(scope="module")
def stage(migrated_file: Path) -> Iterator[int]:
    """One workspace for all stories; each telling has an account of its own."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "lobby.sqlite3"
        shutil.copy(migrated_file, path)
        database = db.connect(f"sqlite:///{path}")
        yield toys.make_workspace()
        database.dispose()


def visible(workspace: int, story: Story, told: tuple[tuple[int, ...], ...]) -> object:
    """What an agent sees once all of *told* was applied."""
    account = toys.make_account(workspace)
    for batch in told:
        items = [
            toys.incoming(
                account, story.happened[index], key=f"event-{index}", received_at=START + timedelta(days=1)
            )
            for index in batch
        ]
        db.write(apply_changes, items)
    with db.read() as session:
        return _screens(session, account.id)


def _screens(session: Session, account: int) -> object:
    screens = {}
    for row in session.scalars(sa.select(Conversation).where(Conversation.account_id == account)):
        messages = session.scalars(
            sa.select(Message).where(Message.conversation_id == row.id).order_by(Message.sent_at, Message.id)
        ).all()
        identity = session.get(ContactIdentity, row.identity_id)
        assert identity is not None
        lines = [m for m in messages if (m.external_id or "").startswith("line:")]
        screens[identity.external_id] = (
            row.status,
            row.unread_count,
            row.last_message_at,
            row.last_preview,
            row.last_direction,
            row.last_kind,
            row.last_inbound_at,
            [_looks(m) for m in messages if m not in lines],
            sorted(_looks(m) for m in lines),
        )
    reactions = session.scalars(
        sa.select(Reaction)
        .where(Reaction.account_id == account)
        .order_by(Reaction.external_id, Reaction.actor)
    )
    return screens, [
        (r.external_id, r.actor, r.emoji, r.at, r.removed_at, r.state, _name(session, r.message_id))
        for r in reactions
    ]


def _looks(m: Message) -> tuple[object, ...]:
    about = (m.edited_at, m.edit_count, m.unsent_at, m.reply_to)
    return (m.external_id, m.direction, m.kind, m.text, str(m.content), m.state, m.sent_at, *about)


def _name(session: Session, message_id: int | None) -> str | None:
    message = session.get(Message, message_id) if message_id is not None else None
    return None if message is None else message.external_id


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_order_and_repetition_do_not_show(stage: int, story: Story) -> None:
    once = (tuple(range(len(story.happened))),)
    assert visible(stage, story, story.told) == visible(stage, story, once)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=rumours())
def test_what_is_said_about_a_message_may_come_in_any_order(stage: int, story: Story) -> None:
    one_by_one = tuple((index,) for index in range(len(story.happened)))
    assert visible(stage, story, story.told) == visible(stage, story, one_by_one)
