"""The health page: problems first, plots with figures, processes; for admins, on every database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.assistants.language import asking
from host.assistants.models import LanguageModel
from host.channels import deliveries
from host.channels.warnings import raise_warning
from host.core import clock, db
from host.events import retention
from host.events.models import Consumer
from host.events.reading import number_all
from host.health import current_state, history, metrics
from host.health.blocking import Blocker
from host.health.history import Period
from host.models.channels import AccountState, ChannelAccount
from host.models.health import Kind, Metric, Outcome, Process
from host.models.queue import MissedMessage, SecondLook
from host.models.search import DocumentKind, SearchBuild
from host.models.users import Role
from host.queue import journal_rows
from host.sdk.channel import NotSent, Unknown
from host.sdk.webhooks import Envelope
from host.search import words
from host.web import plots
from host.web.plots import Bars, Line
from tests.delivery.conftest import Door
from tests.delivery.desk import PROBLEM, Desk
from tests.health import pretend
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user

Travel = Callable[[timedelta], None]


@pytest.fixture
def failures() -> dict[str, str]:
    return {}


@pytest.fixture
def admin(any_desk: Desk, data: Path, failures: dict[str, str]) -> Browser:
    generation = StandInGeneration(directory=any_desk.generation.directory, failures=failures)
    app = build_app(data, generation=generation, public_url="https://desk.example.com")
    return client_for(app, make_user(is_admin=True))


def page(admin: Browser, query: str = "") -> str:
    answer = admin.get(f"/admin/health{query}")
    assert answer.status_code == 200
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", answer.get_data(as_text=True)))


def web(**more: Any) -> None:
    db.write(pretend.process, "web", Kind.WEB, **more)


def test_a_desk_where_all_is_well_says_so(admin: Browser) -> None:
    web()
    text = page(admin)
    assert "Everything is working." in text
    assert "No data in this period." in text
    assert "Event loop" not in text, "no process has said anything yet"
    assert "None." in text
    assert "desk-1:4711" in text


def test_a_day_is_drawn_and_told_in_figures(admin: Browser, any_desk: Desk) -> None:
    web()
    for minutes, outcome in ((3, Outcome.SENT), (2, Outcome.RETRIED), (1, Outcome.FAILED)):
        with clock.travel(-timedelta(minutes=20 * minutes)):
            recording.received([("email", any_desk.account.id, "pending")] * 30 * minutes)
            recording.handled("email", "applied", [timedelta(milliseconds=40)] * 30 * minutes)
            recording.sent("email", outcome)
            recording.peak(Metric.WAITING, "", "in", 9_800)
            recording.peak(Metric.LOOP, "", "", 30 * minutes)
    recording.flush()
    text = page(admin)
    assert '<b>Received</b><span class="nums">180</span>' in text
    assert "180 handled in this time: 180 applied, 0 not for the inbox, 0 could not be read" in text
    assert "Besides these: 1 retried, 1 failed, 0 not confirmed" in text
    assert "Received: 96 intervals: 3 delayed, 0 with problems." in text, "each waited ten seconds"
    assert "Sent: 96 intervals: 1 delayed, 1 with problems." in text, "one tried again, one failed"
    assert "Events received per minute; at most 6." in text
    assert "1 replies sent, 1 failed." in text
    assert "at most 9.8 s." in text
    assert "Event loop blocked for at most 90 ms" in text
    assert '<td class="nums nowrap">6</td>' in text
    assert re.search(r'toy100</th>.*data-label="Events" class="nums">180</td>', text)
    assert 'style="' not in text, "the policy of the page lets no style attribute in"


def test_a_week_adds_up_what_processes_counted(admin: Browser, any_desk: Desk) -> None:
    web()
    written = db.write(pretend.counts, {"email": [any_desk.account.id]}, every=60)
    assert written
    with db.read() as session:
        week = history.read_history(session, Period.WEEK)
        day = history.read_history(session, Period.DAY)
        nothing = history.read_history(session, Period.WEEK, "pigeon")
    assert len(week.starts) == 168
    assert len(day.starts) == 96
    assert sum(week.received) > sum(day.received) > 0
    assert max(week.waiting["in"]) > 2000
    assert 0.01 < (week.percentile(0.5) or 0) < 0.1
    assert max(one or 0 for one in week.percentiles(0.99)) > 1, "the hour without workers shows"
    assert sum(nothing.received) == 0
    assert [one.handle for one in week.busiest] == ["toy100"]
    text = page(admin, "?period=7d")
    assert 'href="/admin/health?period=7d" aria-current="true"' in text


def test_the_ten_busiest_accounts_are_listed_the_busiest_first(admin: Browser, any_desk: Desk) -> None:
    web()
    for number in range(1, 13):
        account = any_desk.connect(str(200 + number))
        recording.received([("email", account.id, "pending")] * number)
    recording.flush()
    names = re.findall(r">(toy2\d\d)</th>", page(admin))
    assert names == [f"toy{200 + number}" for number in range(12, 2, -1)]


def test_slow_pages_are_named_by_their_pattern(admin: Browser) -> None:
    web()
    text = page(admin)
    assert "Slow pages" not in text
    with clock.travel(-timedelta(hours=3)):
        recording.slow("inbox.index", 31.2)
        recording.flush()
    assert "Everything is working." in page(admin), "it was no problem in the last hour"
    for endpoint, seconds in (("health.index", 98.8), ("health.index", 12), ("gone.before", 11)):
        recording.slow(endpoint, seconds)
    recording.slow("x" * 80 + "ü", 10.4)
    recording.flush()
    text = page(admin)
    assert (
        "3 pages took longer than 10 seconds in the last hour: GET /admin/health (99 s), gone.before (11 s)"
        in text
    )
    rows = re.findall(r"<code>(.*?)</code></th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>", text)
    assert rows[:2] == [
        ("GET /admin/health", "99 s", "2"),
        ("GET /w/&lt;workspace_id&gt;/inbox", "31 s", "1"),
    ]
    assert [row[0] for row in rows[2:]] == ["gone.before", "x" * 64]
    assert len(re.findall("<code>GET /w/", page(admin, "?period=7d"))) == 1
    with db.read() as session:
        assert not history.read_history(session, Period.DAY).busiest


@pytest.mark.parametrize("query", ["?period=1y", "?channel=pigeon", "?period=%00"])
def test_what_makes_no_sense_is_refused(admin: Browser, query: str) -> None:
    assert admin.get(f"/admin/health{query}").status_code == 400


def test_only_admins_see_it(any_desk: Desk, data: Path) -> None:
    app = build_app(data)
    for path in ("/admin", "/admin/health"):
        assert client_for(app, make_user(f"x{len(path)}@example.com")).get(path).status_code == 403


def test_the_administration_has_an_address_of_its_own(admin: Browser) -> None:
    answer = admin.get("/admin")
    assert (answer.status_code, answer.location) == (302, "/admin/health")


def test_no_process_no_worker_and_a_lost_one_are_told(admin: Browser) -> None:
    assert "No process is delivering." in page(admin)
    web(workers=0)
    assert "No process is delivering." in page(admin)
    db.write(pretend.process, "one", Kind.WORKER, timedelta(minutes=3, seconds=10), machine="far")
    text = page(admin)
    assert "No worker has reported for 3 min." in text
    assert "A worker on far has not reported since" in text
    assert "Lost" in text
    db.write(pretend.process, "two", Kind.WORKER, machine="far", started_at=clock.now())
    text = page(admin)
    assert "Everything is working." in text
    assert "Replaced" in text


def test_a_queue_nobody_works_on_is_not_ok(admin: Browser) -> None:
    def marks() -> list[bool]:
        rows = admin.get("/admin/health").text.partition('class="sheet rows waits"')[2].partition("</ul>")[0]
        return ["OK" in row for row in rows.split("<li>")[1:3]]

    db.write(pretend.process, "dead", Kind.WORKER, timedelta(seconds=30))
    assert marks() == [False, False]
    db.write(pretend.process, "receiving", Kind.WORKER, senders=0)
    assert marks() == [True, False]
    db.write(pretend.process, "both", Kind.WORKER)
    assert marks() == [True, True]


def test_what_waits_in_the_spool_is_told_once_for_each_machine(admin: Browser) -> None:
    web()
    since = clock.now() - timedelta(minutes=9)
    for name in ("a", "b"):
        db.write(
            pretend.process, name, Kind.WEB, machine="m2", spooled=312, spooled_bytes=9, spooled_since=since
        )
    text = page(admin)
    assert text.count("312 provider requests have been waiting on m2 since") == 1


def test_a_spool_is_shown_against_its_cap_and_what_was_put_aside_is_told(admin: Browser) -> None:
    web()
    assert "None; up to 1 GB can be used." in page(admin)
    full = {"spooled": 9, "spooled_bytes": 900 * 1024**2, "spooled_since": clock.now(), "machine": "m2"}
    db.write(pretend.process, "a", Kind.WEB, **full)
    text = page(admin)
    assert re.search(r"9 requests since [^<]+, using 900 MB of 1 GB\.", text)
    assert 'aria-label="88 % full"' in text
    assert "They use 900 MB of the available 1 GB." in text
    db.write(pretend.process, "b", Kind.WEB, machine="m3", spool_aside=2, spooled_bytes=8192)
    text = page(admin)
    assert "2 provider requests were set aside on m3." in text
    assert "2 requests set aside, using 8 KB of 1 GB." in text


def test_a_process_without_a_spool_hides_no_other_ones(admin: Browser) -> None:
    filled = {"machine": "m2", "spooled": 5, "spooled_bytes": 20480, "spooled_since": clock.now()}
    db.write(pretend.process, "web", Kind.WEB, timedelta(seconds=9), **filled)
    db.write(pretend.process, "worker", Kind.WORKER, machine="m2")
    assert "5 provider requests have been waiting on m2" in page(admin)
    db.write(lambda s: s.execute(sa.update(Process).where(Process.id == "web").values(spooled=0)) and None)
    db.write(pretend.process, "dead", Kind.WEB, timedelta(hours=2), **filled)
    assert "of providers wait on m2" not in page(admin), "who is alive looked since"


def test_a_broker_that_answers_and_one_that_does_not(admin: Browser) -> None:
    web()
    assert "Not configured: each process polls for work every 1.5 s." in page(admin)
    since = clock.now() - timedelta(minutes=9)
    db.write(pretend.process, "a", Kind.WORKER, broker="answers", broker_since=since)
    text = page(admin)
    assert "Connected to 1 process since" in text
    assert "Everything is working." in text
    db.write(pretend.process, "b", Kind.WORKER, machine="m2", pid=12, broker="away", broker_since=since)
    db.write(pretend.process, "dead", Kind.WORKER, timedelta(hours=2), broker="away")
    text = page(admin)
    assert "Unreachable from 1 process since" in text
    assert "The broker has been unreachable from m2:12 since" in text


def test_the_redis_of_limits_being_away_is_told(admin: Browser) -> None:
    web()
    since = clock.now() - timedelta(minutes=9)
    db.write(pretend.process, "a", Kind.WORKER, machine="m2", pid=12, limits_away_since=since)
    text = page(admin)
    assert "Unreachable from 1 process since" in text
    assert "The Redis server that counts provider limits has been unreachable from m2:12 since" in text
    assert "each process uses its share" in text


def test_who_holds_rows_is_told(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Blocker(4711, "psql", "10.0.0.9", 28.3, "SELECT id FROM", "conversations", 2)
    monkeypatch.setattr(current_state, "find_blockers", lambda _session: [one])
    web()
    text = page(admin)
    assert "Connection 4711 of psql (10.0.0.9) has locked database rows for 28 s" in text
    assert "in conversations, last statement SELECT id FROM …, 2 connections wait." in text
    assert "To end it: KILL 4711;" in text
    with db.read() as session:
        families = {
            family.name: family for family in metrics._gauges(current_state.read_current_state(session))
        }
    (sample,) = families["lobby_blocking_seconds"].samples
    assert sample.labels == {"program": "psql", "connection": "4711", "holds": "conversations"}
    assert sample.value == 28.3


def test_a_clock_that_differs_from_the_databases_is_told(admin: Browser) -> None:
    web()
    db.write(pretend.process, "a", Kind.WORKER, machine="m2", pid=12, clock_ahead_ms=600_000)
    db.write(pretend.process, "b", Kind.WORKER, machine="m3", pid=13, clock_ahead_ms=-3_600_000)
    db.write(pretend.process, "c", Kind.WORKER, machine="m4", pid=14, clock_ahead_ms=900)
    text = page(admin)
    assert "The clock of m2:12 is 10 min ahead of the database" in text
    assert "The clock of m3:13 is 60 min behind the database" in text
    assert "The clock of m4:14" not in text


def test_both_workers_dead_is_told_within_15_seconds(admin: Browser, travel: Travel) -> None:
    web(workers=0, senders=0)
    db.write(pretend.process, "a", Kind.WORKER)
    db.write(pretend.process, "b", Kind.WORKER, timedelta(seconds=3))
    travel(timedelta(seconds=8))
    assert "No worker has reported" not in page(admin), "one beat may be late"
    travel(timedelta(seconds=4))
    assert re.search(r"No worker has reported for 1\d s\.", page(admin))  # the test itself takes time, too


def test_several_senders_that_count_apart_are_told(admin: Browser) -> None:
    web(senders=0)
    assert "No process is sending." in page(admin)
    db.write(pretend.process, "a", Kind.WORKER, counts_at="")
    assert "Counted by the only process that sends." in page(admin)
    db.write(pretend.process, "b", Kind.WORKER, counts_at="")
    text = page(admin)
    assert "2 processes send, and each counts provider limits separately." in text
    assert "LOBBY_LIMITS_URL" in text
    db.write(lambda s: s.execute(sa.update(Process).values(counts_at="redis://counts:6379/0")) and None)
    text = page(admin)
    assert "Counted together at redis://counts:6379/0." in text
    assert "Everything is working." in text
    db.write(pretend.process, "c", Kind.WORKER, counts_at="redis://another:6379/0")
    assert "3 processes send, and each counts" in page(admin)


def test_processes_of_several_versions_are_told(admin: Browser) -> None:
    web(version="1.10.0")
    db.write(pretend.process, "gone", Kind.WORKER, timedelta(hours=2), version="0.9")
    db.write(pretend.process, "a", Kind.WORKER, version="1.10.0")
    assert "different versions" not in page(admin)
    db.write(pretend.process, "b", Kind.WORKER, machine="m2", pid=12, version="1.9.0")
    text = page(admin)
    assert "Processes are running different versions of Lobby: 1.10.0, and 1.9.0 on m2:12." in text
    assert "This is expected during an upgrade." in text


def test_what_waits_on_purpose_raises_no_alarm_and_is_shown_apart(
    admin: Browser, any_desk: Desk, travel: Travel
) -> None:
    any_desk.reply("hi", any_desk.customer_wrote())
    travel(timedelta(minutes=2))
    web()
    assert re.search(r"Replies have been waiting for 2 min\.", page(admin))
    any_desk.set_account(limited_until=clock.now() + timedelta(seconds=20))
    text = page(admin)
    assert "Replies have been waiting" not in text
    assert "Conversations waiting for a provider limit: 1" in text
    any_desk.set_account(limited_until=None, state=AccountState.NEEDS_RECONNECT)
    text = page(admin)
    assert "Replies have been waiting" not in text
    assert "1 conversation waits. Their replies wait." in text
    assert text.count("reconnected") == 1, "a fact is said once"
    out = text.partition("<b>Outgoing replies</b>")[2].partition("</li>")[0]
    assert "None is due" in out
    assert "OK" not in out
    assert "Nothing is waiting" not in out


def test_replies_nobody_confirmed_and_those_behind_them_are_told(
    admin: Browser, any_desk: Desk, travel: Travel
) -> None:
    web()
    any_desk.toy.script = [Unknown(PROBLEM, transient=True)]
    talk = any_desk.customer_wrote()
    any_desk.reply("one", talk)
    any_desk.reply("two", talk)
    any_desk.drain()
    travel(timedelta(seconds=12))
    text = page(admin)
    assert re.search(r"1 reply has not been confirmed by its provider for 1\d s\.", text)
    assert "1 later reply is waiting." in text
    assert "Everything is working." not in text
    any_desk.later(travel, timedelta(minutes=2))
    assert "confirmed by its provider" not in page(admin)


def test_a_reader_of_the_record_that_this_release_does_not_have_is_told_until_it_is_given_up(
    admin: Browser, any_desk: Desk, travel: Travel
) -> None:
    web()

    def leave_one(session: Session) -> None:
        session.add(Consumer(name="gone", place=0, event_id=0, moved_at=clock.now()))

    db.write(leave_one)
    any_desk.customer_wrote()
    number_all()
    travel(timedelta(minutes=6))
    assert "This version does not have “gone”" in page(admin)
    travel(timedelta(days=14))
    with db.read() as session:
        assert "gone" not in {one.consumer for one in retention.behind(session)}


def test_replies_that_are_tried_again_are_told(admin: Browser, any_desk: Desk, travel: Travel) -> None:
    web()
    any_desk.toy.script = [NotSent(PROBLEM), NotSent(PROBLEM)]
    for contact in ("anna", "bert"):
        any_desk.reply("one", any_desk.customer_wrote(contact), contact=contact)
    assert "tried again" not in page(admin)
    any_desk.drain()
    assert "2 replies could not be sent yet and will be retried." in page(admin)
    any_desk.set_account(blocked_until=clock.now() + timedelta(minutes=1))
    assert "tried again" not in page(admin), "the limit is told instead"


def test_late_work_dead_letters_and_accounts_are_told(
    admin: Browser, any_desk: Desk, door: Door, travel: Travel
) -> None:
    web()
    any_desk.toy.broken["bad"] = ValueError("a bug")
    door.receive(any_desk.account.id, "bad")
    any_desk.later(travel, timedelta(minutes=3))
    door.receive(any_desk.account.id, "late", contact="bert")
    travel(timedelta(minutes=2))
    db.write(pretend.process, "again", Kind.WEB)

    def stop(session: Any) -> None:
        session.execute(sa.update(ChannelAccount).values(state=AccountState.NEEDS_RECONNECT))

    db.write(stop)
    text = page(admin)
    assert re.search(r"Received events have been waiting for (11\d s|2 min)\.", text)
    assert "1 received event could not be read." in text
    assert 'href="/admin/journal?state=dead"' in text
    assert "1 account must be reconnected: toy100." in text


def test_what_was_not_delivered_is_told(admin: Browser, any_desk: Desk) -> None:
    web()
    assert "that was not delivered in the last day" not in page(admin)
    at = clock.now() - timedelta(hours=1)
    row = MissedMessage(account_id=any_desk.account.id, external_id="m1", sent_at=at, found_at=at)
    db.write(lambda session: session.add(row))
    text = page(admin)
    assert "Lobby recovered 1 message that was not delivered in the last day: " in text
    assert "Nothing is lost: each message is in the inbox" in text
    any_desk.set_account(state=AccountState.DISCONNECTED)
    assert "that was not delivered in the last day" not in page(admin)


def test_nothing_missing_is_said_only_where_every_account_was_checked(admin: Browser, any_desk: Desk) -> None:
    web()
    title, good = "Undelivered messages", "Nothing missing: 1 account was checked"
    now = clock.now()

    def look(**values: Any) -> str:
        db.write(lambda session: session.execute(sa.update(SecondLook).values(values)) and None)
        return page(admin)

    assert title not in page(admin), "no account can be checked"
    row = SecondLook(
        account_id=any_desk.account.id,
        since=now,
        next_at=now,
        look_at=now + timedelta(minutes=3),
        interval=180,
        reason="",
        cursor="",
    )
    db.write(lambda session: session.add(row))
    assert title not in page(admin), "it was not checked yet"
    assert good in look(looked_at=now)
    words = {"sentence": "It does not answer.", "next_step": ""}
    assert good not in look(problem=words, failures=1), "it is tried again"
    assert "1 account could not be checked. Its card shows why." in look(failures=0)
    assert good in look(problem=None)
    assert title not in look(look_at=now - timedelta(hours=1)), "the check is overdue"
    at = now - timedelta(days=2)
    missed = MissedMessage(account_id=any_desk.account.id, external_id="m1", sent_at=at, found_at=at)
    db.write(lambda session: session.add(missed))
    text = look(look_at=now + timedelta(minutes=3))
    assert "1 was missed in the last 7 days. Lobby found it and added it to the inbox." in text
    assert good not in text


def test_an_account_with_which_something_is_wrong_is_told_and_counted(admin: Browser, any_desk: Desk) -> None:
    """Such as a mailbox that cannot be read: its account is connected, and nothing comes."""
    web()

    def counted() -> dict[str, float]:
        with db.read() as session:
            families = metrics._gauges(current_state.read_current_state(session))
            (warned,) = [one for one in families if one.name == "lobby_accounts_warned"]
        return {one.labels["channel"]: one.value for one in warned.samples}

    def warn(tone: str) -> None:
        told = {"kind": "mailbox", "sentence": "The mailbox cannot be read.", "stage": tone, "tone": tone}
        db.write(raise_warning, any_desk.account.id, **told)

    warn("warn")
    assert counted() == {"email": 0}
    assert "has a problem" not in page(admin)
    warn("bad")
    assert counted() == {"email": 1}
    assert "1 account has a problem: toy100." in page(admin)
    any_desk.set_account(state=AccountState.NEEDS_RECONNECT)
    assert counted() == {"email": 0}, "that is told by itself"


def test_accounts_whose_addon_is_off_are_advised_nothing_that_takes_it(
    admin: Browser, any_desk: Desk
) -> None:
    web()
    any_desk.connect("200")
    told = {"kind": "mailbox", "sentence": "The mailbox cannot be read.", "tone": "bad"}
    now = clock.now()
    missed = MissedMessage(account_id=any_desk.account.id, external_id="m1", sent_at=now, found_at=now)
    db.write(raise_warning, any_desk.account.id, **told)
    db.write(lambda session: session.add(missed))
    said = page(admin)
    assert "1 message that was not delivered in the last day" in said
    assert "because its addon" not in said
    rename = sa.update(ChannelAccount).values(channel="gone")
    db.write(lambda session: session.execute(rename) and None)
    any_desk.set_account(state=AccountState.NEEDS_RECONNECT)
    said = page(admin)
    assert "2 accounts are inactive because their addons are not active: toy100, toy200." in said
    assert "Install or activate the addon" in said
    for advised in ("not delivered in the last day", "has a problem", "must be reconnected"):
        assert advised not in said


def test_an_extra_that_was_forgotten_is_told_where_a_model_needs_it(
    admin: Browser, any_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade: the release before it had the extra."""
    web()
    monkeypatch.setattr(asking, "available", lambda: False)
    assert "reach their models" not in page(admin), "nobody has a model"

    def add(session: Session) -> None:
        named = {"name": "Large", "speaks": "openai", "address": "https://m.example", "model": "large"}
        costs = {"price_in": 0, "price_out": 0, "currency": "USD", "created_at": clock.now()}
        session.add(LanguageModel(uuid="m-1", workspace_id=any_desk.workspace_id, **named, **costs))

    db.write(add)
    assert "reach their models" in page(admin)
    assert "[assistants]" in page(admin)
    monkeypatch.setattr(asking, "available", lambda: True)
    assert "reach their models" not in page(admin)


