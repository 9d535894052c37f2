"""One person is one contact with one conversation, whatever id an event names."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from host.core import db
from host.delivery import history
from host.delivery import merging as importing
from host.events import reading
from host.events.bodies import building
from host.events.kinds.contacts import CONTACT_IDENTITY_ADDED
from host.inbox.apply.changes import Applied, apply_changes
from host.inbox.contacts import merging, one_person
from host.inbox.contacts.models import ContactMerge
from host.inbox.erasure import erase
from host.models.inbox import (
    Contact,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    Message,
    Origin,
)
from host.models.queue import OutboxEntry
from host.queue import outbox
from host.sdk.channel import AccountRef
from host.sdk.messages import (
    ContactIdentified,
    IdChange,
    InboundChange,
    MessageReceived,
    MessagesRead,
    PersonId,
)
from tests.events.test_kinds import NoAdapters
from tests.helpers import work
from tests.inbox import toys
from tests.inbox.toys import START, received


@pytest.fixture
def account(any_database: db.Database) -> AccountRef:
    return toys.make_account(toys.make_workspace())


def known(
    *lasting: str, phone: str = "", before: Sequence[PersonId] = (), at: float = 0
) -> ContactIdentified:
    """What an event says of a person's ids."""
    ids = (*((PersonId(phone),) if phone else ()), *(PersonId(one, lasting=True) for one in lasting), *before)
    return ContactIdentified(next(iter(lasting), phone), START + timedelta(seconds=at), ids)


def moved(new: str, old: str, *lasting: str, at: float) -> ContactIdentified:
    """A person has another phone number."""
    told = known(*lasting, phone=new, before=[PersonId(old, former=True)], at=at)
    return replace(told, changed=IdChange.NUMBER)


def renamed(new: str, old: str, phone: str = "", *, at: float) -> ContactIdentified:
    """A person has another lasting id."""
    told = known(new, phone=phone, before=[PersonId(old, lasting=True, former=True)], at=at)
    return replace(told, changed=IdChange.ID)


def wrote(
    text: str, *lasting: str, phone: str = "", at: float = 0, mid: str | None = None
) -> tuple[InboundChange, ...]:
    """A message, whose event names these ids."""
    told = known(*lasting, phone=phone, at=at)
    message = received(text, at=at, contact=told.contact, external_id=mid or f"m-{text}")
    return (told, message) if len(told.ids) > 1 else (message,)


def apply(account: AccountRef, *events: Sequence[InboundChange]) -> None:
    """Apply *events* in one batch, as workers do."""

    def use_case(session: Session) -> Applied:
        items = [
            toys.incoming(account, change, key=repr(event), received_at=START + timedelta(days=1))
            for event in events
            for change in event
        ]
        return apply_changes(session, items)

    one_person.join(db.write(use_case).joins)


def threads(account: AccountRef) -> dict[str, tuple[int, int]]:
    """Return contact and conversation of each message, by its text."""
    with db.read() as session:
        rows = session.execute(
            sa.select(Message.text, Conversation.contact_id, Conversation.id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.account_id == account.id, Message.text != "")
        )
        return {text: (contact, conversation) for text, contact, conversation in rows}


def ids(account: AccountRef) -> dict[str, str | None]:
    """Return all ids on an account, each with the id that is sent to instead, if it is another."""
    with db.read() as session:
        rows = session.scalars(
            sa.select(ContactIdentity).where(ContactIdentity.account_id == account.id)
        ).all()
        named = {one.id: one.external_id for one in rows}
        return {one.external_id: named.get(one.same_as_id or 0) for one in rows}


def test_who_hides_their_number_stays_the_same_customer(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, wrote("b", "U1", at=2))
    apply(account, wrote("c", phone="491", at=3))
    assert len(set(threads(account).values())) == 1
    assert ids(account) == {"491": None, "U1": "491"}
    assert toys.only(Conversation).unread_count == 3


def added(account: AccountRef) -> list[tuple[int, str]]:
    """Return contact and id of each event that one has a further id, as programs get them."""
    found = []
    reading.number_all()
    with db.read() as session:
        events = reading.after(session, reading.BEGINNING, 100).events
        for event, bodies in building.build(session, events, NoAdapters(), "https://desk.example"):
            if event.kind == CONTACT_IDENTITY_ADDED:
                data = json.loads(bodies[0].body.body)["data"]
                assert data["channelType"] == account.channel
                found.append((int(data["id"]), data["externalId"]))
    return found


