"""Reading a provider's past, step by step: each is claimed, may fail, and is written with where to go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import history
from host.delivery.history import LONG, NOTE_EVERY, OutageWatch
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, Message, Reaction
from host.models.queue import CatchUp, CatchUpState, CatchUpThread, Lane
from host.queue import catch_ups, lanes, wakeups
from host.sdk.channel import AccountRef, Capabilities, ProviderProblem
from host.sdk.history import HistoryPage, HistoryRules, HistoryThread, HistoryTrouble, ThreadPage
from host.sdk.messages import MessagesRead
from tests import helpers
from tests.inbox import toys
from tests.inbox.toys import Toy, echoed, everything, only, reacted, received


class Old(Toy):
    """A toy whose provider remembers two threads."""

    capabilities: ClassVar[Capabilities] = Capabilities(history=HistoryRules(details=2, limits=("Little.",)))

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "list:": ThreadPage([HistoryThread("t1", "ana", clock.now())], after="two"),
            "list:two": ThreadPage([HistoryThread("t2", "kit", clock.now(), "kit.sample")]),
            "t1:": HistoryPage([received("Hi", external_id="m1"), echoed("Hello", at=1, external_id="m2")]),
            "t2:": HistoryPage([received("Hey", contact="kit", external_id="m3")], ["m0"], after="x"),
            "t2:x": HistoryPage([], ["m00", "m3"]),
        }

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        return self._answer(f"list:{after}")

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        return self._answer(f"{thread.external_id}:{after}")

    def _answer(self, what: str) -> Any:
        self.asked.append(what)
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Directory:
    def __init__(self, adapter: Toy | None) -> None:
        self.one = adapter

    def adapter(self, _key: str) -> Toy | None:
        return self.one


def account() -> AccountRef:
    made = toys.make_account(toys.make_workspace())
    db.write(catch_ups.ask, made.id)
    return made


def run(adapter: Toy | None, steps: int = 50) -> None:
    for _ in range(steps):
        if not history.step_due(Directory(adapter), pace=timedelta(0)):
            return


@pytest.fixture
def old(database: db.Database) -> Iterator[Old]:
    return Old()


def test_every_thread_is_read_on_every_kind_of_server(any_database: db.Database) -> None:
    account()
    old = Old()
    run(old)
    assert old.asked == ["list:", "list:two", "t1:", "t2:", "t2:x"]
    assert sorted(toys.texts()) == ["Hello", "Hey", "Hi"]
    assert {row.last_inbound_at for row in everything(Conversation)} == {None}
    assert [(row.contact, row.imported, row.untold) for row in everything(CatchUpThread)] == [
        ("ana", 2, 0),
        ("kit", 1, 2),
    ]
    assert {event.topic for event in helpers.shown()} <= {"catch_up", "changed", "account"}


def test_a_customer_a_worker_has_in_hand_is_waited_for(any_database: db.Database) -> None:
    if any_database.is_sqlite:
        pytest.skip("it has one writer, so nobody is in between")
    mine = account()
    old = Old()
    run(old, 2)
    key = lanes.lane_key(wakeups.IN, mine.id, "ana")

    def take(session: Any) -> None:
        lanes.schedule(session, key, wakeups.IN, mine.id, clock.now())
        lease = {"lease_until": clock.now() + timedelta(seconds=30), "owner": "w"}
        session.execute(sa.update(Lane).where(Lane.key == key).values(lease))

    db.write(take)
    run(old, 1)
    assert toys.texts() == []
    with clock.travel(timedelta(seconds=40)):
        run(old)
    assert len(toys.texts()) == 3


def test_a_reaction_comes_with_its_message(old: Old) -> None:
    account()
    old.answers["t1:"] = HistoryPage(
        [received("Hi", external_id="m1"), reacted("m1"), reacted("gone"), received("No", contact="eve")]
    )
    run(old)
    assert sorted(toys.texts()) == ["Hey", "Hi"], "nothing of anybody else"
    assert only(Reaction).external_id == "m1"


def test_a_thread_of_several_people_says_whose_each_message_is(old: Old) -> None:
    account()
    old.answers["list:"] = ThreadPage([HistoryThread("post", "")])
    two = [received("Hi", external_id="m1"), received("Hey", contact="eve", external_id="m2")]
    old.answers["post:"] = HistoryPage([*two, toys.edited("m1", "Hi")])
    run(old)
    assert sorted(toys.texts()) == ["Hey", "Hi"]
    assert len(everything(Conversation)) == 2
    first = next(one for one in everything(Message) if one.external_id == "m1")
    assert first.edited_at is None, "it says what the message says"


def test_what_was_taken_back_meanwhile_is_taken_back(old: Old) -> None:
    account()
    old.answers["t1:"] = HistoryPage([received("Hi", external_id="m1"), toys.unsent("m1"), toys.unsent("m9")])
    run(old)
    kept = {one.external_id: one.unsent_at for one in everything(Message)}
    assert kept["m1"] is not None
    assert "m9" not in kept, "of what is not here nothing is said"


def test_what_an_adapter_may_not_tell_is_its_failure(old: Old) -> None:
    account()
    old.answers["t1:"] = HistoryPage([MessagesRead("ana", "m1", clock.now())])
    old.answers["list:two"] = ThreadPage()
    for hours in range(len(history.DELAYS) + 3):
        with clock.travel(timedelta(hours=hours)):
            run(old, 3)
    (thread,) = everything(CatchUpThread)
    assert (thread.state, toys.texts()) == (CatchUpState.FAILED, [])
    assert "failed while reading" in thread.problem["sentence"]
    run_ = one_run()
    assert (run_.state, run_.complete_at) == (CatchUpState.DONE, None)


def one_run() -> CatchUp:
    with db.read() as session:
        return session.scalars(sa.select(CatchUp)).one()


def test_an_adapter_that_raises_is_asked_again_later(old: Old) -> None:
    account()
    page, old.answers["list:"] = old.answers["list:"], RuntimeError("no")
    run(old)
    assert old.asked == ["list:"]
    old.answers["list:"] = page
    with clock.travel(timedelta(minutes=1)):
        run(old)
    assert len(toys.texts()) == 3


def test_a_wait_the_provider_asks_for_is_kept(old: Old) -> None:
    account()
    old.answers["list:"] = HistoryTrouble(ProviderProblem("4", "Slowly."), retry_after=3600)
    run(old)
    assert one_run().next_at is not None
    assert one_run().next_at > clock.now() + timedelta(minutes=59)
    old.answers["list:"] = HistoryTrouble(ProviderProblem("10", "No."), final=True)
    with clock.travel(timedelta(hours=2)):
        run(old)
    found = one_run()
    assert (found.state, found.next_at, found.problem["sentence"]) == (CatchUpState.FAILED, None, "No.")


def test_it_waits_for_its_addon_and_for_the_account(old: Old) -> None:
    mine = account()
    run(None)
    assert one_run().next_at > clock.now()
    toys.change_row(ChannelAccount, mine.id, state=AccountState.NEEDS_RECONNECT)
    with clock.travel(timedelta(minutes=2)):
        run(old)
        assert old.asked == []
        toys.change_row(ChannelAccount, mine.id, state=AccountState.DISCONNECTED)
    with clock.travel(timedelta(minutes=4)):
        run(old)
    assert (old.asked, one_run().state) == ([], CatchUpState.FAILED)


def test_a_channel_without_a_past_is_not_asked(database: db.Database) -> None:
    account()
    run(toys.TOY)
    with db.read() as session:
        assert session.scalars(sa.select(CatchUp)).all() == []


def test_a_page_that_leads_to_itself_is_the_last(old: Old) -> None:
    account()
    old.answers["list:two"] = ThreadPage([HistoryThread("t2", "kit")], after="two")
    old.answers["t2:x"] = HistoryPage([], ["m00"], after="x")
    run(old)
    assert one_run().state == CatchUpState.DONE


def test_a_desk_that_was_away_catches_up(old: Old) -> None:
    account()
    run(old)
    here = OutageWatch()
    here.check()
    with clock.travel(NOTE_EVERY + timedelta(seconds=1)):
        here.check()
        assert one_run().next_at is None
        with clock.travel(NOTE_EVERY + LONG + timedelta(minutes=1)):
            OutageWatch().check()
            assert one_run().next_at is not None
            assert one_run().since is not None
            assert everything(CatchUpThread) == []


def test_messages_say_that_they_were_imported(old: Old) -> None:
    from host.api.serialise import some_messages

    here = account()
    run(old)
    toys.apply(toys.make_account(here.workspace_id), received("Now"))
    with db.read() as session:
        rows = some_messages(session, here.workspace_id, [row.id for row in everything(Message)])
    told = {row.text: row.content.get("imported") for row in rows}
    assert told == {"Hi": True, "Hello": True, "Hey": True, "Now": None}


def test_an_account_is_left_alone_between_two_calls(old: Old) -> None:
    account()
    assert [history.step_due(Directory(old)) for _ in range(3)] == [1, 0, 0]
    with clock.travel(history.PACE):
        assert history.step_due(Directory(old)) == 1
    assert old.asked == ["list:", "list:two"]


def lately(text: str, ago: timedelta = timedelta(), **values: Any) -> Any:
    return replace(received(text, **values), sent_at=clock.now() - ago)


def caught_up(old: Old, *changes: Any) -> AccountRef:
    """An account that was read when it was connected; then the desk was away, and *changes* were said."""
    here = account()
    run(old)
    OutageWatch().check()
    with clock.travel(timedelta(days=2)):
        old.answers["list:"] = ThreadPage([HistoryThread("t1", "ana", clock.now())])
        old.answers["t1:"] = HistoryPage([old.answers["t1:"].changes[0], *(change() for change in changes)])
        OutageWatch().check()
        run(old)
    return here


def test_what_an_outage_kept_away_counts_as_received(old: Old) -> None:
    here = caught_up(
        old,
        lambda: lately("Before", timedelta(days=3), external_id="m7"),
        lambda: lately("Anybody there?", timedelta(minutes=1), external_id="m8"),
        lambda: replace(echoed("From the app", external_id="m9"), sent_at=clock.now()),
    )
    found = {row.text: row for row in everything(Message) if row.direction != "internal"}
    quiet = {text for text, row in found.items() if row.imported_at is not None}
    assert quiet == {"Hi", "Hello", "Hey", "Before"}
    conversation = next(row for row in everything(Conversation) if row.unread_count)
    assert (conversation.unread_count, conversation.status) == (1, "open")
    assert conversation.last_inbound_at == found["Anybody there?"].sent_at
    told = {json.loads(row.payload)["message"] for row in helpers.shown() if row.topic == "message"}
    assert told >= {found["Anybody there?"].id, found["From the app"].id}
    assert not told & {found[text].id for text in quiet}
    with db.read() as session:
        account_row = session.get_one(ChannelAccount, here.id)
        assert account_row.last_event_at is None, "reading it ourselves is no delivery"


def test_what_was_said_while_disconnected_is_history(old: Old) -> None:
    here = account()
    run(old)
    with clock.travel(timedelta(days=2)):
        db.write(catch_ups.ask, here.id, missed_since=clock.now())
        old.answers["t1:"] = HistoryPage([lately("Anybody there?", timedelta(minutes=1))])
        old.answers["list:"] = ThreadPage([HistoryThread("t1", "ana", clock.now())])
        run(old)
    assert {row.unread_count for row in everything(Conversation)} == {0}


def test_what_a_reading_that_failed_has_left_is_still_missed(old: Old) -> None:
    here = account()
    run(old)
    begun = clock.now()
    with clock.travel(timedelta(days=1)):
        db.write(catch_ups.ask, here.id, missed_since=begun)
        old.answers["list:"] = HistoryTrouble(ProviderProblem("10", "No."), final=True)
        run(old)
    with clock.travel(timedelta(days=2)):
        db.write(catch_ups.ask, here.id, missed_since=clock.now())
        assert one_run().missed_since == begun
        db.write(catch_ups.ask, here.id, missed_since=begun - timedelta(days=1))
        assert one_run().missed_since == begun - timedelta(days=1), "one under way takes the earlier"
