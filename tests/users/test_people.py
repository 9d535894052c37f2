"""The people of the desk: added by a link, locked out and let in, admin or not; the last ones stay."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask
from sqlalchemy.orm import Session

from host.cli.commands import main
from host.core import clock, db, mail
from host.core.errors import ConflictError, LobbyError, NotFoundError
from host.models.api_keys import ApiKey
from host.models.inbox import Conversation, Message
from host.models.users import AuditEntry, LoginSession, Membership, PasswordLink, Role, User
from host.rules.models import Rule, RuleState, RuleVersion
from host.users import api_keys, members, password_links, passwords, sessions, users
from host.users.api_keys import Scope
from host.users.pages import sudo
from host.users.pages.desk_people_views import MANY
from host.users.throttle import LINKS_OF_ADDRESS
from tests.helpers import (
    PASSWORD,
    browser,
    build_app,
    client_for,
    do,
    do_desk,
    hashed_password,
    make_config,
    make_user,
    make_workspace,
)
from tests.users.test_team import conversation

NEW = "quite other words here 7"


def admin_page(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def row(user: User) -> User:
    with db.read() as session:
        return session.get_one(User, user.id)


def at_once(*jobs: Callable[[], object]) -> None:
    """Run *jobs* at the same moment; one that is refused is no failure."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        start.wait()
        with contextlib.suppress(LobbyError):
            job()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_admin_adds_somebody_who_chooses_a_password(desk: Flask) -> None:
    admin = client_for(desk, make_user(is_admin=True))
    page = admin_page(admin.post_form("/admin/people", name="Noor", email="noor@example.com"))
    (link,) = re.findall(r'value="http://[^"]*(/password/[^"]+)"', page)
    theirs = browser(desk)
    assert theirs.post_form("/login", email="noor@example.com", password="!").status_code == 401
    assert "Welcome, Noor" in theirs.get(link).text
    assert theirs.get(link).headers["Referrer-Policy"] == "same-origin"
    assert theirs.post_form(link, password="short", again="short").status_code == 400
    assert theirs.post_form(link, password=NEW, again=NEW).location == "/"
    assert theirs.get("/account").status_code == 200
    assert browser(desk).get(link).status_code == 404, "it works once"
    assert browser(desk).post_form("/login", email="noor@example.com", password=NEW).status_code == 302
    with db.read() as session:
        assert session.scalars(sa.select(PasswordLink)).all() == []


def test_nobody_is_added_twice(desk: Flask) -> None:
    person = make_user(is_admin=True)
    answer = client_for(desk, person).post_form("/admin/people", name="X", email=person.email.upper())
    assert answer.status_code == 409
    assert "already has this email address" in answer.text


def test_a_link_ends_with_time_with_another_one_and_with_the_person(desk: Flask) -> None:
    kim = make_user()

    def works(token: str) -> bool:
        with db.read() as session, contextlib.suppress(NotFoundError):
            return password_links.find(session, token).user_id == kim.id
        return False

    first = db.write(password_links.make, kim.id, password_links.HANDED)
    assert works(first)
    second = db.write(password_links.make, kim.id, password_links.HANDED)
    assert (works(first), works(second)) == (False, True)
    with clock.travel(password_links.HANDED):
        assert not works(second)
    db.write(users.disable, kim.id)
    assert not works(second)
    third = db.write(password_links.make, kim.id, password_links.HANDED)
    assert not works(third), "nobody who is locked out comes in by a link"


def test_of_two_who_use_a_link_at_once_one_does(any_database: db.Database) -> None:
    kim = make_user()
    token = db.write(password_links.make, kim.id, password_links.HANDED)
    used: list[User] = []

    def use() -> None:
        used.append(do_desk(password_links.use, token, hashed_password()))

    at_once(use, use, use)
    assert len(used) == 1


def test_two_admins_cannot_take_each_others_place_at_once(any_database: db.Database) -> None:
    first, second = make_user(is_admin=True), make_user(is_admin=True)
    at_once(
        lambda: do_desk(users.set_admin, first.id, False),
        lambda: do_desk(users.set_admin, second.id, False),
    )
    assert [row(one).is_admin for one in (first, second)].count(True) == 1


