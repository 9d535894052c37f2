"""Teams: names, members and accounts, the team of a conversation, what waits for each, the settings pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.events.kinds.conversations import CONVERSATION_TEAM_ASSIGNED, TEAM_DELETED, OfTeam
from host.events.models import ActorKind, DomainEvent
from host.inbox import conversation_actions, queries, saved_views
from host.inbox.bulk import actions
from host.inbox.bulk.actions import BulkChange
from host.inbox.errors import NotAMemberError
from host.inbox.pages.arguments import Filter
from host.inbox.queries import AnyTeam, Assignee, ConversationFilter
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamAccountError, TeamNameError, TeamNotFoundError
from host.inbox.teams.models import Team, TeamAccount, TeamMember
from host.inbox.teams.teams import TeamDetails
from host.models.inbox import Conversation, Message
from host.models.users import AuditEntry, Role
from host.users import members, reach
from host.users.actor import Acting, Actor
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def anywhere(any_database: db.Database) -> int:
    """A workspace with one conversation, on each kind of database."""
    workspace = toys.make_workspace()
    toys.apply(toys.make_account(workspace), toys.received("Hello"))
    return workspace


def made(workspace: int, name: str, *people: int, lead: int = 0, accounts: tuple[int, ...] = ()) -> int:
    return do(
        teams.create, workspace, name=name, people={id_: id_ == lead for id_ in people}, accounts=accounts
    ).id


def changed(workspace: int, team: int, **what: Any) -> TeamDetails:
    return do(teams.change, workspace, team, **what)


def fill(workspace: int, team: int, *people: int, lead: int = 0) -> None:
    changed(workspace, team, people={id_: id_ == lead for id_ in people})


def change(workspace: int, conversation: int, author: int | None = None, **changes: Any) -> bool:
    return do(conversation_actions.set_fields, workspace, conversation, changes, actor=author)


def told() -> list[OfTeam]:
    """What the record says of teams."""
    with db.read() as session:
        kinds = (CONVERSATION_TEAM_ASSIGNED, TEAM_DELETED)
        query = sa.select(DomainEvent.data).where(DomainEvent.kind.in_(kinds)).order_by(DomainEvent.id)
        return [msgspec.json.decode(data or "{}", type=OfTeam) for data in session.scalars(query)]


def found(workspace: int, user: int | None, **values: Any) -> bool:
    """Whether the workspace's one conversation is listed and counted by a filter."""
    filter_ = ConversationFilter(**values)
    with db.read() as session:
        listed = queries.list_conversations(session, workspace, user, filter_).rows
        counted = queries.count_each(session, workspace, user or 0, [filter_], 9) if user else [len(listed)]
    assert counted == [len(listed)]
    return bool(listed)


def waiting(workspace: int, user: int, accounts: reach.Accounts = None) -> list[tuple[str, int, int, int]]:
    with db.read() as session:
        seen = teams.with_counts(session, workspace, teams.inbox_teams(session, workspace, user), accounts)
    return [(one.name, one.open, one.waiting, one.nobody) for one in seen]


def test_a_name_is_one_that_no_other_team_has(anywhere: int) -> None:
    team = made(anywhere, "  Orders ")
    assert toys.only(Team).name == "Orders"
    for name in ("ORDERS", "", "\u200b", "x" * 41):
        with pytest.raises(TeamNameError):
            made(anywhere, name)
    made(toys.make_workspace("Other"), "Orders")
    assert changed(anywhere, team, name="orders").name == "orders"
    with pytest.raises(TeamNotFoundError):
        changed(toys.make_workspace(), team, name="Theirs")


def test_there_are_only_so_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teams, "MOST", 1)
    made(desk.workspace, "Orders")
    with pytest.raises(TeamNameError, match="maximum number of teams"):
        made(desk.workspace, "Repairs")


def test_members_and_accounts_are_of_the_workspace(anywhere: int) -> None:
    mia, bo = toys.make_user(anywhere), toys.make_user(anywhere, "Bo T.")
    auditor = toys.make_user(anywhere, "Al", role=Role.AUDITOR)
    away = toys.make_workspace("Other")
    stranger, foreign = toys.make_user(away), toys.make_account(away).id
    team = made(anywhere, "Orders", mia, bo, lead=bo)
    since = {one.user_id: one.since for one in toys.everything_of(TeamMember)}
    for nobody in (auditor, stranger):
        with pytest.raises(NotAMemberError):
            fill(anywhere, team, mia, nobody)
    with pytest.raises(TeamAccountError):
        changed(anywhere, team, accounts=[foreign])
    with db.read() as session:
        assert [(one.name, one.lead) for one in teams.details(session, anywhere, team).members] == [
            ("Bo T.", True),
            ("Mia R.", False),
        ]
        assert teams.leads(session, team, bo)
        assert not teams.leads(session, team, mia)
    before = toys.everything_of(AuditEntry)
    fill(anywhere, team, mia, bo, lead=bo)
    assert len(toys.everything_of(AuditEntry)) == len(before)
    fill(anywhere, team, mia, lead=mia)
    (left,) = toys.everything_of(TeamMember)
    assert (left.user_id, left.lead, left.since) == (mia, True, since[mia])
    db.write(members.remove, anywhere, mia)
    assert toys.everything_of(TeamMember) == [], "who leaves the workspace leaves its teams"


