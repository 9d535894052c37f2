"""Who is in a workspace: inviting, joining, roles, leaving."""

from __future__ import annotations

import contextlib
import re
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from host.core import clock, db
from host.core.errors import ConflictError, InvalidError, LobbyError, NotFoundError
from host.models.signing_in import RequirementScope
from host.models.users import AuditEntry, Invitation, Membership, Role, User
from host.users import invitations, members, passwords, users
from host.users.signin import settings
from tests.helpers import (
    PASSWORD,
    browser,
    client_for,
    do,
    do_desk,
    hashed_password,
    join,
    make_user,
    make_workspace,
)
from tests.users.test_second_factor import pending, with_app

NEW = {"name": "Jo Brandt", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def workspace(desk: Flask) -> int:
    return make_workspace("Pottery")


@pytest.fixture
def owner(workspace: int) -> User:
    return make_user("owner@example.com", "Mia Reuter", workspace=workspace, role=Role.OWNER)


def invite(workspace: int, owner: User, email: str = "jo@example.com", role: Role = Role.AGENT) -> str:
    return do(invitations.invite, workspace, email=email, role=role, actor=owner.id)


def role_of(workspace: int, email: str) -> str | None:
    query = (
        sa.select(Membership.role)
        .join(User, User.id == Membership.user_id)
        .where(Membership.workspace_id == workspace, User.email == email)
    )
    with db.read() as session:
        return session.scalar(query)


def test_an_owner_gets_a_link_that_is_shown_once(desk: Flask, workspace: int, owner: User) -> None:
    client = client_for(desk, owner)
    page = client.post_form(f"/w/{workspace}/settings/people/invite", email="jo@example.com", role="agent")
    assert page.status_code == 200
    link = page.text.split('value="http://127.0.0.1:8080')[1].split('"')[0]
    assert browser(desk).get(link).status_code == 200
    later = client.get(f"/w/{workspace}/settings/people").text
    assert "jo@example.com" in later
    assert link not in later
    with db.read() as session:
        assert link.rsplit("/", 1)[1] not in session.scalars(sa.select(Invitation.token_hash)).one()


def test_several_are_invited_at_once_each_with_a_link_of_their_own(
    desk: Flask, workspace: int, owner: User
) -> None:
    client = client_for(desk, owner)
    address = f"/w/{workspace}/settings/people/invite"
    page = client.post_form(address, email="a@example.com, B@example.com\na@example.com;", role="lead")
    links = re.findall(r'value="http://127.0.0.1:8080(/invite/[^"]+)"', page.text)
    assert len(set(links)) == 2
    for link, email in zip(links, ("a@example.com", "b@example.com"), strict=True):
        assert email in browser(desk).get(link).text
    for wrong, sentence in (
        ("c@example.com, d", "d: "),
        (f"c@example.com {owner.email}", f"{owner.email}: "),
    ):
        refused = client.post_form(address, email=wrong, role="agent")
        assert 400 <= refused.status_code < 500
        assert sentence in refused.text
        assert "c@example.com" in refused.text, "what was typed stays"
    assert (
        client.post_form(address, email=" ".join(f"p{n}@example.com" for n in range(51))).status_code == 400
    )
    with db.read() as session:
        assert sorted(session.scalars(sa.select(Invitation.email))) == ["a@example.com", "b@example.com"]
        written = session.scalars(
            sa.select(AuditEntry.subject).where(AuditEntry.action == "member.invited")
        ).all()
    assert written == ["a@example.com", "b@example.com"]


def test_the_list_says_who_has_no_second_factor_and_greys_the_only_owner(
    desk: Flask, workspace: int, owner: User
) -> None:
    make_user("kim@example.com", "Kim", workspace=workspace)
    client = client_for(desk, owner)
    page = client.get(f"/w/{workspace}/settings/people").text
    assert page.count(">None</span>") == 2
    assert "The only owner can't be removed" in page
    assert page.count("Remove…") == 1
    make_user("second@example.com", workspace=workspace, role=Role.OWNER)
    assert "The only owner can't be removed" not in client.get(f"/w/{workspace}/settings/people").text


def test_the_list_says_which_second_factor_and_warns_where_one_is_asked_for(
    desk: Flask, workspace: int, owner: User
) -> None:
    make_user("kim@example.com", "Kim", workspace=workspace)
    _secret, codes = with_app(owner)
    client = browser(desk)
    assert client.post_form(pending(client, owner), code=codes[0]).status_code == 302
    address = f"/w/{workspace}/settings/people"
    assert "Authenticator app" in client.get(address).text
    assert "no second factor yet" not in client.get(address).text, "nobody is asked for one"
    do_desk(settings.save_second_factor, RequirementScope.ADMINS)
    assert "no second factor yet" not in client.get(address).text, "no admin is without one"
    do_desk(settings.save_second_factor, RequirementScope.EVERYBODY)
    page = client.get(address).text
    assert "1 person has no second factor yet." in page
    assert page.count(">None yet</span>") == 1
    assert "Whole desk" not in page, "they are no admin"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("", {"owner@example.com", "kim@example.com", "gone@example.com", "new@example.com"}),
        ("?q=KIM", {"kim@example.com"}),
        ("?q=%20example.com&role=owner", {"owner@example.com"}),
        ("?role=agent", {"kim@example.com", "gone@example.com", "new@example.com"}),
        ("?state=active", {"owner@example.com", "kim@example.com"}),
        ("?state=disabled", {"gone@example.com"}),
        ("?state=invited", {"new@example.com"}),
        ("?state=no_second&q=k", {"kim@example.com"}),
        ("?state=disabled&role=owner", set()),
        (
            "?role=king&state=odd",
            {"owner@example.com", "kim@example.com", "gone@example.com", "new@example.com"},
        ),
    ],
)
def test_the_list_is_narrowed(desk: Flask, workspace: int, owner: User, asked: str, shown: set[str]) -> None:
    make_user("kim@example.com", "Kim", workspace=workspace)
    gone = make_user("gone@example.com", "Gone", workspace=workspace)
    db.write(users.disable, gone.id)
    invite(workspace, owner, "new@example.com")
    page = client_for(desk, owner).get(f"/w/{workspace}/settings/people{asked}").text
    rows = page[page.index('class="bar"') : page.index('id="invite"')]
    assert set(re.findall(r"[a-z]+@example\.com(?=<)", rows)) == shown
    assert ("No matching people." in page) == (not shown)
    assert "2 people can sign in, 1 is invited, 1 is locked out." in page, "all are counted"


