"""A message no webhook brought is found in Meta's list, put in once and in its place; nothing else is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import history, look_interval, missing, second_look
from host.delivery.second_look import CLAIM, GRACE
from host.models.channels import AccountState, AccountWarning, ChannelAccount
from host.models.health import Process
from host.models.inbox import ContactIdentity, Conversation
from host.models.queue import CatchUp, SecondLook, SecondLookThread
from host.queue import catch_ups
from host.sdk.channel import AccountRef, ReplyContext, ReplyState
from host.sdk.history import HistoryTrouble, ListedMessage, NewestPage
from sandbox.world import Customer
from tests.instagram import world
from tests.instagram.looking import MINUTE, Killed, Lookout, advance, marked, messages, missed, texts
from tests.instagram.world import ANA, KIT, POTTERY, Addon, Meta


@pytest.fixture
def lookout(account: AccountRef, ig: Addon, meta: Meta) -> Iterator[Lookout]:
    made = Lookout(ig, meta, account)
    with clock.travel(timedelta()):
        made.look()
        advance(MINUTE)
        yield made


def conversation() -> Conversation:
    with db.read() as session:
        return session.scalars(sa.select(Conversation)).one()


def later(lookout: Lookout) -> None:
    """Let a whole interval pass, and the time a webhook may still come."""
    lookout.pass_time(lookout.row().interval / 60 + 3, every=1)


def test_what_no_webhook_brought_is_put_in_unread_and_marked(lookout: Lookout) -> None:
    first = lookout.write("Hello")
    lookout.deliver(lookout.event(first))
    advance(MINUTE)
    said = lookout.write("Is anybody there?")
    at = clock.now()
    later(lookout)
    assert texts() == ["Hello", "Is anybody there?"]
    assert marked() == ["Is anybody there?"]
    assert missed() == [said.mid]
    found = conversation()
    assert (found.status, found.unread_count) == ("open", 2)
    assert found.last_inbound_at is not None
    assert abs(found.last_inbound_at - at) < timedelta(seconds=2), "the window its own time opens"
    context = ReplyContext(lookout.account, clock.now(), found.last_inbound_at)
    assert lookout.adapter.reply_policy(context).state is ReplyState.OPEN
    lookout.deliver(lookout.event(said))
    assert texts() == ["Hello", "Is anybody there?"], "the webhook that comes after all is known"
    assert conversation().unread_count == 2


def test_it_is_found_on_every_kind_of_server(any_desk: db.Database, ig: Addon, meta: Meta) -> None:
    lookout = Lookout(ig, meta, world.connect(ig))
    with clock.travel(timedelta()):
        said = lookout.write("Hello")
        later(lookout)
        lookout.deliver(lookout.event(said))
        later(lookout)
        assert (texts(), marked(), missed()) == (["Hello"], ["Hello"], [said.mid])


def test_one_followed_by_another_that_came_is_found_in_its_place(lookout: Lookout) -> None:
    for number in range(3):
        said = lookout.write(f"Part {number}")
        if number != 1:
            lookout.deliver(lookout.event(said))
    later(lookout)
    assert texts() == ["Part 0", "Part 1", "Part 2"], "all three were written within a second"
    assert marked() == ["Part 1"]


def test_one_followed_by_our_own_reply_is_found(lookout: Lookout) -> None:
    lookout.deliver(lookout.event(lookout.write("Hello")))
    later(lookout)
    lost = lookout.write("And one thing more")
    advance(timedelta(seconds=1))
    lookout.write("You are welcome", kind="echo")
    calls = len(lookout.meta.calls("conversations"))
    later(lookout)
    assert missed() == [lost.mid]
    assert len(lookout.meta.calls("conversations")) - calls <= 4, (
        "one list shows it, and a quick check follows"
    )


def test_one_far_back_is_found_where_the_list_does_not_reach(lookout: Lookout) -> None:
    later(lookout)
    lost = lookout.write("First")
    for number in range(14):
        advance(timedelta(seconds=1))
        lookout.deliver(lookout.event(lookout.write(f"More {number}")))
    later(lookout)
    assert missed() == [lost.mid]
    assert texts()[0] == "First"


def test_a_webhook_in_flight_is_waited_for(lookout: Lookout) -> None:
    said = lookout.write("On its way")
    now = {"look_at": clock.now(), "next_at": clock.now()}
    db.write(lambda session: session.execute(sa.update(SecondLook).values(now)) and None)
    lookout.look()
    calls = len(lookout.meta.calls("conversations"))
    advance(GRACE - timedelta(seconds=1))
    lookout.look()
    assert texts() == []
    lookout.deliver(lookout.event(said))
    advance(timedelta(seconds=2))
    lookout.look()
    assert texts() == ["On its way"]
    assert (marked(), missed()) == ([], [])
    assert len(lookout.meta.calls("conversations")) == calls, "a known id costs no second call"


def test_what_waits_to_be_applied_or_in_a_spool_is_not_missing(lookout: Lookout) -> None:
    said = lookout.write("Waits")
    lookout.deliver(lookout.event(said), work=False)
    other = lookout.write("From the spool", KIT)

    process = Process(
        id="p1",
        kind="web",
        machine="one",
        pid=1,
        version="1",
        generation=1,
        workers=0,
        started_at=clock.now(),
        seen_at=clock.now(),
        spooled=1,
        spooled_bytes=1,
    )
    db.write(lambda session: session.add(process))
    for _ in range(10):
        advance(MINUTE)
        while second_look.step_due(lookout.directory, pace=timedelta(0)):
            pass
    assert missed() == []
    db.write(lambda session: session.execute(sa.update(Process).values(spooled=0)) and None)
    lookout.work()
    later(lookout)
    assert missed() == [other.mid]
    assert sorted(texts()) == ["From the spool", "Waits"]


def test_our_own_messages_are_not_missing(lookout: Lookout) -> None:
    lookout.deliver(lookout.event(lookout.write("Hi")))
    lookout.write("From the phone", kind="echo")
    calls = len(lookout.meta.calls("conversations"))
    later(lookout)
    later(lookout)
    assert (texts(), missed()) == (["Hi"], [])
    assert len(lookout.meta.calls("conversations")) - calls <= 5, "nothing was read because of it"


def test_who_was_erased_stays_erased(lookout: Lookout) -> None:
    lookout.deliver(lookout.event(lookout.write("Forget this")))
    lookout.write("And this")
    advance(MINUTE)
    erased = sa.update(ContactIdentity).values(erased_at=clock.now())
    db.write(lambda session: session.execute(erased) and None)
    advance(MINUTE)
    later(lookout)
    assert missed() == []
    advance(MINUTE)
    said = lookout.write("I am back")
    later(lookout)
    assert missed() == [said.mid]


def test_what_was_unsent_is_not_put_back(lookout: Lookout) -> None:
    said = lookout.write("Never mind")
    lookout.deliver(world.item(sender=ANA, message={"mid": said.mid, "is_deleted": True}))
    later(lookout)
    assert missed() == []
    assert "Never mind" not in texts()


def test_history_from_before_the_account_was_here_was_not_missed(lookout: Lookout) -> None:
    said = lookout.write("Long ago")
    said.at -= 3 * 86400
    later(lookout)
    assert (texts(), missed()) == ([], [])


def test_nothing_is_looked_at_while_history_is_read(lookout: Lookout) -> None:
    lookout.write("Hello")
    db.write(catch_ups.ask, lookout.account.id)
    calls = len(lookout.meta.calls("conversations"))
    later(lookout)
    assert len(lookout.meta.calls("conversations")) == calls
    db.write(lambda session: session.execute(sa.update(CatchUp).values(next_at=None)) and None)
    later(lookout)
    assert texts() == ["Hello"]


def test_what_a_restored_desk_lacks_is_caught_up_on_and_was_not_missed(lookout: Lookout) -> None:
    lookout.deliver(lookout.event(lookout.write("Before the backup")))
    history.OutageWatch().check()
    advance(timedelta(minutes=5))
    # The desk had it and lost it: it is restored to a moment before that.
    lookout.write("After the backup")
    db.write(history.ask_since_backup)
    later(lookout)
    assert texts() == ["Before the backup"], "catching up comes first"
    while history.step_due(lookout.directory, pace=timedelta(0)):
        pass
    assert texts() == ["Before the backup", "After the backup"]
    assert conversation().unread_count == 2
    lost = lookout.write("Lost afterwards")
    later(lookout)
    later(lookout)
    assert missed() == [lost.mid], "what the desk itself lost counts for nothing"
    assert len(texts()) == 3


def test_a_thread_of_ten_thousand_costs_one_reading(lookout: Lookout) -> None:
    for number in range(10_000):
        lookout.write(f"Old {number}").at -= 90 * 86400
    said = lookout.write("New")
    calls = len(lookout.meta.calls("conversations"))
    later(lookout)
    assert missed() == [said.mid]
    later(lookout)
    assert missed() == [said.mid]
    assert len(lookout.meta.calls("conversations")) - calls <= 6


@pytest.mark.parametrize("apart", [timedelta(minutes=5), timedelta(minutes=-5)])
def test_clocks_may_differ_by_minutes(lookout: Lookout, apart: timedelta) -> None:
    lookout.write("Lost").at += apart.total_seconds()
    came = lookout.write("Came", KIT)
    came.at += apart.total_seconds()
    lookout.deliver(lookout.event(came))
    later(lookout)
    assert marked() == ["Lost"]
    assert sorted(texts()) == ["Came", "Lost"]


def test_an_account_that_moved_to_another_page_misses_nothing(lookout: Lookout) -> None:
    lookout.deliver(lookout.event(lookout.write("Hello")))
    later(lookout)
    for thread in lookout.meta.box.world.conversations.values():
        thread.id = "moved-" + thread.id
    lookout.meta.box.world.conversations = {
        thread.id: thread for thread in lookout.meta.box.world.conversations.values()
    }
    later(lookout)
    assert (texts(), missed()) == (["Hello"], [])


def test_lists_that_are_empty_partial_or_out_of_order_do_no_harm(
    lookout: Lookout, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lookout.adapter.newest
    said = [lookout.write("From Ana"), lookout.write("From Kit", KIT)]

    def odd(account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        page = read(account, after)
        assert isinstance(page, NewestPage)
        kind = next(kinds, "reversed")
        if kind == "empty":
            return NewestPage()
        if kind == "partial":
            return NewestPage(page.threads[:1], "")
        return NewestPage(page.threads[::-1], "")

    kinds = iter(["empty", "partial"])
    monkeypatch.setattr(lookout.adapter, "newest", odd)
    lookout.pass_time(30, every=1)
    later(lookout)
    later(lookout)
    assert sorted(missed()) == sorted(one.mid for one in said)


def test_a_list_without_messages_makes_nothing_missing_too_early(
    lookout: Lookout, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lookout.adapter.newest

    def without(account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        page = read(account, after)
        assert isinstance(page, NewestPage)
        return NewestPage([replace(one, newest=()) for one in page.threads])

    monkeypatch.setattr(lookout.adapter, "newest", without)
    lost = lookout.write("Lost")
    now = {"look_at": clock.now(), "next_at": clock.now()}
    db.write(lambda session: session.execute(sa.update(SecondLook).values(now)) and None)
    lookout.look()
    advance(GRACE - timedelta(seconds=1))
    young = lookout.write("On its way")
    advance(timedelta(seconds=2))
    lookout.look()
    assert missed() == [lost.mid]
    lookout.deliver(lookout.event(young))
    later(lookout)
    assert missed() == [lost.mid]
    assert texts() == ["Lost", "On its way"]


def test_a_list_that_fails_halfway_goes_on(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    later(lookout)
    people(lookout, 60)
    lost = [lookout.write("Hello", igsid) for igsid in lookout.meta.box.world.customers if "9900" in igsid]
    read, asked = lookout.adapter.newest, []

    def fails(account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        asked.append(after)
        if len(asked) == 2:
            raise RuntimeError("it broke")
        return read(account, after)  # type: ignore[no-any-return]

    monkeypatch.setattr(lookout.adapter, "newest", fails)
    later(lookout)
    assert sorted(missed()) == sorted(one.mid for one in lost)
    assert asked[1] == asked[2], "it goes on with the page that failed"


def test_a_thread_that_cannot_be_read_stops_no_other(lookout: Lookout) -> None:
    lookout.write("Hello")
    said = lookout.write("Hi", KIT)
    advance(MINUTE)
    lookout.look()
    thread = next(t for t in lookout.meta.box.world.conversations.values() if t.igsid == ANA)
    lookout.meta.fault(f"/*{thread.id}*", "error", code=100)
    later(lookout)
    later(lookout)
    assert missed() == [said.mid]


def test_two_workers_never_look_twice(lookout: Lookout) -> None:
    advance(timedelta(hours=7))
    rules = lookout.adapter.capabilities.second_look
    first = db.write(second_look._claim, lookout.account.id, rules)
    assert first is not None
    assert db.write(second_look._claim, lookout.account.id, rules) is None
    advance(CLAIM + timedelta(seconds=1))
    second = db.write(second_look._claim, lookout.account.id, rules)
    assert second is not None
    db.write(second_look._note_list, first, NewestPage())
    assert lookout.row().claim == second.claim, "who comes back late writes nothing"


def test_a_limit_makes_it_look_less_often_and_says_why(lookout: Lookout) -> None:
    people(lookout, 130)
    for igsid in lookout.meta.box.world.customers:
        if "9900" in igsid:
            lookout.deliver(lookout.event(lookout.write("Hi", igsid)), work=False)
    lookout.work()
    lookout.pass_time(8 * 60, every=30)
    assert (lookout.row().interval, lookout.row().reason) == (180, "")
    lookout.meta.fault("conversations", "usage", percent=90)
    later(lookout)
    assert (lookout.row().interval, lookout.row().reason) == (15 * 60, look_interval.LIMIT)
    lookout.meta.box.faults.remove()
    lookout.meta.fault("conversations", "error", code=613, subcode=2534040)
    lookout.pass_time(40, every=1)
    assert lookout.row().problem is not None
    assert lookout.row().reason == look_interval.LIMIT


def test_the_interval_is_what_the_budget_pays_for(ig: Addon) -> None:
    rules = ig.capabilities.SECOND_LOOK
    found = {n: look_interval.choose(rules, n, 1, 0) for n in (0, 1, 3, 12, 50, 120, 5000)}
    assert {n: int(interval / MINUTE) for n, (interval, _) in found.items()} == {
        0: 360,
        1: 360,
        3: 120,
        12: 30,
        50: 10,
        120: 3,
        5000: 3,
    }
    assert [found[n][1] for n in (0, 1, 12, 120)] == ["quiet", "budget", "budget", ""]
    assert look_interval.choose(rules, 12, 3, 0)[0] == timedelta(minutes=120), "readings cost, too"


def test_accounts_are_spread_evenly_over_the_interval() -> None:
    now, interval = clock.now(), timedelta(minutes=3)
    times = [look_interval.next_time(f"account {n}", now, interval) for n in range(2000)]
    assert all(0.4 * interval <= at - now <= interval for at in times)
    late = timedelta(milliseconds=50)
    times = [look_interval.next_time(f"account {n}", at + late, interval) for n, at in enumerate(times)]
    slots = [0] * 18
    for at in times:
        slots[int(at.timestamp() % 180 // 10)] += 1
    assert max(slots) < 2 * min(slots)
    again = look_interval.next_time("account 1", times[1] + late, interval)
    assert abs(again - times[1] - interval) < timedelta(seconds=1), "it keeps its place"


def test_owners_are_told_once_when_many_are_missed(lookout: Lookout) -> None:
    for round_ in range(2):
        for number in range(3):
            lookout.write(f"Lost {round_} {number}")
        lookout.pass_time(6 * 60 + 10, every=10)
    assert len(missed()) == 6
    with db.read() as session:
        (warning,) = session.scalars(sa.select(AccountWarning)).all()
    assert warning.kind == missing.WARNING
    advance(missing.SHOWN + timedelta(days=1))
    db.write(missing.forget_old)
    lookout.pass_time(6 * 60 + 10, every=10)
    with db.read() as session:
        assert session.scalars(sa.select(AccountWarning)).all() == []


def test_a_disconnected_account_is_not_looked_at_and_begins_anew(lookout: Lookout) -> None:
    def set_state(state: AccountState) -> None:
        db.write(lambda session: session.execute(sa.update(ChannelAccount).values(state=state)) and None)

    set_state(AccountState.DISCONNECTED)
    advance(timedelta(hours=7))
    lookout.look()
    with db.read() as session:
        assert session.scalars(sa.select(SecondLook)).all() == []
        assert session.scalars(sa.select(SecondLookThread)).all() == []
    said = lookout.write("While it was away")
    advance(timedelta(hours=1))
    set_state(AccountState.CONNECTED)
    second_look.begin(lookout.directory)
    later(lookout)
    assert said.mid not in missed()


def people(lookout: Lookout, count: int) -> None:
    """Let the account have that many customers more."""
    customers = lookout.meta.box.world.customers
    for number in range(count):
        igsid = f"10260000009900{number:04}"
        ana = customers[ANA]
        made = {name: getattr(ana, name) for name in Customer.__slots__}  # type: ignore[attr-defined]
        customers[igsid] = Customer(**{**made, "igsid": igsid, "username": f"person.{number}"})


STEP = timedelta(seconds=10)


@pytest.mark.parametrize(
    ("count", "lost", "kills"),
    [(100, 5, 2), pytest.param(1000, 50, 10, marks=pytest.mark.slow)],
)
def test_every_message_is_in_its_place(lookout: Lookout, count: int, lost: int, kills: int) -> None:
    """Of *count* messages *lost* never come by webhook; others come twice, late and in another order."""
    dice = random.Random(42)
    people(lookout, 130)
    everybody = [igsid for igsid in lookout.meta.box.world.customers if "9900" in igsid]
    for igsid in everybody:
        lookout.deliver(lookout.event(lookout.write("Begin", igsid)), work=False)
    lookout.work()
    lookout.pass_time(7 * 60, every=30)
    assert lookout.row().interval == 180
    swallowed = set(dice.sample(range(count), lost))
    dying = iter(sorted(dice.sample(range(5, count // 2), kills)))
    dies = next(dying)
    held: list[tuple[datetime, dict[str, object]]] = []
    said: dict[str, list[str]] = {}
    written: dict[str, datetime] = {}
    seen: dict[str, datetime] = {}
    shown = timedelta(seconds=lookout.row().interval)
    number = 0
    while number < count or held or len(missed()) < lost:
        for _ in range(min(4, count - number)):
            # Among all of them: a check that finds much is paid for by the time to the next, up to an hour
            # here, and Meta tells of the newest 20 of each (docs/instagram.md, "What Instagram did not
            # deliver").
            igsid = dice.choice(everybody)
            text = f"{number} of {igsid}"
            message = lookout.write(text, igsid)
            advance(timedelta(milliseconds=5))
            said.setdefault(igsid, []).append(text)
            if number in swallowed:
                written[message.mid] = clock.now()
            else:
                for _ in range(1 + (dice.random() < 0.2)):
                    delay = timedelta(seconds=dice.choice([0, 0, 5, 40]))
                    held.append((clock.now() + delay, lookout.event(message)))
            number += 1
        due = [event for at, event in held if at <= clock.now()]
        held = [one for one in held if one[0] > clock.now()]
        dice.shuffle(due)
        for event in due:
            lookout.deliver(event, work=False)
        lookout.work()
        if number >= dies and lookout.row().next_at <= clock.now():
            die_in(lookout, dice)
            dies = next(dying, count + 1)
        lookout.look()
        shown = max(shown, timedelta(seconds=lookout.row().interval))
        for mid in missed():
            seen.setdefault(mid, clock.now())
        advance(STEP)
        assert not written or clock.now() - max(written.values()) <= 2 * shown + STEP, "not found in time"
    assert dies == count + 1, "it died as often as it was meant to"
    assert sorted(missed()) == sorted(written), "each that was swallowed, and no other"
    slowest = max(seen[mid] - at for mid, at in written.items())
    assert slowest <= 2 * shown, slowest
    rows = [row for row in messages() if row.direction == "inbound" and row.text != "Begin"]
    assert len(rows) == count == len({row.external_id for row in rows})
    assert {row.external_id for row in rows if row.content.get("missed")} == set(written)
    for igsid, wanted in said.items():
        assert [row.text for row in rows if row.text.endswith(f" of {igsid}")] == wanted
    with db.read() as session:
        windows = session.scalars(sa.select(Conversation).where(Conversation.arrived_count > 1)).all()
    newest: dict[int, datetime] = {}
    for row in rows:
        newest[row.conversation_id] = row.sent_at
    for one in windows:
        assert one.last_inbound_at == newest[one.id]


def die_in(lookout: Lookout, dice: random.Random) -> None:
    """Take one step in a process that dies between its call and its write, or right after its claim."""
    patch = pytest.MonkeyPatch()

    def die(*_: object) -> None:
        raise Killed

    names = ["_note_list", "_note_latest"] if dice.random() < 0.5 else ["_list", "_read"]
    for name in names:
        patch.setattr(second_look, name, die)
    try:
        second_look.step_due(lookout.directory, pace=timedelta(0))
    except Killed:
        pass
    finally:
        patch.undo()


def test_nothing_is_asked_while_the_app_is_restricted(lookout: Lookout) -> None:
    later(lookout)
    restrictions, box = lookout.ig.restrictions, lookout.meta.box
    found = lookout.ig.accounts.credentials(lookout.account.id)
    error = lookout.ig.graph.GraphError("Unsupported request - method type: post", code=100, status=400)
    box.world.apps[world.APP_ID].restricted = True
    for number in range(3):
        restrictions.refused(found, error, f"{number}" * 32)
    assert restrictions.is_restricted(found.app)
    said = lookout.write("Nobody told you")
    before = lookout.row()
    calls = len(lookout.meta.calls("conversations"))
    lookout.pass_time(8 * 60, every=10)
    assert len(lookout.meta.calls("conversations")) == calls
    row = lookout.row()
    assert row.problem is not None
    assert row.problem["sentence"] == restrictions.RESTRICTED.sentence
    assert (row.failures, row.looked_at, row.used_percent) == (0, before.looked_at, 0)
    box.world.apps[world.APP_ID].restricted = False
    assert not restrictions.probe(found)
    lookout.pass_time(9, every=1)
    assert (texts(), missed()) == (["Nobody told you"], [said.mid]), "no interval more is waited for"
    assert lookout.row().problem is None


def test_an_answer_that_may_be_a_restriction_is_tried_again_at_the_next_check(lookout: Lookout) -> None:
    later(lookout)
    lookout.meta.box.world.apps[world.APP_ID].restricted = True
    calls = len(lookout.meta.calls("conversations"))
    lookout.pass_time(5 * 60, every=1)
    assert len(lookout.meta.calls("conversations")) - calls <= 1 + len(second_look.DELAYS)
    assert (lookout.row().used_percent, lookout.row().reason) == (0, look_interval.QUIET)
    found = lookout.ig.accounts.credentials(lookout.account.id)
    assert not lookout.ig.restrictions.is_restricted(found.app), "what is read decides nothing"


def test_the_list_names_the_newest_messages_in_one_call(lookout: Lookout) -> None:
    theirs, ours = lookout.write("Hi"), lookout.write("Hello", kind="echo")
    before = len(lookout.meta.calls("conversations"))
    page = lookout.adapter.newest(lookout.account, "")
    assert isinstance(page, NewestPage)
    (one,) = page.threads
    assert [(each.external_id, each.ours) for each in one.newest] == [(ours.mid, True), (theirs.mid, False)]
    assert all(isinstance(each, ListedMessage) and each.sent_at for each in one.newest)
    assert len(lookout.meta.calls("conversations")) == before + 1
    latest = lookout.adapter.latest(lookout.account, one.thread)
    assert not isinstance(latest, HistoryTrouble)
    assert [each.envelope is not None for each in latest] == [True, False]
    assert latest[0].envelope is not None
    webhook = lookout.ig.webhook.verification.authenticate(
        world.post(world.payload(world.entry(lookout.event(theirs))))
    ).envelopes[0]
    assert latest[0].envelope.dedupe_key == webhook.dedupe_key
    assert latest[0].envelope.lane == webhook.lane
    assert POTTERY.encode() in latest[0].envelope.body


def test_two_quick_checks_follow_one_that_found_something(lookout: Lookout) -> None:
    lookout.write("Lost")
    reasons, intervals = [], {}
    for _minute in range(int(lookout.row().interval / 60) + 20):
        lookout.pass_time(1, every=1)
        row = lookout.row()
        intervals[row.reason] = row.interval
        if row.reason not in reasons[-1:]:
            reasons.append(row.reason)
    assert texts() == ["Lost"]
    quick = reasons.index(look_interval.TWICE)
    assert reasons[quick:][:3] == [look_interval.TWICE, look_interval.ONCE, look_interval.BUDGET]
    assert intervals[look_interval.TWICE] == intervals[look_interval.ONCE] == 180
    assert intervals[look_interval.BUDGET] > 180, "what was lent is paid back"
