"""An account moves to another workspace only if the owner of both says so, and its conversations stay."""

from __future__ import annotations

import html
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation
from host.models.users import AuditEntry
from host.sdk.cards import Candidate, SettingsCard, SignIn
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.channels.toy import ToyAdapter, toy_card
from tests.helpers import StandInGeneration, build_app, client_for, join, make_workspace
from tests.inbox import toys

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
    assert "its conversations stay there, readable" in shown
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
    assert [(row.workspace_id, row.state) for row in rows()] == [(workspace, AccountState.CONNECTED)]


def test_another_account_than_the_one_chosen_is_not_moved(desk: Desk, other: int) -> None:
    (before,) = rows()
    form = {**GOOD, "toy_id": "18", "move_account": str(before.id)}
    shown = text(desk.client().post_form(f"{desk.path}/toy/new", **form))
    assert "another account than the one to be moved" in shown
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
    card = toy_card(desk.provider)
    made: dict[str, Any] = {name: getattr(card, name) for name in card.__dataclass_fields__}
    directory = StandInGeneration(directory=None)
    from host.channels.directory import Directory

    directory.directory = Directory([ToyAdapter()], [SettingsCard(**{**made, "sign_ins": (sign_in,)})])
    return client_for(build_app(desk.data, generation=directory), desk.owner)


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
    assert "connected in your workspace “Studio”. Moving it ends that" in shown
    assert "checked" not in shown
    client.post_form(here, account="17")
    assert [row.workspace_id for row in rows() if row.claim] == [other], "the page did not say it would move"
    here = back(client, desk)
    client.post_form(here, account="17", move="17")
    assert [row.workspace_id for row in rows() if row.claim] == [desk.workspace]
    assert len(desk.provider.disconnected) == 1


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
