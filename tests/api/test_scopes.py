"""Scopes, limits and expiries: each route needs what the reviewed table says, and a key gets nothing more."""

from __future__ import annotations

import io
import secrets
import tomllib
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from host.api.http.declare import Route
from host.api.http.declare import routes as api_routes
from host.api.key_form import PRESETS
from host.core import clock, db
from host.core.errors import ConflictError, InvalidError
from host.inbox import messages
from host.inbox.teams import teams
from host.models.api_keys import ApiKey
from host.models.channels import ChannelAccount
from host.models.inbox import ConversationLink
from host.models.users import Role
from host.users import api_keys as keys
from host.users.api_keys import BEFORE, GRANTABLE, Limit, Scope
from tests import helpers
from tests.api.desks import ApiDesk, Program, a_post, endpoint_ids, make_key
from tests.helpers import do
from tests.inbox import toys
from tests.reports.test_figures import span, store

TABLE = tomllib.loads(Path(__file__).with_name("scopes.toml").read_text())
GUARDED = [route for route in api_routes() if route.scope is not None]
NOWHERE = 2**40


def program(desk: ApiDesk, scopes: Collection[Scope], **more: Any) -> Program:
    """Return a program whose key has *scopes*."""
    owner = helpers.make_user(workspace=desk.workspace, role=Role.OWNER)
    token = do(keys.create, desk.workspace, "Tool", scopes, actor=owner.id, **more)
    return Program(desk.app, token)


def preset(value: str) -> frozenset[Scope]:
    return next(one.scopes for one in PRESETS if one.value == value)


def nowhere(caller: Program, route: Route) -> TestResponse:
    """Call *route* with ids that nothing has."""
    path = route.path.format_map(dict.fromkeys(route.places, NOWHERE))
    body = next(iter(route.examples.values())) if route.examples else None
    options: dict[str, Any] = {"data": {"file": (io.BytesIO(b"x"), "x.png")}} if route.upload else {}
    return caller.call(route.method, path, body, **options)


def code(answer: TestResponse) -> str:
    return "" if answer.json is None or "error" not in answer.json else str(answer.json["error"]["code"])


def needs(route: Route) -> list[str]:
    """Return the scopes that the table says about a route; several of the first kind as ``a|b``."""
    first = "|".join(map(str, route.any_of))
    return [one for one in (first, *map(str, route.also)) if one]


def test_the_reviewed_table_names_what_each_route_needs() -> None:
    declared = {
        f"{route.method} {route.path}": {"needs": needs(route), "limited": route.limited} for route in GUARDED
    }
    assert {name: TABLE.get(name) for name in declared} == declared, "tests/api/scopes.toml is reviewed"
    assert set(TABLE) == set(declared)


def test_a_route_that_changes_something_needs_a_scope_that_writes() -> None:
    for route in GUARDED:
        assert route.writes is (route.method != "GET"), f"{route.method} {route.path}"


def test_a_key_lacks_what_it_was_not_given_and_is_told_which(desk: ApiDesk) -> None:
    for route in GUARDED:
        wanted = [route.any_of, *((scope,) for scope in route.also)]
        for some in filter(None, wanted):
            answer = nowhere(program(desk, GRANTABLE - set(some)), route)
            where = f"{route.method} {route.path} without {some}"
            assert (answer.status_code, code(answer)) == (403, "scope_missing"), where
            assert some[0] in answer.json["error"]["message"], where  # type: ignore[index]
            assert f'scope="{some[0]}"' in answer.headers["WWW-Authenticate"], where
        with db.read() as session:
            few = session.scalar(sa.select(sa.func.count()).select_from(ApiKey))
        if few and few > 40:
            db.write(lambda session: session.execute(sa.delete(ApiKey)))


def test_a_key_with_just_the_scopes_of_a_route_may_use_it(desk: ApiDesk) -> None:
    for route in GUARDED:
        for scope in route.any_of or tuple(GRANTABLE)[:1]:
            caller = program(desk, {scope, *route.also})
            answer = nowhere(caller, route)
            assert answer.status_code not in {401, 403}, f"{route.method} {route.path}: {answer.text}"
            hash_ = keys.hash_token(caller.token)
            db.write(
                lambda session, hash_=hash_: session.execute(
                    sa.delete(ApiKey).where(ApiKey.token_hash == hash_)
                )
            )


