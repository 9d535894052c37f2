"""Listeners of addons over a real desk: in order, at least once, never their own; and what they change."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import data as addon_data
from host.addons import lifecycle
from host.addons.running import listening
from host.core import clock, db
from host.events import consuming
from host.events.models import ActorKind, Consumer, DomainEvent
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind
from host.inbox.labels.models import Label
from host.inbox.teams import teams
from host.models.addons import AddonWrite
from host.models.inbox import Contact, Conversation, Handler, Message
from host.models.users import AuditEntry, User
from host.process.serving import HostApplication
from host.sdk import _acting
from host.sdk import desk as sdk_desk
from host.sdk.errors import DeskError
from host.users import workspaces
from host.users.actor import Actor
from tests.addons.conftest import Admin, MakeZip, configuration
from tests.addons.test_toy_channel import connect, deliver
from tests.helpers import do

HEARS = """
from host.sdk import desk
from host.sdk.events import DeskEvent

toys_desk = desk.of("toy")
heard = []
tries = []
fails_on = set()


def labelled(events):
    for event in events:
        text = event.data.get("content", {}).get("text", "")
        tries.append(text)
        if text in fails_on:
            raise ValueError("it cannot be done")
        heard.append(event)
"""
KINDS = '["message.received", "note.added", "conversation.labelled"]'


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


class Toy:
    """A started desk with the toy on it, whose listener remembers what it hears."""

    def __init__(self, desk: HostApplication, make: MakeZip, listener: str, more: Mapping[str, Any]) -> None:
        self.desk = desk
        self.admin = Admin(desk)
        with db.read() as session:
            mia = session.scalars(sa.select(User.id)).one()
        self.workspace = db.write(workspaces.create, "Sample Pottery", mia).id
        changes: dict[str, Any] = {
            "toy/listeners.py": listener,
            "toy/addon.py": lambda old: old.replace('["conversation.labelled"]', KINDS),
            **more,
        }
        lifecycle.install_file(desk.config, make(changes))
        outcome = lifecycle.activate(desk.config, "toy", host=desk)
        assert outcome.ok, outcome.error
        desk.start()
        self.uuid = connect(desk, self.workspace)
        self.acts = sdk_desk.of("toy")

    @property
    def code(self) -> Any:
        """The module of its listener in this process."""
        plugin = self.desk.generation().releases["toy"].plugin
        return sys.modules[f"{plugin.__package__}.listeners"]

    @property
    def texts(self) -> list[str]:
        return [one.data["content"]["text"] for one in self.code.heard if one.kind == "message.received"]

    def write(self, *texts: str, customer: str = "bo") -> None:
        """Have the customer write."""
        answer = deliver(self.desk, f"/addons/toy/webhook/{self.uuid}", *texts, customer=customer)
        assert answer.status_code == 200

    def conversation(self) -> int:
        """Have the customer write, and return the id of the conversation."""
        self.write("hello")
        until(lambda: self.texts == ["hello"])
        id_: int = self.code.heard[0].conversation_id
        return id_

    def texts_of(self, kind: str) -> list[str]:
        with db.read() as session:
            return list(session.scalars(sa.select(Message.text).where(Message.kind == kind)))


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[HostApplication]:
    """A desk with workers, not started."""
    application = HostApplication(configuration(database, data, LOBBY_WORKERS="1"))
    yield application
    application.close()


@pytest.fixture
def on_it(desk: HostApplication, toy_zip: MakeZip) -> Callable[..., Toy]:
    """Put a toy on the desk, with the code of its listener, and start it."""

    def start(listener: str = HEARS, **more: Any) -> Toy:
        return Toy(desk, toy_zip, listener, more)

    return start


@contextmanager
def at_most(monkeypatch: pytest.MonkeyPatch, count: int) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(_acting, "MOST_AN_HOUR", count)
        yield


def test_events_arrive_once_and_in_order(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    said = [f"message {number}" for number in range(12)]
    for text in said:
        toy.write(text)
    until(lambda: len(toy.texts) >= len(said))
    assert toy.texts == said
    event = toy.code.heard[0]
    assert (event.kind, event.actor, event.channel) == ("message.received", "customer", "toy")
    assert event.workspace_id == toy.workspace
    with db.read() as session:
        conversation = session.scalars(sa.select(Conversation)).one()
    assert (event.conversation_id, event.contact_id) == (conversation.id, conversation.contact_id)
    assert event.data["conversationId"] == str(conversation.id)
    assert len({one.id for one in toy.code.heard}) == len(said)


def audited(action: str) -> list[AuditEntry]:
    with db.read() as session:
        return list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action)))


def test_a_process_that_dies_before_the_position_moves_passes_the_event_again(
    on_it: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "MOST_PAUSE_SECONDS", 0.05)
    toy = on_it()
    moves = consuming._Reader._store
    died = []

    def dies(reader: Any, events: Any, position: Any) -> Any:
        if events and reader.consumer.name.startswith("listener.") and not died:
            died.append(position)
            raise KeyboardInterrupt
        return moves(reader, events, position)

    monkeypatch.setattr(consuming._Reader, "_store", dies)
    toy.write("once more")
    until(lambda: len(toy.texts) >= 2)
    first, second = toy.code.heard[:2]
    assert first.id == second.id, "the key of what it does must be the same"


def test_what_the_addon_did_itself_never_comes_back(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    toy.acts.add_note(conversation, "The order is paid.", key="paid")
    toy.acts.add_label(conversation, "Orders", key="label")
    with db.read() as session:
        kinds = sa.select(DomainEvent.kind).where(
            DomainEvent.addon == "toy", DomainEvent.actor_kind == "addon"
        )
        kept = session.scalars(kinds.where(DomainEvent.kind.is_not(None))).all()
    assert sorted(kept) == ["conversation.labelled", "note.added"]
    page = toy.admin.post(
        f"/w/{toy.workspace}/inbox/{conversation}/note", text="A person's", reply_key="k" * 32
    )
    assert page.status_code < 400
    until(lambda: any(one.kind == "note.added" for one in toy.code.heard))
    assert [(one.kind, one.actor) for one in toy.code.heard[1:]] == [("note.added", "person")]


def test_a_note_with_the_same_key_is_one_note_by_the_addon(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    for _ in range(3):
        toy.acts.add_note(conversation, "The order is paid.", key="paid")
    assert toy.texts_of("note") == ["The order is paid."]
    with pytest.raises(DeskError) as refused:
        toy.acts.add_note(conversation, "Something else.", key="paid")
    assert refused.value.code == "key_used"
    toy.acts.add_label(conversation, "Orders", key="label")
    page = toy.admin.get(f"/w/{toy.workspace}/inbox/{conversation}").text
    assert "Toy channel" in page
    assert "The rule Toy channel" not in page


def test_a_label_a_person_removed_stays_away_when_the_key_is_repeated(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    toy.acts.add_label(conversation, "Orders", key="add")
    assert toy.acts.get_conversation(conversation).labels == ("Orders",)
    toy.acts.remove_label(conversation, "ORDERS", key="remove")
    toy.acts.add_label(conversation, "Orders", key="add")
    assert toy.acts.get_conversation(conversation).labels == ()
    toy.acts.remove_label(conversation, "Unknown", key="unknown")
    with db.read() as session:
        assert session.scalars(sa.select(Label.name)).all() == ["Orders"]
    (entry,) = audited("label.added")
    assert entry.details["by"] == "Toy channel"


def test_a_reply_is_queued_once_and_refused_where_a_rule_would_be(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    sent = toy.acts.reply(conversation, "It left this morning.", key="left")
    assert sent.queued
    assert len(sent.message_ids) == 1
    assert toy.acts.reply(conversation, "It left this morning.", key="left") == sent
    assert toy.texts_of("text").count("It left this morning.") == 1

    def change(**values: Any) -> None:
        db.write(
            lambda session: session.execute(
                sa.update(Conversation).where(Conversation.id == conversation).values(**values)
            )
        )

    def reason() -> str:
        result = toy.acts.reply(conversation, "Anything else?", key="else")
        assert not result.queued
        return result.reason

    change(handled_by=Handler.PERSON)
    assert reason() == "person"
    change(handled_by=Handler.NOBODY, last_inbound_at=clock.now() - consuming.timedelta(days=30))
    assert reason() == "window_closed"
    change(last_inbound_at=clock.now())
    db.write(lambda session: session.execute(sa.update(Contact).values(opted_out_at=clock.now())))
    assert reason() == "opted_out"
    db.write(lambda session: session.execute(sa.update(Contact).values(opted_out_at=None)))
    assert toy.acts.reply(conversation, "Anything else?", key="else").queued, "a refusal used the key up"


def test_conversations_are_found_by_contact_and_only_by_existence_refused(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    found = toy.acts.find_conversations(toy.workspace, username="@Bo")
    assert [one.id for one in found] == []  # the toy's customers have no user name
    (one,) = toy.acts.find_conversations(toy.workspace, email="BO", status="open")
    assert (one.id, one.external_id, one.channel) == (conversation, "bo", "toy")
    assert toy.acts.find_conversations(toy.workspace, contact=one.contact_id) == [one]
    assert toy.acts.find_conversations(toy.workspace + 1) == []
    assert toy.acts.find_conversations(toy.workspace, phone="+49 170 1") == []
    with pytest.raises(DeskError) as refused:
        toy.acts.add_note(conversation + 1000, "Nobody's.", key="nobody")
    assert refused.value.code == "conversation_not_found"


def test_a_change_that_is_not_declared_names_the_line_to_add(on_it: Callable[..., Toy]) -> None:
    toy = on_it(
        **{
            "addon.toml": lambda old: old.replace(
                'writes = ["notes", "labels", "assignments", "attributes", "replies"]', 'writes = ["labels"]'
            )
        }
    )
    conversation = toy.conversation()
    with pytest.raises(DeskError, match=r'writes = \["labels", "notes"\]') as refused:
        toy.acts.add_note(conversation, "It may not.", key="note")
    assert refused.value.code == "undeclared"
    assert toy.texts_of("note") == []
    with pytest.raises(DeskError) as unknown:
        sdk_desk.of("nobody").get_conversation(conversation)
    assert unknown.value.code == "addon_off"


def test_too_many_changes_in_an_hour_are_refused_and_named_on_health(
    on_it: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = on_it()
    conversation = toy.conversation()
    with at_most(monkeypatch, 3):
        for number in range(3):
            toy.acts.add_note(conversation, f"Note {number}", key=f"{number}")
        with pytest.raises(DeskError) as refused:
            toy.acts.add_note(conversation, "One more", key="more")
        assert refused.value.code == "too_many"
        toy.acts.add_note(conversation, "Note 0", key="0")  # a repeat changes nothing
        page = toy.admin.get("/admin/health").text
        assert "Sample Pottery" in page
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AddonWrite)) == 3


def test_switched_off_it_begins_with_what_comes_after(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    toy.conversation()
    lifecycle.deactivate(toy.desk.config, "toy", host=toy.desk)
    with db.read() as session:
        assert session.get(Consumer, "listener.toy.parcels") is None

    def missed(session: Any) -> None:
        conversation = session.scalars(sa.select(Conversation)).one()
        consuming_event = DomainEvent(
            workspace_id=toy.workspace,
            kind="conversation.labelled",
            conversation_id=conversation.id,
            actor_kind="user",
            at=clock.now(),
            data='{"label":1}',
        )
        session.add(consuming_event)

    db.write(missed)
    assert lifecycle.activate(toy.desk.config, "toy", host=toy.desk).ok
    toy.code.heard.clear()
    toy.write("back again")
    until(lambda: toy.texts == ["back again"])
    assert [one.kind for one in toy.code.heard] == ["message.received"]


def test_it_assigns_by_email_and_team_and_fills_in_attributes(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    actor = Actor(ActorKind.SYSTEM)
    do(teams.create, toy.workspace, actor=actor, name="Shipping")
    do(attributes.create, toy.workspace, actor=actor, name="Orders", kind=AttributeKind.NUMBER)

    toy.acts.assign(conversation, person="admin@example.com", team="shipping", key="a")
    found = toy.acts.get_conversation(conversation)
    assert (found.assignee, found.team) == ("admin@example.com", "Shipping")
    toy.acts.assign(conversation, key="nobody")
    found = toy.acts.get_conversation(conversation)
    assert (found.assignee, found.team) == ("", "")
    toy.acts.set_attribute(found.contact_id, "ORDERS", "3", key="orders")
    with db.read() as session:
        assert [*attributes.values_of(session, [found.contact_id]).values()] == [{1: "3"}]
    for code, call in {
        "team_not_found": lambda: toy.acts.assign(conversation, team="Nobody's", key="b"),
        "not_a_member": lambda: toy.acts.assign(conversation, person="x@example.com", key="c"),
        "attribute_not_found": lambda: toy.acts.set_attribute(found.contact_id, "Size", "3", key="d"),
        "contact_field": lambda: toy.acts.set_attribute(found.contact_id, "Orders", "many", key="e"),
        "contact_not_found": lambda: toy.acts.set_attribute(10_000, "Orders", "3", key="f"),
        "key": lambda: toy.acts.add_note(conversation, "A note", key=""),
    }.items():
        with pytest.raises(DeskError) as refused:
            call()
        assert refused.value.code == code


def test_a_reaction_names_its_cause_and_a_long_chain_ends(on_it: Callable[..., Toy]) -> None:
    toy = on_it()
    conversation = toy.conversation()
    with db.read() as session:
        cause = session.scalars(sa.select(DomainEvent).where(DomainEvent.kind == "message.received")).one()
    with _acting.reacting_to([_acting.Cause(cause.id, cause.id, 1, conversation)]):
        toy.acts.add_note(conversation, "In reaction", key="second")
    with db.read() as session:
        event = session.scalars(sa.select(DomainEvent).where(DomainEvent.kind == "note.added")).one()
    assert (event.cause_id, event.root_id, event.depth) == (cause.id, cause.id, 2)
    with _acting.reacting_to([_acting.Cause(cause.id, cause.id, 5, conversation)]):
        with pytest.raises(DeskError) as refused:
            toy.acts.add_note(conversation, "Too deep", key="sixth")
    assert refused.value.code == "too_deep"


def test_what_a_listener_does_names_the_event_it_handles(on_it: Callable[..., Toy]) -> None:
    reacts = HEARS.replace(
        "        heard.append(event)",
        """        heard.append(event)
        if event.kind == "message.received":
            toys_desk.add_note(event.conversation_id, "Seen.", key=event.id)""",
    )
    toy = on_it(reacts)
    toy.write("hello")
    until(lambda: toy.texts_of("note") == ["Seen."])
    with db.read() as session:
        received, note = session.scalars(
            sa.select(DomainEvent)
            .where(DomainEvent.kind.in_(["message.received", "note.added"]))
            .order_by(DomainEvent.id)
        )
    assert (note.cause_id, note.depth, note.addon) == (received.id, 1, "toy")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"toy/addon.py": ('"toy.parcels"', '"parcels"')}, "the name 'parcels' must be toy.<word>"),
        ({"toy/addon.py": ('"toy.parcels"', f'"toy.{"p" * 32}{"a" * 40}"')}, "must be toy.<word>"),
        (
            {"toy/addon.py": ('"conversation.labelled"', '"conversation.labeled"')},
            "which is no event of docs",
        ),
        ({"toy/addon.py": ('"conversation.labelled"', '"rule.called"')}, "which is no event of docs"),
        ({"toy/addon.py": ("listeners.labelled)", "listeners.labelled, batch=0)")}, "wants 0 events at once"),
        (
            {"addon.toml": ('reads = ["conversations", "contacts"]', "")},
            'needs "conversations" among the reads',
        ),
    ],
)
def test_a_listener_that_cannot_work_is_refused_with_the_reason(
    desk: HostApplication, toy_zip: MakeZip, changes: dict[str, tuple[str, str]], problem: str
) -> None:
    made = {name: partial(replaced, old, new) for name, (old, new) in changes.items()}
    lifecycle.install_file(desk.config, toy_zip(made))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.error is not None
    assert problem in str(outcome.error)


def replaced(old: str, new: str, text: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_a_write_or_read_the_manifest_cannot_declare_is_refused(toy_zip: MakeZip) -> None:
    with pytest.raises(Exception, match="writes"):
        toy_zip({"addon.toml": lambda old: old.replace('"replies"]', '"money"]')})


@pytest.mark.slow
def test_listeners_work_on_every_database(any_database: db.Database, data: Path, toy_zip: MakeZip) -> None:
    application = HostApplication(configuration(any_database, data, LOBBY_WORKERS="1"))
    try:
        toy = Toy(application, toy_zip, HEARS, {})
        conversation = toy.conversation()
        for _ in range(2):
            toy.acts.add_note(conversation, "The order is paid.", key="paid")
        assert toy.texts_of("note") == ["The order is paid."]
        assert toy.acts.reply(conversation, "It left.", key="left").queued
        toy.acts.add_label(conversation, "Orders", key="label")
        (found,) = toy.acts.find_conversations(toy.workspace, email="bo")
        assert found.labels == ("Orders",)
        later = clock.now() + listening.KEPT + listening.GIVES_UP_AFTER
        with clock.travel(later - clock.now()):
            addon_data.clean_up(most=2)
        with db.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(AddonWrite)) == 0
    finally:
        application.close()


@pytest.mark.slow
def test_two_calls_with_one_key_at_once_are_one_change(
    any_database: db.Database, data: Path, toy_zip: MakeZip
) -> None:
    application = HostApplication(configuration(any_database, data, LOBBY_WORKERS="1"))
    try:
        toy = Toy(application, toy_zip, HEARS, {})
        conversation = toy.conversation()
        start = threading.Barrier(4)
        failed: list[BaseException] = []

        def note() -> None:
            start.wait()
            try:
                toy.acts.add_note(conversation, "Once.", key="once")
            except BaseException as error:  # noqa: BLE001 - shown below
                failed.append(error)

        threads = [threading.Thread(target=note) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert toy.texts_of("note") == ["Once."]
    finally:
        application.close()
