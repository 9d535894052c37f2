"""What could do great harm takes the password again, and nothing that was typed is lost by that."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.api_keys import ApiKey
from host.models.users import Invitation, Role, User, Workspace
from host.users import members, passwords
from host.users.pages import sudo
from tests import helpers
from tests.api.conftest import desk as api_desk
from tests.api.desks import ApiDesk
from tests.helpers import PASSWORD, Browser, client_for
from tests.users.test_login import login
from tests.users.test_second_factor import code_at, with_app

__all__ = ["api_desk"]
LATER = sudo.FRESH + timedelta(seconds=1)


def carried(page: str, id_: str = "password-again-form") -> tuple[str, dict[str, list[str]]]:
    """Return where a form of the page that asks to confirm leads, and the fields it carries on."""
    form = re.search(rf'<form[^>]*action="([^"]+)"[^>]*id="{id_}".*?</form>', page, re.S)
    assert form is not None, page
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form.group(0)):
        if name != "csrf_token":
            fields.setdefault(html.unescape(name), []).append(html.unescape(value))
    return html.unescape(form.group(1)), fields


def asked(browser: Browser, path: str, **fields: object) -> None:
    """Send a form without a fresh password, see nothing done but everything kept, then type the password."""
    answer = browser.post_form(path, **fields)
    assert answer.status_code == 403
    where, kept = carried(answer.text)
    assert where == path
    assert kept == {name: [str(value)] for name, value in fields.items()}
    wrong = browser.post_form(where, **kept, password="not this one")
    assert wrong.status_code == 403
    assert "Wrong password" in wrong.text
    assert carried(wrong.text) == (where, kept)
    done = browser.post_form(where, **kept, password=PASSWORD)
    assert done.status_code in (200, 302), done.text


def count(table: type[ApiKey | Invitation | Workspace]) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


@pytest.fixture
def owner(api_desk: ApiDesk) -> User:
    return helpers.make_user("owner@example.com", "Ö <b>", workspace=api_desk.workspace, role=Role.OWNER)


@pytest.fixture
def browser(api_desk: ApiDesk, owner: User) -> Browser:
    return client_for(api_desk.app, owner)


def test_a_key_that_writes(api_desk: ApiDesk, browser: Browser) -> None:
    before = count(ApiKey)
    with clock.travel(LATER):
        asked(browser, f"/w/{api_desk.workspace}/settings/api", name='Shop "&<1>\n two', scopes="write")
    assert count(ApiKey) == before + 1


def test_a_key_that_only_reads_is_not_asked_for(api_desk: ApiDesk, browser: Browser) -> None:
    with clock.travel(LATER):
        made = browser.post_form(f"/w/{api_desk.workspace}/settings/api", name="Shop", scopes="read")
    assert made.status_code == 200


def test_inviting_an_owner(api_desk: ApiDesk, browser: Browser) -> None:
    with clock.travel(LATER):
        path = f"/w/{api_desk.workspace}/settings/people/invite"
        assert browser.post_form(path, email="a@example.com", role="agent").status_code == 200
        asked(browser, path, email="jo@example.com", role="owner")
    assert count(Invitation) == 2


def test_making_somebody_an_owner(api_desk: ApiDesk, browser: Browser) -> None:
    jo = helpers.make_user("jo@example.com", "Jo", workspace=api_desk.workspace)
    with clock.travel(LATER):
        asked(browser, f"/w/{api_desk.workspace}/settings/people/{jo.id}/role", role="owner")
        again = browser.post_form(f"/w/{api_desk.workspace}/settings/people/{jo.id}/role", role="agent")
        assert again.status_code == 302
    with db.read() as session:
        (found,) = [one for one in members.listing(session, api_desk.workspace) if one.user_id == jo.id]
    assert found.role is Role.AGENT


def test_taking_an_owner_the_role(api_desk: ApiDesk, browser: Browser) -> None:
    jo = helpers.make_user("jo@example.com", "Jo", workspace=api_desk.workspace, role=Role.OWNER)
    mia = helpers.make_user("mia@example.com", "Mia", workspace=api_desk.workspace)
    with clock.travel(LATER):
        team = f"/w/{api_desk.workspace}/settings/people"
        assert browser.post_form(f"{team}/{mia.id}/role", role="agent").status_code == 302
        asked(browser, f"{team}/{jo.id}/role", role="agent")
    with db.read() as session:
        owners = [
            one.user_id for one in members.listing(session, api_desk.workspace) if one.role is Role.OWNER
        ]
    assert jo.id not in owners


@pytest.mark.parametrize("role", [Role.OWNER, Role.AGENT])
def test_removing_a_member(api_desk: ApiDesk, browser: Browser, role: Role) -> None:
    jo = helpers.make_user("jo@example.com", "Jo", workspace=api_desk.workspace, role=role)
    with clock.travel(LATER):
        asked(browser, f"/w/{api_desk.workspace}/settings/people/{jo.id}/remove", seen="asked")
    with db.read() as session:
        assert jo.id not in [one.user_id for one in members.listing(session, api_desk.workspace)]


def test_archiving_a_workspace(api_desk: ApiDesk, browser: Browser) -> None:
    with clock.travel(LATER):
        asked(browser, f"/w/{api_desk.workspace}/settings/general/archive")
    with db.read() as session:
        assert session.get_one(Workspace, api_desk.workspace).archived_at is not None


def test_keeping_messages_for_a_shorter_time(api_desk: ApiDesk, browser: Browser) -> None:
    path = f"/w/{api_desk.workspace}/settings/general/retention"
    with clock.travel(LATER):
        asked(browser, path, keep="days", days=100, sure=100)
    with clock.travel(2 * LATER):
        assert browser.post_form(path, keep="days", days=200).status_code == 302, "longer takes none"
        assert browser.post_form(path, keep="days", days=150, sure=150).status_code == 403
    with db.read() as session:
        assert session.get_one(Workspace, api_desk.workspace).retention_days == 200


def test_the_rules_of_the_desk(api_desk: ApiDesk) -> None:
    admin = client_for(api_desk.app, helpers.make_user("admin@example.com", "Admin", is_admin=True))
    with clock.travel(LATER):
        asked(admin, "/admin/desk/rules", keep="ever", makers="anybody")
        assert 'value="anybody" selected' in admin.get("/admin/desk").text


def test_making_a_workspace(api_desk: ApiDesk) -> None:
    admin = client_for(api_desk.app, helpers.make_user("admin@example.com", "Admin", is_admin=True))
    before = count(Workspace)
    with clock.travel(LATER):
        assert admin.get("/admin/workspaces").status_code == 200
        asked(admin, "/admin/workspaces", name="Glazes", email="ann@example.com")
    assert count(Workspace) == before + 1


def test_disconnecting_an_account(api_desk: ApiDesk, browser: Browser) -> None:
    with db.read() as session:
        account = session.scalar(sa.text("SELECT min(id) FROM channel_accounts"))
    with clock.travel(LATER):
        path = f"/w/{api_desk.workspace}/settings/channels/accounts/{account}/disconnect"
        assert browser.post_form(path).status_code == 403
        with db.read() as session:
            query = sa.text("SELECT state FROM channel_accounts WHERE id = :id")
            state = session.scalar(query, {"id": account})
        assert state == "connected"


def test_too_many_wrong_passwords_lose_nothing_either(api_desk: ApiDesk, browser: Browser) -> None:
    with clock.travel(LATER):
        path = f"/w/{api_desk.workspace}/settings/api"
        for n in range(6):
            answer = browser.post_form(path, name="Shop", scopes="write", password=f"guess {n}")
        assert answer.status_code == 429
        assert "Too many incorrect passwords" in answer.text
        assert carried(answer.text) == (path, {"name": ["Shop"], "scopes": ["write"]})


def test_a_file_cannot_be_carried_and_the_page_says_so(desk: Flask) -> None:
    @sudo.fresh_password
    def take() -> str:
        return "taken"

    desk.add_url_rule("/take", view_func=take, methods=["POST"])
    browser = client_for(desk, helpers.make_user("mia@example.com"))
    with clock.travel(LATER):
        token = browser.csrf()
        answer = browser.post(
            "/take", data={"csrf_token": token, "note": "x", "zip": (io.BytesIO(b"abc"), "a.zip")}
        )
    assert answer.status_code == 403
    assert "password-again-form" not in answer.text
    assert "choose the file again" in answer.text


# Other ways to confirm than a password


def signed_in_with_a_code(api_desk: ApiDesk, person: User) -> tuple[Browser, str, list[str]]:
    """Give a person an app and sign them in; return the browser, the app's secret and the recovery codes."""
    secret, codes = with_app(person)
    client = helpers.browser(api_desk.app)
    assert client.post_form(login(client, person.email).location, code=code_at(secret)).status_code == 302
    return client, secret, codes