def test_an_admin_and_an_owner_cannot_lock_each_other_out_at_once(any_database: db.Database) -> None:
    workspace = make_workspace()
    first, second = (make_user(workspace=workspace, role=Role.OWNER, is_admin=True) for _ in range(2))
    at_once(lambda: db.write(users.disable, first.id), lambda: db.write(users.delete, second.id))
    assert [row(one).disabled_at for one in (first, second)].count(None) == 1


def test_one_removes_while_the_other_locks_out(any_database: db.Database) -> None:
    workspace = make_workspace()
    first, second = (make_user(workspace=workspace, role=Role.OWNER) for _ in range(2))
    at_once(lambda: db.write(members.remove, workspace, first.id), lambda: db.write(users.disable, second.id))
    with db.read() as session:
        owners = [one for one in members.listing(session, workspace) if not one.disabled]
    assert len(owners) == 1


def test_the_last_admin_and_the_last_owner_stay(desk: Flask) -> None:
    workspace = make_workspace("Pottery")
    admin = make_user(is_admin=True)
    owner = make_user(workspace=workspace, role=Role.OWNER)
    client = client_for(desk, admin)
    client.post_form(f"/admin/people/{admin.id}/admin", admin="0")
    client.post_form(f"/admin/people/{admin.id}/disable", seen="asked")
    assert "only admin" in client.get("/admin/people").text
    client.post_form(f"/admin/people/{owner.id}/disable", seen="asked")
    assert "The only owner of Pottery" in client.get("/admin/people").text
    assert row(admin).is_admin
    assert row(admin).disabled_at is row(owner).disabled_at is None
    for refused in (users.disable, users.delete):
        for person in (admin, owner):
            with pytest.raises(ConflictError):
                db.write(refused, person.id)
    locked_out = make_user(is_admin=True)
    db.write(users.disable, locked_out.id)
    with pytest.raises(ConflictError):
        do_desk(users.set_admin, admin.id, False)
    with pytest.raises(ConflictError):
        do_desk(users.set_admin, locked_out.id, True)


def test_who_is_locked_out_leaves_nothing_open(desk: Flask) -> None:
    workspace = make_workspace()
    owner = make_user(name="Ann", workspace=workspace, role=Role.OWNER)
    kim = make_user("kim@example.com", "Kim", workspace=workspace, role=Role.OWNER)
    taken = conversation(workspace, kim)
    do(api_keys.create, workspace, "Wiki", [Scope.READ], actor=kim.id)
    theirs = client_for(desk, kim)
    admin = client_for(desk, make_user(is_admin=True))
    address = f"/admin/people/{kim.id}/disable"
    asked = admin_page(admin.post_form(address))
    assert "1 open conversation" in asked
    assert "Wiki" in asked
    assert theirs.get("/account").status_code == 200, "nothing is done yet"
    seen = re.findall(r'name="seen" value="([^"]+)"', asked)
    given = {f"conversations-{workspace}": owner.id, f"keys-{workspace}": owner.id}
    assert admin.post_form(address, seen=seen, **given).status_code == 302
    assert theirs.get("/account").location.startswith("/login")
    with db.read() as session:
        from host.models.inbox import Conversation

        assert session.get_one(Conversation, taken).assignee_id == owner.id
        key = session.scalars(sa.select(ApiKey)).one()
        assert (key.holder_id, key.revoked_at) == (owner.id, None)
    assert browser(desk).post_form("/login", email=kim.email, password=PASSWORD).status_code == 401
    admin.post_form(f"/admin/people/{kim.id}/enable")
    assert browser(desk).post_form("/login", email=kim.email, password=PASSWORD).status_code == 302


def a_rule(
    session: Session, workspace: int, name: str, person: int, state: RuleState = RuleState.LIVE
) -> None:
    """Add a rule that assigns to a person."""
    now = clock.now()
    more = {"position": 0, "version": 1, "state_at": now, "created_at": now}
    rule = Rule(workspace_id=workspace, name=name, state=state, **more)
    session.add(rule)
    session.flush()
    body = {"actions": [{"type": "assign", "person": person}]}
    session.add(RuleVersion(rule_id=rule.id, number=1, body=body, author="Ann", at=now))