def test_a_conversation_goes_to_a_team_and_is_told_of(anywhere: int) -> None:
    conversation = toys.only(Conversation).id
    mia, bo = toys.make_user(anywhere), toys.make_user(anywhere, "Bo T.")
    orders, repairs = made(anywhere, "Orders", mia), made(anywhere, "Repairs", bo)
    change(anywhere, conversation, mia, assignee_id=mia)
    assert change(anywhere, conversation, mia, team_id=orders)
    assert not change(anywhere, conversation, mia, team_id=orders)
    assert toys.only(Conversation).assignee_id == mia, "Mia is in the team"
    change(anywhere, conversation, mia, team_id=repairs)
    assert toys.only(Conversation).assignee_id is None, "Mia is not"
    change(anywhere, conversation, mia, team_id=orders, assignee_id=bo)
    assert toys.only(Conversation).assignee_id == bo, "as it was said"
    change(anywhere, conversation, mia, team_id=None)
    assert [replace(facts, state=None) for facts in told()] == [
        OfTeam(team=orders),
        OfTeam(team=repairs, before=orders),
        OfTeam(team=orders, before=repairs),
        OfTeam(before=orders),
    ]
    lines = [one.content for one in toys.everything(Message) if one.kind == "activity"]
    assert [one["name"] for one in lines if one["what"] == "team_assigned"] == ["Orders", "Repairs", "Orders"]
    for foreign in (made(toys.make_workspace("Other"), "Theirs"), 10**9):
        with pytest.raises(TeamNotFoundError):
            change(anywhere, conversation, mia, team_id=foreign)


def test_the_filter_asks_for_a_team_for_mine_and_for_none(anywhere: int) -> None:
    conversation, mia, bo = toys.only(Conversation).id, toys.make_user(anywhere), toys.make_user(anywhere)
    orders, repairs = made(anywhere, "Orders", mia), made(anywhere, "Repairs", bo)
    assert found(anywhere, mia, team=AnyTeam.NONE)
    assert waiting(anywhere, mia) == [("Orders", 0, 0, 0), ("Repairs", 0, 0, 0)]
    change(anywhere, conversation, team_id=orders)
    assert found(anywhere, mia, team=orders)
    assert found(anywhere, mia, team=AnyTeam.MINE, assignee=Assignee.NOBODY)
    assert not found(anywhere, bo, team=AnyTeam.MINE)
    assert not found(anywhere, bo, team=repairs)
    assert not found(anywhere, mia, team=AnyTeam.NONE)
    assert found(anywhere, None, team=orders)
    with pytest.raises(ValueError, match="of its own"):
        found(anywhere, None, team=AnyTeam.MINE)
    assert waiting(anywhere, bo) == [("Repairs", 0, 0, 0), ("Orders", 1, 1, 1)], "one's own first"
    change(anywhere, conversation, assignee_id=mia)
    assert waiting(anywhere, mia)[0] == ("Orders", 1, 1, 0)
    assert waiting(anywhere, mia, frozenset())[0] == ("Orders", 0, 0, 0), "of accounts they do not see"
    change(anywhere, conversation, spam=True)
    assert waiting(anywhere, mia)[0] == ("Orders", 0, 0, 0)


def test_numbers_come_of_the_index_of_teams_alone(desk: Desk, database: db.Database) -> None:
    teams_ = [made(desk.workspace, name) for name in ("Orders", "Repairs")]
    values = {"workspace": desk.workspace, "teams": teams_, "accounts": [desk.account.id]}
    for limited in (False, True):
        query = teams._count_query(limited)
        with database.read_engine.connect() as connection:
            compiled = query.params(**values).compile(
                database.read_engine, compile_kwargs={"literal_binds": True}
            )
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
        words = " ".join(str(row[3]) for row in plan)
        assert "USING COVERING INDEX ix_conversations_team (workspace_id=? AND status=?" in words, words


