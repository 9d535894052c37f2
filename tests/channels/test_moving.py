"""An account moves to another workspace only if the owner of both says so, and its conversations stay."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.core.backports.values import replace
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation
from host.models.users import AuditEntry
from host.sdk.accounts import mark_needs_reconnect
from host.sdk.cards import Candidate, CardStatus, Field, Problems, SignIn, WorkspaceSettings
from host.users.pages import sudo
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.channels.toy import ToyAdapter, toy_card
from tests.helpers import PASSWORD, Browser, StandInGeneration, build_app, client_for, join, make_workspace
from tests.inbox import toys
from tests.users.test_asked_again import LATER, carried

GOOD = {"name": "Shop", "toy_id": "17", "toy_secret": "s3cret-of-the-toy"}


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def rows() -> list[ChannelAccount]:
    with db.read() as session:
        return list(session.scalars(sa.select(ChannelAccount).order_by(ChannelAccount.id)))


def audit(workspace: int) -> list[str]:
    with db.read() as session:
        query = sa.select(AuditEntry.action).where(AuditEntry.workspace_id == workspace)
        return list(session.scalars(query.order_by(AuditEntry.id)))


@pytest.fixture
def other(desk: Desk) -> int:
    """Another workspace of the same owner, in which the account is live and has been written to."""
    workspace = make_workspace("Studio")
    join(workspace, desk.owner, Role.OWNER)
    account = desk.connect(workspace=workspace)
    toys.apply(account, toys.received("Hello"))
    return workspace


def test_without_saying_so_nothing_moves(desk: Desk, other: int) -> None:
    shown = text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))
    assert "already connected in your workspace “Studio”" in shown
    assert "or move it here" in shown
    assert "existing conversations stay there, readable" in shown
    assert [row.workspace_id for row in rows() if row.claim] == [other]


def test_the_owner_of_both_moves_it_and_the_conversations_stay(desk: Desk, other: int) -> None:
    (before,) = rows()
    form = {**GOOD, "move_account": str(before.id)}
    assert desk.client().post_form(f"{desk.path}/toy/new", **form).status_code == 302
    old, new = rows()
    assert (old.state, old.claim) == (AccountState.DISCONNECTED, None)
    assert (new.workspace_id, new.state) == (desk.workspace, AccountState.CONNECTED)
    assert [account.id for account in desk.provider.disconnected] == [old.id]
    assert (audit(other)[-1], audit(desk.workspace)[-2:]) == (
        "account.moved_away",
        ["account.moved_here", "account.connected"],
    )
    with db.read() as session:
        (conversation,) = session.scalars(sa.select(Conversation))
    assert (conversation.workspace_id, conversation.account_id) == (other, old.id)
    thread = desk.client().get(f"/w/{other}/inbox/{conversation.id}")
    assert "Hello" in text(thread)


def offer(page: str) -> str | None:
    """Return the account that the button *Move here* names."""
    found = re.findall(r'<button[^>]*name="move_account" value="(\d+)">Move here</button>', page)
    return found[0] if found else None


def test_the_button_to_move_stands_beside_the_refusal(desk: Desk, other: int) -> None:
    (before,) = rows()
    client = desk.client()
    page = text(client.post_form(f"{desk.path}/toy/new", **GOOD))
    refusal, _between, after = page.partition("or move it here.</div>")
    assert refusal
    assert after.lstrip().startswith('<div class="row-flex" data-move-here>'), "directly below the sentence"
    assert offer(page) == str(before.id)
    assert "<select" not in page[page.index("account-form") : page.index("Save and check")], (
        "one way to say so"
    )
    assert page.index('<button class="d-none" type="submit"') < page.index("data-move-here")
    kept = re.findall(r'name="kept-toy_secret" value="([^"]+)"', page)[0]
    again = {**GOOD, "toy_secret": "", "kept-toy_secret": kept, "move_account": str(before.id)}
    assert client.post_form(f"{desk.path}/toy/new", **again).status_code == 302
    assert [row.workspace_id for row in rows() if row.claim] == [desk.workspace]


def test_an_optional_secret_is_sent_again_with_the_move(desk: Desk, other: int) -> None:
    (before,) = rows()
    ours = toy_card(desk.provider).fields
    fields = tuple(replace(one, required=one.required and not one.secret) for one in ours)
    client = of_card(desk, fields=fields)
    page = text(client.post_form(f"{desk.path}/toy/new", **GOOD))
    kept = re.findall(r'name="kept-toy_secret" value="([^"]+)"', page)[0]
    again = {**GOOD, "toy_secret": "", "kept-toy_secret": kept, "move_account": str(before.id)}
    assert client.post_form(f"{desk.path}/toy/new", **again).status_code == 302
    assert desk.provider.requests[-1].values["toy_secret"] == GOOD["toy_secret"]
    elsewhere = text(client.post_form(f"{desk.path}/toy/new", **{**GOOD, "toy_id": "x"}))
    assert "kept-toy_secret" not in elsewhere, "left empty, it means none"


def test_a_refusal_of_the_whole_form_has_the_button_too(desk: Desk, other: int) -> None:
    (before,) = rows()
    desk.provider.connect = lambda request: Problems({"": f"No. {request.taken('17')}"})
    page = text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))
    assert offer(page) == str(before.id)
    desk.provider.connect = lambda request: Problems({"": "No."}) if request.taken("17") else Problems({})
    assert offer(text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))) is None, "another problem"


def test_the_button_is_for_accounts_connected_meanwhile_too(desk: Desk, other: int) -> None:
    (before,) = rows()
    desk.provider.connect = lambda request: desk.provider.connection("17")  # it does not ask
    assert offer(text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))) == str(before.id)


def test_it_moves_back_to_its_conversations(desk: Desk, other: int) -> None:
    (before,) = rows()
    desk.client().post_form(f"{desk.path}/toy/new", **GOOD, move_account=str(before.id))
    moved = rows()[-1]
    address = f"/w/{other}/settings/channels/toy/new"
    desk.client().post_form(address, **GOOD, move_account=str(moved.id))
    found = {row.id: row.state for row in rows()}
    assert found == {before.id: AccountState.CONNECTED, moved.id: AccountState.DISCONNECTED}


def test_connecting_again_another_way_goes_on_in_the_same_conversation(desk: Desk) -> None:
    account = desk.connect()
    toys.apply(account, toys.received("Before", contact="ana"))
    desk.client().post_form(f"{desk.path}/accounts/{account.id}/disconnect")
    again = desk.connect(way="toy-login")
    assert (again.id, again.uuid) == (account.id, account.uuid)
    toys.apply(again, toys.received("After", contact="ana", at=60))
    with db.read() as session:
        (conversation,) = session.scalars(sa.select(Conversation))
    assert toys.texts(conversation.id) == ["Before", "After"]


@pytest.mark.parametrize("role", [Role.AGENT, None])
def test_who_owns_only_one_of_them_cannot(desk: Desk, role: Role | None) -> None:
    workspace = make_workspace("Studio")
    if role is not None:
        join(workspace, desk.owner, role)
    account = desk.connect(workspace=workspace)
    client = desk.client()
    assert "move_account" not in text(client.get(f"{desk.path}/toy/new"))
    shown = client.post_form(f"{desk.path}/toy/new", **GOOD, move_account=str(account.id))
    assert shown.status_code == 400
    assert offer(text(shown)) is None
    assert [(row.workspace_id, row.state) for row in rows()] == [(workspace, AccountState.CONNECTED)]


def test_another_account_than_the_one_chosen_is_not_moved(desk: Desk, other: int) -> None:
    (before,) = rows()
    form = {**GOOD, "toy_id": "18", "move_account": str(before.id)}
    shown = text(desk.client().post_form(f"{desk.path}/toy/new", **form))
    assert "a different account than the one you are moving" in shown
    assert [row.state for row in rows()] == [AccountState.CONNECTED]
    assert not desk.provider.disconnected


def signing(desk: Desk, **more: Any) -> Any:
    """Return a client of a desk on which the toy can be signed in to, back from its dialog."""
    candidate = Candidate("17", "Shop", "@17", **more)
    sign_in = SignIn(
        name="toy-login",
        label="Connect Toy",
        begin=lambda start: f"https://toy.example/?state={start.state}",
        finish=lambda _: [candidate],
        connect=lambda choice: desk.provider.connection(choice.candidate.external_id, way="toy-login"),
    )
    return of_card(desk, sign_ins=(sign_in,))


def of_card(desk: Desk, **changes: Any) -> Browser:
    """Return the owner's browser at a desk whose card of the toy is changed."""
    directory = Directory([ToyAdapter()], [replace(toy_card(desk.provider), **changes)])
    return client_for(build_app(desk.data, generation=StandInGeneration(directory=directory)), desk.owner)