def test_replies_that_wait_and_rules_that_name_them_are_said(desk: Flask) -> None:
    workspace = make_workspace("Pottery")
    owner = make_user(name="Ann", workspace=workspace, role=Role.OWNER)
    kim = make_user("kim@example.com", "Kim", workspace=workspace)
    taken = conversation(workspace, kim)
    rules = (
        ("To Kim", kim, RuleState.LIVE),
        ("To Ann", owner, RuleState.LIVE),
        ("Not at work", kim, RuleState.OFF),
    )
    now = clock.now()

    def write(session: Session) -> None:
        for name, person, state in rules:
            a_rule(session, workspace, name, person.id, state)
        account = session.get_one(Conversation, taken).account_id
        of = {"workspace_id": workspace, "conversation_id": taken, "account_id": account, "author_id": kim.id}
        what = {"direction": "outbound", "origin": "agent", "kind": "text", "text": "Soon", "content": {}}
        session.add(Message(**of, **what, state="queued", sent_at=now, created_at=now))

    db.write(write)
    asked = client_for(desk, owner).post_form(f"/w/{workspace}/settings/people/{kim.id}/remove").text
    assert "1 waiting reply is still sent." in asked
    assert "2 things that refer to them are kept" in asked
    said = " ".join(re.sub(r"<[^>]+>", "", asked).split())
    assert "Rule To Kim (live)" in said
    assert "Rule Not at work (off)" in said
    assert "To Ann" not in asked
    assert "unsent drafts are kept" in asked


def test_conversations_go_to_nobody_who_is_not_asked(desk: Flask) -> None:
    from host.models.inbox import Conversation

    workspace, elsewhere = make_workspace(), make_workspace()
    make_user(workspace=workspace, role=Role.OWNER)
    kim, stranger = make_user(workspace=workspace), make_user(workspace=elsewhere)
    auditor = make_user(workspace=workspace, role=Role.AUDITOR)
    taken = conversation(workspace, kim)
    admin = client_for(desk, make_user(is_admin=True))
    seen = ["asked", f"conversations-{workspace}"]
    for wrong in (stranger, auditor, kim):
        admin.post_form(
            f"/admin/people/{kim.id}/disable", seen=seen, **{f"conversations-{workspace}": wrong.id}
        )
        assert row(kim).disabled_at is None
    assert admin.post_form(f"/admin/people/{kim.id}/disable", seen=seen).status_code == 302
    with db.read() as session:
        assert session.get_one(Conversation, taken).assignee_id is None


def test_a_new_password_comes_before_anything_else(desk: Flask) -> None:
    kim = make_user("kim@example.com", workspace=make_workspace())
    theirs, admin = client_for(desk, kim), client_for(desk, make_user(is_admin=True))
    admin.post_form(f"/admin/people/{kim.id}/new-password")
    assert theirs.get("/account").location.startswith("/account/new-password?next=/account")
    refused = theirs.get("/notifications", headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "new_password_needed")
    here = "/account/new-password"
    same = {"current": PASSWORD, "password": PASSWORD, "again": PASSWORD}
    assert theirs.post_form(here, **same).status_code == 400
    assert theirs.post_form(here, current="wrong one", password=NEW, again=NEW).status_code == 400
    assert row(kim).new_password
    assert (
        theirs.post_form(f"{here}?next=/account", current=PASSWORD, password=NEW, again=NEW).location
        == "/account"
    )
    assert theirs.get("/account").status_code == 200
    admin.post_form(f"/admin/people/{kim.id}/new-password")
    assert theirs.post_form("/logout").status_code == 302, "one may leave instead"


def test_signed_out_everywhere(desk: Flask) -> None:
    kim = make_user()
    theirs = [client_for(desk, kim) for _ in range(2)]
    client_for(desk, make_user(is_admin=True)).post_form(f"/admin/people/{kim.id}/sign-out")
    assert [one.get("/account").status_code for one in theirs] == [302, 302]


