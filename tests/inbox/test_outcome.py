"""Where a message of ours stands: answer and echo in either order, never a second message."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery.worker import drain
from host.events.kinds.messages import MESSAGE_SENT
from host.events.models import DomainEvent
from host.inbox import outcome
from host.inbox.apply import loading
from host.inbox.apply.changes import apply_changes
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Message
from host.models.queue import Lane, OutboxEntry
from host.sdk.channel import AccountRef, ProviderProblem, SendRequest, SendResult, Sent, Unknown
from host.sdk.messages import MessageKind
from tests import helpers
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.toys import START, TOY, apply, echoed, incoming, read, received, texts

PROBLEM = ProviderProblem("100/33", "This person cannot be messaged.", "Nothing can be done.", "(#100) no")


def reply(mia: int, text: str = "Yes", *, after: float = 60, attempted: float | None = None) -> int:
    """Queue a reply *after* seconds and, if *attempted* is given, start sending it then."""
    conversation = toys.everything(Conversation)[0]
    (message,) = do(
        queue_reply,
        conversation.workspace_id,
        conversation.id,
        text,
        reply_key=f"key-{after:08.0f}",
        adapter=TOY,
        actor=mia,
        now=START + timedelta(seconds=after),
    )
    if attempted is not None:
        start_sending(message.id, attempted)
    return message.id


def start_sending(message_id: int, at: float) -> None:
    db.write(outcome.record_sending, message_id)
    (entry,) = [e for e in toys.everything(OutboxEntry) if e.message_id == message_id]
    toys.change_row(OutboxEntry, entry.id, attempted_at=START + timedelta(seconds=at), attempts=1)


def message(id_: int) -> Message:
    with db.read() as session:
        return session.get_one(Message, id_)


def ours() -> list[Message]:
    return [m for m in toys.thread() if m.direction == "outbound"]


@pytest.fixture(autouse=True)
def asked(request: pytest.FixtureRequest) -> None:
    if "account" in request.fixturenames or "mia" in request.fixturenames:
        apply(request.getfixturevalue("account"), received("In stock?"))


def test_sent_then_echo(account: AccountRef, mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_sent, id_, "mid-1")
    apply(account, echoed("Yes", at=62, external_id="mid-1"))
    (only,) = ours()
    assert (only.id, only.state, only.external_id, only.origin) == (id_, "sent", "mid-1", "agent")


@pytest.mark.parametrize("text", ["Yes", " Yes ", "Yes\n"])
def test_echo_then_sent(account: AccountRef, mia: int, text: str) -> None:
    id_ = reply(mia, attempted=61)
    apply(account, echoed(text, at=62, external_id="mid-1"))
    assert (message(id_).state, message(id_).external_id) == ("sent", "mid-1")
    db.write(outcome.record_sent, id_, "mid-1")
    apply(account, echoed(text, at=62, external_id="mid-1"))
    assert len(ours()) == 1


def test_an_echo_nobody_recognised_makes_way_for_the_answer(account: AccountRef, mia: int) -> None:
    id_ = reply(mia, "Yes, at https://example.com", attempted=61)
    apply(account, echoed("Yes, at [link]", at=62, external_id="mid-1"))
    stranger = next(m for m in ours() if m.origin == "provider")
    db.write(outcome.record_sent, id_, "mid-1")
    (only,) = ours()
    assert (only.id, only.external_id) == (id_, "mid-1")
    gone = [event.payload for event in helpers.shown() if event.topic == "gone"]
    assert gone == [f'{{"conversation":{only.conversation_id},"message":{stranger.id}}}']


def test_an_echo_saves_an_unconfirmed_message(account: AccountRef, mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_unknown, id_, PROBLEM)
    assert (message(id_).error or {})["code"] == "100/33"
    apply(account, echoed("Yes", at=62, external_id="mid-1"))
    after = message(id_)
    assert (after.state, after.external_id, after.error) == ("sent", "mid-1", None)
    with db.read() as session:  # the queue behind it goes on at once
        lane = session.get_one(Lane, toys.only(OutboxEntry).lane)
        assert lane.next_at is not None
        assert lane.next_at <= clock.now()


def test_what_was_written_in_the_app_is_a_message_of_its_own(account: AccountRef, mia: int) -> None:
    reply(mia, "Yes")  # queued, never attempted: the echo cannot be about it
    apply(account, echoed("Yes", at=62))
    states = sorted((m.origin, m.state) for m in ours())
    assert states == [("agent", "queued"), ("provider", "sent")]


def test_the_same_words_from_before_the_attempt_may_be_it_because_clocks_are_wrong(
    account: AccountRef, mia: int
) -> None:
    """Sent with a clock an hour ahead: taken for somebody else's, it would be shown and sent once more."""
    id_ = reply(mia, attempted=10_000)
    apply(account, echoed("Yes", at=10_000 - 7201, external_id="a"), echoed("No", at=9999, external_id="b"))
    assert message(id_).state == "sending"
    apply(account, echoed("Yes", at=10_000 - 3600, external_id="c"))
    assert (message(id_).state, message(id_).external_id) == ("sent", "c")
    # If they were somebody else's after all, the answer says so.
    db.write(outcome.record_sent, id_, "d")
    assert sorted((m.external_id, m.origin) for m in ours()) == [
        ("a", "provider"),
        ("b", "provider"),
        ("c", "provider"),
        ("d", "agent"),
    ]


