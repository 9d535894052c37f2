"""The page on which an owner says how long files are kept."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.models.channels import ChannelAccount
from host.models.users import AuditEntry
from host.sdk.channel import InboundMedia
from host.sdk.messages import MessageKind
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.helpers import make_user


@pytest.fixture
def page(desk: Desk) -> str:
    return f"{desk.path}/accounts/{desk.connect().id}/files"


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def settings() -> dict[str, Any]:
    with db.read() as session:
        return session.scalars(sa.select(ChannelAccount.settings)).one()


def chosen(shown: str) -> tuple[str, str]:
    way = re.findall(r'<input[^>]*name="way" value="(\w+)" checked', shown)
    days = re.search(r'<input[^>]*name="days" value="([^"]*)"', shown)
    assert days is not None
    return way[0] if way else "", days[1]


def test_a_month_is_what_nobody_chose(desk: Desk, page: str) -> None:
    shown = text(desk.client().get(page))
    assert chosen(shown) == ("days", "30")
    assert "The choice also applies to earlier messages" in shown
    assert "Stories" not in shown
    assert 'aria-current="page">Files' in shown


def test_what_is_never_stored_is_named_where_it_can_come(
    desk: Desk, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = replace(desk.adapter.capabilities, receives=frozenset(MessageKind))
    monkeypatch.setattr(type(desk.adapter), "capabilities", able)
    assert "Stories, mentions and shared posts are never stored" in text(desk.client().get(page))


@pytest.mark.parametrize(
    ("form", "setting", "shown"),
    [
        ({"way": "days", "days": "7"}, 7, ("days", "7")),
        ({"way": "days", "days": " 3650 "}, 3650, ("days", "3650")),
        ({"way": "keep", "days": "7"}, "keep", ("keep", "30")),
        ({"way": "link", "days": "nonsense"}, 0, ("link", "30")),
    ],
)
def test_each_choice_is_kept_and_shown(
    desk: Desk, page: str, form: dict[str, str], setting: object, shown: tuple[str, str]
) -> None:
    client = desk.client()
    assert client.post_form(page, **form).status_code == 303
    assert settings()["media_days"] == setting
    assert chosen(text(client.get(page))) == shown
    with db.read() as session:
        entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.details) == (
        "account.files_changed",
        {"days": {"from": 30, "to": setting}},
    )


@pytest.mark.parametrize("days", ["", "0", "-1", "3651", "9" * 400, "1.5", "x", "١٢", "7 days"])
def test_what_is_no_number_of_days_is_said_beside_it(desk: Desk, page: str, days: str) -> None:
    answer = desk.client().post_form(page, way="days", days=days)
    assert answer.status_code == 400
    shown = text(answer)
    assert "from 1 to 3650" in shown
    assert chosen(shown) == ("days", days[:20])
    assert "media_days" not in settings()


def test_nothing_chosen_is_said(desk: Desk, page: str) -> None:
    for form in ({}, {"way": "x" * 5000}):
        answer = desk.client().post_form(page, **form)
        assert answer.status_code == 400
        assert "Choose one of the three options." in text(answer)


def test_only_where_a_channel_lets_files_be_kept(
    desk: Desk, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.adapter, "inbound_media", InboundMedia)
    assert desk.client().get(page).status_code == 404
    assert desk.client().post_form(page, way="keep").status_code == 404
    assert f'href="{page}"' not in text(desk.client().get(page.removesuffix("/files")))


def test_it_is_for_owners(desk: Desk, page: str) -> None:
    agent = make_user(workspace=desk.workspace, role=Role.AGENT)
    assert desk.client(agent).get(page).status_code == 403
    assert f'href="{page}"' in text(desk.client().get(page.removesuffix("/files")))


def test_connecting_again_keeps_the_choice(desk: Desk, page: str) -> None:
    desk.client().post_form(page, way="keep")
    with clock.travel(timedelta(days=1)):
        desk.connect()
    assert settings()["media_days"] == "keep"