def test_one_thing_is_done_with_many_people(desk: Flask) -> None:
    boss = make_user("boss@example.com", is_admin=True)
    admin = client_for(desk, boss)
    kim, bo, stays = make_user("kim@example.com", "Kim"), make_user("bo@example.com", "Bo"), make_user()
    ids = [str(kim.id), str(bo.id)]
    assert admin.post_form("/admin/people/many", do="sign-out").location == "/admin/people"
    assert admin.post_form("/admin/people/many", do="fire", person=ids).status_code == 400
    assert admin.post_form("/admin/people/many", do="new-password", person=ids).status_code == 302
    assert [row(one).new_password for one in (kim, bo, stays)] == [True, True, False]
    asked = admin.post_form("/admin/people/many", do="disable", person=ids)
    assert (asked.status_code, row(kim).disabled_at) == (200, None)
    assert "Lock 2 people out?" in asked.text
    everybody = [*ids, str(boss.id)]
    admin.post_form("/admin/people/many", do="disable", person=everybody, sure="1")
    assert [row(one).disabled_at is None for one in (kim, bo, boss)] == [False, False, True]
    page = admin.get("/admin/people").text
    assert "Applied to 2 people." in page
    assert "This is the only admin." in page
    admin.post_form("/admin/people/many", do="enable", person=ids)
    assert row(kim).disabled_at is None


def test_whatever_is_done_with_people_is_confirmed_first(desk: Flask) -> None:
    kim = make_user()
    theirs, admin = client_for(desk, kim), client_for(desk, make_user(is_admin=True))
    page = admin.get("/admin/people").text
    forms = re.findall(rf'<form method="post" action="/admin/people/{kim.id}/([^"]+)"([^>]*)>', page)
    asks = {name for name, more in forms if "data-confirm=" in more}
    assert asks == {name for name, _more in forms} - {"link", "disable"}, "a link is shown, locking out asks"
    with clock.travel(sudo.FRESH + timedelta(seconds=1)):
        json = {"Accept": "application/json", "X-CSRFToken": admin.csrf()}
        for form in [{"do": do, "person": str(kim.id)} for do in MANY]:
            refused = admin.post("/admin/people/many", data=form, headers=json)
            assert refused.json["error"]["code"] == "password_needed", form
        assert theirs.get("/account").status_code == 200
        admin.post_form("/admin/people/many", do="sign-out", person=str(kim.id), password=PASSWORD)
        assert theirs.get("/account").status_code == 302


def test_ids_of_nobody_are_answered_as_such(desk: Flask) -> None:
    admin = client_for(desk, make_user(is_admin=True))
    gone = make_user()
    db.write(users.delete, gone.id)
    for id_ in (987654, gone.id):
        for action in ("link", "new-password", "sign-out", "enable", "admin", "disable"):
            assert admin.post_form(f"/admin/people/{id_}/{action}").status_code == 404, action


def test_a_deleted_account_leaves_a_name_and_no_way_in(desk: Flask) -> None:
    workspace = make_workspace()
    make_user(workspace=workspace, role=Role.OWNER)
    kim = make_user("kim@example.com", "Kim", workspace=workspace)
    theirs = client_for(desk, kim)
    assert theirs.post_form("/account/delete", password="not this").status_code == 400
    assert row(kim).deleted_at is None
    assert theirs.post_form("/account/delete", password=PASSWORD).location == "/login"
    found = row(kim)
    assert (found.name, found.password_hash) == ("Kim", passwords.NONE)
    assert "kim@example.com" not in found.email
    with db.read() as session:
        for model in (LoginSession, Membership):
            assert session.scalars(sa.select(model).where(model.user_id == kim.id)).all() == []
    assert browser(desk).post_form("/login", email="kim@example.com", password=PASSWORD).status_code == 401
    make_user("kim@example.com", "Another Kim")


def test_who_has_no_password_deletes_their_account_after_a_fresh_sign_in(desk: Flask) -> None:
    make_user(is_admin=True)
    kim = make_user("kim@example.com", "Kim")
    none = sa.update(User).where(User.id == kim.id).values(password_hash=passwords.NONE)
    db.write(lambda session: session.execute(none) and None)
    theirs = client_for(desk, kim)
    page = theirs.get("/account").text
    assert "You don't have a password." in page
    assert 'id="delete-password"' not in page
    for wrong in ({}, {"address": "mia@example.com"}, {"password": PASSWORD}):
        assert theirs.post_form("/account/delete", **wrong).status_code == 400
    with clock.travel(timedelta(minutes=20)):
        assert "Confirm that it’s you first" in theirs.get("/account").text
        answer = theirs.post_form("/account/delete", address="kim@example.com")
        assert answer.status_code == 403
        assert "/account/confirm" in answer.text
    assert row(kim).deleted_at is None
    assert theirs.post_form("/account/delete", address="Kim@example.com ").location == "/login"
    assert row(kim).deleted_at is not None


