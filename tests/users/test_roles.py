"""Who may open what of the pages of people, spelled out. test_permissions.py walks all pages by the table."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import db
from host.models.users import Invitation, Role
from host.users import invitations
from tests.helpers import Browser, browser, client_for, do, make_user, make_workspace

LOGIN, YES, NO, FOREIGN = "login", "yes", "no", "foreign"

# path, method, then: stranger, owner of another workspace, agent, owner, admin who is no member
MATRIX = [
    ("/", "GET", LOGIN, YES, YES, YES, YES),
    ("/login", "GET", YES, YES, YES, YES, YES),
    ("/account", "GET", LOGIN, YES, YES, YES, YES),
    ("/account/confirm", "GET", LOGIN, YES, YES, YES, YES),
    ("/account/confirm", "POST", LOGIN, YES, YES, YES, YES),
    ("/account/profile", "POST", LOGIN, YES, YES, YES, YES),
    ("/account/theme", "POST", LOGIN, YES, YES, YES, YES),
    ("/account/password", "POST", LOGIN, YES, YES, YES, YES),
    ("/account/sessions/999/end", "POST", LOGIN, FOREIGN, FOREIGN, FOREIGN, FOREIGN),
    ("/logout", "POST", YES, YES, YES, YES, YES),
    ("/setup", "GET", NO, NO, NO, NO, NO),
    ("/setup", "POST", NO, NO, NO, NO, NO),
    ("/invite/unknown", "GET", FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN),
    ("/invite/unknown", "POST", FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN),
    ("/w/{w}/settings/general", "GET", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/general", "POST", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/people", "GET", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/people/invite", "POST", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/people/{u}/role", "POST", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/people/{u}/remove", "POST", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/w/{w}/settings/people/invitations/{i}/withdraw", "POST", LOGIN, FOREIGN, NO, YES, FOREIGN),
    ("/admin/workspaces", "GET", LOGIN, NO, NO, NO, YES),
    ("/admin/workspaces", "POST", LOGIN, NO, NO, NO, YES),
    ("/admin/audit", "GET", LOGIN, NO, NO, NO, YES),
]


def verdict(answer: object) -> str:
    status: int = answer.status_code  # type: ignore[attr-defined]
    location: str = answer.location or ""  # type: ignore[attr-defined]
    if status == 302 and location.startswith("/login?next="):
        return LOGIN
    # 400: the form was looked at and found incomplete, so the person was let in.
    return {200: YES, 302: YES, 400: YES, 403: NO, 404: FOREIGN}[status]


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[1]} {row[0]}")
def test_only_those_may_who_should(desk: Flask, row: tuple[str, ...]) -> None:
    path, method, *expected = row
    workspace, elsewhere = make_workspace(), make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER)
    agent = make_user(workspace=workspace)
    target = make_user(workspace=workspace)
    stranger = make_user(workspace=elsewhere, role=Role.OWNER)
    admin = make_user(is_admin=True)
    do(
        invitations.invite,
        workspace,
        email="x@example.com",
        role=Role.AGENT,
        actor=owner.id,
    )
    with db.read() as session:
        invitation = session.scalars(sa.select(Invitation.id)).one()
    url = path.format(w=workspace, u=target.id, i=invitation)

    def ask(client: Browser) -> str:
        return verdict(client.get(url) if method == "GET" else client.post_form(url, theme="auto"))

    people = [browser(desk), *(client_for(desk, person) for person in (stranger, agent, owner, admin))]
    assert [ask(client) for client in people] == expected


def test_a_person_of_another_workspace_cannot_be_changed_through_ones_own(desk: Flask) -> None:
    workspace, elsewhere = make_workspace(), make_workspace()
    client = client_for(desk, make_user(workspace=workspace, role=Role.OWNER))
    victim = make_user(workspace=elsewhere, role=Role.OWNER)
    base = f"/w/{workspace}/settings/people/{victim.id}"
    assert client.post_form(f"{base}/role", role="agent").status_code == 404
    assert client.post_form(f"{base}/remove").status_code == 404
    assert client.post_form(f"/w/{workspace}/settings/people/{2**63 - 1}/remove").status_code == 404


def test_looking_changes_nothing(desk: Flask) -> None:
    workspace = make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=True)
    client = client_for(desk, owner)

    def content() -> list[object]:
        from host.core.db import Base

        with db.read() as session:
            return [session.execute(sa.select(table)).all() for table in Base.metadata.sorted_tables]

    before = content()
    for path, method, *_ in MATRIX:
        if method == "GET":
            client.get(path.format(w=workspace, u=owner.id, i=0))
            client.head(path.format(w=workspace, u=owner.id, i=0))
    assert content() == before
