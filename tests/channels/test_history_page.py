"""The page on which an owner has an account catch up, and sees what came of it."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import history
from host.models.queue import CatchUp
from host.models.users import AuditEntry
from host.sdk.channel import AccountRef
from host.sdk.history import HistoryPage, HistoryRules, HistoryThread, HistoryTrouble, ThreadPage
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.channels.toy import ToyAdapter
from tests.helpers import make_user, make_workspace


class Old(ToyAdapter):
    """A toy that remembers: one thread that tells nothing, one that cannot be read."""

    capabilities = replace(ToyAdapter.capabilities, history=HistoryRules(2, ("It forgets after a day.",)))

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
    assert "Messages not to be had</dt><dd>3" in shown


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