def test_a_code_confirms_and_the_form_is_kept(api_desk: ApiDesk, owner: User) -> None:
    browser, secret, codes = signed_in_with_a_code(api_desk, owner)
    path, before = f"/w/{api_desk.workspace}/settings/api", count(ApiKey)
    with clock.travel(LATER):
        page = browser.post_form(path, name="Shop", scopes="write").text
        where, kept = carried(page, "code-again-form")
        assert (where, kept) == (path, {"name": ["Shop"], "scopes": ["write"]})
        assert "one of your recovery codes" in page
        wrong = browser.post_form(where, **kept, confirmation_code="000000")
        assert wrong.status_code == 403
        assert "That code is invalid or has expired." in wrong.text
        assert 'aria-describedby="again-code-error again-code-help"' in wrong.text
        assert carried(wrong.text, "code-again-form") == carried(wrong.text) == (where, kept)
        assert count(ApiKey) == before
        done = browser.post_form(where, **kept, confirmation_code=code_at(secret))
        assert done.status_code == 200
    assert count(ApiKey) == before + 1
    with clock.travel(LATER * 2):
        assert (
            browser.post_form(path, name="Cafe", scopes="write", confirmation_code=codes[0]).status_code
            == 200
        )


def test_who_has_a_password_alone_is_offered_no_more(api_desk: ApiDesk, browser: Browser) -> None:
    with clock.travel(LATER):
        page = browser.post_form(f"/w/{api_desk.workspace}/settings/api", name="Shop", scopes="write").text
    assert "code-again-form" not in page
    assert "data-passkey" not in page
    assert "for=again" not in page


def test_who_has_no_password_keeps_the_form_too(api_desk: ApiDesk, owner: User) -> None:
    path = f"/w/{api_desk.workspace}/settings/api"
    browser, secret, _codes = signed_in_with_a_code(api_desk, owner)

    def use_case(session: Session) -> None:
        session.get_one(User, owner.id).password_hash = passwords.NONE

    db.write(use_case)
    with clock.travel(LATER):
        page = browser.post_form(path, name="Shop", scopes="write").text
        assert 'name="password"' not in page
        assert carried(page, "code-again-form") == (path, {"name": ["Shop"], "scopes": ["write"]})
        sent = browser.post_form(path, name="Shop", scopes="write", confirmation_code=code_at(secret))
    assert sent.status_code == 200


def test_who_has_no_way_to_confirm_signs_in_again(api_desk: ApiDesk, browser: Browser, owner: User) -> None:
    def use_case(session: Session) -> None:
        session.get_one(User, owner.id).password_hash = passwords.NONE

    db.write(use_case)
    with clock.travel(LATER):
        answer = browser.post_form(f"/w/{api_desk.workspace}/settings/api", name="Shop", scopes="write")
    assert answer.status_code == 403
    assert "again-form" not in answer.text
    assert "/account/confirm" in answer.text
