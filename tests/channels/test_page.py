"""Settings -> Channels, as owners, agents and strangers meet it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.channels import accounts, deliveries, diagnosis
from host.channels.directory import Directory
from host.channels.pages.forms import KEPT_FOR
from host.channels.warnings import raise_warning
from host.core import clock, db
from host.core.backports.values import replace
from host.models.channels import AccountState, ChannelAccount, SignInAttempt, SignInState
from host.models.users import AuditEntry
from host.sdk import accounts as sdk_accounts
from host.sdk.cards import (
    Advice,
    CardAction,
    CardStatus,
    Connection,
    ConnectRequest,
    Finding,
    Link,
    Missing,
    Problems,
    SignIn,
    Verdict,
)
from host.sdk.channel import AccountRef
from host.web.request_helpers import Role
from tests.channels.conftest import Desk
from tests.channels.toy import toy_card
from tests.helpers import StandInGeneration, build_app, client_for, join, make_user, make_workspace

GOOD = {"name": "Shop", "toy_id": "17", "toy_secret": "s3cret-of-the-toy"}


def text(response: Any) -> str:
    return html.unescape(response.get_data(as_text=True))


def rows() -> list[ChannelAccount]:
    with db.read() as session:
        return list(session.scalars(sa.select(ChannelAccount).order_by(ChannelAccount.id)))


def audit() -> list[tuple[str, str, dict[str, Any]]]:
    with db.read() as session:
        found = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id))
        return [(entry.action, entry.subject, entry.details) for entry in found]


def attributes(page: str, name: str) -> str:
    """Return the opening tag of the input called *name*."""
    match = re.search(rf'<(?:input|select)[^>]*\bname="{name}"[^>]*>', page)
    assert match, f"no input {name}"
    return match.group()


# ---- who may


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/toy/new"),
        ("POST", "/toy/new"),
        ("GET", "/accounts/{id}"),
        ("POST", "/accounts/{id}"),
        ("POST", "/accounts/{id}/disconnect"),
        ("POST", "/accounts/{id}/actions/regenerate"),
        ("GET", "/accounts/{id}/messages"),
        ("POST", "/accounts/{id}/messages"),
        ("GET", "/accounts/{id}/ice-breakers"),
        ("POST", "/accounts/{id}/ice-breakers"),
        ("GET", "/accounts/{id}/menu"),
        ("POST", "/accounts/{id}/menu"),
    ],
)
def test_only_owners_of_the_workspace_get_in(desk: Desk, method: str, path: str) -> None:
    account = desk.connect()
    agent = make_user(workspace=desk.workspace, role=Role.AGENT)
    stranger = make_user(workspace=make_workspace("Other"), role=Role.OWNER)
    address = desk.path + path.format(id=account.id)
    for person, status in ((agent, 403), (stranger, 404)):
        client = desk.client(person)
        response = client.get(address) if method == "GET" else client.post_form(address, **GOOD)
        assert response.status_code == status
    assert row_state() == AccountState.CONNECTED
    assert not desk.provider.requests
    assert not desk.provider.acted
    assert not desk.provider.disconnected


def row_state() -> str:
    return rows()[0].state


@pytest.mark.parametrize("path", ["", "/disconnect", "/actions/regenerate"])
def test_an_account_of_another_workspace_is_not_found(desk: Desk, path: str) -> None:
    account = desk.connect(workspace=make_workspace("Other"))
    address = f"{desk.path}/accounts/{account.id}{path}"
    assert desk.client().post_form(address, **GOOD).status_code == 404
    assert row_state() == AccountState.CONNECTED


@pytest.mark.parametrize("path", ["/nothing/new", "/accounts/999", f"/accounts/{2**70}", "/accounts/x"])
def test_what_does_not_exist_is_not_found(desk: Desk, path: str) -> None:
    assert desk.client().get(desk.path + path).status_code == 404


def test_a_post_without_the_token_of_the_form_changes_nothing(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    assert client.post(f"{desk.path}/accounts/{account.id}/disconnect").status_code == 400
    assert client.post(f"{desk.path}/toy/new", data=GOOD).status_code == 400
    assert row_state() == AccountState.CONNECTED


# ---- the page


def test_a_channel_nobody_connected_offers_to_be_configured(desk: Desk) -> None:
    page = text(desk.client().get(desk.path))
    assert "Messages of toys" in page
    assert f'href="{desk.path}/toy/new"' in page
    assert "Where do your customers write to you?" in page


def test_every_account_has_its_card_with_state_facts_notices_and_values_to_copy(desk: Desk) -> None:
    first, second = desk.connect("17"), desk.connect("18")
    page = text(desk.client().get(desk.path))
    for account in (first, second):
        assert f'id="account-{account.id}"' in page
        assert f'value="verify-{account.external_id}"' in page
        assert f"{desk.path}/accounts/{account.id}/disconnect" in page
    assert "2 accounts" in page
    assert "Valid until Friday" in text(desk.client().get(f"{desk.path}/accounts/{first.id}"))
    assert "Tidy up soon." in page
    assert page.count("data-copy=") == 2


def test_a_card_has_one_main_action_and_the_rest_in_a_menu(desk: Desk) -> None:
    account = desk.connect()

    def offered() -> tuple[list[str], str]:
        page = text(desk.client().get(desk.path))
        (place,) = re.findall(r'<div class="item-act acct-act">(.*?)<div class="item-more">', page, re.S)
        main, menu = place.split('<details class="menu">')
        return re.findall(r'class="btn (btn-\w+)"[^>]*>', main), menu

    for state in ("connected", "needs_reconnect"):
        (button,), menu = offered()
        assert button == ("btn-primary" if state == "needs_reconnect" else "btn-quiet")
        assert "Disconnect" in menu
        assert menu.count("menu-item") >= 2
        sdk_accounts.mark_needs_reconnect(account.id, "The password was changed.")


def test_each_way_to_connect_says_which_accounts_it_is_for(desk: Desk) -> None:
    advice = Advice("It is a wooden toy", "Its papers are pasted.", needs="The papers")
    card = replace(toy_card(desk.provider), advice=advice)
    app = build_app(desk.data, generation=StandInGeneration(directory=Directory([desk.adapter], [card])))
    page = text(client_for(app, desk.owner).get(desk.path))
    for said in (advice.when, advice.how, advice.needs):
        assert said in page


def test_an_account_is_connected_then_receiving_then_needs_reconnect(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    assert "Connected" in text(client.get(desk.path))

    def event(session: Any) -> None:
        session.get(ChannelAccount, account.id).last_event_at = clock.now()

    assert 'value="verify-17"' in text(client.get(desk.path))
    db.write(event)
    page = text(client.get(desk.path))
    assert "Receiving" in page
    assert 'value="verify-17"' not in page, "addresses to set up with are for before the first message"
    assert 'value="verify-17"' in text(client.get(f"{desk.path}/accounts/{account.id}"))
    sdk_accounts.mark_needs_reconnect(account.id, "The password was changed.")
    page = text(client.get(desk.path))
    assert "Stopped, sign in again" in page
    assert 'data-state="needs_reconnect"' in page
    assert "1 account needs attention" in page
    assert "The password was changed." in page
    assert "Reconnect" in page


def test_what_came_is_drawn_by_the_hour_as_it_was_counted(desk: Desk) -> None:
    one, other = desk.connect("1"), desk.connect("2")
    for hours, times in ((30, 9), (23, 2), (0, 5)):
        with clock.travel(-timedelta(hours=hours)):
            recording.received([("toy", one.id, "pending")] * times)
            recording.flush()
    recording.received([("toy", other.id, "pending"), ("toy", None, "pending")])
    recording.flush()
    with db.read() as session:
        found = deliveries.by_hour(session, rows())
        assert deliveries.by_hour(session, []) == {}
    assert found == {one.id: (2, *[0] * 22, 5), other.id: (*[0] * 23, 1)}
    page = text(desk.client().get(desk.path))
    assert page.count('class="plot spark"') == 2
    assert "Events in each of the last 24 hours, 5 in the busiest" in page


def test_an_addon_that_fails_while_looking_costs_a_sentence(desk: Desk) -> None:
    desk.connect("17")

    def broken(_account: AccountRef) -> CardStatus:
        raise KeyError("token")

    desk.provider.status = broken
    response = desk.client().get(desk.path)
    assert response.status_code == 200
    assert "Status unknown." in text(response)


def test_without_its_addon_an_account_is_shown_and_kept(desk: Desk) -> None:
    account = desk.connect()
    told = {"kind": "odd", "sentence": "Something is odd. Run Diagnose.", "stage": "1", "tone": "warn"}
    db.write(raise_warning, account.id, **told)
    assert "Run Diagnose." in text(desk.client().get(desk.path))
    client = desk.without_addon()
    page = text(client.get(desk.path))
    assert "its addon is not active" in page.lower()
    assert "Run Diagnose." not in page, "that takes the addon"
    assert "@17" in page
    assert client.get(f"{desk.path}/accounts/{account.id}").status_code == 404
    assert client.post_form(f"{desk.path}/accounts/{account.id}/disconnect").status_code == 404
    assert row_state() == AccountState.CONNECTED


def test_names_from_outside_stay_text(desk: Desk) -> None:
    desk.connect("17", name='"><svg onload=x>', handle="<script>alert(1)</script>")
    page = desk.client().get(desk.path).get_data(as_text=True)
    assert "<svg onload" not in page
    assert "<script>alert" not in page


# ---- connecting


def test_the_form_is_made_of_the_cards_fields(desk: Desk) -> None:
    response = desk.client().get(f"{desk.path}/toy/new")
    page = text(response)
    assert response.headers["Cache-Control"] == "no-store"
    assert 'type="password"' in attributes(page, "toy_secret")
    assert 'autocomplete="off"' in attributes(page, "toy_secret")
    assert "value=" not in attributes(page, "toy_secret")
    assert 'type="checkbox"' in attributes(page, "loud")
    assert 'aria-describedby="f-name-help"' in attributes(page, "name")
    assert "required" in attributes(page, "toy_id")
    assert "required" not in attributes(page, "note")
    assert "Visible only to your team." in page


def test_saving_asks_the_provider_and_shows_the_connected_card(desk: Desk) -> None:
    client = desk.client()
    response = client.post_form(f"{desk.path}/toy/new", **GOOD, loud="1")
    assert response.status_code == 302
    account = rows()[0]
    assert response.location == f"{desk.path}?account={account.id}#account-{account.id}"
    asked = desk.provider.requests[0]
    assert asked.account is None
    assert dict(asked.values) == {**GOOD, "note": "", "loud": "1"}
    page = text(client.get(desk.path))
    assert "@17 is connected." in page
    assert "verify-17" in page
    assert audit() == [("account.connected", "@17", {"channel": "toy", "name": "Shop", "way": "pasted"})]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("toy_id", "", "This field is required."),
        ("toy_id", "abc", "Toy ID is a number"),
        ("name", "x" * 61, "at most 60 characters"),
        ("name", "a\x01b", "invalid characters"),
        ("toy_secret", "", "This field is required."),
    ],
)
def test_what_is_wrong_is_told_beside_the_field_and_the_rest_is_kept(
    desk: Desk, name: str, value: str, sentence: str
) -> None:
    response = desk.client().post_form(f"{desk.path}/toy/new", **{**GOOD, "note": "keep me", name: value})
    page = text(response)
    assert response.status_code == 400
    assert response.headers["Cache-Control"] == "no-store"
    assert sentence in page
    assert 'aria-invalid="true"' in attributes(page, name)
    assert f"f-{name}-error" in attributes(page, name)
    assert 'value="keep me"' in attributes(page, "note")
    assert "s3cret-of-the-toy" not in page
    assert desk.provider.requests == []
    assert rows() == []


def test_what_the_provider_says_is_told_beside_its_field(desk: Desk) -> None:
    desk.provider.connect = lambda _request: Problems({"toy_id": "No such toy.", "unheard_of": "And more."})
    page = text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))
    assert "No such toy." in page
    assert "And more." in page
    assert 'aria-invalid="true"' in attributes(page, "toy_id")
    assert rows() == []


def kept(page: str) -> str:
    """Return the sealed secret in a form that was refused; empty if it has none."""
    found = re.findall(r'name="kept-toy_secret" value="([^"]+)"', page)
    return found[0] if found else ""


def test_a_secret_needs_no_second_entry_after_a_failed_connect(desk: Desk) -> None:
    desk.provider.connect = lambda _request: Problems({"toy_id": "No such toy."})
    client = desk.client()
    page = text(client.post_form(f"{desk.path}/toy/new", **GOOD))
    sealed = kept(page)
    assert sealed.startswith("v1:")
    assert "s3cret-of-the-toy" not in page
    assert "required" not in attributes(page, "toy_secret")
    assert "•••" in attributes(page, "toy_secret")
    desk.provider.connect = None
    again = {**GOOD, "toy_id": "18", "toy_secret": "", "kept-toy_secret": sealed}
    assert client.post_form(f"{desk.path}/toy/new", **again).status_code == 302
    assert desk.provider.requests[-1].values["toy_secret"] == "s3cret-of-the-toy"


def test_a_newly_entered_secret_replaces_the_kept_one(desk: Desk) -> None:
    desk.provider.connect = lambda _request: Problems({"toy_secret": "Expired."})
    client = desk.client()
    sealed = kept(text(client.post_form(f"{desk.path}/toy/new", **GOOD)))
    desk.provider.connect = None
    client.post_form(f"{desk.path}/toy/new", **{**GOOD, "toy_secret": "another", "kept-toy_secret": sealed})
    assert desk.provider.requests[-1].values["toy_secret"] == "another"


def test_a_kept_secret_is_for_its_person_workspace_and_an_hour(desk: Desk) -> None:
    desk.provider.connect = lambda _request: Problems({"toy_id": "No such toy."})
    client = desk.client()
    page = text(client.post_form(f"{desk.path}/toy/new", **GOOD))
    empty = {**GOOD, "toy_secret": "", "kept-toy_secret": kept(page)}
    desk.provider.connect = None
    colleague = make_user(workspace=desk.workspace, role=Role.OWNER)
    elsewhere = make_workspace("Studio")
    join(elsewhere, desk.owner, Role.OWNER)
    for other, path in (
        (desk.client(colleague), desk.path),
        (client, f"/w/{elsewhere}/settings/channels"),
    ):
        answer = other.post_form(f"{path}/toy/new", **empty)
        assert answer.status_code == 400
        assert "This field is required." in text(answer)
    for forged in ("v1:x:y", "s3cret", empty["kept-toy_secret"][:-8]):
        answer = client.post_form(f"{desk.path}/toy/new", **{**empty, "kept-toy_secret": forged})
        assert answer.status_code == 400
    with clock.travel(KEPT_FOR):
        assert desk.client().post_form(f"{desk.path}/toy/new", **empty).status_code == 400
    assert rows() == []


def test_a_secret_that_is_no_good_is_not_kept(desk: Desk) -> None:
    page = text(desk.client().post_form(f"{desk.path}/toy/new", **{**GOOD, "toy_secret": "a\x01b"}))
    assert kept(page) == ""


def test_what_can_be_connected_now_comes_first(desk: Desk) -> None:
    def sign_in(name: str, why: str | None) -> SignIn:
        return SignIn(name, f"With {name}", *[lambda _any: None] * 3, available=lambda _id: why)  # type: ignore[arg-type, return-value]

    ways = (
        sign_in("first", "It needs an app."),
        sign_in("second", None),
        sign_in("third", "It needs an app."),
    )
    card = replace(toy_card(desk.provider), sign_ins=ways)
    app = build_app(desk.data, generation=StandInGeneration(directory=Directory([desk.adapter], [card])))
    for path in (desk.path, f"{desk.path}/toy/connect"):
        page = text(client_for(app, desk.owner).get(path))
        listed = re.findall(r'<li class="way">(.*?)</li>', page, re.DOTALL)
        assert ["With second" in one for one in listed] == [True, False], "then the form"
        (line,) = re.findall(r'<p class="fine way-not m-0">(.*?)</p>', page, re.DOTALL)
        assert re.sub("<[^>]+>", "", line) == "With first, With third: It needs an app."


def test_problems_without_a_word_are_still_a_sentence(desk: Desk) -> None:
    desk.provider.connect = lambda _request: Problems({})
    response = desk.client().post_form(f"{desk.path}/toy/new", **GOOD)
    assert response.status_code == 400
    assert "gave no reason" in text(response)


def _raises(_request: ConnectRequest) -> Connection:
    raise RuntimeError("secret s3cret-of-the-toy")


@pytest.mark.parametrize("broken", [_raises, lambda _request: None, lambda _request: "yes"])
def test_an_addon_that_fails_while_checking_is_a_plain_sentence(desk: Desk, broken: Any) -> None:
    desk.provider.connect = broken
    response = desk.client().post_form(f"{desk.path}/toy/new", **GOOD)
    assert response.status_code == 400
    assert "failed while checking" in text(response)
    assert "s3cret-of-the-toy" not in text(response)
    assert rows() == []


def test_an_addon_that_fails_while_storing_is_undone(desk: Desk) -> None:
    def connect(request: ConnectRequest) -> Connection:
        connection = desk.provider.connection("17")

        def store(_session: Any, _account: AccountRef) -> None:
            raise RuntimeError("no such table")

        object.__setattr__(connection, "store", store)
        return connection

    desk.provider.connect = connect
    response = desk.client().post_form(f"{desk.path}/toy/new", **GOOD)
    assert response.status_code == 400
    assert "could not be saved" in text(response)
    assert desk.provider.undone == ["17"]
    assert rows() == []
    assert audit() == []


def test_an_account_of_another_workspace_is_refused_without_naming_it(desk: Desk) -> None:
    desk.connect(workspace=make_workspace("Their secret name"))
    response = desk.client().post_form(f"{desk.path}/toy/new", **GOOD)
    page = text(response)
    assert response.status_code == 400
    assert "already connected in another workspace" in page
    assert "Their secret name" not in page


def test_somebody_who_is_in_it_is_told_which_workspace(desk: Desk) -> None:
    other = make_workspace("My other shop")
    join(other, desk.owner, Role.AGENT)
    desk.connect(workspace=other)
    page = text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))
    assert "in the workspace “My other shop”" in page


def test_whoever_loses_the_race_is_told_the_same_and_the_provider_too(desk: Desk) -> None:
    other = make_workspace("Their secret name")

    def connect(request: ConnectRequest) -> Connection:
        assert request.taken("17") is None
        desk.connect(workspace=other)
        return desk.provider.connection("17")

    desk.provider.connect = connect
    page = text(desk.client().post_form(f"{desk.path}/toy/new", **GOOD))
    assert "already connected in another workspace" in page
    assert "Their secret name" not in page
    assert desk.provider.undone == ["17"]


# ---- changing


def test_editing_fills_in_everything_but_secrets(desk: Desk) -> None:
    account = desk.connect("17", name="Old name")
    response = desk.client().get(f"{desk.path}/accounts/{account.id}")
    page = text(response)
    assert 'value="Old name"' in attributes(page, "name")
    assert "value=" not in attributes(page, "toy_secret")
    assert "required" not in attributes(page, "toy_secret")
    assert "Saved, set on 1 May 2026." in page


def test_a_secret_left_empty_is_absent_so_the_stored_one_stays(desk: Desk) -> None:
    account = desk.connect()
    fields = {**GOOD, "toy_secret": "", "name": "New name"}
    response = desk.client().post_form(f"{desk.path}/accounts/{account.id}", **fields)
    assert response.status_code == 302
    asked = desk.provider.requests[0]
    assert "toy_secret" not in asked.values
    assert asked.account is not None
    assert asked.account.id == account.id
    assert rows()[0].name == "New name"
    assert [action for action, _, _ in audit()] == ["account.changed"]


def test_credentials_of_another_account_are_refused(desk: Desk) -> None:
    account = desk.connect("17")
    response = desk.client().post_form(f"{desk.path}/accounts/{account.id}", **{**GOOD, "toy_id": "18"})
    assert response.status_code == 400
    assert "belong to a different account" in text(response)
    assert [r.external_id for r in rows()] == ["17"]


def test_reconnecting_says_why_and_keeps_the_account(desk: Desk) -> None:
    account = desk.connect()
    sdk_accounts.mark_needs_reconnect(account.id, "The password was changed.")
    client = desk.client()
    page = text(client.get(f"{desk.path}/accounts/{account.id}"))
    assert "Reconnect @17" in page
    assert "The password was changed." in page
    client.post_form(f"{desk.path}/accounts/{account.id}", **GOOD)
    assert row_state() == AccountState.CONNECTED


# ---- buttons of a card


def test_a_button_of_the_card_runs_and_says_what_it_did(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    address = f"{desk.path}/accounts/{account.id}/actions/regenerate"
    assert client.post_form(address, token="mine").status_code == 302
    assert desk.provider.acted == [{"token": "mine"}]
    assert "A new token is in use." in text(client.get(desk.path))
    assert audit() == [("account.action", "@17", {"channel": "toy", "action": "regenerate"})]


def test_a_button_that_cannot_says_why(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    client.post_form(f"{desk.path}/accounts/{account.id}/actions/regenerate", token="bad")
    assert "That token is too short." in text(client.get(desk.path))
    assert audit() == []


def test_a_button_nobody_declared_is_not_found(desk: Desk) -> None:
    account = desk.connect()
    assert desk.client().post_form(f"{desk.path}/accounts/{account.id}/actions/x").status_code == 404


# ---- Diagnose


def test_diagnose_shows_what_to_mend_first_with_its_button_and_folds_what_passes(desk: Desk) -> None:
    account = desk.connect()
    page_there = Link("At the toy factory", "https://toy.example/app")
    found = [
        Finding("app", "The app is live", Verdict.PASS, "Seen live."),
        Finding("stories", "Stories come", Verdict.WARN, "None came.", "Write one."),
        Finding("mode", "The mode", Verdict.UNKNOWN),
        Finding("hook", "Subscribed", Verdict.FAIL, "It is not.", "Do it again.", "mend", link=page_there),
    ]
    mend = CardAction("mend", "Subscribe again", desk.provider.on_action)
    card = replace(toy_card(desk.provider), diagnose=lambda _account: found, actions=(mend,))
    app = build_app(desk.data, generation=StandInGeneration(directory=Directory([desk.adapter], [card])))
    page = text(client_for(app, desk.owner).post_form(f"{desk.path}/accounts/{account.id}/diagnose"))
    of_addon = [name for name in re.findall(r'data-finding="([a-z-]+)"', page) if name != "channel-column"]
    assert of_addon == ["hook", "stories", "mode", "app"]
    failed, folded = (
        page.split('data-finding="hook"')[1].split("data-finding=")[0],
        page.split("<details")[-1],
    )
    assert "Subscribe again" in failed
    assert page_there.url in failed
    assert 'data-finding="app"' in folded
    assert 'data-finding="mode"' not in folded


def test_a_sign_in_somebody_gave_up_is_no_failure_of_an_account_that_works(desk: Desk) -> None:
    account = desk.connect()
    dialog = SignIn(
        "dialog", "Connect Toy", lambda _: "", lambda _: [], lambda _: desk.provider.connection("17")
    )
    card = replace(toy_card(desk.provider), sign_ins=(dialog,), diagnose=lambda _account: [])

    def gave_up(session: Session, account_id: int | None) -> None:
        session.add(
            SignInAttempt(
                uuid=f"u{account_id}", workspace_id=desk.workspace, user_id=desk.owner.id, login_id=1,
                channel="toy", way="dialog", account_id=account_id, abilities=[], state=SignInState.FAILED,
                candidates=None, outcome={"problems": [{"sentence": "Cancelled.", "next_step": "Again."}]},
                created_at=clock.now(),
            )
        )  # fmt: skip

    def found() -> tuple[Verdict, str]:
        with db.read() as session:
            row = session.get_one(ChannelAccount, account.id)
        (one,) = [one for one in diagnosis.diagnose(card, row) if one.name == "sign-in"]
        return one.verdict, one.action

    db.write(gave_up, None)
    assert found() == (Verdict.UNKNOWN, "")
    db.write(gave_up, account.id)
    assert found() == (Verdict.WARN, "reconnect")
    sdk_accounts.mark_needs_reconnect(account.id, "The password was changed.")
    assert found() == (Verdict.FAIL, "reconnect")


# ---- disconnecting


def test_disconnecting_stops_at_once_tells_the_provider_and_keeps_the_row(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    response = client.post_form(f"{desk.path}/accounts/{account.id}/disconnect")
    assert response.status_code == 302
    assert row_state() == AccountState.DISCONNECTED
    assert desk.provider.disconnected == [account]
    page = text(client.get(desk.path))
    assert "Its conversations are kept." in page
    assert "1 disconnected account" in page
    assert audit() == [("account.disconnected", "@17", {"channel": "toy"})]
    again = client.post_form(f"{desk.path}/accounts/{account.id}", **GOOD)
    assert again.status_code == 302
    assert [(r.id, r.state) for r in rows()] == [(account.id, AccountState.CONNECTED)]


def test_disconnecting_twice_is_harmless(desk: Desk) -> None:
    account = desk.connect()
    client = desk.client()
    for _ in range(2):
        assert client.post_form(f"{desk.path}/accounts/{account.id}/disconnect").status_code == 302
    assert len(desk.provider.disconnected) == 1


def test_a_provider_that_cannot_be_told_leaves_the_account_disconnected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = desk.connect()
    card = desk.flask.extensions["lobby.generation"].directory.card("toy")

    def broken(_account: AccountRef) -> None:
        raise OSError("unreachable")

    object.__setattr__(card, "disconnect", broken)
    client = desk.client()
    client.post_form(f"{desk.path}/accounts/{account.id}/disconnect")
    assert row_state() == AccountState.DISCONNECTED
    assert "could not be notified" in text(client.get(desk.path))


def test_a_disconnected_account_has_no_buttons(desk: Desk) -> None:
    account = desk.connect()
    db.write(accounts.disconnect_account, account.id)
    address = f"{desk.path}/accounts/{account.id}/actions/regenerate"
    assert desk.client().post_form(address).status_code == 404
    assert desk.provider.acted == []


def test_what_an_account_lacks_heads_its_card_and_its_page(desk: Desk) -> None:
    account = desk.connect()
    missing = Missing("It can send only.", "Add a box", "toy_id", "Or ask an admin.")
    desk.provider.status = lambda _account: CardStatus(missing=missing)
    client = desk.client()
    link = f'href="/w/{desk.workspace}/settings/channels/accounts/{account.id}#f-toy_id">Add a box<'
    listed, page = (client.get(path).text for path in (desk.path, f"{desk.path}/accounts/{account.id}"))
    for shown in (listed, page):
        assert "It can send only." in shown
        assert "Or ask an admin." in shown
        assert link in shown
    assert "waiting for the first message" not in listed
    assert "is-warn" in listed
    assert 'id="f-toy_id"' in page, "where the button leads"

    db.write(lambda session: session.execute(sa.update(ChannelAccount).values(state="needs_reconnect")))
    for path in (desk.path, f"{desk.path}/accounts/{account.id}"):
        assert "Add a box" not in client.get(path).text, "first it has to work at all"
