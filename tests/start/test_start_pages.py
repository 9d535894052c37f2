"""The list in the inbox's place: who gets it, what its buttons do, and what Health says."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from host.automation import settings as account_settings
from host.channels.directory import Directory
from host.core import db, storage
from host.models.users import Role, User
from host.start.models import WorkspaceStart
from host.web import navigation
from host.web.navigation import Offer
from host.working_hours import hours
from tests.channels.toy import ToyAdapter, ToyProvider, toy_card
from tests.helpers import Browser, StandInGeneration, build_app, client_for, make_user, make_workspace
from tests.inbox import toys

LIST = "data-start="


@pytest.fixture
def workspace(database: db.Database) -> int:
    return make_workspace(leads=True)


@pytest.fixture
def owner(workspace: int) -> User:
    return make_user("mia@example.com", workspace=workspace, role=Role.OWNER)


@pytest.fixture
def mia(app: Flask, owner: User) -> Browser:
    return client_for(app, owner)


def text(browser: Browser, path: str) -> str:
    page = browser.get(path)
    assert page.status_code == 200
    return str(page.get_data(as_text=True))


def row(workspace: int) -> WorkspaceStart | None:
    with db.read() as session:
        return session.get(WorkspaceStart, workspace)


def test_owners_get_the_list_in_place_of_an_empty_inbox(app: Flask, workspace: int, mia: Browser) -> None:
    inbox = f"/w/{workspace}/inbox"
    assert LIST in text(mia, inbox)
    assert LIST not in text(mia, f"{inbox}?status=closed"), "a filter shows what it finds"
    agent = client_for(app, make_user("bo@example.com", workspace=workspace))
    page = text(agent, inbox)
    assert LIST not in page
    assert "An owner of the workspace can do that." in page
    assert "/start" not in page


def test_nobody_else_opens_it_or_presses_its_buttons(app: Flask, workspace: int, mia: Browser) -> None:
    other = client_for(app, make_user("eve@example.com", workspace=make_workspace("Bakery"), role=Role.OWNER))
    agent = client_for(app, make_user("bo@example.com", workspace=workspace))
    for path in ("", "/list"):
        assert other.get(f"/w/{workspace}/start{path}").status_code == 404
        assert agent.get(f"/w/{workspace}/start{path}").status_code == 403
        assert mia.get(f"/w/{workspace}/start{path}").status_code == 200
    for path in ("hide", "skip", "ask", "hours"):
        assert other.post_form(f"/w/{workspace}/start/{path}").status_code == 404
        assert agent.post_form(f"/w/{workspace}/start/{path}").status_code == 403
    assert mia.post_form("/admin/first-steps/install").status_code == 403, "only admins install addons"
    assert row(workspace) is None


def test_a_workspace_with_conversations_never_gets_it(database: db.Database, data: Path) -> None:
    workspace = make_workspace(leads=True)
    toys.apply(toys.make_account(workspace), toys.received())
    owner = make_user(workspace=workspace, role=Role.OWNER)
    assert LIST not in text(client_for(build_app(data), owner), f"/w/{workspace}/inbox")
    assert row(workspace) is None


def test_a_hidden_list_stays_away_and_can_be_opened(workspace: int, mia: Browser) -> None:
    text(mia, f"/w/{workspace}/inbox")
    mia.post_form(f"/w/{workspace}/start/hide")
    page = text(mia, f"/w/{workspace}/inbox")
    assert LIST not in page
    assert f'href="/w/{workspace}/start"' in page
    assert LIST in text(mia, f"/w/{workspace}/start")


def test_a_step_is_skipped(workspace: int, mia: Browser) -> None:
    answer = mia.post_form(f"/w/{workspace}/start/skip", step="invite")
    assert answer.location == f"/w/{workspace}/inbox"
    assert 'data-step="invite" data-state="skipped"' in text(mia, f"/w/{workspace}/start/list")
    assert mia.post_form(f"/w/{workspace}/start/skip", step="tea").status_code == 400


def test_the_first_message_is_shown_and_the_list_is_left(workspace: int, mia: Browser) -> None:
    text(mia, f"/w/{workspace}/inbox")
    account = toys.make_account(workspace)
    assert 'data-step="write" data-state="open now"' in text(mia, f"/w/{workspace}/start/list")
    toys.apply(account, toys.received("Hello, <b>it</b> works"))
    page = text(mia, f"/w/{workspace}/start/list")
    assert 'data-step="write" data-state="done"' in page
    assert "Hello, &lt;b&gt;it&lt;/b&gt; works" in page
    assert 'Needs a reply<span class="count">1</span>' in page, "the counts beside it come along"
    page = text(mia, f"/w/{workspace}/inbox")
    assert LIST not in page, "a customer's message is seen at once"
    assert "2 setup steps left" in page
    mia.post_form(f"/w/{workspace}/start/hide", done="1")
    page = text(mia, f"/w/{workspace}/inbox")
    assert LIST not in page
    assert "List hidden" not in page
    assert "setup steps left" not in page


def test_what_was_installed_is_named_and_not_what_could_be(
    data: Path, owner: User, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Offer("birds", "Birds", "By carrier pigeon", "", "BI", 1)
    monkeypatch.setattr(navigation, "channel_offers", lambda: [other])
    adapter = ToyAdapter()
    directory = Directory([adapter], [toy_card(ToyProvider())])
    app = build_app(data, generation=StandInGeneration(directory=directory))
    page = text(client_for(app, owner), f"/w/{workspace}/start/list")
    assert f"Install {adapter.label}" in page
    assert "Install Birds" not in page


def test_where_one_writes_is_a_code(data: Path, workspace: int, owner: User) -> None:
    toys.make_account(workspace, handle="shop@example.com")
    page = text(client_for(build_app(data), owner), f"/w/{workspace}/inbox")
    assert "mailto:shop@example.com" in page
    assert '<svg viewBox="0 0 ' in page


def test_health_shows_how_set_up_went(app: Flask, workspace: int, mia: Browser, tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "files"))
    admin = client_for(app, make_user("ada@example.com", is_admin=True))
    assert "stopped at" not in text(admin, "/admin/health")
    text(mia, f"/w/{workspace}/inbox")
    assert "stopped at" not in text(admin, "/admin/health"), "it has only begun"
    mia.post_form(f"/w/{workspace}/start/hide")
    assert "1 stopped at" in text(admin, "/admin/health")


def test_hours_and_greeting_are_set_in_the_step(data: Path, workspace: int, owner: User) -> None:
    browser = client_for(build_app(data), owner)
    account = toys.make_account(workspace)
    path = f"/w/{workspace}/start/hours"
    page = text(browser, f"/w/{workspace}/inbox")
    assert f'action="{path}"' in page
    days = ["monday", "friday"]
    greeting = "Hello, <b>welcome</b>"
    typed = {"day": days, "greeting": greeting}
    refused = browser.post_form(path, **typed, opens="17:00", closes="09:00")
    assert refused.status_code == 400
    refused_page = refused.get_data(as_text=True)
    assert "Hello, &lt;b&gt;welcome&lt;/b&gt;" in refused_page
    assert 'value="17:00"' in refused_page
    assert browser.post_form(path, opens="9:00", closes="17:00").status_code == 400, "no day"
    with db.read() as session:
        assert not account_settings.of_account(session, workspace, account.id).greets
    assert browser.post_form(path, **typed, opens="09:00", closes="17:00").status_code == 302
    with db.read() as session:
        week = hours.load(session, [workspace]).own(workspace).week
        kept = account_settings.of_account(session, workspace, account.id)
    assert week is not None
    assert [hours.text_of(spans) for spans in week] == ["09:00 – 17:00", *[""] * 3, "09:00 – 17:00", "", ""]
    assert (kept.greets, kept.greeting) == (True, greeting)
    assert 'data-step="hours" data-state="done"' in text(browser, f"/w/{workspace}/start/list")