# Links by mail


@pytest.fixture
def mailing(database: db.Database, data: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Flask, list[Any]]:
    """A desk with a mail server, and what that took."""
    settings = {"mail_server": "smtp://127.0.0.1:1"}
    sent: list[Any] = []
    monkeypatch.setattr(mail, "send", lambda _server, letter: sent.append(letter))
    monkeypatch.setattr(password_links, "_config", make_config(data, **settings))
    return build_app(data, **settings), sent


def test_a_forgotten_password_is_replaced_by_mail(mailing: tuple[Flask, list[Any]]) -> None:
    desk, sent = mailing
    make_user("kim@example.com")
    client = browser(desk)
    assert "Get a link by email" in client.get("/login").text
    answers = [
        client.post_form("/forgot", email=email).text for email in ("Kim@Example.com", "no@example.com")
    ]
    assert re.sub(r'"csrf-token" content="[^"]*"', "", answers[0]) == re.sub(
        r'"csrf-token" content="[^"]*"', "", answers[1]
    )
    assert password_links.send_due() == 1
    (letter,) = sent
    assert letter["To"] == "kim@example.com"
    (link,) = re.findall(r"/password/\S+", letter.get_content())
    with db.read() as session:
        assert link.rpartition("/")[2] not in session.scalars(sa.select(PasswordLink.token_hash)).all()
    with clock.travel(timedelta(hours=1)):
        assert browser(desk).get(link).status_code == 404
    assert client.post_form(link, password=NEW, again=NEW).location == "/"
    assert browser(desk).post_form("/login", email="kim@example.com", password=NEW).status_code == 302
    assert password_links.send_due() == 0


def test_links_are_mailed_in_the_language_of_whom_they_are_for(mailing: tuple[Flask, list[Any]]) -> None:
    desk, sent = mailing
    kim = make_user("kim@example.com", "Kim")
    german = sa.update(User).where(User.id == kim.id).values(locale="de")
    db.write(lambda session: session.execute(german) and None)
    browser(desk).post_form("/forgot", email="kim@example.com")
    assert password_links.send_due() == 1
    assert sent[0]["Subject"] == "Ein neues Passwort"
    assert sent[0].get_content().startswith("Hallo Kim")


def test_asking_has_limits_that_say_nothing_of_who_exists(mailing: tuple[Flask, list[Any]]) -> None:
    desk, sent = mailing
    make_user("kim@example.com")
    for _ in range(6):
        assert browser(desk).post_form("/forgot", email="kim@example.com").status_code == 200
    password_links.send_due()
    assert len(sent) == 1, "asking often brings one mail"
    statuses = {
        browser(desk).post_form("/forgot", email=f"x{number}@example.com").status_code
        for number in range(LINKS_OF_ADDRESS[0].amount)
    }
    assert statuses == {200, 429}


def test_somebody_locked_out_gets_no_mail(mailing: tuple[Flask, list[Any]]) -> None:
    desk, sent = mailing
    kim = make_user("kim@example.com")
    browser(desk).post_form("/forgot", email=kim.email)
    db.write(users.disable, kim.id)
    password_links.send_due()
    assert sent == []


