"""Every route says what it needs, and lets in whom the one table of roles lets in: nobody else.

``REWRITE_GOLDEN=1`` writes docs/roles.md anew.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from host.models.users import Role, User
from host.users import reach, roles
from host.users.roles import Permission
from tests.helpers import Browser, browser, client_for, make_user, make_workspace

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
NOT_THERE = 987_654
SERVED_TO_ALL = {"static", "bootstrap.static", "addon_static", "modules", "styles", "swagger_ui.static"}
LOGIN, IN, NO, FOREIGN = "sign in first", "let in", "may not", "nothing there"
NOBODY, STRANGER, ADMIN = "nobody", "owner elsewhere", "admin of the desk"
PEOPLE = (NOBODY, STRANGER, ADMIN, *Role)


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return endpoint, method and address of every route a person may open, with ids of nothing."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in SERVED_TO_ALL or rule.endpoint.startswith("api."):
            continue  # files of the pages; the API asks for a key
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((rule.endpoint, method, rule.rule))
    return found


def needs(app: Flask, endpoint: str) -> Permission | None:
    return getattr(app.view_functions[endpoint], "lobby_needs", None)


def test_every_route_says_what_it_needs(desk: Flask) -> None:
    silent = {endpoint for endpoint, _method, _rule in routes(desk) if needs(desk, endpoint) is None}
    assert silent == set()


def test_every_id_in_an_address_of_a_workspace_is_known_to_belong_to_an_account_or_not(desk: Flask) -> None:
    for rule in desk.url_map.iter_rules():
        if not rule.rule.startswith("/w/<int:workspace_id>/"):
            continue
        if Role.AGENT not in roles.with_permission(needs(desk, rule.endpoint) or Permission.DESK):
            continue  # nobody who may be limited comes here
        unknown = {name for name in rule.arguments if name.endswith("_id")} - reach.known()
        assert unknown == set(), rule.rule


@pytest.fixture
def place(desk: Flask) -> tuple[int, dict[str, User | None]]:
    workspace = make_workspace()
    people: dict[str, User | None] = {role: make_user(workspace=workspace, role=role) for role in Role}
    people |= {
        NOBODY: None,
        STRANGER: make_user(workspace=make_workspace(), role=Role.OWNER),
        ADMIN: make_user(is_admin=True),
    }
    make_user(is_admin=True)
    return workspace, people


def expected(permission: Permission, who: str, in_workspace: bool) -> str:
    grant = roles.TABLE[permission]
    if grant.anybody:
        return IN
    if who == NOBODY:
        return LOGIN
    if grant.signed_in:
        return IN
    if not in_workspace:
        return IN if who == ADMIN and grant.admin else NO
    if who in {STRANGER, ADMIN}:
        return FOREIGN
    return IN if Role(who) in grant.roles else NO


def verdict(answer: Any) -> str:
    location = answer.location or ""
    if answer.status_code == 401 or (answer.status_code == 302 and location.startswith("/login?next=")):
        return LOGIN
    return {403: NO, 404: FOREIGN}.get(answer.status_code, IN)


def ask(client: Browser, method: str, path: str) -> Any:
    if method == "GET":
        return client.get(path)
    return client.open(path, method=method, data={"csrf_token": client.csrf()})


@pytest.mark.parametrize("who", PEOPLE)
def test_every_route_lets_in_whom_the_table_lets_in(
    desk: Flask, place: tuple[int, dict[str, User | None]], who: str
) -> None:
    workspace, people = place
    person = people[who]
    wrong = []
    client = client_for(desk, person) if person else browser(desk)
    for endpoint, method, rule in routes(desk):
        path = rule.replace("<int:workspace_id>", str(workspace))
        for part in list(path.split("/")):
            if part.startswith("<int:"):
                path = path.replace(part, str(NOT_THERE))
            elif part.startswith("<"):
                path = path.replace(part, "nothing")
        permission = needs(desk, endpoint)
        assert permission is not None
        if permission is Permission.READ and method != "GET":
            permission = Permission.ANSWER
        wanted = expected(permission, who, rule.startswith("/w/"))
        found = verdict(ask(client, method, path))
        if endpoint == "accounts.logout" and person:
            client = client_for(desk, person)
        # What is let in may find nothing under an id that is none, and an open page may refuse a token.
        allowed = {IN, FOREIGN} if wanted == IN else {wanted}
        if permission is Permission.OPEN:
            allowed |= {NO}
        if found not in allowed:
            wrong.append(f"{method} {path}: {found}, not {wanted}")
    assert wrong == []


def test_each_role_may_more_than_the_one_before() -> None:
    writers = [role for role in roles.ROLE_NAMES if role is not Role.AUDITOR]
    for less, more in itertools.pairwise(writers):
        given = {permission for permission in Permission if roles.may(less, permission)}
        assert given < {permission for permission in Permission if roles.may(more, permission)}


def test_an_auditor_changes_nothing() -> None:
    given = {permission for permission in Permission if Role.AUDITOR in roles.with_permission(permission)}
    assert given == {Permission.READ, Permission.REPORTS, Permission.AUDIT}


def table() -> str:
    """Return the table docs/roles.md must hold."""
    heads = ["may", *(str(name).lower() for name in roles.ROLE_NAMES.values()), "desk admin"]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|:-:' * (len(heads) - 1)}|"]
    for permission, grant in roles.TABLE.items():
        cells = []
        for role in roles.ROLE_NAMES:
            theirs = grant.limited and role in roles.LIMITABLE
            cells.append(("theirs" if theirs else "yes") if roles.may(role, permission) else "")
        cells.append("yes" if grant.admin or grant.signed_in or grant.anybody else "")
        lines.append(f"| {grant.words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_page_about_roles_holds_the_table() -> None:
    start, end = "<!-- roles -->\n", "\n<!-- /roles -->"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(start)
    held, _, after = rest.partition(end)
    if os.environ.get("REWRITE_GOLDEN"):
        PAGE.write_text(f"{before}{start}{table()}{end}{after}", encoding="utf-8")
        return
    assert held == table()


def test_what_an_addon_asks_for_by_role_is_what_owners_may(desk: Flask) -> None:
    from host.sdk.web import workspace_view

    guarded = workspace_view(Role.OWNER)(lambda workspace_id: "")
    assert roles.with_permission(guarded.lobby_needs) == {Role.OWNER}  # type: ignore[attr-defined]
