"""Everything people read comes out of a translation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from host.addons.running import generation
from host.core import db, storage
from host.inbox.canned.pages.reply_views import LANGUAGES, language_name
from host.models.users import Role
from host.users import invitations, setup
from tests.helpers import (
    StandInGeneration,
    browser,
    build_app,
    client_for,
    do,
    join,
    make_config,
    make_user,
    make_workspace,
)
from tests.pseudo import pseudo_app, untranslated


@pytest.fixture
def strange_desk(database: db.Database, data: Path) -> Flask:
    return pseudo_app(build_app(data, generation=StandInGeneration(failures={"toy": "It broke."})))


def test_pages_of_strangers(strange_desk: Flask) -> None:
    token = setup.ensure_setup_token()
    client = browser(strange_desk)
    for path in ("/login", f"/setup?token={token}", "/setup", "/nothing"):
        assert untranslated(client.get(path).text) == [], path
    failed = client.post_form("/setup", token=token, name="", password="short", again="x", email="x")
    assert untranslated(failed.text) == []
    assert untranslated(client.post_form("/login", email="a@b.c", password="wrong one").text) == []


def test_pages_of_owners_and_admins(strange_desk: Flask) -> None:
    workspace = make_workspace("1")
    owner = make_user("o@example.com", "2", workspace=workspace, role=Role.OWNER, is_admin=True)
    make_user("p@example.com", "3", workspace=workspace)
    join(make_workspace("4"), owner)
    token = do(
        invitations.invite,
        workspace,
        email="q@example.com",
        role=Role.AGENT,
        actor=owner.id,
    )
    client = client_for(strange_desk, owner)
    client.post_form(f"/w/{workspace}/settings/general", name="5")
    paths = [
        "/account",
        "/notifications",
        "/notifications/settings",
        f"/w/{workspace}/settings/people",
        f"/w/{workspace}/settings/general",
        "/admin/workspaces",
        "/admin/audit",
        f"/invite/{token}",
        "/nothing",
    ]
    # The middle of a sentence of the audit, whose beginning and end are marked beyond the names in it.
    known = ["English", "named the workspace", "renamed the workspace to", "invited", "as"]
    for path in paths:
        assert untranslated(client.get(path).text, data=known) == [], path
    posts = [
        (f"/w/{workspace}/settings/people/invite", {"email": "r@example.com", "role": "agent"}),
        (f"/w/{workspace}/settings/people/invite", {"email": "", "role": "agent"}),
        ("/admin/workspaces", {"name": "6", "email": "s@example.com"}),
        ("/account/password", {"current": "wrong one", "password": "short", "again": ""}),
    ]
    for path, fields in posts:
        answer = client.post_form(path, **fields)
        assert answer.status_code in {200, 400}
        assert untranslated(answer.text, data=["English"]) == [], path


def test_pages_of_somebody_invited(strange_desk: Flask) -> None:
    workspace = make_workspace("1")
    owner = make_user(workspace=workspace, role=Role.OWNER)
    token = do(
        invitations.invite,
        workspace,
        email="q@example.com",
        role=Role.AGENT,
        actor=owner.id,
    )
    assert untranslated(browser(strange_desk).get(f"/invite/{token}").text) == []
    stranger = client_for(strange_desk, make_user("z@example.com", "2"))
    assert untranslated(stranger.get(f"/invite/{token}").text) == []
    assert untranslated(stranger.get("/").text) == []


def test_every_page_of_the_desk_with_its_own_channels(database: db.Database, data: Path) -> None:
    config = make_config(data)
    storage.use(storage.FolderStore(data / "attachments"))
    built = generation.build(config, create_app=None)
    app = pseudo_app(build_app(data, generation=built, settings=config))
    workspace = make_workspace("1")
    owner = make_user("o@example.com", "2", workspace=workspace, role=Role.OWNER, is_admin=True)
    client = client_for(app, owner)
    examples = [
        "hello@example.com",
        "orders@example.com",
        "smtp.example.com",
        "imap.example.com",
        "English",
        "#0b6b63",
    ]
    examples += ["organizations", "openid email offline_access mail"]
    examples += ["https://login.example.com/authorize", "https://login.example.com/token"]
    with app.test_request_context():  # names of languages are CLDR's
        examples += [language_name(code) for code in LANGUAGES]
    seen = 0
    for rule in app.url_map.iter_rules():
        if (
            "GET" not in (rule.methods or set())
            or "static" in rule.endpoint
            or rule.endpoint == "live.stream"
        ):
            continue
        values: dict[str, Any] = {name: 1 if "id" in name else "email" for name in rule.arguments}
        with app.test_request_context():
            path = str(app.url_for(rule.endpoint, **values))
        answer = client.get(path)
        assert answer.status_code < 500, path
        if answer.status_code not in {301, 302} and answer.mimetype == "text/html":
            assert untranslated(answer.text, data=examples) == [], path
            seen += answer.status_code == 200
    assert seen >= 8


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>Forgotten</p>", ["Forgotten"]),
        ("<p>⟦Fine⟧ 12:30</p>", []),
        ("<p>⟦Fine⟧ but not this</p>", ["⟦Fine⟧ but not this"]),
        ('<a aria-label="Close">×</a>', ["Close"]),
        ('<input placeholder="Search">', ["Search"]),
        ("<code>data</code><time>1 May</time><p translate=no>Mia <b>R</b></p>", []),
        ("<p>Mia</p>", []),
        ("<p>⟦in ⟦nested⟧ there⟧</p>", []),
    ],
)
def test_the_check_itself_finds_what_was_forgotten(html: str, found: list[str]) -> None:
    assert untranslated(html, data=["Mia"]) == found
