"""A feature that is off does nothing and holds nothing up; what it stored is looked after all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.features import registry
from host.inbox.contacts import history
from host.models.inbox import Conversation
from host.models.users import Role
from host.reports import resuming
from host.reports.models import ReportHour, Span, SpanEnd
from tests.delivery.desk import Desk
from tests.features.switching import consumers, paths, reading
from tests.helpers import StandInGeneration, build_app, client_for, make_user


def spans() -> list[tuple[str, bool]]:
    with db.read() as session:
        rows = session.execute(sa.select(Span.kind, Span.ended_at).order_by(Span.id))
        return [(row.kind, row.ended_at is not None) for row in rows]


def received() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.sum(ReportHour.received))) or 0


def test_its_page_and_the_way_there_are_gone(desk: Desk, data: Path) -> None:
    lead = make_user("mia@example.com", workspace=desk.workspace_id, role=Role.LEAD)
    pages = {}
    for off in ((), ("reports",)):
        registry.switch_off(off)
        browser = client_for(build_app(data, generation=StandInGeneration()), lead)
        answer = browser.get(f"/w/{desk.workspace_id}/reports").status_code
        inbox = browser.get(f"/w/{desk.workspace_id}/inbox")
        assert inbox.status_code == 200
        pages[off] = answer, "/reports" in inbox.get_data(as_text=True)
    assert pages == {(): (200, True), ("reports",): (404, False)}


@pytest.mark.slow
def test_programs_are_not_told_of_it(tmp_path: Path) -> None:
    assert paths(tmp_path) - paths(tmp_path, "reports") == {"/analytics"}


def test_a_name_that_is_none_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    environ = {**os.environ, "LOBBY_DATA": str(tmp_path), "LOBBY_FEATURES_OFF": "reports,inbox"}
    command = [sys.executable, "-m", "host.cli", "addon", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode != 0
    optional = ", ".join(sorted(feature.name for feature in registry.features() if feature.optional))
    said = f"LOBBY_FEATURES_OFF: There is no inbox that could be switched off, only {optional}."
    assert said in done.stderr


def answer(desk: Desk, conversation_id: int) -> None:
    """Answer a customer, who so waits no longer."""
    desk.reply("hello", conversation_id)
    desk.drain()
    done = sa.update(Conversation).where(Conversation.id == conversation_id).values(waiting_since=None)
    db.write(lambda session: session.execute(done) and None)


def test_it_holds_nothing_back_and_begins_again_with_what_comes_then(desk: Desk, data: Path) -> None:
    with reading(desk, data):
        first = desk.customer_wrote("anna")
    assert (received(), [ended for _kind, ended in spans()]) == (1, [False, False])

    registry.switch_off(["reports"])
    before = clock.now()
    with reading(desk, data):
        answer(desk, first)
        desk.customer_wrote("ben")
    assert "reports" not in consumers(), "nothing is kept for it"
    assert received() == 1
    with db.read() as session:
        times = registry.hooks().answer_times(session=session, conversations=[first], most=10)
    assert times is None

    registry.switch_off(())
    with reading(desk, data):
        desk.customer_wrote("cleo")
    assert received() == 2, "who wrote while it was off is not counted"
    waits = [kind for kind, ended in spans() if not ended]
    assert sorted(waits) == ["first", "first", "resolve"], "ben, who waits, and cleo; not anna"
    with db.read() as session:
        ((begin, end),) = resuming.off_periods(session)
    assert before.replace(microsecond=0) <= begin <= end <= clock.now()


def test_who_waited_since_before_it_went_off_is_answered_after_it_is_back(desk: Desk, data: Path) -> None:
    with reading(desk, data):
        since_before = desk.customer_wrote("anna")
        again = desk.customer_wrote("dora")
    registry.switch_off(["reports"])
    with reading(desk, data):
        answer(desk, again)
        desk.customer_wrote("dora")
    registry.switch_off(())
    with reading(desk, data):
        for one in (since_before, again):
            answer(desk, one)
    with db.read() as session:
        answered = sa.select(Span.conversation_id, Span.kind).where(Span.ended_by == SpanEnd.ANSWERED)
        found = set(map(tuple, session.execute(answered)))
    assert found == {(since_before, "first"), (again, "next")}


def test_a_contact_is_shown_without_times_of_answers(desk: Desk, data: Path) -> None:
    with reading(desk, data):
        conversation = desk.customer_wrote("anna")
        desk.reply("hello", conversation)
        desk.drain()
    with db.read() as session:
        shown = registry.hooks().answer_times(session=session, conversations=[conversation], most=10)
        registry.switch_off(["reports"])
        assert [id_ for id_, _seconds in shown] == [conversation]
        assert history._counted(session, [conversation])[conversation].answered is None


def test_what_it_stored_goes_with_the_workspace(desk: Desk, data: Path) -> None:
    with reading(desk, data):
        desk.customer_wrote("anna")
    assert spans()
    registry.switch_off(["reports"])

    def remove(session: db.Session) -> bool:
        where = {"workspace_id": desk.workspace_id, "accounts": [desk.account.id], "most": 100}
        return bool(registry.hooks().remove_workspace(session=session, **where))

    while db.write(remove):
        pass
    assert (spans(), received()) == ([], 0)


def test_a_page_says_when_it_was_off(desk: Desk, data: Path) -> None:
    lead = make_user("mia@example.com", workspace=desk.workspace_id, role=Role.LEAD)
    browser = client_for(build_app(data, generation=StandInGeneration()), lead)
    address = f"/w/{desk.workspace_id}/reports"
    assert "turned off" not in browser.get(address).get_data(as_text=True)
    noon = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)
    long_ago, lately = noon - timedelta(days=50), noon - timedelta(days=3)
    hour = timedelta(hours=1)
    db.write(resuming.note_period, long_ago, long_ago + hour)
    db.write(resuming.note_period, lately, lately + timedelta(minutes=90))
    said = browser.get(address).get_data(as_text=True)
    assert said.count("Reports were turned off from") == 1, "only those of the chosen days"
    at = f"{lately:%-d %b}"
    assert f"from {at}, 12:00 to {at}, 13:30: nothing was counted" in said
    assert browser.get(f"{address}?from={long_ago:%Y-%m-%d}").get_data(as_text=True).count("turned off") == 2


def test_the_newest_periods_are_kept(desk: Desk) -> None:
    now = clock.now().replace(microsecond=0)
    periods = [(now + timedelta(days=day), now + timedelta(days=day, hours=1)) for day in range(12)]
    for begin, end in periods:
        db.write(resuming.note_period, begin, end)
    with db.read() as session:
        assert resuming.off_periods(session) == periods[-resuming.MOST_PERIODS :]
