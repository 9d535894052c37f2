"""Keys: made by owners, shown once, kept as a hash, revoked at once; nothing else opens the API."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.api import key_form
from host.core import clock, db
from host.core.errors import ConflictError, InvalidError
from host.models.api_keys import ApiKey
from host.models.users import AuditEntry, Role
from host.users import api_keys as keys
from host.users.api_keys import GRANTABLE, Scope
from tests import helpers
from tests.api.desks import ApiDesk, Program, make_key
from tests.helpers import Browser, client_for, do
from tests.inbox import toys


def owner_of(desk: ApiDesk) -> Browser:
    return client_for(desk.app, helpers.make_user(workspace=desk.workspace, role=Role.OWNER))


def page(desk: ApiDesk) -> str:
    return f"/w/{desk.workspace}/settings/api"


def key_on(html: str) -> str:
    found = re.search(r'id="api-key" value="([^"]+)"', html)
    assert found is not None
    return found.group(1)


def audited(action: str) -> list[AuditEntry]:
    """Return what pages recorded; the keys of the desk itself were not made on one."""
    on_a_page = AuditEntry.remote != ""
    with db.read() as session:
        return list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action, on_a_page)))


def test_an_owner_makes_a_key_that_is_shown_once(desk: ApiDesk) -> None:
    owner = owner_of(desk)
    made = owner.post_form(page(desk), name="Nightly export", scopes="read")
    assert made.status_code == 200
    token = key_on(made.text)
    assert re.fullmatch(r"lobby_[\w-]{43}", token)
    later = owner.get(page(desk)).text
    assert token not in later
    assert "Nightly export" in later
    assert token[:10] in later
    assert Program(desk.app, token).call("GET", "/accounts").status_code == 200


def test_a_key_is_stored_as_a_hash_and_named_in_the_audit_journal(desk: ApiDesk) -> None:
    token = key_on(owner_of(desk).post_form(page(desk), name="Shop", scopes="write").text)
    with db.read() as session:
        row = session.scalars(sa.select(ApiKey).order_by(ApiKey.id.desc())).first()
    assert row is not None
    assert token not in repr(vars(row))
    assert row.token_hash == keys.hash_token(token)
    (line,) = audited("api_key.created")
    assert (line.subject, line.details) == ("Shop", {"scopes": sorted(GRANTABLE)})
    assert token not in repr(vars(line))


def test_a_revoked_key_stops_at_once_and_says_so(desk: ApiDesk) -> None:
    owner = owner_of(desk)
    token = key_on(owner.post_form(page(desk), name="Shop", scopes="read").text)
    program = Program(desk.app, token)
    assert program.call("GET", "/accounts").status_code == 200
    with db.read() as session:
        key_id = session.scalars(sa.select(sa.func.max(ApiKey.id))).one()
    for _press in range(2):
        assert owner.post_form(f"{page(desk)}/{key_id}/revoke").status_code == 302
    status, error = program.refused("GET", "/accounts")
    assert (status, error["code"]) == (401, "key_revoked")
    assert len(audited("api_key.revoked")) == 1


def test_agents_and_people_of_other_workspaces_cannot_manage_keys(desk: ApiDesk) -> None:
    agent = client_for(desk.app, helpers.make_user(workspace=desk.workspace))
    other = helpers.make_workspace("Studio")
    stranger = client_for(desk.app, helpers.make_user(workspace=other, role=Role.OWNER))
    with db.read() as session:
        key_id = session.scalars(sa.select(sa.func.min(ApiKey.id))).one()
    for path in (page(desk), f"{page(desk)}/{key_id}/revoke"):
        assert agent.post_form(path, name="X", scopes="read").status_code == 403
        assert stranger.post_form(path, name="X", scopes="read").status_code == 404
    assert stranger.post_form(f"/w/{other}/settings/api/{key_id}/revoke").status_code == 404
    assert desk.program.call("GET", "/accounts").status_code == 200


@pytest.mark.parametrize(
    ("name", "scopes"), [("", "read"), ("   ", "read"), ("x" * 121, "read"), ("Shop", ""), ("Shop", "admin")]
)
def test_a_key_without_name_or_scope_is_not_made(desk: ApiDesk, name: str, scopes: str) -> None:
    answer = owner_of(desk).post_form(page(desk), name=name, scopes=scopes)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert not audited("api_key.created")


def test_a_workspace_has_a_limited_number_of_keys(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST", 3)
    make_key(desk.workspace)
    with pytest.raises(ConflictError):
        make_key(desk.workspace)
    with pytest.raises(InvalidError):
        do(keys.create, desk.workspace, "x", (), actor=desk.inbox.mia.id)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "key_missing"),
        ("", "key_missing"),
        ("Basic dXNlcjpwYXNz", "key_missing"),
        ("lobby_" + "a" * 43, "key_missing"),
        ("Bearer", "key_invalid"),
        ("Bearer lobby_" + "a" * 43, "key_invalid"),
        ("Bearer lobby_" + "a" * 9000, "key_invalid"),
        ("Bearer \u00e9", "key_invalid"),
        ("Bearer ' OR 1=1 --", "key_invalid"),
    ],
)
def test_whatever_is_no_key_opens_nothing(desk: ApiDesk, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    with desk.app.test_client() as client:
        answer = client.get("/api/v1/accounts", headers=headers)
        assert answer.status_code == 401
        assert answer.json is not None
        assert answer.json["error"]["code"] == code
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_in_the_query_or_in_a_cookie_opens_nothing(desk: ApiDesk) -> None:
    client = desk.inbox.browser
    client.set_cookie("Authorization", f"Bearer {desk.program.token}")
    for query in ("key", "token", "access_token", "authorization"):
        assert client.get(f"/api/v1/accounts?{query}={desk.program.token}").status_code == 401


def test_a_signed_in_person_needs_a_key_too(desk: ApiDesk) -> None:
    assert desk.inbox.browser.get("/api/v1/accounts").status_code == 401


def test_the_name_of_the_scheme_may_be_in_any_case(desk: ApiDesk) -> None:
    headers = {"Authorization": f"bearer   {desk.program.token}"}
    assert desk.program.call("GET", "/accounts", headers=headers).status_code == 200


def test_a_reading_key_changes_nothing(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    conversation = desk.scene.conversation("ana")
    status, error = desk.reader.refused("PATCH", f"/conversations/{conversation}", {"status": "closed"})
    assert (status, error["code"]) == (403, "scope_missing")
    assert desk.reader.get(f"/conversations/{conversation}")["status"] == "open"


def test_last_used_is_written_now_and_then(desk: ApiDesk) -> None:
    def used() -> object:
        with db.read() as session:
            hash_ = keys.hash_token(desk.program.token)
            return session.scalars(sa.select(ApiKey.last_used_at).where(ApiKey.token_hash == hash_)).one()

    assert used() is None
    desk.program.get("/accounts")
    first = used()
    assert first is not None
    desk.program.get("/accounts")
    assert used() == first
    with clock.travel(timedelta(minutes=6)):
        desk.program.get("/accounts")
    assert used() != first


def test_a_database_that_cannot_note_the_use_does_not_stop_the_request(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise sa.exc.OperationalError("UPDATE", {}, Exception("locked"))

    monkeypatch.setattr(keys, "touch", broken)
    assert desk.program.call("GET", "/accounts").status_code == 200


def newest(desk: ApiDesk) -> keys.KeyRow:
    with db.read() as session:
        return max(keys.listing(session, desk.workspace), key=lambda row: row.id)


@pytest.mark.parametrize("preset", key_form.PRESETS, ids=lambda one: one.value)
def test_a_preset_gives_its_scopes(desk: ApiDesk, preset: key_form.Preset) -> None:
    owner_of(desk).post_form(page(desk), name="Shop", scopes=preset.value, scope="export")
    assert newest(desk).scopes == preset.scopes


def test_scopes_can_be_chosen_one_by_one(desk: ApiDesk) -> None:
    owner = owner_of(desk)
    made = owner.post_form(
        page(desk), name="Shop", scopes="custom", scope=["export", "messages:read", "write"]
    )
    assert newest(desk).scopes == {Scope.EXPORT, Scope.MESSAGES_READ}, "no scope of before"
    assert "Selected scopes" in made.text
    for bad in ("write", "read", "admin", ""):
        answer = owner.post_form(page(desk), name="Shop", scopes="custom", scope=bad)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text


def test_a_key_of_before_is_marked_on_the_page(desk: ApiDesk) -> None:
    shown = owner_of(desk).get(page(desk)).text
    assert "From before scopes: it can do what it always could." in shown
    assert "including the export of contacts." in shown


@pytest.mark.parametrize(
    ("expires", "day"),
    [("date", ""), ("date", "2020-01-01"), ("date", "9999-12-31"), ("date", "x"), ("31", ""), ("0", "")],
)
def test_an_expiry_that_is_no_day_ahead_makes_no_key(desk: ApiDesk, expires: str, day: str) -> None:
    answer = owner_of(desk).post_form(page(desk), name="Shop", scopes="read", expires=expires, expires_on=day)
    assert answer.status_code == 400
    assert "expir" in answer.text
    assert not audited("api_key.created")


def test_an_expiry_is_a_number_of_days_or_the_end_of_a_day(desk: ApiDesk) -> None:
    owner = owner_of(desk)
    owner.post_form(page(desk), name="Shop", scopes="read", expires="30")
    in_days = newest(desk).expires_at
    assert in_days is not None
    assert timedelta(days=29, hours=23) < in_days - clock.now() <= timedelta(days=30)
    day = clock.now().date() + timedelta(days=40)
    owner.post_form(page(desk), name="Shop", scopes="read", expires="date", expires_on=day.isoformat())
    on_date = newest(desk).expires_at
    assert on_date is not None
    assert on_date.date() - day == timedelta(days=1)
    owner.post_form(page(desk), name="Shop", scopes="read", expires="never", expires_on="x")
    assert newest(desk).expires_at is None


def test_a_key_is_limited_to_chosen_accounts(desk: ApiDesk) -> None:
    owner = owner_of(desk)
    account = desk.inbox.account.id
    owner.post_form(page(desk), name="Shop", scopes="read", see="some", account=account)
    assert newest(desk).limit == keys.Limit(accounts=(account,))
    owner.post_form(page(desk), name="Shop", scopes="read", see="all", account=account)
    assert newest(desk).limit is None
    elsewhere = toys.make_account(helpers.make_workspace("Third"), "toy").id
    before = newest(desk).id
    for chosen in ({}, {"account": elsewhere}, {"team": 2**40}, {"team": "x"}):
        answer = owner.post_form(page(desk), name="Shop", scopes="read", see="some", **chosen)
        assert answer.status_code == 400, chosen
    assert newest(desk).id == before
