"""The first start: one link, one admin, once."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask

from host.cli.commands import main
from host.core import db
from host.core.errors import LobbyError
from host.models.users import InstallationValue, Membership, Role, User, Workspace
from host.users import passwords, setup, users
from tests.helpers import PASSWORD, browser, make_user

ANSWERS = {
    "name": "Mia Reuter",
    "email": "mia@example.com",
    "password": PASSWORD,
    "again": PASSWORD,
    "workspace": "Pottery",
}


def test_a_fresh_desk_has_nobody_who_could_sign_in(desk: Flask) -> None:
    with db.read() as session:
        assert not users.anybody(session)
    assert "This desk is not set up yet." in browser(desk).get("/login").text
    for name in ("admin", "admin@example.com", "root"):
        answer = browser(desk).post_form("/login", email=name, password="admin")
        assert answer.status_code == 401


def test_the_link_makes_the_admin_with_a_workspace_and_signs_them_in(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    client = browser(desk)
    assert client.get(f"/setup?token={token}").status_code == 200
    answer = client.post_form("/setup", token=token, **ANSWERS)
    assert answer.location == "/"
    with db.read() as session:
        admin = session.scalars(sa.select(User)).one()
        workspace = session.scalars(sa.select(Workspace)).one()
        membership = session.scalars(sa.select(Membership)).one()
    assert admin.is_admin
    assert workspace.name == "Pottery"
    assert membership.role == Role.OWNER
    assert client.get(f"/w/{workspace.id}/settings/people").status_code == 200
    assert client.get("/admin/workspaces").status_code == 200


def test_the_link_works_once(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    browser(desk).post_form("/setup", token=token, **ANSWERS)
    again = {**ANSWERS, "email": "eve@example.com"}
    assert browser(desk).get(f"/setup?token={token}").status_code == 403
    assert browser(desk).post_form("/setup", token=token, **again).status_code == 403
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 1


def test_no_link_is_made_once_somebody_is_there(desk: Flask) -> None:
    make_user()
    assert setup.ensure_setup_token() is None


def test_a_person_added_on_the_command_line_kills_the_link(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    make_user()
    assert browser(desk).get(f"/setup?token={token}").status_code == 403


def test_each_start_prints_a_new_link_and_the_one_before_is_dead(desk: Flask) -> None:
    first, second = setup.ensure_setup_token(), setup.ensure_setup_token()
    assert browser(desk).get(f"/setup?token={first}").status_code == 403
    assert browser(desk).get(f"/setup?token={second}").status_code == 200


def test_a_link_that_is_kept_works_on_until_another_is_asked_for(desk: Flask) -> None:
    first = setup.ensure_setup_token(renew=False)
    assert setup.ensure_setup_token(renew=False) is None
    assert browser(desk).get(f"/setup?token={first}").status_code == 200
    second = setup.ensure_setup_token(renew=True)
    assert browser(desk).get(f"/setup?token={first}").status_code == 403
    assert browser(desk).get(f"/setup?token={second}").status_code == 200


def test_the_command_prints_a_new_link_until_somebody_is_there(desk: Flask, data: Path) -> None:
    first = setup.ensure_setup_token()
    environment = {
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": db.current().url.render_as_string(hide_password=False),
        "LOBBY_PUBLIC_URL": "https://desk.example.com",
    }
    done = CliRunner().invoke(main, ["setup-link"], env=environment)
    assert done.exit_code == 0, done.output
    (token,) = re.findall(r"^https://desk\.example\.com/setup\?token=(\S+)$", done.output, re.M)
    assert browser(desk).get(f"/setup?token={first}").status_code == 403
    assert browser(desk).get(f"/setup?token={token}").status_code == 200
    make_user()
    done = CliRunner().invoke(main, ["setup-link"], env=environment)
    assert done.exit_code == 1
    assert "already set up" in done.output


def test_the_database_holds_only_the_hash(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    assert token is not None
    with db.read() as session:
        stored = session.scalars(
            sa.select(InstallationValue.value).where(InstallationValue.name == setup.SETUP_TOKEN)
        ).one()
    assert token not in stored
    assert browser(desk).get(f"/setup?token={stored}").status_code == 403


def test_nothing_but_the_token_opens_the_page(desk: Flask) -> None:
    setup.ensure_setup_token()
    for token in ("", "x", "' OR 1=1--", "%", "a" * 5000):
        assert browser(desk).get("/setup", query_string={"token": token}).status_code == 403
        assert browser(desk).post_form("/setup", token=token, **ANSWERS).status_code == 403


def test_the_page_tells_its_address_to_no_other_site(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    assert browser(desk).get(f"/setup?token={token}").headers["Referrer-Policy"] == "same-origin"


def test_a_form_filled_in_badly_says_what_is_wrong_and_keeps_the_link(desk: Flask) -> None:
    token = setup.ensure_setup_token()
    client = browser(desk)
    answer = client.post_form("/setup", token=token, **{**ANSWERS, "again": "something else"})
    assert answer.status_code == 400
    assert "The passwords do not match." in answer.text
    assert PASSWORD not in answer.text
    assert client.post_form("/setup", token=token, **ANSWERS).status_code == 302


def test_of_two_people_who_open_the_link_at_once_one_wins(any_database: db.Database) -> None:
    token = setup.ensure_setup_token()
    assert token is not None
    secret = passwords.hashed(PASSWORD)
    start = threading.Barrier(4)
    won: list[str] = []
    refused: list[LobbyError] = []

    def race(number: int) -> None:
        start.wait()
        email = f"person{number}@example.com"
        try:
            db.write(setup.complete, token, email=email, name="Mia", password=secret, workspace="Shop")
        except LobbyError as error:
            refused.append(error)
        else:
            won.append(email)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 3
    with db.read() as session:
        assert [user.email for user in session.scalars(sa.select(User))] == won
        assert session.scalar(sa.select(sa.func.count()).select_from(Workspace)) == 1