def test_programs_are_told_of_each_further_id(account: AccountRef) -> None:
    apply(account, wrote("a", phone="491", at=1))
    assert added(account) == []  # the first comes with their message
    apply(account, wrote("b", "U1", phone="491", at=2))
    contact = toys.only(Contact).id
    assert added(account) == [(contact, "U1")]
    apply(account, wrote("c", "U1", phone="491", at=3))
    assert added(account) == [(contact, "U1")]
    apply(account, wrote("d", "U2", phone="492", at=4))
    assert added(account)[1:] == [
        (threads(account)["d"][0], "U2")
    ]  # of a new one, the one they aren't sent to
    apply(account, (moved("493", "491", "U1", at=5),))
    assert added(account)[2:] == [(contact, "493")]


def test_programs_are_told_whose_a_number_is_now(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1), wrote("b", "U2", phone="492", at=1))
    apply(account, wrote("c", "U2", phone="491", at=9))
    second = threads(account)["b"][0]
    assert added(account)[-1] == (second, "491")


def test_the_history_finds_a_person_by_each_of_their_ids(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    with db.read() as session:
        assert history._with_conversation(session, account.id, ["U1", "491", "U2"]) == {"U1", "491"}
    told = received("b", at=0, contact="U1", external_id="m-b")
    item = toys.incoming(account, told, key="past")._replace(imported=True, delivered=False)
    with db.read() as session:
        assert importing.stored_without_id(session, account.id, "U1", [told]) == []
    db.write(importing.merge, account, "U1", [item], ())
    assert len(set(threads(account).values())) == 1


def test_a_number_that_is_shown_later_is_theirs(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", at=1), wrote("b", "U1", phone="491", at=2), wrote("c", phone="491", at=3))
    assert len(set(threads(account).values())) == 1


def test_two_customers_who_turn_out_to_be_one_are_joined_and_can_be_separated(account: AccountRef) -> None:
    apply(account, wrote("a", phone="491", at=1))
    apply(account, wrote("b", "U1", at=2))
    assert len({contact for contact, _ in threads(account).values()}) == 2
    apply(account, wrote("c", "U1", phone="491", at=3))
    assert len({contact for contact, _ in threads(account).values()}) == 1
    apply(account, wrote("d", "U1", at=4))
    apply(account, wrote("e", phone="491", at=5))
    found = threads(account)
    assert found["d"] == found["e"] == found["b"]  # the newest conversation of one person goes on
    assert ids(account) == {"491": None, "U1": "491"}

    merge = toys.only(ContactMerge)

    def part(session: Session) -> None:
        merging.split(work(session, account.workspace_id), merge.contact_id, merge.id)

    db.write(part)
    found = threads(account)
    assert found["a"][0] != found["b"][0]
    assert ids(account) == {"491": None, "U1": None}
    # A person has decided: the provider's word does not join them again.
    apply(account, wrote("f", "U1", phone="491", at=6))
    apply(account, wrote("g", phone="491", at=7))
    found = threads(account)
    assert found["f"][0] == found["b"][0]
    assert found["g"][0] == found["a"][0]
    assert len(toys.everything(ContactMerge)) == 1


def test_a_number_moves_on_and_its_former_owner_keeps_the_conversation(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, wrote("b", "U2", phone="491", at=9))
    apply(account, wrote("c", "U1", at=10))
    apply(account, wrote("d", phone="491", at=11))
    apply(account, wrote("late", "U1", phone="491", at=2))
    found = threads(account)
    assert found["a"] == found["c"] == found["late"]
    assert found["b"] == found["d"] != found["a"]
    assert ids(account) == {"U1": None, "U2": None, "491": "U2"}


def test_what_waits_for_a_customer_does_not_go_to_the_next_owner_of_their_number(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))

    def reply(session: Session) -> None:
        conversation = session.scalars(sa.select(Conversation)).one()
        message = Message(
            workspace_id=conversation.workspace_id,
            conversation_id=conversation.id,
            account_id=account.id,
            direction=Direction.OUTBOUND,
            origin=Origin.AGENT,
            kind="text",
            text="private",
            content={},
            sent_at=START,
            created_at=START,
            state=DeliveryState.QUEUED,
        )
        session.add(message)
        session.flush()
        outbox.take_lane(session, account.id, "491")
        outbox.enqueue(session, message, "491")

    db.write(reply)
    apply(account, wrote("b", "U2", phone="491", at=9))
    entry = toys.only(OutboxEntry)
    assert entry.recipient == "U1"
    assert entry.lane == outbox.lane_of(account.id, "U1")


def test_a_new_number_is_a_line_and_is_sent_to(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    event = (moved("492", "491", "U1", at=5),)
    apply(account, event)
    apply(account, event)
    apply(account, wrote("b", phone="492", at=6))
    assert len(set(threads(account).values())) == 1
    assert ids(account) == {"492": None, "491": "492", "U1": "492"}
    lines = [one.content for one in toys.everything(Message) if one.kind == "activity"]
    assert lines == [{"what": "new_number"}]
    assert toys.only(Conversation).unread_count == 2


def kinds(account: AccountRef) -> dict[str, str | None]:
    """Return the kind of each id on an account."""
    with db.read() as session:
        query = sa.select(ContactIdentity).where(ContactIdentity.account_id == account.id)
        return {one.external_id: one.id_kind for one in session.scalars(query)}


def test_a_lasting_id_that_was_replaced_is_a_former_one(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, (renamed("U2", "U1", "491", at=5),))
    # An older event, which comes late, changes nothing.
    apply(account, wrote("b", "U1", phone="491", at=4))
    assert kinds(account) == {"491": "passing", "U1": "replaced", "U2": "lasting"}
    assert len(set(threads(account).values())) == 1
    apply(account, (renamed("U1", "U2", "491", at=9),))
    assert kinds(account) == {"491": "passing", "U1": "lasting", "U2": "replaced"}


def test_a_replaced_lasting_id_is_never_given_to_somebody_else(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, (renamed("U2", "U1", at=5),))
    apply(account, wrote("b", "U3", phone="492", at=6))
    apply(account, wrote("c", "U1", at=7))
    found = threads(account)
    assert found["a"] == found["c"] != found["b"]


def test_a_change_that_comes_before_the_message_it_is_about(account: AccountRef) -> None:
    apply(account, (renamed("U2", "U1", at=5),))
    assert ids(account) == {}
    apply(account, wrote("b", "U2", at=6))
    apply(account, (renamed("U2", "U1", at=5),))
    apply(account, wrote("a", "U1", at=1))
    assert len(set(threads(account).values())) == 1


def test_ids_that_change_in_a_circle(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", at=1))
    for at, new, old in ((2, "U2", "U1"), (3, "U3", "U2"), (4, "U1", "U3"), (2, "U2", "U1")):
        apply(account, (renamed(new, old, at=at),))
    for at, name in enumerate(("U1", "U2", "U3")):
        apply(account, wrote(f"from {name}", name, at=10 + at))
    assert len(set(threads(account).values())) == 1
    assert ids(account) == {"U1": None, "U2": "U1", "U3": "U1"}


def test_an_id_that_two_claim_joins_nobody_twice(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", at=1), wrote("b", "U2", at=2))
    apply(account, (known("U1", "U2", at=3),), (known("U2", "U1", at=3),))
    assert len({contact for contact, _ in threads(account).values()}) == 1
    assert len(toys.everything(ContactMerge)) == 1


def test_a_number_that_moves_on_to_somebody_who_never_wrote(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1), wrote("b", "U1", phone="492", at=2))
    apply(account, (moved("491", "499", "U2", at=3),))
    assert ids(account) == {"492": None, "491": "492", "U1": "492"}
    apply(account, wrote("c", "U2", phone="491", at=4))
    found = threads(account)
    assert found["c"][0] != found["a"][0] == found["b"][0]
    assert ids(account) == {"492": None, "U1": "492", "U2": None, "491": "U2"}


def test_three_who_are_one_are_joined_at_once(account: AccountRef) -> None:
    for at, name in enumerate(("U1", "U2", "U3")):
        apply(account, wrote(f"from {name}", name, at=at))
    apply(account, (renamed("U3", "U1", at=5),), (renamed("U3", "U2", at=6),), (renamed("U2", "U1", at=4),))
    assert len({contact for contact, _ in threads(account).values()}) == 1
    assert len(toys.everything(ContactMerge)) == 2


def test_receipts_by_any_id_are_this_customers(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, (toys.echoed("ours", at=2, contact="491", external_id="out"),))
    apply(account, (MessagesRead("U1", "out", START + timedelta(seconds=3)),))
    with db.read() as session:
        assert session.scalars(sa.select(Message).where(Message.external_id == "out")).one().state == "read"


def test_every_id_of_an_erased_customer_stays_erased(account: AccountRef) -> None:
    apply(account, wrote("a", "U1", phone="491", at=1))
    contact = toys.only(Contact).id
    db.write(lambda session: erase(work(session, account.workspace_id), contact) and None)
    assert all(one.erased_at is not None for one in toys.everything(ContactIdentity))
    assert len(toys.everything(ContactIdentity)) == 2


def test_ids_that_are_known_cost_nothing(account: AccountRef) -> None:
    def statements(*event: InboundChange) -> int:
        seen: list[str] = []
        engine = db.current().write_engine

        def see(_conn: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        sa.event.listen(engine, "before_cursor_execute", see)
        try:
            apply(account, event)
        finally:
            sa.event.remove(engine, "before_cursor_execute", see)
        return len(seen)

    apply(account, wrote("a", "U1", phone="491", at=1))
    apply(account, (received("x", contact="490", external_id="x1"),))
    one = statements(received("y", contact="490", external_id="x2"))
    assert statements(*wrote("b", "U1", phone="491", at=2)) == one


# ---- in any order --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """What people did, and the order and batches in which the desk is told.

    :param events: each with whose it is.
    """

    events: tuple[tuple[int, tuple[InboundChange, ...]], ...]
    told: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        def short(change: InboundChange) -> str:
            if not isinstance(change, ContactIdentified):
                return f"{getattr(change, 'contact', '')} wrote"
            return " ".join(f"{'former ' * one.former}{one.external_id}" for one in change.ids)

        said = (f"{n}. {who}: {', '.join(map(short, event))}" for n, (who, event) in enumerate(self.events))
        return "\n".join((*said, f"told: {self.told}"))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    people = draw(st.integers(2, 4))
    users = {one: f"U{one}" for one in range(people)}
    numbers: dict[int, str] = {one: f"49{one}" for one in range(people)}
    free: list[str] = []
    events: list[tuple[int, tuple[InboundChange, ...]]] = []
    for at in range(1, draw(st.integers(3, 12))):
        who = draw(st.integers(0, people - 1))
        match draw(st.sampled_from(["shown", "shown", "hidden", "number", "user", "returned"])):
            case "shown":
                events.append((who, wrote(f"{at}", users[who], phone=numbers[who], at=at)))
            case "hidden":
                events.append((who, wrote(f"{at}", users[who], at=at)))
            case "number":
                old, new = numbers[who], free.pop(0) if free else f"48{at}"
                free.append(old)
                numbers[who] = new
                events.append((who, (moved(new, old, users[who], at=at),)))
            case "returned":
                if free:
                    old, numbers[who] = numbers[who], free.pop()
                    free.append(old)
                events.append((who, wrote(f"{at}", users[who], phone=numbers[who], at=at)))
            case _:
                old, users[who] = users[who], f"U{who}-{at}"
                events.append((who, (renamed(users[who], old, at=at),)))
    indexes = list(range(len(events)))
    again = draw(st.lists(st.sampled_from(indexes), max_size=3))
    order = draw(st.permutations(indexes + again))
    told = []
    while order:
        size = draw(st.integers(1, 3))
        told.append(tuple(order[:size]))
        order = order[size:]
    # Who is told late still is told: a change that nobody knew may come again.
    return World(tuple(events), (*told, tuple(indexes)))


@pytest.fixture(scope="module")
def stage(migrated_file: Path) -> Iterator[int]:
    """One workspace for all worlds; each has an account of its own."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "lobby.sqlite3"
        shutil.copy(migrated_file, path)
        database = db.connect(f"sqlite:///{path}")
        yield toys.make_workspace()
        database.dispose()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds())
def test_there_are_as_many_contacts_as_people_in_any_order(stage: int, world: World) -> None:
    note(str(world))
    account = toys.make_account(stage)
    for batch in world.told:
        apply(account, *(world.events[index][1] for index in batch))
    check(account, world.events)


@st.composite
def sayings(draw: st.DrawFn) -> list[tuple[InboundChange, ...]]:
    """Anything a provider may say of a few ids, also what contradicts itself."""
    pool = ["U1", "U2", "U3", "491", "492", "493"]
    events: list[tuple[InboundChange, ...]] = []
    for number in range(draw(st.integers(1, 10))):
        at = draw(st.integers(0, 20))
        names = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique=True))
        some = tuple(PersonId(one, lasting=draw(st.booleans()), former=draw(st.booleans())) for one in names)
        changed = draw(st.sampled_from([None, IdChange.NUMBER, IdChange.ID]))
        told = ContactIdentified(names[0], START + timedelta(seconds=at), some, changed)
        message = received(f"{number}", at=at, contact=names[0], external_id=f"m-{number}")
        events.append(draw(st.sampled_from([(told,), (told, message), (message,), (message, told)])))
    return events


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=sayings(), size=st.integers(1, 4))
def test_whatever_is_said_of_ids_loses_nothing(
    stage: int, events: list[tuple[InboundChange, ...]], size: int
) -> None:
    account = toys.make_account(stage)
    for position in range(0, len(events), size):
        apply(account, *events[position : position + size])
    texts = [change.text for event in events for change in event if isinstance(change, MessageReceived)]
    assert sorted(threads(account)) == sorted(texts)
    with db.read() as session:
        mine = ContactIdentity.account_id == account.id
        rows = {one.id: one for one in session.scalars(sa.select(ContactIdentity).where(mine))}
        theirs = sa.select(Conversation).where(Conversation.account_id == account.id)
        for conversation in session.scalars(theirs):
            identity = rows[conversation.identity_id]
            assert (identity.same_as_id, identity.contact_id) == (None, conversation.contact_id)
    for row in rows.values():
        main = rows[row.same_as_id or row.id]
        assert (main.same_as_id, main.contact_id) == (None, row.contact_id), (row.external_id, ids(account))