def test_an_echo_of_the_attempt_goes_before_one_the_clock_would_have_to_be_wrong_for(
    account: AccountRef, mia: int
) -> None:
    early, late = reply(mia, attempted=61), reply(mia, after=70, attempted=300)
    apply(account, echoed("Yes", at=59, external_id="mid-1"))  # the provider's clock is 2 s behind
    assert (message(early).external_id, message(late).state) == ("mid-1", "sending")


def test_another_kind_or_person_is_not_about_it(account: AccountRef, mia: int) -> None:
    id_ = reply(mia, attempted=61)
    apply(account, received(contact="bo"))
    apply(account, echoed("Yes", at=62, contact="bo"), echoed("Yes", at=62, kind=MessageKind.TEMPLATE))
    assert message(id_).state == "sending"


def test_two_equal_messages_take_one_echo_each(account: AccountRef, mia: int) -> None:
    first, second = reply(mia, "ok", attempted=61), reply(mia, "ok", after=70, attempted=71)
    apply(account, echoed("ok", at=72, external_id="a"), echoed("ok", at=73, external_id="b"))
    assert (message(first).external_id, message(second).external_id) == ("a", "b")
    assert len(ours()) == 2


def test_an_echo_taken_for_the_wrong_one_is_put_right(account: AccountRef, mia: int) -> None:
    first, second = reply(mia, "ok", attempted=61), reply(mia, "ok", after=70, attempted=71)
    db.write(outcome.record_unknown, first, PROBLEM)
    apply(account, echoed("ok", at=72, external_id="b"))
    assert message(first).external_id == "b"
    db.write(outcome.record_sent, second, "b")
    assert (message(first).state, message(first).external_id) == ("unknown", None)
    assert (message(second).state, message(second).external_id) == ("sent", "b")
    apply(account, echoed("ok", at=63, external_id="a"))
    assert (message(first).state, message(first).external_id) == ("sent", "a")
    assert len(ours()) == 2


def test_an_answer_with_another_id_leaves_the_echo_its_own_message(account: AccountRef, mia: int) -> None:
    id_ = reply(mia, attempted=61)
    apply(account, echoed("Yes", at=62, external_id="from-the-app"))
    db.write(outcome.record_sent, id_, "from-us")
    found = sorted((m.origin, m.external_id, m.state) for m in ours())
    assert found == [("agent", "from-us", "sent"), ("provider", "from-the-app", "sent")]


def test_a_failure_is_counted_until_it_is_sent_again(mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_failed, id_, PROBLEM)
    assert message(id_).error == {
        "code": "100/33",
        "sentence": "This person cannot be messaged.",
        "next_step": "Nothing can be done.",
        "cause": "",
        "raw": "(#100) no",
    }
    assert toys.only(Conversation).failed_count == 1
    db.write(outcome.record_queued, id_)
    assert (message(id_).state, message(id_).error) == ("queued", None)
    assert toys.only(Conversation).failed_count == 0


def test_what_arrived_does_not_fail_any_more(mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_sent, id_, "mid-1")
    for late in (outcome.record_failed, outcome.record_unknown):
        db.write(late, id_, PROBLEM)
    db.write(outcome.record_waiting, id_, {"sentence": "x", "until": "y"})
    assert (message(id_).state, message(id_).error) == ("sent", None)


