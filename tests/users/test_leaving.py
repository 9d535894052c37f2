"""What a person made does not let them back in: keys and invitations end with their place."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.actions import Close
from host.core import clock, db
from host.delivery.housekeeping import Housekeeping
from host.inbox import saved_views
from host.inbox.canned import macros, replies
from host.inbox.canned.models import CannedReply, Macro
from host.inbox.canned.replies import Viewer
from host.models.saved_views import SavedView
from host.models.users import AuditEntry, Membership, Role, User
from host.users import invitations, members, users
from tests import helpers
from tests.api.conftest import desk
from tests.api.desks import ApiDesk, Program
from tests.helpers import Browser, browser, client_for, do, do_desk, work

__all__ = ["desk"]


def owner(desk: ApiDesk, email: str, name: str) -> User:
    return helpers.make_user(email, name, workspace=desk.workspace, role=Role.OWNER)


def keys_page(desk: ApiDesk) -> str:
    return f"/w/{desk.workspace}/settings/api"


def new_key(desk: ApiDesk, who: Browser, name: str = "Shop", scopes: str = "write") -> Program:
    made = who.post_form(keys_page(desk), name=name, scopes=scopes)
    found = re.search(r'id="api-key" value="([^"]+)"', made.text)
    assert found is not None, made.text
    return Program(desk.app, found.group(1))


def actions(*wanted: str) -> list[tuple[str, str]]:
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action.in_(wanted)).order_by(AuditEntry.id)
        return [(row.action, row.subject) for row in session.scalars(query)]


LEAVES: dict[str, tuple[Callable[[int, int], object], str]] = {
    "left": (lambda w, u: db.write(members.remove, w, u), "left the workspace"),
    "demoted": (lambda w, u: db.write(members.set_role, w, u, Role.AGENT), "no longer an owner"),
    "locked_out": (lambda _w, u: db.write(users.disable, u), "locked out"),
    "deleted": (
        lambda w, u: db.write(
            lambda s: s.execute(
                sa.delete(Membership).where(Membership.user_id == u, Membership.workspace_id == w)
            )
        ),
        "left the workspace",
    ),
}


@pytest.mark.parametrize("how", list(LEAVES))
def test_a_key_ends_with_its_makers_place(desk: ApiDesk, how: str) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    program = new_key(desk, client_for(desk.app, jo))
    assert program.call("GET", "/accounts").status_code == 200
    leave, reason = LEAVES[how]
    leave(desk.workspace, jo.id)
    status, error = program.refused("GET", "/accounts")
    assert (status, error["code"]) == (401, "key_ended")
    assert reason in error["message"]
    assert "create a new one" in error["next"]
    shown = client_for(desk.app, owner(desk, "ann@example.com", "Ann")).get(keys_page(desk)).text
    assert f"Jo Brandt {'was ' if how == 'locked_out' else ''}" in shown
    assert reason in shown


def test_an_ended_key_stays_ended_when_its_maker_comes_back(desk: ApiDesk) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    program = new_key(desk, client_for(desk.app, jo))
    db.write(members.remove, desk.workspace, jo.id)
    db.write(members.add, desk.workspace, jo.id, Role.OWNER)
    assert program.refused("GET", "/accounts")[1]["code"] == "key_ended"


def test_keys_of_other_people_and_workspaces_go_on(desk: ApiDesk) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    elsewhere = helpers.make_workspace("Studio")
    db.write(members.add, elsewhere, jo.id, Role.OWNER)
    theirs = client_for(desk.app, jo).post_form(f"/w/{elsewhere}/settings/api", name="X", scopes="read")
    found = re.search(r'id="api-key" value="([^"]+)"', theirs.text)
    assert found is not None
    db.write(members.set_role, desk.workspace, jo.id, Role.AGENT)
    assert Program(desk.app, found.group(1)).call("GET", "/accounts").status_code == 200
    assert desk.program.call("GET", "/accounts").status_code == 200


@pytest.mark.parametrize("what", ["remove", "role"])
def test_before_somebody_goes_the_page_says_which_keys_end(desk: ApiDesk, what: str) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    ann = client_for(desk.app, owner(desk, "ann@example.com", "Ann"))
    program = new_key(desk, client_for(desk.app, jo), "Nightly export", "read")
    address = f"/w/{desk.workspace}/settings/people/{jo.id}/{what}"
    asked = ann.post_form(address, role="agent")
    assert asked.status_code == 200
    assert "Nothing has been changed yet" in asked.text
    assert "Nightly export" in asked.text
    assert program.call("GET", "/accounts").status_code == 200
    seen = re.findall(r'name="seen" value="([^"]+)"', asked.text)
    assert ann.post_form(address, role="agent", seen=seen).status_code == 302
    assert program.refused("GET", "/accounts")[0] == 401
    assert actions("api_key.ended") == [("api_key.ended", "Nightly export")]


@pytest.mark.parametrize("what", ["remove", "role"])
def test_the_keys_can_be_handed_to_another_owner(desk: ApiDesk, what: str) -> None:
    jo, ann_user = owner(desk, "jo@example.com", "Jo Brandt"), owner(desk, "ann@example.com", "Ann")
    ann = client_for(desk.app, ann_user)
    program = new_key(desk, client_for(desk.app, jo), "Nightly export")
    address = f"/w/{desk.workspace}/settings/people/{jo.id}/{what}"
    seen = re.findall(r'name="seen" value="([^"]+)"', ann.post_form(address, role="agent").text)
    agent = helpers.make_user("agent@example.com", workspace=desk.workspace)
    ann.post_form(address, role="agent", seen=seen, **{f"keys-{desk.workspace}": str(agent.id)})
    assert [one.role for one in people(desk) if one.user_id == jo.id] == [Role.OWNER], "all or nothing"
    mine = {f"keys-{desk.workspace}": str(ann_user.id)}
    assert ann.post_form(address, role="agent", seen=seen, **mine).status_code == 302
    assert program.call("GET", "/accounts").status_code == 200
    shown = ann.get(keys_page(desk)).text
    assert "by Jo Brandt" in shown
    assert "owned by Ann" in shown
    assert actions("api_key.handed_over") == [("api_key.handed_over", "Nightly export")]
    owner(desk, "last@example.com", "Last")
    db.write(members.remove, desk.workspace, ann_user.id)
    assert program.refused("GET", "/accounts")[0] == 401


def people(desk: ApiDesk) -> list[members.Member]:
    with db.read() as session:
        return list(members.listing(session, desk.workspace))


def test_an_owner_takes_a_key_over(desk: ApiDesk) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    ann = client_for(desk.app, owner(desk, "ann@example.com", "Ann"))
    program = new_key(desk, client_for(desk.app, jo), "Nightly export")
    found = re.search(r"/settings/api/(\d+)/take-over", ann.get(keys_page(desk)).text)
    assert found is not None
    assert ann.post_form(f"{keys_page(desk)}/{found.group(1)}/take-over").status_code == 302
    db.write(members.remove, desk.workspace, jo.id)
    assert program.call("GET", "/accounts").status_code == 200
    assert actions("api_key.taken_over") == [("api_key.taken_over", "Nightly export")]


@pytest.mark.parametrize("how", ["left", "demoted", "locked_out"])
def test_an_invitation_of_somebody_who_left_lets_nobody_in(desk: ApiDesk, how: str) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    mine = do(
        invitations.invite,
        desk.workspace,
        email="jo.again@example.com",
        role=Role.OWNER,
        actor=jo.id,
    )
    theirs = do(
        invitations.invite,
        desk.workspace,
        email="kim@example.com",
        role=Role.AGENT,
        actor=desk.inbox.mia.id,
    )
    assert browser(desk.app).get(f"/invite/{mine}").status_code == 200
    LEAVES[how][0](desk.workspace, jo.id)
    assert browser(desk.app).get(f"/invite/{mine}").status_code == 404
    assert browser(desk.app).get(f"/invite/{theirs}").status_code == 200


def test_before_somebody_goes_the_page_says_which_invitations_end(desk: ApiDesk) -> None:
    jo = owner(desk, "jo@example.com", "Jo Brandt")
    ann = client_for(desk.app, owner(desk, "ann@example.com", "Ann"))
    do(
        invitations.invite,
        desk.workspace,
        email="kim@example.com",
        role=Role.AGENT,
        actor=jo.id,
    )
    asked = ann.post_form(f"/w/{desk.workspace}/settings/people/{jo.id}/remove")
    assert "kim@example.com" in asked.text
    assert any(one.user_id == jo.id for one in people(desk))


def own_things(desk: ApiDesk, person: User | None) -> None:
    """Make a canned reply, a macro and a view: of *person*, or shared."""
    who = Viewer(person.id if person else None, keeps=True)
    name, now = f"of-{person.id if person else 'all'}", clock.now()

    def write(session: Session) -> None:
        wanted = replies.CannedReplyInput(
            shortcut=name, title="Hours", texts={replies.ANY: "9 to 5"}, own=person is not None
        )
        replies.create(work(session, desk.workspace, now=now), wanted, who)
        steps, here = (Close(),), work(session, desk.workspace, now=now)
        macros.create(here, who, name=name, steps=steps, shared=person is None)
        saved_views.create(here, owner_id=who.user_id, name=name, shows="late")

    db.write(write)


def owners_of(*kinds: type[CannedReply | Macro | SavedView]) -> set[tuple[int | None, ...]]:
    with db.read() as session:
        return {tuple(session.scalars(sa.select(kind.owner_id).order_by(kind.id))) for kind in kinds}


def test_what_was_their_own_ends_with_their_place_and_the_page_says_so(desk: ApiDesk) -> None:
    ann, jo = owner(desk, "ann@example.com", "Ann"), owner(desk, "jo@example.com", "Jo")
    for person in (ann, jo, None):
        own_things(desk, person)
    kinds = (CannedReply, Macro, SavedView)
    says = "3 personal canned replies, macros and views are deleted."
    assert says in client_for(desk.app, jo).get("/account").text
    db.write(users.disable, jo.id)
    Housekeeping().clean_up()
    assert owners_of(*kinds) == {(ann.id, jo.id, None)}, "who is locked out finds it again"
    do_desk(users.enable, jo.id)
    client = client_for(desk.app, ann)
    address = f"/w/{desk.workspace}/settings/people/{jo.id}/remove"
    asked = client.post_form(address)
    assert says in asked.text
    seen = re.findall(r'name="seen" value="([^"]+)"', asked.text)
    assert client.post_form(address, seen=seen).status_code == 302
    Housekeeping().clean_up()
    assert owners_of(*kinds) == {(ann.id, None)}
