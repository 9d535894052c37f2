"""Workspaces and the audit journal, as admins see them; and names that try to be code."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask import Flask

from host.core import db
from host.models.users import Membership, Role, Workspace
from host.users import audit, members
from tests.helpers import browser, client_for, make_user, make_workspace

# What a template engine would make of it is long enough to stand in no time and in no token by chance.
CANARY = '"><svg onload=alert(1)>{{7*111111111}}'


def test_an_admin_makes_a_workspace_and_invites_its_owner(desk: Flask) -> None:
    client = client_for(desk, make_user(is_admin=True))
    page = client.post_form("/admin/workspaces", name="Studio", email="jo@example.com")
    link = page.text.split('value="http://127.0.0.1:8080')[1].split('"')[0]
    password = "a fine long phrase"
    joined = browser(desk)
    joined.post_form(link, name="Jo Brandt", password=password, again=password)
    with db.read() as session:
        studio = session.scalars(sa.select(Workspace).where(Workspace.name == "Studio")).one()
        (person,) = members.listing(session, studio.id)
    assert (person.email, person.role) == ("jo@example.com", Role.OWNER)
    assert joined.get(f"/w/{studio.id}/settings/people").status_code == 200


def test_an_admin_can_own_the_new_workspace(desk: Flask) -> None:
    admin = make_user(is_admin=True)
    answer = client_for(desk, admin).post_form("/admin/workspaces", name="Studio", mine="y")
    assert answer.status_code == 302
    with db.read() as session:
        row = session.scalars(sa.select(Membership)).one()
    assert (row.user_id, row.role) == (admin.id, Role.OWNER)


def test_a_workspace_needs_a_name_and_an_owner(desk: Flask) -> None:
    client = client_for(desk, make_user(is_admin=True))
    assert client.post_form("/admin/workspaces", name="Studio", email="").status_code == 400
    assert client.post_form("/admin/workspaces", name=" ", mine="y").status_code == 400
    with db.read() as session:
        assert session.scalars(sa.select(Workspace)).all() == []


def test_all_workspaces_are_listed_with_their_owners(desk: Flask) -> None:
    workspace = make_workspace("Pottery")
    make_workspace("Empty one")
    make_user(name="Ada Owner", workspace=workspace, role=Role.OWNER)
    make_user(workspace=workspace)
    page = client_for(desk, make_user(is_admin=True)).get("/admin/workspaces").text
    assert "Ada Owner" in page
    assert "Nobody yet" in page


def test_the_journal_is_read_page_by_page_without_gaps(desk: Flask) -> None:
    def fill(session: sa.orm.Session) -> None:
        for number in range(audit.PAGE * 2 + 7):
            audit.record(session, "thing.done", f"thing-{number}.", user_id=None)

    db.write(fill)
    client = client_for(desk, make_user(is_admin=True))
    seen: list[str] = []
    url: str | None = "/admin/audit"
    pages = 0
    while url:
        page = client.get(url).text
        pages += 1
        seen += re.findall(r'<b><bdi translate="no">thing-(\d+)\.</bdi></b>', page)
        older = page.split('href="/admin/audit?before=')
        url = f"/admin/audit?before={older[1].split(chr(34))[0]}" if len(older) > 1 else None
    assert pages == 3
    assert [int(number) for number in seen] == list(reversed(range(audit.PAGE * 2 + 7)))


def test_a_place_in_the_journal_that_is_none_is_refused(desk: Flask) -> None:
    client = client_for(desk, make_user(is_admin=True))
    for before in ("x", "-1", "1.5", "9" * 30, "²"):
        assert client.get("/admin/audit", query_string={"before": before}).status_code == 400, before


def test_names_are_shown_as_text_wherever_they_stand(desk: Flask) -> None:
    workspace = make_workspace(CANARY)
    make_workspace(CANARY)
    owner = make_user(name=CANARY, workspace=workspace, role=Role.OWNER, is_admin=True)

    def fill(session: sa.orm.Session) -> None:
        audit.record(
            session,
            CANARY,
            CANARY,
            user_id=owner.id,
            remote=CANARY,
            workspace_id=workspace,
            details={CANARY: CANARY},
        )

    db.write(fill)
    client = client_for(desk, owner)
    pages = [
        "/account",
        f"/w/{workspace}/settings/people",
        f"/w/{workspace}/settings/general",
        "/admin/workspaces",
    ]
    for path in (*pages, "/admin/audit"):
        page = client.get(path).text
        assert "<svg onload" not in page, path
        assert "&#34;&gt;&lt;svg onload=alert(1)&gt;" in page, path
        assert "777777777" not in page, path


def test_odd_values_in_any_field_are_no_server_error(desk: Flask) -> None:
    workspace = make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=True)
    client = client_for(desk, owner)
    fields = ["name", "email", "role", "theme", "locale", "current", "password", "again", "mine", "workspace"]
    routes = [
        "/login",
        "/account/profile",
        "/account/theme",
        "/account/password",
        f"/w/{workspace}/settings/general",
        f"/w/{workspace}/settings/people/invite",
        f"/w/{workspace}/settings/people/{owner.id}/role",
        "/admin/workspaces",
    ]
    for value in ("x" * 300, "\ud83d\ude00" * 70, "\u0000", "1e9", "' OR 1=1--", "%s%n", "\u202e", "[]"):
        for route in routes:
            answer = client.post_form(
                route, **{field: value.encode("utf-16", "surrogatepass").decode("utf-16") for field in fields}
            )
            assert answer.status_code < 500, (route, value)