def back(client: Any, desk: Desk, **form: Any) -> str:
    """Go through the dialog; return the address of the page it leads to."""
    token = {"csrf_token": client.csrf(), **form}
    begun = client.post(
        f"{desk.path}/toy/sign-in/toy-login", data=token, headers={"Accept": "application/json"}
    ).get_json()
    answer = client.get(f"/channels/toy/sign-in/toy-login?{begun['url'].partition('?')[2]}&code=1")
    return str(answer.headers["Location"])


def test_signing_in_says_what_moves_and_waits_for_the_tick(desk: Desk, other: int) -> None:
    client = signing(desk)
    here = back(client, desk)
    shown = text(client.get(here))
    assert "connected in your workspace “Studio”. Moving it disconnects it there" in shown
    assert "checked" not in shown
    client.post_form(here, account="17")
    assert [row.workspace_id for row in rows() if row.claim] == [other], "the page did not say it would move"
    here = back(client, desk)
    client.post_form(here, account="17", move="17")
    assert [row.workspace_id for row in rows() if row.claim] == [desk.workspace]
    assert len(desk.provider.disconnected) == 1


def test_who_goes_back_to_the_dialog_finds_the_choice_still_open(desk: Desk) -> None:
    client = signing(desk)
    token = {"csrf_token": client.csrf()}
    begun = client.post(
        f"{desk.path}/toy/sign-in/toy-login", data=token, headers={"Accept": "application/json"}
    ).get_json()
    state = begun["url"].partition("?")[2]
    pages = [client.get(f"/channels/toy/sign-in/toy-login?{state}&code={code}") for code in (1, 2)]
    here, again = (page.headers["Location"] for page in pages)
    assert here == again
    client.post_form(again, account="17")
    assert len([row for row in rows() if row.claim]) == 1
    answer = client.get(f"/channels/toy/sign-in/toy-login?{state}&code=3")
    assert answer.status_code == 400
    assert "already used" in text(answer)