def test_a_team_that_is_deleted_leaves_its_conversations(anywhere: int) -> None:
    conversation, mia = toys.only(Conversation).id, toys.make_user(anywhere)
    account = toys.only(Conversation).account_id
    team = made(anywhere, "Orders", mia, accounts=(account,))
    change(anywhere, conversation, mia, team_id=team, assignee_id=mia)
    view = Filter(team=team)
    kept = do(saved_views.create, anywhere, owner_id=mia, name="Ours", shows=view)
    with db.read() as session:
        assert teams.listing(session, anywhere)[0].all == 1
        assert saved_views.missing(session, anywhere, view) == []
    gone = do(teams.delete, anywhere, team, actor=Actor(ActorKind.USER, mia))
    assert gone.name == "Orders"
    row = toys.only(Conversation)
    assert (row.team_id, row.assignee_id) == (None, mia)
    assert toys.everything(Team) == toys.everything_of(TeamMember) == toys.everything_of(TeamAccount) == []
    assert told()[-1] == OfTeam(team=team)
    with db.read() as session:
        assert len(saved_views.missing(session, anywhere, view)) == 1
        condition = saved_views.get(session, anywhere, kept.id, mia).condition
        assert saved_views.filter_of(condition).team == team
    assert not found(anywhere, mia, team=team)


def test_who_sees_what_their_teams_do_follows_the_teams(anywhere: int) -> None:
    conversation, kim = toys.only(Conversation).id, toys.make_user(anywhere, "Kim L.")
    account = toys.only(Conversation).account_id
    other = toys.make_account(anywhere).id
    db.write(members.set_accounts, anywhere, kim, frozenset({other}), by_teams=True)

    def sees() -> list[int]:
        with db.read() as session:
            answers = {one.id for id_ in (account, other) for one in queries.members(session, anywhere, id_)}
            assert answers == ({kim} if reach.limits(session, users=[kim]) else set())
            return sorted(reach.limits(session, users=[kim]).get((kim, anywhere), ()))

    assert sees() == [other]
    team = made(anywhere, "Orders", kim, accounts=(account, other))
    assert sees() == sorted((account, other))
    with db.read() as session:
        (listed,) = members.listing(session, anywhere)
    assert (listed.accounts, listed.by_teams) == (frozenset({account, other}), True)

    def takes_it() -> None:
        change(anywhere, conversation, assignee_id=kim)

    takes_it()
    changed(anywhere, team, accounts=[other])
    assert (sees(), toys.only(Conversation).assignee_id) == ([other], None)
    changed(anywhere, team, accounts=[account])
    takes_it()
    fill(anywhere, team)
    assert (sees(), toys.only(Conversation).assignee_id) == ([other], None)
    fill(anywhere, team, kim)
    takes_it()
    do(teams.delete, anywhere, team)
    assert (sees(), toys.only(Conversation).assignee_id) == ([other], None)
    with pytest.raises(NotAMemberError):
        takes_it()


def test_many_go_to_a_team_and_come_back(desk: Desk) -> None:
    anywhere = desk.workspace
    toys.apply(desk.account, toys.received("Hello"))
    mia, bo = toys.make_user(anywhere), toys.make_user(anywhere)
    team = made(anywhere, "Orders", mia)
    change(anywhere, toys.only(Conversation).id, bo, assignee_id=bo)
    here = Acting(anywhere, Actor(ActorKind.USER, mia), clock.now())
    with pytest.raises(TeamNotFoundError):
        actions.start(here, BulkChange("team", team_id=team + 1), ConversationFilter())
    done = actions.start(here, BulkChange("team", team_id=team), ConversationFilter())
    row = toys.only(Conversation)
    assert (done.changed, row.team_id, row.assignee_id) == (1, team, None)
    assert actions.undo(here, done.id).restored == 1
    row = toys.only(Conversation)
    assert (row.team_id, row.assignee_id) == (None, bo)


# The pages


def post(browser: helpers.Browser, path: str, **fields: Any) -> Any:
    """POST a form and return the page it leads to."""
    data = {"csrf_token": browser.csrf(), **fields}
    return browser.post(path, data=data, follow_redirects=True)