def test_a_key_of_before_may_what_it_could(desk: ApiDesk) -> None:
    for route in GUARDED:
        assert code(nowhere(desk.program, route)) != "scope_missing", f"{route.method} {route.path}"
        may_read = code(nowhere(desk.reader, route)) != "scope_missing"
        assert may_read is (route.method == "GET"), f"{route.method} {route.path}"
    later = {Scope.ACCOUNTS_WRITE, Scope.ERASE, Scope.APPROVE}
    assert set().union(*BEFORE.values()) == GRANTABLE - later, "a scope added later stays out of BEFORE"


def test_only_a_key_that_was_given_it_erases_a_contact(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    path = f"/contacts/{desk.program.get('/contacts')['data'][0]['id']}"
    before = Program(desk.app, make_key(desk.workspace, Scope.READ, Scope.WRITE))
    for caller in (program(desk, GRANTABLE - {Scope.ERASE}), program(desk, preset("read")), before):
        status, error = caller.refused("DELETE", path)
        assert (status, error["code"]) == (403, "scope_missing")
    assert program(desk, {Scope.ERASE}).call("DELETE", path).status_code == 204


def test_the_release_before_finds_no_scope_on_a_new_key(desk: ApiDesk) -> None:
    token = program(desk, GRANTABLE).token
    with db.read() as session:
        row = session.scalars(sa.select(ApiKey).where(ApiKey.token_hash == keys.hash_token(token))).one()
    assert row.scopes == ""


def test_a_key_that_only_reads_exports_no_contact(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    contact = desk.program.get("/contacts")["data"][0]["id"]
    reader = program(desk, preset("read"))
    assert reader.get(f"/contacts/{contact}")["id"] == contact
    status, error = reader.refused("GET", f"/contacts/{contact}/export")
    assert (status, error["code"]) == (403, "scope_missing")
    assert program(desk, {Scope.EXPORT}).call("GET", f"/contacts/{contact}/export").status_code == 200
    assert desk.reader.call("GET", f"/contacts/{contact}/export").status_code == 200


def test_a_key_ends_at_its_expiry_and_says_so(desk: ApiDesk) -> None:
    caller = program(desk, GRANTABLE, expires_at=clock.now() + timedelta(hours=1))
    with clock.travel(timedelta(minutes=59, seconds=58)):
        assert caller.get("/me")["expiresAt"] is not None
    with clock.travel(timedelta(hours=1, seconds=1)):
        status, error = caller.refused("GET", "/me")
        assert (status, error["code"]) == (401, "key_expired")
        with db.read() as session:
            row = next(one for one in keys.listing(session, desk.workspace) if one.name == "Tool")
        assert row.ended == "expired"
        with db.read() as session:
            rows = keys.listing(session, desk.workspace)
            assert [one.name for one in rows][-1] == "Tool", "keys that work come first"
            assert not keys.listing(session, desk.workspace, holder_id=row.holder_id)
        with pytest.raises(ConflictError):
            db.write(keys.hand_over, desk.workspace, row.id, row.holder_id)


def test_an_expired_key_counts_towards_no_limit(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST", 3)
    program(desk, GRANTABLE, expires_at=clock.now() + timedelta(hours=1))
    with pytest.raises(ConflictError):
        program(desk, GRANTABLE)
    with clock.travel(timedelta(hours=2)):
        program(desk, GRANTABLE)


def test_an_expiry_that_has_passed_is_refused(desk: ApiDesk) -> None:
    for seconds in (0, 1):
        with pytest.raises(InvalidError):
            program(desk, GRANTABLE, expires_at=clock.now() - timedelta(seconds=seconds))


def test_me_says_who_a_key_is_and_what_it_may(desk: ApiDesk) -> None:
    account = desk.inbox.account.id
    until = clock.now().replace(microsecond=0) + timedelta(days=3)
    caller = program(
        desk,
        {Scope.MESSAGES_READ, Scope.EXPORT},
        limit=Limit(accounts=(account,)),
        expires_at=until,
        automatic=True,
    )
    me = caller.get("/me")
    assert (me["name"], me["scopes"]) == ("Tool", ["export", "messages:read"])
    assert (me["accounts"], me["teams"], me["automatic"]) == ([account], None, True)
    assert me["workspace"]["id"] == desk.workspace
    assert me["workspace"]["name"]
    assert (me["beforeScopes"], me["readOnly"]) == (False, False)
    assert me["expiresAt"].startswith(until.isoformat()[:19])
    assert me["rateLimit"]["remaining"] < me["rateLimit"]["limit"]
    before = desk.reader.get("/me")
    assert before["beforeScopes"]
    assert (before["accounts"], before["expiresAt"]) == (None, None)
    assert before["scopes"] == sorted(BEFORE[Scope.READ])


# Keys that are limited to some accounts


@pytest.fixture
def other(desk: ApiDesk) -> int:
    """Return another account of the workspace; the customers of the scene write to the first."""
    desk.scene.said("ana.sample", "Ana", "Sample of the first account", desk.scene.ago(minutes=1))
    return toys.make_account(desk.workspace, "toy", name="Second").id


def limited(desk: ApiDesk, *accounts: int, teams: tuple[int, ...] = ()) -> Program:
    return program(desk, GRANTABLE, limit=Limit(accounts, teams))


def of_team(desk: ApiDesk, account: int) -> Program:
    """Return a program with a key that is limited to a new team, which has one account."""
    team = do(teams.create, desk.workspace, name=f"Kiln {secrets.token_hex(4)}", accounts=[account])
    return limited(desk, teams=(team.id,))


def test_a_limited_key_sees_nothing_of_other_accounts(desk: ApiDesk, other: int) -> None:
    caller = limited(desk, other)
    ids = {
        "conversation_id": desk.scene.conversation("ana.sample"),
        "contact_id": desk.program.get("/contacts")["data"][0]["id"],
        "account_id": desk.inbox.account.id,
        "post_id": a_post(desk),
        **endpoint_ids(desk),
    }
    messages = desk.program.get(f"/conversations/{ids['conversation_id']}/messages")["data"]
    ids["message_id"] = messages[0]["id"]
    checked = 0
    for route in GUARDED:
        named = set(route.places) & {"conversation_id", "contact_id", "account_id", "post_id", "message_id"}
        if not route.limited or not named:
            continue
        path = route.path.format_map({name: ids.get(name, NOWHERE) for name in route.places})
        body = next(iter(route.examples.values())) if route.examples else None
        answer = caller.call(route.method, path, body)
        assert answer.status_code == 404, f"{route.method} {route.path}: {answer.text}"
        checked += 1
    assert checked > 30
    by_address = caller.call("GET", f"/accounts/{desk.inbox.account.uuid}")
    assert by_address.status_code == 404


def test_lists_of_a_limited_key_hold_only_its_accounts(desk: ApiDesk, other: int) -> None:
    a_post(desk)
    start = {"after": desk.program.get("/events")["next"]}
    desk.scene.said("ana.sample", "Ana", "Sample again", desk.scene.ago(minutes=0))
    words = ("Sample again", "Tide mugs")
    here, there = limited(desk, desk.inbox.account.id), limited(desk, other)
    told = ""
    since = {"updatedSince": "2026-01-01T00:00:00Z"}
    lists = [route for route in GUARDED if route.method == "GET" and not route.places and route.limited]
    asked = [(one.path, {"/search": {"q": "sample"}, "/events": start}.get(one.path, {})) for one in lists]
    copied = [(one.path, since) for one in lists if "updated_since" in one.query.__struct_fields__]
    assert {path for path, _query in copied} == {"/conversations", "/messages", "/contacts"}
    for path, query in [*asked, *copied]:
        told += here.call("GET", path, query_string=query).text
        answer = there.call("GET", path, query_string=query)
        assert answer.status_code == 200, path
        if path != "/me":
            assert not [word for word in words if word in answer.text], path
    assert all(word in told for word in words), "a key of the account itself hears them"
    assert [one["id"] for one in there.get("/accounts")["data"]] == [other]
    assert there.get("/conversations")["data"] == there.get("/contacts")["data"] == []


@pytest.mark.parametrize("by_team", [False, True], ids=["account", "team"])
def test_a_cursor_of_another_key_shows_nothing_that_a_limited_key_may_not_see(
    desk: ApiDesk, other: int, by_team: bool
) -> None:
    """A cursor is only a position: what follows it depends on the key that sends it."""
    second = next(one for one in toys.everything(ChannelAccount) if one.id == other)
    for contact_name in ("ana.sample", "ben.sample", "cem.sample"):
        for account in (desk.inbox.account, second):
            desk.scene.said(contact_name, "Sample", "Hello", clock.now(), account=account)
    caller = of_team(desk, other) if by_team else limited(desk, other)
    account_of = {one["id"]: one["accountId"] for one in desk.program.get("/conversations")["data"]}
    assert set(account_of.values()) == {desk.inbox.account.id, other}
    seen = 0
    cursor: dict[str, str] = {}
    while True:
        rows = caller.get("/conversations", **cursor)["data"]
        assert {account_of[row["id"]] for row in rows} <= {other}
        seen += len(rows)
        following = desk.program.get("/conversations", limit=1, **cursor)["next"]
        if following is None:
            break
        cursor = {"cursor": following}
    assert seen


def both_accounts(desk: ApiDesk, other: int) -> int:
    """Make customers who write to both accounts of the desk in turn; return one whom both belong to."""
    second = next(one for one in toys.everything(ChannelAccount) if one.id == other)
    for number, name in enumerate(("ana.sample", "ben.sample", "cem.sample", "ana.sample")):
        for account in (desk.inbox.account, second):
            text = f"Hello {account.id} {number}"
            desk.scene.said(name, "Sample", text, clock.now(), account=account)
    people = {one["identities"][0]["accountId"]: one["id"] for one in desk.program.get("/contacts")["data"]}
    assert set(people) == {desk.inbox.account.id, other}
    merged = {"other": people[other]}
    desk.program.send("POST", f"/contacts/{people[desk.inbox.account.id]}/merge", merged)
    return int(people[desk.inbox.account.id])


def pages(caller: Program, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return the data of all pages of a list."""
    found: list[dict[str, Any]] = []
    for _page in range(100):
        page = caller.get(path, **query)
        found += page["data"]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]
    raise AssertionError(f"{path} does not end")


ORDERS: tuple[dict[str, Any], ...] = (
    {},
    {"sort": "oldest"},
    {"updatedSince": "2026-01-01T00:00:00Z", "limit": 3},
    {"limit": 1},
    {"limit": 1, "sort": "oldest"},
)


@pytest.mark.parametrize("query", ORDERS, ids=str)
@pytest.mark.parametrize("by_team", [False, True], ids=["account", "team"])
def test_a_limited_key_lists_the_messages_of_its_accounts(
    desk: ApiDesk, other: int, query: dict[str, Any], by_team: bool
) -> None:
    both_accounts(desk, other)
    for mine in (other, desk.inbox.account.id):
        caller = of_team(desk, mine) if by_team else limited(desk, mine)
        wanted = [one for one in pages(desk.program, "/messages", **query) if one["accountId"] == mine]
        assert len(wanted) >= 4
        assert pages(caller, "/messages", **query) == wanted
    everything = limited(desk, other, desk.inbox.account.id)
    assert pages(everything, "/messages", **query) == pages(desk.program, "/messages", **query)


@pytest.mark.parametrize("query", ORDERS, ids=str)
def test_a_cursor_of_another_key_leads_to_no_message_of_other_accounts(
    desk: ApiDesk, other: int, query: dict[str, Any]
) -> None:
    both_accounts(desk, other)
    caller, seen = limited(desk, other), 0
    given = {**query, "limit": 1}
    while True:
        page = caller.get("/messages", **{**given, "limit": 2})
        assert {one["accountId"] for one in page["data"]} <= {other}
        seen += len(page["data"])
        following = desk.program.get("/messages", **given)["next"]
        if following is None:
            break
        given["cursor"] = following
    assert seen


def test_a_page_of_a_limited_key_reads_a_limited_number_of_messages(
    desk: ApiDesk, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_LOOKED_AT", 4)
    second = next(one for one in toys.everything(ChannelAccount) if one.id == other)
    desk.scene.said("ana.sample", "Ana", "First", clock.now(), account=second)
    for number in range(30):
        desk.scene.said("ben.sample", "Ben", f"Between {number}", clock.now())
    desk.scene.said("ana.sample", "Ana", "Last", clock.now(), account=second)
    caller = limited(desk, other)
    page = caller.get("/messages", limit=2)
    assert ([one["text"] for one in page["data"]], page["next"] is None) == (["Last"], False)
    empty = caller.get("/messages", limit=2, cursor=page["next"])
    assert (empty["data"], empty["next"] is None) == ([], False)
    for query in ({}, {"sort": "oldest"}):
        texts = [one["text"] for one in pages(caller, "/messages", limit=2, **query)]
        assert sorted(texts) == ["First", "Last"]


def test_conversations_of_a_contact_are_those_on_the_accounts_of_a_limited_key(
    desk: ApiDesk, other: int
) -> None:
    contact = both_accounts(desk, other)
    path = f"/contacts/{contact}/conversations"
    everything = pages(desk.program, path, limit=1)
    assert {one["accountId"] for one in everything} == {desk.inbox.account.id, other}
    for mine in (other, desk.inbox.account.id):
        wanted = [one for one in everything if one["accountId"] == mine]
        for caller in (limited(desk, mine), of_team(desk, mine)):
            assert wanted == pages(caller, path, limit=1) == pages(caller, path)
            cursor = desk.program.get(path, limit=1)["next"]
            rest = caller.get(path, cursor=cursor)["data"]
            assert {one["accountId"] for one in rest} <= {mine}
    nobody = toys.make_account(desk.workspace, "toy", name="Third").id
    assert limited(desk, nobody).refused("GET", path)[0] == 404


def test_where_a_conversation_goes_on_is_hidden_from_a_key_of_one_side(desk: ApiDesk, other: int) -> None:
    contact = both_accounts(desk, other)
    found = pages(desk.program, f"/contacts/{contact}/conversations")
    first = next(one["id"] for one in found if one["accountId"] == desk.inbox.account.id)
    later = next(one["id"] for one in found if one["accountId"] == other)

    def link(session: Session) -> None:
        session.add(ConversationLink(before_id=first, after_id=later, created_at=clock.now()))

    db.write(link)
    assert desk.program.get(f"/conversations/{first}")["nextId"] == later
    assert limited(desk, desk.inbox.account.id).get(f"/conversations/{first}")["nextId"] is None
    assert limited(desk, other).get(f"/conversations/{later}")["previousId"] is None
    both = limited(desk, other, desk.inbox.account.id)
    assert both.get(f"/conversations/{later}")["previousId"] == first


def test_a_limited_key_sends_nothing_through_other_accounts(desk: ApiDesk, other: int) -> None:
    caller = limited(desk, other)
    first = desk.inbox.account
    bodies: list[dict[str, Any]] = [
        {"kind": "text", "text": "Hi", "conversationId": desk.scene.conversation("ana.sample")},
        {"kind": "text", "text": "Hi", "accountId": first.id, "to": "ana.sample"},
        {"channelId": first.uuid, "to": "ana.sample", "content": {"type": "text", "text": "Hi"}},
    ]
    for body in bodies:
        assert caller.refused("POST", "/messages", body)[0] == 404, body


def test_what_concerns_the_whole_workspace_is_not_for_a_limited_key(desk: ApiDesk, other: int) -> None:
    caller = limited(desk, other)
    for route in GUARDED:
        if not route.limited:
            assert code(nowhere(caller, route)) == "key_limited", f"{route.method} {route.path}"


def test_a_key_of_a_team_sees_its_accounts_and_nothing_once_it_is_gone(desk: ApiDesk, other: int) -> None:
    team = do(teams.create, desk.workspace, name="Kiln", accounts=[other])
    caller = limited(desk, teams=(team.id,))
    me = caller.get("/me")
    assert (me["accounts"], me["teams"]) == ([other], [team.id])
    assert [one["id"] for one in caller.get("/accounts")["data"]] == [other]
    do(teams.delete, desk.workspace, team.id)
    a_post(desk)
    began = clock.now() - timedelta(hours=1)
    answered = span("first", began, began + timedelta(minutes=1), account_id=desk.inbox.account.id)
    store(desk.workspace, [answered])
    for path in ("/accounts", "/conversations", "/messages", "/contacts", "/posts"):
        assert desk.program.get(path)["data"]
        assert caller.get(path)["data"] == [], path
    found = caller.get("/search", q="sample")
    assert found["data"] == found["contacts"] == []
    figure = "firstResponse"
    assert desk.program.get("/analytics")["total"][figure]["count"] == 1
    assert caller.get("/analytics")["total"][figure]["count"] == 0
    conversation = desk.scene.conversation("ana.sample")
    assert caller.refused("GET", f"/conversations/{conversation}")[0] == 404
    assert caller.get("/me")["accounts"] == []


def test_a_limit_names_accounts_and_teams_of_the_workspace(desk: ApiDesk) -> None:
    elsewhere = toys.make_account(helpers.make_workspace("Third"), "toy").id
    for limit in (Limit(accounts=(elsewhere,)), Limit(accounts=(NOWHERE,)), Limit(teams=(NOWHERE,))):
        with pytest.raises(InvalidError):
            program(desk, GRANTABLE, limit=limit)


def test_events_are_those_that_the_scopes_cover(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    start = desk.program.get("/events")["next"]
    desk.scene.said("ben", "Ben", "Hello", desk.scene.ago(minutes=0))
    conversation = desk.scene.conversation("ana")
    desk.program.send("PATCH", f"/conversations/{conversation}", {"status": "closed"})

    def heard(*scopes: Scope) -> set[str]:
        found = program(desk, scopes).get("/events", after=start)["data"]
        return {one["event"].partition(".")[0] for one in found}

    assert heard(Scope.CONVERSATIONS_READ) == {"conversation"}
    assert heard(Scope.MESSAGES_READ) == {"message"}
    assert heard(Scope.CONTACTS_READ) == set()
    assert heard(Scope.CONVERSATIONS_READ, Scope.MESSAGES_READ) == {"conversation", "message"}
