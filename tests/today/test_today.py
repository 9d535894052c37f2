"""The Today page: its numbers, what each of them opens, who sees it, and what its statements read."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.channels.warnings import raise_warning
from host.core import db
from host.features import registry
from host.models.automation import AutomationRun, RunState
from host.models.channels import AccountState
from host.models.inbox import Contact, Conversation, DeliveryState, Message, Origin
from host.models.users import Role, Workspace
from tests.delivery.desk import Desk
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user
from tests.reports.test_figures import span, store

DAY = timedelta(days=1)


def open_browser(desk: Desk, folder: Path, role: Role = Role.OWNER) -> Browser:
    app = build_app(folder, generation=StandInGeneration(directory=Directory((desk.toy,))))
    return client_for(
        app, make_user(f"{role}@example.com", name="Mia R.", workspace=desk.workspace_id, role=role)
    )


@pytest.fixture
def owner(any_desk: Desk, tmp_path: Path) -> Browser:
    return open_browser(any_desk, tmp_path)


def path(desk: Desk, below: str = "") -> str:
    return f"/w/{desk.workspace_id}/today{below}"


def look(browser: Browser, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


def rows(page: str) -> dict[str, dict[str, tuple[str, str, str]]]:
    """Return the rows of each section by name: the number, the detail and the address."""
    found: dict[str, dict[str, tuple[str, str, str]]] = {}
    for section in re.findall(r'<section class="sec td-section".*?</section>', page, re.DOTALL):
        (heading,) = re.findall(r"<h2[^>]*>(.*?)</h2>", section)
        for row in re.findall(r"<li.*?</li>", section, re.DOTALL):
            url = next(iter(re.findall(r'href="([^"]*)"', row)), "")
            name, detail = re.findall(
                r"<b><bdi[^>]*>(.*?)</bdi></b>\s*(?:<span>(.*?)</span>)?</span>", row, re.DOTALL
            )[0]
            number = next(iter(re.findall(r'<span class="td-number">(.*?)</span>', row)), "")
            found.setdefault(heading, {})[name] = number, detail, url
    return found


def listed(browser: Browser, address: str) -> list[int]:
    """Return the conversations that the list behind a number shows."""
    return [int(one) for one in re.findall(r'href="/w/\d+/inbox/(\d+)"', look(browser, address))]


def update(model: Any, id_: int, **values: Any) -> None:
    db.write(
        lambda session: session.execute(sa.update(model).where(model.id == id_).values(**values)) and None
    )


def automatic(
    desk: Desk, talk: int, key: str, state: DeliveryState = DeliveryState.SENT, **error: str
) -> int:
    message = desk.reply("Hello!", talk, origin=Origin.SYSTEM, reply_key=key)
    update(Message, message, state=state, error=error or None)
    return message


def test_a_day_without_anything_shows_no_zero(owner: Browser, any_desk: Desk) -> None:
    page = look(owner, path(any_desk))
    assert "Nothing yet today" in page
    assert rows(page) == {}


def test_what_came_in_is_counted_and_opens(owner: Browser, any_desk: Desk, noon: datetime) -> None:
    first, second = any_desk.customer_wrote("anna"), any_desk.customer_wrote("ben")
    old = any_desk.customer_wrote("old")
    update(Conversation, old, last_inbound_at=noon - DAY, last_message_at=noon - DAY, waiting_since=None)
    with db.read() as session:
        known = session.get_one(Conversation, second).contact_id
    update(Contact, known, created_at=noon - 9 * DAY)
    store(
        any_desk.workspace_id,
        [
            span("resolve", noon, None, account_id=any_desk.account.id, conversation_id=first),
            span("resolve", noon - DAY, None, account_id=any_desk.account.id, conversation_id=old),
        ],
        received=[noon, noon, noon - DAY, noon - 7 * DAY, noon - 7 * DAY + timedelta(hours=2)],
    )
    came = rows(look(owner, path(any_desk)))["Came in"]
    assert list(came) == [
        "Messages from customers",
        "Conversations started or reopened",
        "Customers who wrote",
        "New customers among them",
    ]
    assert came["Messages from customers"][:2] == ("2", "1 by this hour a week ago")
    assert came["Customers who wrote"][:2] == ("2", "in 2 conversations")
    assert {number for number, _detail, _url in list(came.values())[1::2]} == {"1"}
    opened = [set(listed(owner, url)) for _number, _detail, url in came.values()]
    assert opened == [{first, second}, {first}, {first, second}, {first}]


def test_each_person_has_the_conversations_they_answered_and_how_soon(
    owner: Browser, any_desk: Desk, noon: datetime
) -> None:
    talks = [any_desk.customer_wrote(name) for name in ("anna", "ben", "cem")]
    mia = make_user("mia@example.com", name="Mia", workspace=any_desk.workspace_id)
    spans = []
    for talk, minutes in zip(talks, (2, 10, 30), strict=True):
        begun = noon - timedelta(minutes=minutes)
        spans.append(span("first", begun, noon, conversation_id=talk, user_id=mia.id))
    spans.append(span("next", noon, noon, conversation_id=talks[0], user_id=mia.id))
    spans.append(span("next", noon, noon, conversation_id=talks[0]))
    spans.append(span("first", noon - DAY, noon - DAY, conversation_id=talks[0], user_id=mia.id))
    for one in spans:
        one["account_id"] = any_desk.account.id
    store(any_desk.workspace_id, spans)
    answered = rows(look(owner, path(any_desk)))["Answered"]
    assert answered["Mia"][:2] == ("3", "first response after 10 min (median of 3)")
    assert answered["Nobody on the team"][:2] == ("1", "")
    assert set(listed(owner, answered["Mia"][2])) == set(talks)
    assert listed(owner, answered["Nobody on the team"][2]) == [talks[0]]


def test_automation_said_and_could_not_say_with_why(owner: Browser, any_desk: Desk, noon: datetime) -> None:
    talk, other = any_desk.customer_wrote("anna"), any_desk.customer_wrote("ben")
    for key in ("auto-greeting-1", "auto-away-2", "rule-1-1-1", "rule-1-2-1", "assistant-7", "sequence-3-1"):
        automatic(any_desk, talk, key)
    automatic(any_desk, other, "auto-greeting-4")
    automatic(any_desk, other, "of-an-addon")
    automatic(any_desk, other, "auto-greeting-5", DeliveryState.FAILED, sentence="The toy is broken.")
    automatic(any_desk, talk, "auto-greeting-6", DeliveryState.CANCELLED)
    late = automatic(any_desk, talk, "auto-greeting-7")
    update(Message, late, sent_at=noon - DAY)
    any_desk.reply("By a person", talk, reply_key="auto-greeting-8")

    def run(session: Session, root: int, state: RunState, reason: str | None, at: datetime = noon) -> None:
        values = {"automation_id": 1, "automation_version": 1, "cause_id": root, "root_id": root, "depth": 0}
        found = AutomationRun(
            workspace_id=any_desk.workspace_id, kind="words", conversation_id=talk, **values
        )
        found.state, found.reason, found.attempts, found.facts, found.created_at = state, reason, 1, {}, at
        session.add(found)

    db.write(run, 1, RunState.SKIPPED, "budget")
    db.write(run, 2, RunState.SKIPPED, "greeted")
    db.write(run, 3, RunState.FAILED, "error")
    db.write(run, 4, RunState.SKIPPED, "budget", noon - DAY)
    found = rows(look(owner, path(any_desk)))
    said = {name: row[:2] for name, row in found["Automation said"].items()}
    assert said == {
        "Greeting": ("2", "in 2 conversations"),
        "Away message": ("1", "in 1 conversation"),
        "Assistants": ("1", "in 1 conversation"),
        "Sequences": ("1", "in 1 conversation"),
        "Rules": ("2", "in 1 conversation"),
        "Other automatic messages": ("1", "in 1 conversation"),
    }
    unsent = found["Automation couldn’t say"]
    budget = "The limit of automatic messages since the customer's last message was reached"
    assert {name: row[0] for name, row in unsent.items()} == {
        "The toy is broken.": "1",
        budget: "1",
        "Lobby failed several times": "1",
    }
    assert set(listed(owner, found["Automation said"]["Greeting"][2])) == {talk, other}
    assert listed(owner, found["Automation said"]["Other automatic messages"][2]) == [other]
    assert listed(owner, unsent["The toy is broken."][2]) == [other]
    assert listed(owner, unsent[budget][2]) == [talk]


def test_the_five_who_wait_longest_come_first_and_lead_to_all(
    owner: Browser, any_desk: Desk, noon: datetime
) -> None:
    talks = [any_desk.customer_wrote(f"customer{number}") for number in range(6)]
    for number, talk in enumerate(talks):
        update(Conversation, talk, waiting_since=noon - timedelta(hours=number))
    spam = any_desk.customer_wrote("spam")
    update(Conversation, spam, waiting_since=noon - 9 * DAY, spam_at=noon)
    waiting = rows(look(owner, path(any_desk)))["Waiting longest"]
    *five, whole = waiting.values()
    assert [url.rpartition("/")[2] for _number, _detail, url in five] == [str(one) for one in talks[:0:-1]]
    assert five[0][0] == "5 h 0 min"
    assert five[0][1].startswith("Unassigned · ")
    assert whole[0] == "6"
    assert look(owner, whole[2])


def test_what_stops_by_tomorrow_is_named_and_what_stops_later_is_not(
    owner: Browser, any_desk: Desk, noon: datetime
) -> None:
    soon, later = any_desk.customer_wrote("soon"), any_desk.customer_wrote("over")
    update(Conversation, soon, last_inbound_at=noon - timedelta(hours=23))
    update(Conversation, later, last_inbound_at=noon - timedelta(hours=25))
    tired = any_desk.connect("200").id
    for number, (ends, bad) in enumerate(((noon + timedelta(hours=20), True), (noon + 3 * DAY, False))):
        account = any_desk.connect(str(300 + number)).id
        db.write(
            raise_warning,
            account,
            kind="token-ends",
            sentence="The token expires on %(date)s.",
            details={"date": ends},
            tone="bad" if bad else "warn",
        )
    db.write(
        raise_warning,
        any_desk.account.id,
        kind="template",
        sentence="Meta paused the template “%(name)s”.",
        details={"name": "hello"},
    )
    any_desk.set_account(tired, state=AccountState.NEEDS_RECONNECT)
    page = look(owner, path(any_desk))
    stops = rows(page)["Stopped, or stops by tomorrow"]
    assert stops["Reply windows of waiting customers that close within a day"][0] == "1"
    details = [detail for _number, detail, _url in stops.values()]
    assert "It has to be reconnected, so it cannot send." in details
    assert "Meta paused the template “hello”." in details
    assert sum(one.startswith("The token expires on") for one in details) == 1
    assert "sort=closing" in stops["Reply windows of waiting customers that close within a day"][2]
    assert f"account={tired}" in page


def test_a_lead_and_an_auditor_see_it_without_links_to_settings(any_desk: Desk, tmp_path: Path) -> None:
    any_desk.set_account(state=AccountState.NEEDS_RECONNECT)
    for role in (Role.LEAD, Role.AUDITOR):
        browser = open_browser(any_desk, tmp_path, role)
        page = look(browser, path(any_desk))
        assert "It has to be reconnected" in page
        assert "/settings/channels" not in page
        assert f'href="{path(any_desk)}"' in page
    agent = open_browser(any_desk, tmp_path, Role.AGENT)
    assert agent.get(path(any_desk)).status_code == 403
    assert f'href="{path(any_desk)}"' not in look(agent, f"/w/{any_desk.workspace_id}/inbox")


def test_numbers_are_of_the_accounts_that_the_viewer_sees(
    any_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = any_desk.connect("200")
    any_desk.customer_wrote("anna")
    secret = any_desk.customer_wrote("ben", account=hidden)
    automatic(any_desk, secret, "auto-greeting-1")
    any_desk.set_account(hidden.id, state=AccountState.NEEDS_RECONNECT)
    monkeypatch.setattr("host.today.views.seen_accounts", lambda: frozenset({any_desk.account.id}))
    found = rows(look(open_browser(any_desk, tmp_path), path(any_desk)))
    assert found["Came in"]["Customers who wrote"][0] == "1"
    assert "Automation said" not in found
    assert len(found["Waiting longest"]) == 1
    assert "Reply windows" in " ".join(found["Stopped, or stops by tomorrow"])
    assert len(found["Stopped, or stops by tomorrow"]) == 1


def test_the_day_begins_at_midnight_of_the_workspace(owner: Browser, any_desk: Desk, noon: datetime) -> None:
    update(Workspace, any_desk.workspace_id, timezone="Pacific/Auckland")
    talk = any_desk.customer_wrote()
    page = look(owner, path(any_desk))
    assert "(Pacific/Auckland)" in page
    assert f"{noon + DAY:%-d}" in page, "it is the next day there"
    # Midnight there was at 11 or 12 o'clock UTC.
    update(Conversation, talk, last_inbound_at=noon - timedelta(hours=2), last_message_at=noon)
    assert "Came in" not in rows(look(owner, path(any_desk)))


def test_features_that_are_off_add_nothing(owner: Browser, any_desk: Desk, noon: datetime) -> None:
    talk = any_desk.customer_wrote()
    automatic(any_desk, talk, "rule-1-1-1")
    store(any_desk.workspace_id, [], received=[noon])
    registry.switch_off(["reports", "rules", "sequences", "assistants"])
    try:
        found = rows(look(owner, path(any_desk)))
        begun = owner.get(path(any_desk, "/begun"))
    finally:
        registry.switch_off([])
    assert list(found["Came in"]) == ["Customers who wrote", "New customers among them"]
    assert list(found["Automation said"]) == ["Other automatic messages"]
    assert begun.status_code == 404


def test_an_unknown_number_is_not_found(owner: Browser, any_desk: Desk) -> None:
    for key in ("nothing", "answered-", "answered-x", "answered-99999999999999999999"):
        assert owner.get(path(any_desk, f"/{key}")).status_code == 404
    for key in ("said-nothing", "failed-nothing", "left-nothing", "answered-5"):
        assert "None anymore" in look(owner, path(any_desk, f"/{key}"))


BIG = ("messages", "conversations", "spans", "report_hours", "automation_runs", "contacts")


@contextmanager
def noted() -> Iterator[list[tuple[str, Any]]]:
    """Note the statements about tables that grow, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        # What stands around every page counts notifications.
        if re.search(rf"\b(FROM|JOIN) ({'|'.join(BIG)})\b", statement) and "notifications" not in statement:
            found.append((statement, parameters))

    engine = db.current().read_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("any_database", ["sqlite", "postgresql"], indirect=True)
def test_each_number_is_one_statement_that_reads_an_index(owner: Browser, any_desk: Desk) -> None:
    for number in range(7):
        talk = any_desk.customer_wrote(f"customer{number}")
        automatic(any_desk, talk, f"auto-greeting-{number}")
    look(owner, path(any_desk))
    with noted() as statements:
        look(owner, path(any_desk))
    assert len(statements) == 10, "\n".join(one for one, _parameters in statements)
    on_sqlite = db.current().read_engine.dialect.name == "sqlite"
    with db.current().read_engine.connect() as connection:
        if not on_sqlite:
            # A table of seven rows is read as it lies, unless that is made dear.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in statements:
            explain = "EXPLAIN QUERY PLAN" if on_sqlite else "EXPLAIN"
            plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
            text = "\n".join(str(row[-1]) for row in plan)
            assert "ix_messages_workspace_id" not in text, "that is every message of the workspace"
            assert not re.search(rf"\bSCAN ({'|'.join(BIG)})\b|Seq Scan on ({'|'.join(BIG)})\b", text), (
                f"{statement}\n{text}"
            )