def test_reconnecting_by_another_way_in_is_asked_about_first(desk: Desk) -> None:
    account = desk.connect(way="toy-login")
    client = signing(desk, moves="Until now it was reached through the box “Blue”.")
    here = back(client, desk, account=str(account.id))
    shown = text(client.get(here))
    assert "the box “Blue”" in shown
    assert "checked" not in shown
    client.post_form(here, account="17", move="17")
    assert [row.id for row in rows()] == [account.id]
    assert "Connected: @17" in text(client.get(here))


def test_moving_takes_the_password_again_and_connecting_does_not(desk: Desk, other: int) -> None:
    (before,) = rows()
    client = desk.client()
    with clock.travel(LATER):
        elsewhere = {**GOOD, "toy_id": "18"}
        assert client.post_form(f"{desk.path}/toy/new", **elsewhere).status_code == 302
        form = {**GOOD, "move_account": str(before.id)}
        asked = client.post_form(f"{desk.path}/toy/new", **form)
        assert asked.status_code == 403
        assert rows()[0].state == AccountState.CONNECTED
        where, kept = carried(asked.text)
        assert client.post_form(where, **kept, password=PASSWORD).status_code == 302
    assert rows()[0].state == AccountState.DISCONNECTED


def test_moving_by_signing_in_takes_the_password_again(desk: Desk, other: int) -> None:
    client = signing(desk)
    here = back(client, desk)
    with clock.travel(LATER):
        asked = client.post_form(here, account="17", move="17")
        assert asked.status_code == 403
        assert [row.workspace_id for row in rows() if row.claim] == [other]
        where, kept = carried(asked.text)
        client.post_form(where, **kept, password=PASSWORD)
    assert [row.workspace_id for row in rows() if row.claim] == [desk.workspace]