def test_an_addon_that_does_not_run_and_failed_replies_are_told(
    admin: Browser, failures: dict[str, str]
) -> None:
    web()
    failures["pigeon"] = "It could not be imported."
    recording.sent("email", Outcome.FAILED)
    recording.flush()
    text = page(admin)
    assert "The addon pigeon is not running." in text
    assert "1 reply failed in the last hour." in text


def test_settings_that_weaken_are_told(database: db.Database, data: Path) -> None:
    web()
    app = build_app(data, allow_hosts="127.0.0.1:9443", development="1", signatures="off")
    text = page(client_for(app, make_user(is_admin=True)))
    for name in ("LOBBY_PUBLIC_URL", "LOBBY_ALLOW_HOSTS", "LOBBY_DEVELOPMENT", "LOBBY_SIGNATURES"):
        assert f"<code>{name}</code>" in text
    assert "127.0.0.1:9443" in text


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    starts = [clock.now() + timedelta(minutes=n) for n in range(5)]
    line = Line("A", "line", [1.0, None, 3.0, 4.0, None])
    drawn = plots.lines("k", "T", "S", starts, [line], said=str, ticks=["a", "now"])
    assert [one.d for one in drawn.paths] == ["M40.0,95.0h.01", "M256.0,45.0 364.0,20.0"]
    assert [said for _y, said in drawn.grid] == ["0.0", "1.0", "2.0", "3.0", "4.0"]
    assert [texts for _at, texts in drawn.rows] == [["4.0"], ["3.0"], ["1.0"]]