def check(account: AccountRef, events: Sequence[tuple[int, tuple[InboundChange, ...]]]) -> None:
    """Check that each person of *events* is one contact, and each contact one person."""
    found = threads(account)
    owner = {
        change.text: who
        for who, event in events
        for change in event
        if not isinstance(change, ContactIdentified)
    }
    assert found.keys() == owner.keys()
    contacts: dict[int, set[int]] = {}
    for text, who in owner.items():
        contacts.setdefault(who, set()).add(found[text][0])
    assert all(len(one) == 1 for one in contacts.values()), (contacts, ids(account))
    assert len({next(iter(one)) for one in contacts.values()}) == len(contacts), (contacts, ids(account))


def test_two_workers_at_once(account: AccountRef) -> None:
    """Whichever id an event names, and whoever applies it meanwhile."""
    chance = random.Random(7)
    users, numbers = [f"U{one}" for one in range(5)], [f"49{one}" for one in range(5)]
    events: list[tuple[int, tuple[InboundChange, ...]]] = []
    for at in range(1, 120):
        who = chance.randrange(5)
        match chance.choice(["shown", "shown", "hidden", "number", "user"]):
            case "shown":
                events.append((who, wrote(f"{at}", users[who], phone=numbers[who], at=at)))
            case "hidden":
                events.append((who, wrote(f"{at}", users[who], at=at)))
            case "number":
                # Somebody else gets the number that somebody gives up.
                other = chance.choice([one for one in range(5) if one != who])
                old, taken, numbers[other] = numbers[who], numbers[other], f"48{at}"
                numbers[who] = taken
                events.append((other, (moved(numbers[other], taken, users[other], at=at),)))
                events.append((who, (moved(taken, old, users[who], at=at),)))
            case _:
                old, users[who] = users[who], f"U{who}-{at}"
                events.append((who, (renamed(users[who], old, at=at),)))
    told = chance.sample(events, len(events))

    def work(mine: Sequence[tuple[int, tuple[InboundChange, ...]]]) -> None:
        for position in range(0, len(mine), 3):
            apply(account, *(event for _who, event in mine[position : position + 3]))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, (told[::2], told[1::2])))
    for _who, event in events:
        apply(account, event)
    check(account, events)