def test_a_new_person_joins_with_a_name_and_a_password(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    client = browser(desk)
    assert client.post_form(f"/invite/{token}", **NEW).location == "/"
    assert role_of(workspace, "jo@example.com") == Role.AGENT
    assert client.get("/").location.startswith(f"/w/{workspace}/")
    assert browser(desk).post_form("/login", email="jo@example.com", password=PASSWORD).status_code == 302


def test_somebody_with_an_account_signs_in_and_joins(desk: Flask, workspace: int, owner: User) -> None:
    person = make_user("jo@example.com")
    token = invite(workspace, owner, role=Role.OWNER)
    page = browser(desk).get(f"/invite/{token}").text
    assert f"/login?next=/invite/{token}" in page
    assert 'name="password"' not in page
    client = client_for(desk, person)
    assert client.post_form(f"/invite/{token}").location == "/"
    assert role_of(workspace, "jo@example.com") == Role.OWNER


def test_an_account_is_not_taken_over_by_accepting_as_new(desk: Flask, workspace: int, owner: User) -> None:
    make_user("jo@example.com")
    token = invite(workspace, owner)
    answer = browser(desk).post_form(
        f"/invite/{token}", **{**NEW, "password": "another phrase", "again": "another phrase"}
    )
    assert answer.status_code == 400
    assert role_of(workspace, "jo@example.com") is None
    assert (
        browser(desk).post_form("/login", email="jo@example.com", password="another phrase").status_code
        == 401
    )


def test_an_invitation_is_for_the_person_it_names(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    other = client_for(desk, make_user("eve@example.com"))
    assert "This invitation is for someone else." in other.get(f"/invite/{token}").text
    assert other.post_form(f"/invite/{token}").status_code == 409
    assert role_of(workspace, "eve@example.com") is None
    assert browser(desk).get(f"/invite/{token}").status_code == 200


def test_an_invitation_works_once(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    browser(desk).post_form(f"/invite/{token}", **NEW)
    assert browser(desk).get(f"/invite/{token}").status_code == 404
    assert browser(desk).post_form(f"/invite/{token}", **NEW).status_code == 404


def test_an_invitation_ends_after_a_week(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    with clock.travel(timedelta(days=6, hours=23)):
        assert browser(desk).get(f"/invite/{token}").status_code == 200
    with clock.travel(timedelta(days=7, seconds=1)):
        assert browser(desk).get(f"/invite/{token}").status_code == 404
        assert browser(desk).post_form(f"/invite/{token}", **NEW).status_code == 404


def test_an_invitation_can_be_withdrawn(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    with db.read() as session:
        number = session.scalars(sa.select(Invitation.id)).one()
    client = client_for(desk, owner)
    foreign = client_for(desk, make_user(workspace=make_workspace(), role=Role.OWNER))
    assert (
        foreign.post_form(f"/w/{workspace}/settings/people/invitations/{number}/withdraw").status_code == 404
    )
    assert (
        client.post_form(f"/w/{workspace}/settings/people/invitations/{number}/withdraw").status_code == 302
    )
    assert browser(desk).get(f"/invite/{token}").status_code == 404


def test_an_owner_cannot_withdraw_the_invitation_of_another_workspace(
    desk: Flask, workspace: int, owner: User
) -> None:
    invite(workspace, owner)
    with db.read() as session:
        number = session.scalars(sa.select(Invitation.id)).one()
    elsewhere = make_workspace()
    client = client_for(desk, make_user(workspace=elsewhere, role=Role.OWNER))
    assert (
        client.post_form(f"/w/{elsewhere}/settings/people/invitations/{number}/withdraw").status_code == 404
    )


def test_a_second_invitation_ends_the_first(desk: Flask, workspace: int, owner: User) -> None:
    first, second = invite(workspace, owner), invite(workspace, owner)
    assert browser(desk).get(f"/invite/{first}").status_code == 404
    assert browser(desk).get(f"/invite/{second}").status_code == 200


def test_a_member_is_not_invited_again(desk: Flask, workspace: int, owner: User) -> None:
    answer = client_for(desk, owner).post_form(
        f"/w/{workspace}/settings/people/invite", email=owner.email, role="agent"
    )
    assert answer.status_code == 409
    assert "already in the workspace" in answer.text


@pytest.mark.parametrize(
    "email", ["", "nobody", "a b@example.com", "a@b@c", "x@" + "y" * 260, "a@b\r\nBcc: c"]
)
def test_an_invitation_needs_an_address(desk: Flask, workspace: int, owner: User, email: str) -> None:
    answer = client_for(desk, owner).post_form(
        f"/w/{workspace}/settings/people/invite", email=email, role="agent"
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("role", ["admin", "", "OWNER", "root"])
def test_no_other_roles_can_be_given(desk: Flask, workspace: int, owner: User, role: str) -> None:
    agent = make_user(workspace=workspace)
    client = client_for(desk, owner)
    assert (
        client.post_form(f"/w/{workspace}/settings/people/invite", email="x@y.z", role=role).status_code
        == 400
    )
    assert client.post_form(f"/w/{workspace}/settings/people/{agent.id}/role", role=role).status_code == 400


def test_fields_nobody_asked_for_change_nothing(desk: Flask, workspace: int, owner: User) -> None:
    token = invite(workspace, owner)
    browser(desk).post_form(f"/invite/{token}", **NEW, is_admin="1", role="owner", email="eve@example.com")
    assert role_of(workspace, "jo@example.com") == Role.AGENT
    with db.read() as session:
        assert not session.scalars(sa.select(User).where(User.email == "jo@example.com")).one().is_admin


def test_of_two_people_who_use_one_invitation_one_joins(any_database: db.Database) -> None:
    workspace = make_workspace()
    owner = make_user(workspace=workspace, role=Role.OWNER)
    token = invite(workspace, owner)
    start = threading.Barrier(4)
    results: list[str] = []

    def race(number: int) -> None:
        start.wait()
        try:
            do_desk(invitations.accept_as_new, token, name=f"Jo {number}", password=hashed_password())
        except LobbyError as error:
            results.append(error.code)
        else:
            results.append("joined")

    hashed_password()
    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results).count("joined") == 1
    assert len(results) == 4


def test_an_owner_makes_others_owners_and_back(desk: Flask, workspace: int, owner: User) -> None:
    agent = make_user("jo@example.com", workspace=workspace)
    client = client_for(desk, owner)
    client.post_form(f"/w/{workspace}/settings/people/{agent.id}/role", role="owner")
    assert role_of(workspace, "jo@example.com") == Role.OWNER
    client.post_form(f"/w/{workspace}/settings/people/{agent.id}/role", role="agent")
    assert role_of(workspace, "jo@example.com") == Role.AGENT


def test_the_last_owner_stays(desk: Flask, workspace: int, owner: User) -> None:
    client = client_for(desk, owner)
    client.post_form(f"/w/{workspace}/settings/people/{owner.id}/remove", seen="asked")
    client.post_form(f"/w/{workspace}/settings/people/{owner.id}/role", role="agent")
    assert role_of(workspace, owner.email) == Role.OWNER
    assert "only owner" in client.get(f"/w/{workspace}/settings/people").text


def test_an_owner_who_is_locked_out_does_not_count_as_one(desk: Flask, workspace: int, owner: User) -> None:
    other = make_user(workspace=workspace, role=Role.OWNER)
    db.write(users.disable, other.id)
    with pytest.raises(ConflictError):
        db.write(members.remove, workspace, owner.id)


def test_two_owners_cannot_remove_each_other_at_once(any_database: db.Database) -> None:
    workspace = make_workspace()
    first = make_user(workspace=workspace, role=Role.OWNER)
    second = make_user(workspace=workspace, role=Role.OWNER)
    start = threading.Barrier(2)

    def race(user: User) -> None:
        start.wait()
        with contextlib.suppress(LobbyError):
            db.write(members.remove, workspace, user.id)

    threads = [threading.Thread(target=race, args=(user,)) for user in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert len(members.listing(session, workspace)) == 1


def test_removing_somebody_asks_once_and_says_what_ends(desk: Flask, workspace: int, owner: User) -> None:
    agent, client = make_user(workspace=workspace), client_for(desk, owner)
    path = f"/w/{workspace}/settings/people"
    form = re.search(rf'<form[^>]*action="{path}/{agent.id}/remove"[^>]*>', client.get(path).text)
    assert form
    assert "data-confirm" not in form[0], "a dialog before the page would ask twice"
    page = client.post_form(f"{path}/{agent.id}/remove").text
    assert f"Remove {agent.name}?" in page
    assert 'name="seen" value="asked"' in page
    assert role_of(workspace, agent.email) == Role.AGENT
    assert client.post_form(f"{path}/{agent.id}/remove", seen="asked").location == path


def test_somebody_removed_is_out_of_the_workspace_at_once(desk: Flask, workspace: int, owner: User) -> None:
    agent = make_user(workspace=workspace, role=Role.OWNER)
    theirs = client_for(desk, agent)
    assert theirs.get(f"/w/{workspace}/settings/people").status_code == 200
    client_for(desk, owner).post_form(f"/w/{workspace}/settings/people/{agent.id}/remove", seen="asked")
    assert theirs.get(f"/w/{workspace}/settings/people").status_code == 404


def test_conversations_of_somebody_removed_go_back_to_nobody(
    desk: Flask, workspace: int, owner: User
) -> None:
    from host.models.inbox import Conversation

    agent, elsewhere = make_user(workspace=workspace), make_workspace()
    join(elsewhere, agent)
    here, there = conversation(workspace, agent), conversation(elsewhere, agent)
    db.write(members.remove, workspace, agent.id)
    with db.read() as session:
        assert session.get(Conversation, here).assignee_id is None  # type: ignore[union-attr]
        assert session.get(Conversation, there).assignee_id == agent.id  # type: ignore[union-attr]


def conversation(workspace: int, assignee: User) -> int:
    from host.models.channels import AccountState, ChannelAccount
    from host.models.inbox import Contact, ContactIdentity, Conversation

    now = clock.now()

    def use_case(session: sa.orm.Session) -> int:
        account = ChannelAccount(
            uuid=f"u{workspace}", workspace_id=workspace, channel="email", external_id=f"a{workspace}",
            claim=None, name="A", handle="a", way="pasted", state=AccountState.CONNECTED, settings={},
            created_at=now, connected_at=now,
        )  # fmt: skip
        contact = Contact(workspace_id=workspace, name="C", created_at=now)
        session.add_all([account, contact])
        session.flush()
        identity = ContactIdentity(
            workspace_id=workspace, contact_id=contact.id, account_id=account.id, external_id="c",
            profile={}, created_at=now,
        )  # fmt: skip
        session.add(identity)
        session.flush()
        row = Conversation(
            workspace_id=workspace, channel="email", account_id=account.id, contact_id=contact.id,
            identity_id=identity.id, status="open", assignee_id=assignee.id, last_message_at=now,
            last_preview="", last_direction="inbound", last_kind="text", created_at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def test_what_happens_to_a_team_is_written_down(desk: Flask, workspace: int, owner: User) -> None:
    agent = make_user("jo@example.com", workspace=workspace)
    client = client_for(desk, owner)
    client.post_form(f"/w/{workspace}/settings/people/invite", email="new@example.com", role="agent")
    client.post_form(f"/w/{workspace}/settings/people/{agent.id}/role", role="owner")
    client.post_form(f"/w/{workspace}/settings/people/{agent.id}/remove", seen="asked")
    client.post_form(f"/w/{workspace}/settings/general", name="Shop")
    with db.read() as session:
        rows = list(session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)))
    assert [(row.action, row.subject) for row in rows] == [
        ("member.invited", "new@example.com"),
        ("member.role_changed", "jo@example.com"),
        ("member.removed", "jo@example.com"),
        ("workspace.renamed", "Shop"),
    ]
    assert {(row.user_id, row.workspace_id) for row in rows} == {(owner.id, workspace)}


def test_the_only_admin_is_not_locked_out(database: db.Database) -> None:
    admin, other = make_user(is_admin=True), make_user(is_admin=True)
    db.write(users.disable, other.id)
    with pytest.raises(ConflictError, match="only admin"):
        db.write(users.disable, admin.id)


def test_nobody_has_an_address_twice(any_database: db.Database) -> None:
    make_user("mia@example.com")
    with pytest.raises(ConflictError):
        make_user("MIA@example.com")
    with pytest.raises(NotFoundError):
        with db.read() as session:
            users.by_email(session, "nobody@example.com")


def test_an_address_is_only_ever_itself(any_database: db.Database) -> None:
    make_user("mia@example.com")
    with db.read() as session:
        assert users.find_user(session, "mía@example.com") is None
        assert users.find_user(session, "MIA@EXAMPLE.COM") is not None


@pytest.mark.parametrize("name", ["", "   ", "\u202e\u2066", "x" * 121])
def test_a_name_has_something_to_read(database: db.Database, name: str) -> None:
    with pytest.raises(InvalidError):
        users.clean_name(name)


def test_a_name_stays_on_its_line_and_reads_forward() -> None:
    assert users.clean_name("  Mia\r\nBcc: eve \u202egnp.exe ") == "Mia Bcc: eve gnp.exe"


def test_a_password_can_be_given_as_text_or_hashed(database: db.Database) -> None:
    person = make_user()
    db.write(users.set_password, person.id, "another fine phrase")
    with db.read() as session:
        stored = users.by_email(session, person.email).password_hash
    assert passwords.verify(stored, "another fine phrase")
    with pytest.raises(InvalidError):
        db.write(users.set_password, person.id, "short")