def test_other_credentials_of_an_account_take_the_password_again(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    path = f"{desk.path}/accounts/{account.id}"
    with clock.travel(LATER):
        assert client.get(path).location == f"/account/confirm?next={path}", "before anything is typed"
        asked = client.post_form(path, **{**GOOD, "name": "Other"})
        assert asked.status_code == 403
        assert rows()[0].name == "Shop"
        assert client.post_form(path, **{**GOOD, "name": "Other"}, password=PASSWORD).status_code == 302
    assert rows()[0].name == "Other"


def opened(client: Browser, path: str) -> str:
    """Open a form; return its proof of that."""
    (proof,) = re.findall(r'name="opened" value="([^"]+)"', client.get(path).text)
    return str(proof)


def test_a_stopped_account_is_reconnected_without_a_question_in_the_middle(desk: Desk) -> None:
    account, client = desk.connect(), desk.client()
    path = f"{desk.path}/accounts/{account.id}"
    assert 'name="opened"' not in client.get(path).text, "it has not stopped"
    mark_needs_reconnect(account.id, "The password was changed.")
    proof = opened(client, path)
    with clock.travel(LATER):  # they were elsewhere, to get the credentials
        assert client.post_form(path, **GOOD, opened=proof).status_code == 302
        assert rows()[0].state == AccountState.CONNECTED
        assert client.post_form(path, **GOOD, opened=proof).status_code == 403, "it goes again"
        mark_needs_reconnect(account.id, "The password was changed.")
        assert client.get(path).status_code == 302, "a form that is opened now asks"
        other = client_for(client.application, desk.owner)
        assert other.post_form(path, **GOOD, opened=proof).status_code == 302
    with clock.travel(LATER * 2):
        mark_needs_reconnect(account.id, "The password was changed.")
        assert other.post_form(path, **GOOD, opened=proof).status_code == 403, "of another session"
        later = proof.replace(proof[:5], str(int(proof[:5]) + 1), 1)
        for wrong in ("", "x", "9" * 5000, later):
            assert client.post_form(path, **GOOD, opened=wrong).status_code == 403, wrong
    with clock.travel(sudo.LONGEST):
        asked = client.post_form(path, **GOOD, opened=proof)
        assert asked.status_code == 403, "an hour after the password"
        where, kept = carried(asked.text)
        assert GOOD["toy_secret"] not in asked.text, "the page carries it sealed"
        (sealed,) = kept.pop("kept-toy_secret")
        typed = {name: value for name, value in GOOD.items() if name != "toy_secret"}
        assert kept == {name: [value] for name, value in {**typed, "opened": proof}.items()}
        wrong = client.post_form(where, **kept, **{"kept-toy_secret": sealed}, password="wrong")
        assert wrong.status_code == 403
        _where, kept = carried(wrong.text)
        assert client.post_form(where, **kept, password=PASSWORD).status_code == 302
    assert desk.provider.requests[-1].values["toy_secret"] == GOOD["toy_secret"]


def test_reconnecting_by_signing_in_asks_nothing_however_long_the_dialog_takes(desk: Desk) -> None:
    account = desk.connect(way="toy-login")
    mark_needs_reconnect(account.id, "The password was changed.")
    client = signing(desk)
    with clock.travel(LATER):
        shown = text(client.get(back(client, desk, account=str(account.id))))
    assert "Connected: @17" in shown
    assert [row.state for row in rows()] == [AccountState.CONNECTED]


def test_an_app_of_the_workspaces_own_takes_the_password_again(desk: Desk) -> None:
    saved: list[str] = []

    def save(_workspace: int, values: Any) -> str:
        saved.append(values["app"] + values.get("key", ""))
        return "Saved."

    fields = Field("app", "App"), Field("key", "Key", secret=True)
    page = WorkspaceSettings("Own app", fields, read=lambda _: CardStatus(), save=save)
    client = of_card(desk, workspace=page)
    with clock.travel(LATER):
        path = f"{desk.path}/toy/settings"
        assert client.get(path).location == f"/account/confirm?next={path}"
        assert client.post_form(path, app="evil").status_code == 403
        assert saved == []
        asked = client.post_form(path, app="ours", key=" k3y-of-the-app")
        assert "k3y-of-the-app" not in asked.text
        where, kept = carried(asked.text)
        assert client.post_form(where, **kept, password=PASSWORD).status_code == 303
    assert saved == ["oursk3y-of-the-app"]


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ({"way": "days", "days": "29"}, True),
        ({"way": "link"}, True),
        ({"way": "days", "days": "30"}, False),
        ({"way": "days", "days": "31"}, False),
        ({"way": "keep"}, False),
    ],
)
def test_removing_files_sooner_takes_the_password_again(
    desk: Desk, form: dict[str, str], asked: bool
) -> None:
    path = f"{desk.path}/accounts/{desk.connect().id}/files"
    client = desk.client()
    with clock.travel(LATER):
        assert client.post_form(path, **form).status_code == (403 if asked else 303)