def test_a_server_that_is_away_is_asked_again(
    mailing: tuple[Flask, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, sent = mailing
    make_user("kim@example.com")
    browser(desk).post_form("/forgot", email="kim@example.com")

    def away(*_: Any) -> None:
        raise mail.NotSentError("away")

    with monkeypatch.context() as patched:
        patched.setattr(mail, "send", away)
        assert password_links.send_due() == 0
    with clock.travel(password_links.PAUSE):
        assert password_links.send_due() == 1
    assert len(sent) == 1


def test_without_a_mail_server_the_page_is_not_there(desk: Flask) -> None:
    assert browser(desk).get("/forgot").status_code == 404
    assert "Ask a desk admin for a link" in browser(desk).get("/login").text


# On the command line


def test_the_command_does_the_same(database: db.Database, data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBBY_DATA", str(data))
    monkeypatch.setenv("LOBBY_DATABASE_URL", database.url.render_as_string(hide_password=False))
    make_user(is_admin=True)
    workspace = make_workspace("Pottery")
    make_user(workspace=workspace, role=Role.OWNER)
    kim = make_user("kim@example.com", workspace=workspace, role=Role.OWNER)
    conversation(workspace, kim)
    do(api_keys.create, workspace, "Wiki", [Scope.READ], actor=kim.id)
    db.write(a_rule, workspace, "To Kim", kim.id)

    def lobby(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["user", *arguments])
        return f"{result.exit_code} {result.output}"

    assert lobby("add", "noor@example.com", "--name", "Noor", "--admin").startswith("0 ")
    locked_out = lobby("disable", kim.email)
    assert locked_out.startswith("0 ")
    assert "Rule “To Kim” stays, but skips the steps that involve them." in locked_out
    assert "In Pottery, open conversations that become unassigned: 1." in locked_out
    assert "The API key “Wiki” no longer works" in locked_out
    assert row(kim).disabled_at is not None
    assert lobby("admin", kim.email).startswith("1 ")
    assert lobby("enable", kim.email).startswith("0 ")
    assert row(kim).disabled_at is None
    assert lobby("admin", kim.email).startswith("0 ")
    assert row(kim).is_admin
    assert lobby("admin", "--no", kim.email).startswith("0 ")
    assert lobby("new-password", kim.email).startswith("0 ")
    assert row(kim).new_password
    assert re.search(r"http://\S+/password/\S+", lobby("link", kim.email))
    db.write(sessions.start, kim.id, "")
    assert lobby("sign-out", kim.email).startswith("0 ")
    assert '"workspaces": {}' in lobby("list", "--json")
    assert lobby("enable", "nobody@example.com").startswith("1 ")
    with db.read() as session:
        done = set(session.scalars(sa.select(AuditEntry.action)))
    assert {
        "api_key.ended",
        "user.added",
        "user.disabled",
        "user.enabled",
        "user.made_admin",
        "session.all_ended",
    } <= done


@pytest.mark.parametrize("where", ["/admin/people", "/w/{}/settings/people"])
def test_many_people_stand_on_pages_of_their_own(desk: Flask, where: str) -> None:
    workspace = make_workspace()
    boss = make_user("boss@example.com", is_admin=True, workspace=workspace, role=Role.OWNER)
    for number in range(60):
        make_user(f"p{number:02}@example.com", f"Person {number:02}", workspace=workspace)
    client, address = client_for(desk, boss), where.format(workspace)

    def shown(page: str) -> list[str]:
        return re.findall(r"<span class=\"any\" translate=\"no\">(p\d\d)@", page)

    seen: list[str] = []
    page = admin_page(client.get(address))
    while True:
        assert len(re.findall(r'<th scope="row">', page)) <= 25
        seen += shown(page)
        further = re.search(r'rel="next" href="([^"]+)"', page)
        if further is None:
            break
        page = admin_page(client.get(further.group(1)))
    assert seen == [f"p{number:02}" for number in range(60)]
    assert "51 to 61 of 61" in page

    narrowed = admin_page(client.get(f"{address}?q=person+"))
    assert "1 to 25 of 60" in narrowed
    assert "q=person" in re.findall(r'rel="next" href="([^"]+)"', narrowed)[0]
    assert shown(admin_page(client.get(f"{address}?q=person+&page=99"))) == seen[50:], "past the end"
    assert client.get(f"{address}?page=last").status_code == 400


def test_many_workspaces_stand_on_pages_of_their_own(desk: Flask) -> None:
    for number in range(30):
        make_workspace(f"Shop {number:02}")
    client = client_for(desk, make_user(is_admin=True))
    page = admin_page(client.get("/admin/workspaces"))
    assert re.findall(r"Shop \d\d", page) == [f"Shop {number:02}" for number in range(25)]
    page = admin_page(client.get("/admin/workspaces?page=2"))
    assert re.findall(r"Shop \d\d", page) == [f"Shop {number:02}" for number in range(25, 30)]
