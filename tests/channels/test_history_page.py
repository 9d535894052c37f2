"""The page on which an owner has an account catch up, and sees what came of it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import history
from host.models.queue import CatchUp, MissedMessage, SecondLook
from host.models.users import AuditEntry
from host.sdk.channel import AccountRef
from host.sdk.history import (
    HistoryPage,
    HistoryRules,
    HistoryThread,
    HistoryTrouble,
    LookRules,
    ThreadPage,
)
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.channels.toy import ToyAdapter
from tests.helpers import make_user, make_workspace


class Old(ToyAdapter):
    """A toy that remembers: one thread that tells nothing, one that cannot be read."""

    capabilities = replace(
        ToyAdapter.capabilities,
        history=HistoryRules(2, ("It forgets after a day.",)),
        second_look=LookRules(200),
    )

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        return ThreadPage([HistoryThread("t1", "0001", clock.now(), "ana"), HistoryThread("t2", "0002")])

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        if thread.external_id == "t2":
            from host.sdk.channel import ProviderProblem

            return HistoryTrouble(ProviderProblem("1", "The toy box is locked.", "Find the key."), final=True)
        return HistoryPage([], ["m1", "m2", "m3"])


class Directory:
    def adapter(self, _key: str) -> ToyAdapter:
        return Old()


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


@pytest.fixture
def page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(ToyAdapter, "capabilities", Old.capabilities)
    return f"{desk.path}/accounts/{desk.connect().id}/history"


def run() -> None:
    while history.step_due(Directory(), pace=timedelta(0)):
        pass


def test_the_card_leads_there_and_says_while_it_is_under_way(desk: Desk, page: str) -> None:
    assert "Catching up…" in text(desk.client().get(desk.path))
    run()
    shown = text(desk.client().get(desk.path))
    assert page in shown
    assert "Catching up…" not in shown


def test_it_says_what_was_found_and_what_cannot_be(desk: Desk, page: str) -> None:
    shown = text(desk.client().get(page))
    assert "Looking for conversations" in shown
    assert "disabled" in shown
    run()
    shown = text(desk.client().get(page))
    assert "It forgets after a day." in shown
    assert "@ana" in shown
    assert "The toy box is locked. Find the key." in shown
    assert "Messages unavailable</dt><dd>3" in shown


def test_pressing_asks_again_and_is_written_down(desk: Desk, page: str) -> None:
    run()
    assert desk.client().post_form(page).status_code == 303
    with db.read() as session:
        assert session.scalars(sa.select(CatchUp.next_at)).one() is not None
        actions = list(session.scalars(sa.select(AuditEntry.action)))
    assert actions[-1] == "account.caught_up"


def test_only_owners_and_only_where_there_is_a_past(desk: Desk, page: str) -> None:
    agent = make_user(workspace=desk.workspace, role=Role.AGENT)
    stranger = make_user(workspace=make_workspace("Other"), role=Role.OWNER)
    for person, status in ((agent, 403), (stranger, 404)):
        assert desk.client(person).get(page).status_code == status
        assert desk.client(person).post_form(page).status_code == status


def test_a_channel_without_a_past_has_no_such_page(desk: Desk) -> None:
    page = f"{desk.path}/accounts/{desk.connect().id}/history"
    assert desk.client().get(page).status_code == 404
    assert desk.client().post_form(page).status_code == 404
    assert "Catch up" not in text(desk.client().get(desk.path))


def checked(desk: Desk, page: str, **values: Any) -> str:
    """Say in the database how the account was checked; return what its card says."""
    account_id = int(page.split("/")[-2])
    row = {
        "account_id": account_id,
        "since": clock.now(),
        "next_at": clock.now(),
        "look_at": clock.now(),
        "interval": 180,
        "looked_at": clock.now(),
        **values,
    }
    db.write(lambda session: session.merge(SecondLook(**row)) and None)
    shown = " ".join(text(desk.client().get(desk.path)).split())
    return re.sub(r"<[^>]+>", "", shown[shown.index("data-look") + len("data-look>") :]).split("Last event")[
        0
    ]


def test_the_card_says_how_it_is_checked_for_what_was_not_delivered(desk: Desk, page: str) -> None:
    assert "data-look" not in text(desk.client().get(desk.path))
    assert "Not checked for undelivered messages from Toy yet." in checked(desk, page, looked_at=None)
    said = checked(desk, page)
    assert said.strip().startswith("Checked against Toy")
    assert ": nothing missing. Every 3 minutes." in said
    assert "Every 6 hours. Checked less often because nobody" in checked(
        desk, page, interval=21600, reason="quiet"
    )
    assert "use too many of the calls Toy allows" in checked(desk, page, reason="budget")
    assert "the call limit of Toy is almost used up" in checked(desk, page, reason="limit")
    problem = {"sentence": "The toy box is locked.", "next_step": ""}
    assert "could not check Toy" in checked(desk, page, problem=problem)


def test_what_was_missed_in_a_week_is_listed(desk: Desk, page: str) -> None:
    account_id = int(page.split("/")[-2])
    for days in (1, 8):
        at = clock.now() - timedelta(days=days)
        row = MissedMessage(account_id=account_id, external_id=f"m{days}", sent_at=at, found_at=at)
        db.write(lambda session, row=row: session.add(row))
    assert ": 1 message missed in 7 days. Every 3 minutes." in checked(desk, page)
    shown = text(desk.client().get(page))
    assert "Not delivered by Toy" in shown
    assert shown.count("Not in the inbox yet") == 1


def test_an_owner_has_it_checked_at_once(desk: Desk, page: str) -> None:
    client = desk.client()
    assert "Check now" in text(client.get(page))
    path = page.replace("/history", "/look")
    assert client.post_form(path).status_code == 303
    assert "Checking." in text(client.get(page))
    with db.read() as session:
        (row,) = session.scalars(sa.select(SecondLook))
    assert row.next_at <= clock.now()
    looked = sa.update(SecondLook).values(looked_at=clock.now())
    db.write(lambda session: session.execute(looked) and None)
    assert client.post_form(path).status_code == 303
    assert "Already checked a moment ago." in text(client.get(page))
