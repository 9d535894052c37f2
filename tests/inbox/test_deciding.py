"""What a batch of changes comes to, decided without a database."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.inbox.apply import deciding
from host.inbox.apply.changes import OF_ANOTHER
from host.inbox.apply.conversations import WAITING
from host.inbox.apply.echoes import CLOCK_SKEW
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.values import (
    Decided,
    Loaded,
    StoredBody,
    StoredMark,
    StoredMessage,
    StoredPerson,
    StoredReaction,
    StoredThread,
    Unconfirmed,
)
from host.sdk.channel import AccountRef
from host.sdk.messages import InboundAttachment, InboundChange, MessageAccepted, MessageBounced, MessageKind
from tests.inbox import toys
from tests.inbox.toys import START

NOW = START + timedelta(days=2)
ACCOUNT = AccountRef(7, "uuid", 3, "email", "acct", "Shop", "@shop")
ANA = StoredPerson(1, 1, 7, "ana", *[None] * 12)
BO = ANA._replace(id=2, contact_id=2, external_id="bo")
THREAD = StoredThread(
    11, 1, "email", "open", None, None, START, START, "inbound", "text", "Hello", *[None] * 6
)
HELLO = StoredMessage(21, 7, "m1", 11, "inbound", START)
BODY = StoredBody(21, 11, START, "Hello", {"a": 1}, None, None, 0, None, [1])
REPLY = Unconfirmed(
    *(31, 3, 11, 1, "text", 0, START, "agent", 1, "f" * 32),
    StoredBody(31, 11, START, "Yes", {}, None, None, 0, None, None),
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def people(ana: StoredPerson | None = ANA) -> dict[tuple[int, str], tuple[AccountRef, StoredPerson | None]]:
    return {(7, "ana"): (ACCOUNT, ana), (7, "bo"): (ACCOUNT, BO)}


def conversation(**values: object) -> Loaded:
    """Return a conversation with Ana in which she said hello."""
    here = {"messages": {(7, "m1"): HELLO}, "threads": [THREAD], "bodies": {21: BODY}, **values}
    return Loaded(people=people(), **here)  # type: ignore[arg-type]


def items(*changes: InboundChange) -> list[Incoming]:
    return [toys.incoming(ACCOUNT, change, event_id=100 + n) for n, change in enumerate(changes)]


def decide(loaded: Loaded, *changes: InboundChange) -> Decided:
    return deciding.decide(loaded, items(*changes), NOW)


def test_a_first_message_is_a_person_a_conversation_and_a_message() -> None:
    decided = decide(Loaded(people=people(None)), toys.received("Is it in stock?", contact_name="Ana"))
    (person,), (thread,) = decided.new_people, decided.new_threads
    (message,) = decided.new_messages.values()
    assert (person.external_id, person.contact_name, person.id) == ("ana", "Ana", None)
    assert (thread.person, thread.last_preview, thread.unread) == (person, "Is it in stock?", 1)
    assert (message.thread, message.text, message.sources) == (thread, "Is it in stock?", [100])
    assert not decided.changed_threads


def test_what_was_loaded_does_not_change() -> None:
    loaded = conversation(unconfirmed=[REPLY])
    changes = (toys.received("More", at=5), toys.echoed("Yes", at=6), toys.unsent("m1", at=7))
    told = items(*changes)
    first, second = (deciding.decide(loaded, told, NOW) for _ in range(2))
    assert (loaded, first.annotated.bodies) == (conversation(unconfirmed=[REPLY]), second.annotated.bodies)
    assert [one.message.id for one in second.confirmed] == [31]
    assert [thread.unread for thread in second.changed_threads] == [1]


def test_a_message_told_again_writes_nothing_but_that_the_account_was_heard() -> None:
    decided = decide(conversation(), toys.received("Hello", external_id="m1"))
    assert not [*decided.new_messages, *decided.changed_threads, *decided.new_people, *decided.arrived]
    assert list(decided.heard) == [7]


def test_a_closed_conversation_is_reopened_with_a_line_that_says_so() -> None:
    closed = THREAD._replace(status="closed", closed_at=at(5))
    decided = decide(conversation(threads=[closed]), toys.received("Still there?", at=9))
    (thread,) = decided.changed_threads
    assert (thread.id, thread.status, thread.closed_at, thread.unread) == (11, "open", None, 1)
    assert [message.kind for message in decided.new_messages.values()] == ["activity", "text"]


@pytest.mark.parametrize(("text", "confirms"), [("Yes", True), ("No", False)])
def test_an_echo_with_our_words_confirms_our_message(text: str, confirms: bool) -> None:
    decided = decide(conversation(unconfirmed=[REPLY]), toys.echoed(text, at=2, external_id="ours"))
    found = [(one.key, one.message.id, one.state, one.sources) for one in decided.confirmed]
    assert found == ([((7, "ours"), 31, "sent", [100])] if confirms else [])
    assert [message.origin for message in decided.new_messages.values()] == ([] if confirms else ["provider"])


def accepted(key: str, contact: str = "ana") -> MessageAccepted:
    return MessageAccepted(contact, "ours", key, at(2))


def test_our_key_confirms_our_message_whatever_its_words_are() -> None:
    twin = REPLY._replace(id=32, message_key="d" * 32)
    loaded = conversation(unconfirmed=[REPLY, twin])
    decided = decide(loaded, toys.echoed("Yes", at=3, external_id="theirs"), accepted(twin.message_key))
    found = {one.key: one.message.id for one in decided.confirmed}
    assert found == {(7, "ours"): 32, (7, "theirs"): 31}
    assert not decided.new_messages


def test_another_key_another_customer_and_a_known_id_confirm_nothing() -> None:
    loaded = conversation(unconfirmed=[REPLY])
    for change in (accepted("e" * 32), accepted(""), accepted(REPLY.message_key, "bo")):
        decided = decide(loaded, change)
        assert (decided.confirmed, dict(decided.new_messages), decided.new_people) == ([], {}, [])
    here = {(7, "m1"): HELLO, (7, "ours"): HELLO._replace(id=22, external_id="ours", direction="outbound")}
    assert not decide(conversation(unconfirmed=[REPLY], messages=here), accepted(REPLY.message_key)).confirmed


def test_a_failure_that_comes_with_it_is_applied_after_it() -> None:
    report = toys.received("", at=3, external_id="report")
    bounced = MessageBounced("ana", "ours", at(3), report, "It failed.", "", "")
    for changes in ((bounced, accepted(REPLY.message_key)), (accepted(REPLY.message_key), bounced)):
        decided = decide(conversation(unconfirmed=[REPLY]), *changes)
        assert [one.message.id for one in decided.confirmed] == [31]


def test_a_read_receipt_for_a_confirmed_message_reaches_as_far_as_its_attempt() -> None:
    loaded = conversation(unconfirmed=[REPLY._replace(attempted_at=at(1))])
    decided = decide(
        loaded,
        toys.read("ours", at=9),
        toys.echoed("Yes", at=2, external_id="ours"),
        toys.unsent("ours", at=9),
    )
    (ana,) = (person for person in decided.people if person.external_id == "ana")
    assert (ana.seen_at, ana.seen_raised) == (at(1), True)
    assert decided.annotated.bodies[31]["sources"] == [101], "it was confirmed by that event"


@pytest.mark.parametrize(("too_early", "confirms"), [(0.0, True), (0.001, False)])
def test_an_echo_may_be_as_much_older_than_the_attempt_as_clocks_differ(
    too_early: float, confirms: bool
) -> None:
    pictures = REPLY._replace(kind="image", files=1, attempted_at=START + CLOCK_SKEW)
    picture = (InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/1"),)
    echo = toys.echoed("", at=-too_early, kind=MessageKind.IMAGE, attachments=picture)
    assert bool(decide(conversation(unconfirmed=[pictures]), echo).confirmed) is confirms


def imported(*changes: InboundChange, loaded: Loaded, now: datetime = NOW) -> Decided:
    told = [toys.incoming(ACCOUNT, change, imported=True) for change in changes]
    return deciding.decide(loaded, told, now)


@pytest.mark.parametrize(
    ("last", "now", "status"),
    [
        (toys.received("And now?", at=3), NOW, "open"),
        (toys.echoed("Yes", at=3), NOW, "closed"),
        (toys.received("And now?", at=3), at(3) + WAITING, "open"),
        (toys.received("And now?", at=3), at(4) + WAITING, "closed"),
    ],
)
def test_history_opens_the_conversation_of_a_customer_who_waits(
    last: InboundChange, now: datetime, status: str
) -> None:
    before = toys.received("Hello"), toys.echoed("Hi", at=1)
    (thread,) = imported(*before, last, loaded=Loaded(people=people(None)), now=now).new_threads
    assert (thread.status, thread.closed_at is None) == (status, status == "open")


def test_a_message_known_from_the_history_that_comes_after_all_is_the_last_one() -> None:
    from_history = HELLO._replace(imported_at=at(60))
    loaded = conversation(
        messages={(7, "m1"): from_history},
        threads=[THREAD._replace(last_preview="", last_message_at=at(-5), last_inbound_at=None)],
    )
    decided = decide(loaded, toys.received("Hello", external_id="m1"))
    (thread,) = decided.changed_threads
    assert [stored for stored, _message in decided.arrived] == [21]
    assert (thread.last_preview, thread.last_message_at, thread.unread) == ("Hello", START, 1)


def test_an_edit_changes_the_stored_text_and_an_unsend_empties_it() -> None:
    edited = decide(conversation(), toys.edited("m1", "Hallo", at=5)).annotated
    assert (edited.bodies[21]["text"], edited.bodies[21]["content"]) == ("Hallo", {"a": 1})
    assert (edited.bodies[21]["sources"], edited.unsent) == ([1, 100], [])
    twice = toys.unsent("m1", at=5), toys.edited("m1", "Hallo", at=6), toys.unsent("m1", at=9)
    decided = decide(conversation(), *twice)
    assert decided.annotated.bodies[21]["unsent_at"] == at(5), "the first holds"
    assert (decided.annotated.bodies[21]["text"], decided.annotated.bodies[21]["content"]) == ("", {})
    assert (decided.annotated.unsent, decided.removals.events) == ([21], {1, 101})
    (thread,) = decided.changed_threads
    assert (thread.last_preview, thread.last_kind) == ("", MessageKind.UNSEND)


def test_what_it_answers_stays_with_an_edit_and_goes_with_an_unsend() -> None:
    quoting = conversation(bodies={21: BODY._replace(reply_to="m0")})
    edited = decide(quoting, toys.edited("m1", "Hallo", at=5)).annotated
    unsent = decide(quoting, toys.unsent("m1", at=5)).annotated
    assert (edited.bodies[21]["reply_to"], unsent.bodies[21]["reply_to"]) == ("m0", None)


def test_a_reaction_older_than_the_stored_one_leaves_it() -> None:
    row = StoredReaction(41, 7, "m1", "customer", "👍", "", at(9), None, None)
    (older,) = decide(conversation(reactions=[row]), toys.reacted("m1", "❤️", at=5)).annotated.reactions
    (newer,) = decide(conversation(reactions=[row]), toys.reacted("m1", "❤️", at=10)).annotated.reactions
    assert (older.row_id, older.values["emoji"], newer.row_id, newer.values["emoji"]) == (41, "👍", 41, "❤️")


def test_an_annotation_of_a_missing_message_is_a_mark_and_a_line() -> None:
    decided = decide(conversation(), toys.edited("m9", "Hallo", at=5))
    (mark,), (line,) = decided.annotated.new_marks, decided.new_messages.values()
    assert (mark.key, mark.kind, mark.person.id, mark.values["text"]) == ((7, "m9"), "edit", 1, "Hallo")
    assert (line.kind, line.text, line.thread.id) == ("edit", "Hallo", 11)


def test_marks_are_applied_to_a_message_that_is_here_and_then_dropped() -> None:
    mark = StoredMark(51, 7, "m1", 1, "edit", at(5), 1, "Hallo", [8])
    decided = deciding.decide_marked(conversation(marks=[mark]), NOW)
    assert (decided.annotated.bodies[21]["text"], decided.annotated.done) == ("Hallo", [51])
    assert [one.id for one in decided.annotated.looks] == [21]
    missing = mark._replace(external_id="m9")
    waiting = deciding.decide_marked(conversation(marks=[missing]), NOW).annotated
    assert not [*waiting.bodies, *waiting.done, *waiting.new_marks, *waiting.marks]


def test_what_another_customer_says_about_a_message_is_refused() -> None:
    decided = decide(
        conversation(),
        toys.unsent("m1", at=5, contact="bo"),
        toys.received("forged", external_id="m1", contact="bo"),
    )
    assert decided.refused == {100: OF_ANOTHER, 101: OF_ANOTHER}
    assert not [*decided.annotated.bodies, *decided.new_messages, *decided.removals.messages]


said = st.one_of(
    st.builds(toys.edited, st.just("m1"), st.sampled_from("abc"), st.integers(1, 3), at=st.integers(1, 9)),
    st.builds(toys.unsent, st.just("m1"), at=st.integers(1, 9)),
    st.builds(
        toys.reacted, st.just("m1"), st.sampled_from("xy"), at=st.integers(1, 9), removed=st.booleans()
    ),
)


@given(st.lists(said, max_size=6).flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_))))
def test_annotations_come_to_the_same_in_any_order(orders: tuple[Sequence[InboundChange], ...]) -> None:
    seen = []
    for order in orders:
        told = [toys.incoming(ACCOUNT, change) for change in order]
        stored = deciding.decide(conversation(), told, NOW)
        first = toys.received("Hello", external_id="m1")
        new = deciding.decide(Loaded(people=people()), [*told, toys.incoming(ACCOUNT, first)], NOW)
        (message,) = new.new_messages.values()
        reactions = sorted(
            (one.actor, sorted(one.values.items(), key=str)) for one in new.annotated.reactions
        )
        seen.append((stored.annotated.bodies, message.text, message.edit_count, message.unsent_at, reactions))
        body = stored.annotated.bodies.get(21, {"text": "Hello", "edit_count": 0, "unsent_at": None})
        assert (body["text"], body["edit_count"], body["unsent_at"]) == seen[-1][1:4]
    assert seen[0] == seen[1]


IMPURE = ("sqlalchemy", "host.core.db", "host.core.clock", "host.media", "host.queue", "host.live")


@pytest.mark.parametrize("name", ["values", "conversations", "echoes", "annotations", "deciding"])
def test_deciding_imports_no_session_no_sql_and_no_clock(name: str) -> None:
    tree = ast.parse((Path(deciding.__file__).with_name(f"{name}.py")).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert imported
    assert not [one for one in imported if f"{one}.".startswith(tuple(f"{bad}." for bad in IMPURE))]


@pytest.mark.parametrize(
    ("content", "contact", "joins"),
    [
        ({"cc": [{"name": "Eve", "address": "eve"}]}, "eve", True),
        ({"to": ["eve"]}, "eve", True),
        ({"bcc": ["eve"]}, "eve", True),
        ({"author": {"name": "Eve", "address": "eve"}}, "eve", True),
        ({}, "eve", False),
        ({"cc": ["bo"]}, "eve", False),
        ({"cc": ["eve"], "sender_check": {"verdict": "fail"}}, "eve", False),
        ({"to": ["acct", "@shop"]}, "acct", False),
        ({"to": "eve", "cc": {"address": "eve"}, "bcc": [None, 7, ["eve"]]}, "eve", False),
    ],
)
def test_only_participants_come_into_a_conversation(
    content: dict[str, object], contact: str, joins: bool
) -> None:
    loaded = Loaded(
        people={(7, contact): (ACCOUNT, None)},
        messages={(7, "m1"): HELLO},
        threads=[THREAD],
        strangers=[ANA],
        answered={21: content},
    )
    change = toys.received("Let me in", contact=contact, references=("m1",))
    item = toys.incoming(ACCOUNT, change, adapter=toys.ByReference(), event_id=5)
    decided = deciding.decide(loaded, [item], NOW)
    said = [one for one in decided.new_messages.values() if one.kind == "text"]
    lines = [one.content for one in decided.new_messages.values() if one.kind == "activity"]
    assert [one.thread.id for one in said] == [11 if joins else None]
    assert ("author" in said[0].content) is joins
    assert lines == ([] if joins else [{"what": "may_belong_by_message", "conversation": "11"}])
    assert [one.external_id for one in decided.new_people] == [contact]