def test_a_lead_keeps_teams_and_agents_work_in_them(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    at = desk.path(f"/{scene.conversation('ana')}")
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    page = f"/w/{desk.workspace}/settings/teams"
    assert desk.browser.get(page).status_code == 403
    assert "My teams" not in desk.browser.get(desk.path()).text
    assert "Now choose its members." in post(lead, page, name="Orders <b>").text
    refused = post(lead, page, name="orders <B>")
    assert (refused.status_code, "A team with that name already exists" in refused.text) == (400, True)
    team = toys.only(Team).id
    # What is wrong with one field saves nothing of the others, and all of it is shown again.
    wrong = post(lead, f"{page}/{team}", name=" ", member=str(desk.mia.id), account=str(desk.account.id))
    assert (wrong.status_code, toys.everything_of(TeamMember)) == (400, [])
    assert wrong.text.count("checked") == 2
    post(
        lead,
        f"{page}/{team}",
        name="Orders <i>",
        member=str(desk.mia.id),
        lead=str(desk.mia.id),
        account=str(desk.account.id),
    )
    assert "1 account" not in lead.get(page).text
    assert "team lead" in lead.get(page).text
    post(desk.browser, f"{at}/assign", team=str(team))
    shown = desk.browser.get(at).text
    assert "Mia R. assigned this to the team Orders &lt;i&gt;" in shown
    listed = desk.browser.get(desk.path(f"?team={team}&view=unassigned")).text
    assert "data-row" in listed
    assert re.search(r"<h2[^>]*><bdi[^>]*>Orders &lt;i&gt;, unassigned</bdi>", listed)
    assert '<span class="count"><b>1</b> / 1</span>' in listed
    assert "Other teams" not in listed
    assert "Teams</h2>" in lead.get(desk.path()).text
    post(lead, f"{page}/{team}/delete")
    assert "The team in this view’s filter was deleted." in desk.browser.get(desk.path(f"?team={team}")).text


def test_accounts_of_one_name_are_told_apart_by_their_channel(desk: Desk) -> None:
    other = toys.make_account(desk.workspace, "by_letter")
    team = made(desk.workspace, "Orders", desk.mia.id, accounts=(other.id,))
    lead = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.LEAD))
    owner = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.OWNER))
    settings = f"/w/{desk.workspace}/settings"
    for browser, page in ((lead, f"/teams/{team}"), (owner, f"/people/{desk.mia.id}")):
        text = " ".join(re.sub(r"<[^>]+>", " ", browser.get(f"{settings}{page}").text).split())
        assert re.findall(r"@sample.pottery (?:\w\w )?(\w+)", text) == ["Toy", "By_letter"]
    listed = lead.get(f"{settings}/teams").text
    assert re.search(
        r'class="channel"><span class="channel-mark[^>]*>\s*<svg[^>]*>.*?</svg>\s*</span><span [^>]*>@sample',
        listed,
    )


def test_who_leads_a_team_changes_its_members_alone(desk: Desk) -> None:
    bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace)
    theirs = made(desk.workspace, "Orders", desk.mia.id, lead=desk.mia.id, accounts=(desk.account.id,))
    other = made(desk.workspace, "Repairs", desk.mia.id, bo.id)
    page = f"/w/{desk.workspace}/settings/teams"
    shown = desk.browser.get(f"{page}/{theirs}").text
    assert ('name="member"' in shown, 'name="account"' in shown, "/delete" in shown) == (True, False, False)
    here = post(
        desk.browser,
        f"{page}/{theirs}",
        name="Mine",
        account="",
        member=[str(desk.mia.id), str(bo.id)],
        lead=str(desk.mia.id),
    )
    assert "Saved." in here.text
    with db.read() as session:
        team = teams.details(session, desk.workspace, theirs)
    assert (team.name, len(team.members), team.accounts) == ("Orders", 2, frozenset({desk.account.id}))
    for address in (f"{page}/{other}", f"{page}/{theirs}/delete"):
        assert post(desk.browser, address, name="Mine").status_code == 403
    assert desk.browser.get(f"{page}/{other}").status_code == 403
    assert desk.browser.get(f"{page}/{other + 1}").status_code == 404
    # Who takes themselves out sees the inbox, not a page they may not open.
    assert "data-inbox" in post(desk.browser, f"{page}/{theirs}", member=str(bo.id)).text


def test_an_owner_lets_an_agent_see_what_their_teams_do(desk: Desk) -> None:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Where is it?", scene.now)
    owner = helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.OWNER))
    people = f"/w/{desk.workspace}/settings/people"
    team = made(desk.workspace, "Orders", desk.mia.id)
    post(owner, f"{people}/{desk.mia.id}/role", role="agent", see="teams")
    assert 'value="teams" checked' in owner.get(f"{people}/{desk.mia.id}").text
    assert "Accounts of their teams, 0 of 1 accounts" in owner.get(people).text
    assert "Ana Q." not in desk.browser.get(desk.path()).text
    changed(desk.workspace, team, accounts=[desk.account.id])
    assert "Ana Q." in desk.browser.get(desk.path()).text
    # A form that says nothing of accounts leaves it, another role ends it.
    post(owner, f"{people}/{desk.mia.id}/role", role="agent")
    assert 'value="teams" checked' in owner.get(f"{people}/{desk.mia.id}").text
    post(owner, f"{people}/{desk.mia.id}/role", role="lead")
    assert 'value="all" checked' in owner.get(f"{people}/{desk.mia.id}").text