def test_bars_stand_on_each_other_and_fill_the_scale() -> None:
    starts = [clock.now()]
    drawn = plots.bars(
        "k", "T", "S", starts, [Bars("A", "bar-a", [3]), Bars("B", "bar-b", [1])], said=str, ticks=["a", "b"]
    )
    first, second = drawn.rects
    assert (first.y + first.height, second.y + second.height, second.y) == (120.0, first.y, 20.0)


@pytest.mark.parametrize(
    ("most", "times", "end"),
    [
        (0.0, True, 1.0),
        (0.013, True, 0.02),
        (9.8, True, 10.0),
        (130, True, 240),
        (4000, True, 4080),
        (9000, True, 14400),
        (4000, False, 4000),
        (4001, False, 8000),
    ],
)
def test_scales_end_at_numbers_people_like(most: float, times: bool, end: float) -> None:
    line = Line("A", "line", [most])
    drawn = plots.lines("k", "T", "S", [clock.now()], [line], said=str, ticks=["a", "b"], times=times)
    assert float(drawn.grid[-1][1]) == pytest.approx(end)


def test_of_nothing_there_is_an_empty_plot() -> None:
    drawn = plots.lines("k", "T", "S", [clock.now()], [Line("A", "line", [0.0])], said=str, ticks=["a", "b"])
    assert drawn.is_empty
    assert drawn.paths == []