def test_waiting_says_for_what(mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(
        outcome.record_waiting, id_, {"sentence": "The limit was reached.", "until": "2026-11-20T12:05:00Z"}
    )
    assert message(id_).state == "queued"
    assert toys.only(OutboxEntry).waiting["sentence"] == "The limit was reached."
    db.write(outcome.record_waiting, id_, None)
    assert toys.only(OutboxEntry).waiting is None


def test_every_step_tells_browsers(mia: int) -> None:
    id_ = reply(mia, attempted=61)
    db.write(outcome.record_sent, id_, "mid-1")
    told = [event.payload for event in helpers.shown() if event.topic == "state"]
    assert [payload.split('"state":')[1] for payload in told] == ['"sending"}', '"sent"}']


# Seen


def test_reading_marks_everything_before_as_seen(account: AccountRef, mia: int) -> None:
    first, second, third = (reply(mia, f"n{n}", after=n, attempted=n) for n in (60, 70, 80))
    db.write(outcome.record_sent, first, "a")
    db.write(outcome.record_sent, second, "b")
    db.write(outcome.record_sent, third, "c")
    apply(account, read("b", at=90))
    assert [message(id_).state for id_ in (first, second, third)] == ["read", "read", "sent"]
    apply(account, read("a", at=91))
    assert [message(id_).state for id_ in (first, second, third)] == ["read", "read", "sent"]


def test_seen_before_the_answer_came(account: AccountRef, mia: int) -> None:
    first, second = reply(mia, "one", attempted=61), reply(mia, "two", after=70, attempted=71)
    db.write(outcome.record_sent, first, "a")
    apply(account, read("b", at=75))
    assert message(first).state == "sent"
    db.write(outcome.record_sent, second, "b")
    assert (message(first).state, message(second).state) == ("read", "read")
    assert not toys.only(ContactIdentity).seen_early


def test_seen_before_the_echo_came_covers_nothing_later(account: AccountRef, mia: int) -> None:
    """The provider's time of a message is a little later than ours; another may have begun in between."""
    first = reply(mia, "one", attempted=61)
    apply(account, read("a", at=75))
    apply(account, echoed("one", at=64, external_id="a"))
    assert message(first).state == "read"
    assert toys.only(ContactIdentity).seen_at == START + timedelta(seconds=61)
    second = reply(mia, "two", after=62, attempted=63)
    db.write(outcome.record_sent, second, "b")
    assert message(second).state == "sent"


def test_reading_does_not_touch_what_has_not_arrived(account: AccountRef, mia: int) -> None:
    waiting = reply(mia, "waits", after=60)
    later = reply(mia, "arrived", after=70, attempted=71)
    db.write(outcome.record_sent, later, "b")
    apply(account, read("b", at=90))
    assert message(waiting).state == "queued"
    start_sending(waiting, 300)
    db.write(outcome.record_sent, waiting, "a")
    assert message(waiting).state == "sent"  # it went out after they had looked


def test_an_echo_of_the_app_starts_a_conversation_with_somebody_new(account: AccountRef) -> None:
    apply(account, echoed("Hello Kit", contact="kit"))
    conversation = toys.everything(Conversation)[-1]
    assert (conversation.unread_count, conversation.last_inbound_at) == (0, None)
    assert conversation.last_direction == "outbound"
    assert texts(conversation.id) == ["Hello Kit"]


def test_an_echo_does_not_reopen(account: AccountRef) -> None:
    conversation = toys.only(Conversation)
    toys.change_row(Conversation, conversation.id, status="closed")
    db.write(apply_changes, [incoming(account, echoed("Bye", at=5))])
    assert toys.only(Conversation).status == "closed"


# Together with the workers that send


class Silent(toys.Toy):
    """A provider that takes the first message without saying so, and the rest as it should."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, request: SendRequest) -> SendResult:
        self.sent.append(request.part.text)
        return Unknown(PROBLEM) if len(self.sent) == 1 else Sent(f"mid-{len(self.sent)}")


def test_an_echo_lets_the_queue_behind_go_on_at_once(account: AccountRef, mia: int) -> None:
    silent = Silent()
    generation = SimpleNamespace(number=1, directory=Directory([silent]))
    with clock.travel(START + timedelta(minutes=10) - clock.now()):
        first, second = reply(mia, "one"), reply(mia, "two", after=70)
        drain(generation, direction="out")
        assert (silent.sent, message(first).state, message(second).state) == (["one"], "unknown", "queued")
        drain(generation, direction="out")
        assert silent.sent == ["one"]  # the second waits for what became of the first
        now = (clock.now() - START).total_seconds()
        apply(account, echoed("one", at=now + 1, external_id="mid-1"), adapter=silent)
        drain(generation, direction="out")
    assert silent.sent == ["one", "two"]
    assert [(m.text, m.state, m.external_id) for m in ours()] == [
        ("one", "sent", "mid-1"),
        ("two", "sent", "mid-2"),
    ]
    assert [entry.open for entry in toys.everything(OutboxEntry)] == [False, False]


def test_an_answer_and_its_echo_at_the_same_moment(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    account, mia = toys.make_account(workspace), toys.make_user(workspace)
    changes = [received("In stock?", contact=f"c{n}") for n in range(12)]
    apply(account, *changes)
    ids: dict[str, int] = {}
    for conversation in toys.everything(Conversation):
        (made,) = do(
            queue_reply,
            workspace,
            conversation.id,
            "Yes",
            reply_key=f"same-moment-{conversation.id}",
            adapter=TOY,
            actor=mia,
            now=START + timedelta(seconds=60),
        )
        start_sending(made.id, 61)
        ids[f"c{conversation.id}"] = made.id
    contacts = {i.id: i.external_id for i in toys.everything(ContactIdentity)}
    pairs = [(ids[f"c{c.id}"], contacts[c.identity_id], f"mid-{c.id}") for c in toys.everything(Conversation)]
    failures: list[BaseException] = []

    def answers() -> None:
        try:
            for id_, _contact, external_id in pairs:
                db.write(outcome.record_sent, id_, external_id)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    def echoes() -> None:
        try:
            for number, (_id, contact, external_id) in enumerate(pairs):
                text = "Yes" if number % 2 else "Yes, altered"
                apply(account, echoed(text, at=62, contact=contact, external_id=external_id))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=answers), threading.Thread(target=echoes)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert failures == []
    assert sorted((m.id, m.external_id, m.state) for m in ours()) == sorted(
        (id_, external_id, "sent") for id_, _contact, external_id in pairs
    )


def test_an_answer_recorded_while_its_echo_is_applied_is_told_once(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the echo was taken for a colleague's own message: counted twice, and automation stayed silent."""
    if any_database.is_sqlite:
        pytest.skip("two never write at once here")
    workspace = toys.make_workspace()
    account, mia = toys.make_account(workspace), toys.make_user(workspace)
    apply(account, received("In stock?"))
    id_ = reply(mia, attempted=61)
    before = toys.everything(Conversation)[0].handled_by
    db.take_undone()
    look = loading._read_unconfirmed
    late = [threading.Thread(target=db.write, args=(outcome.record_sent, id_, "mid-1"))]

    def look_late(*args: Any) -> Any:
        if late:
            late[0].start()
            late.pop().join(10)
        return look(*args)

    monkeypatch.setattr(loading, "_read_unconfirmed", look_late)
    apply(account, echoed("Yes", at=62, external_id="mid-1"))

    (only,) = ours()
    assert (only.id, only.state, only.origin) == (id_, "sent", "agent")
    assert [one.message_id for one in toys.everything(DomainEvent) if one.kind == MESSAGE_SENT] == [id_]
    assert toys.everything(Conversation)[0].handled_by == before
    assert db.take_undone() == {db.CONFLICT: 1}


def test_an_echo_that_is_applied_between_the_look_and_the_answer_makes_no_second_message(
    account: AccountRef, mia: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = reply(mia, attempted=61)
    apply(account, echoed("Yes, altered", at=62, external_id="mid-1"))
    # As if it had come a moment later: the first look finds nothing.
    monkeypatch.setattr(outcome._has_id, "rows", lambda *_: [])
    db.write(outcome.record_sent, id_, "mid-1")
    (only,) = ours()
    assert (only.id, only.state, only.external_id, only.text) == (id_, "sent", "mid-1", "Yes")


def test_a_message_that_moved_on_is_not_begun(account: AccountRef, mia: int) -> None:
    id_ = reply(mia)
    assert not db.write(outcome.record_sending, id_, only_from=DeliveryState.UNKNOWN)
    assert message(id_).state == DeliveryState.QUEUED
    assert db.write(outcome.record_sending, id_, only_from=DeliveryState.QUEUED)
    assert message(id_).state == DeliveryState.SENDING