def test_search_that_is_still_being_made_is_said(admin: Browser) -> None:
    assert "Older messages are being indexed: 0 % done." in page(admin)
    db.write(_built)
    assert "being indexed" not in page(admin)


def _built(session: Session) -> None:
    session.add(
        SearchBuild(
            kind=int(DocumentKind.MESSAGE),
            version=words.VERSION,
            begun_below=1,
            below=0,
            begun_at=clock.now(),
            done_at=clock.now(),
        )
    )


def test_on_other_pages_the_mark_is_ten_seconds_old_at_most(admin: Browser, travel: Travel) -> None:
    web()

    def marked() -> bool:
        return re.search("issues? needs? attention", admin.get("/account").text) is not None

    db.write(pretend.process, "sender", Kind.WORKER)
    assert not marked()
    db.write(lambda session: session.execute(sa.delete(Process)) and None)
    assert not marked()
    travel(timedelta(seconds=11))
    assert marked()
    web()
    db.write(pretend.process, "sender", Kind.WORKER)
    assert "Everything is working." in page(admin), "the page itself is never old"
    assert not marked()


def test_what_the_desk_fetched_itself_counts_as_received_but_not_as_a_sign_of_its_webhook(
    admin: Browser, any_desk: Desk
) -> None:
    web()
    envelope = Envelope(any_desk.account.id, "anna", "look:1", "message", b"{}")
    db.write(journal_rows.write, source="look", channel="email", envelopes=[envelope])
    recording.handled("email", "applied", [timedelta(milliseconds=40)])
    recording.flush()
    text = page(admin)
    assert '<b>Received</b><span class="nums">1</span>' in text
    assert "1 handled in this time: 1 applied" in text
    with db.read() as session:
        account = session.get_one(ChannelAccount, any_desk.account.id)
        assert deliveries.by_hour(session, [account]) == {}


def test_a_problem_of_an_account_leads_whoever_may_mend_it_to_the_account(
    admin: Browser, any_desk: Desk, data: Path
) -> None:
    web()
    any_desk.set_account(state=AccountState.NEEDS_RECONNECT)
    button = f'href="/w/{any_desk.workspace_id}/settings/channels#account-{any_desk.account.id}"'
    assert button not in page(admin), "no member of the workspace"
    workspace = any_desk.workspace_id
    generation = StandInGeneration(directory=any_desk.generation.directory)
    app = build_app(data, generation=generation, public_url="https://desk.example.com")
    owner = make_user("both@example.com", workspace=workspace, role=Role.OWNER, is_admin=True)
    assert button in page(client_for(app, owner))
