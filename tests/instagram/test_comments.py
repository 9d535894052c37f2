"""The Comments switch: its permissions are asked for when it goes on, by asking again for just those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import db
from host.models.channels import ChannelAccount, ref
from host.models.users import Role
from host.sdk.accounts import set_setting
from host.sdk.cards import Ability, SignInProblem
from host.sdk.channel import AccountRef
from tests import helpers
from tests.instagram import signing_in, world
from tests.instagram.world import POTTERY, Addon, Meta


@pytest.fixture(autouse=True)
def _offered(ig: Addon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ig.config, "COMMENTS_OFFERED", True)


PAGE_SCOPE = "instagram_manage_comments"
LOGIN_SCOPE = "instagram_business_manage_comments"


@pytest.fixture(params=["facebook", "login"])
def way(request: pytest.FixtureRequest, desk: db.Database, ig: Addon, meta: Meta) -> Any:
    signing_in.set_up(ig, meta)
    return getattr(ig, request.param).SIGN_IN


@pytest.fixture
def connected(way: Any) -> AccountRef:
    account = signing_in.journey(way, world.workspace())
    assert isinstance(account, AccountRef)
    return account


def again(account: AccountRef) -> AccountRef:
    """Return the account as it is now."""
    with db.read() as session:
        return ref(session.get_one(ChannelAccount, account.id))


def ability(ig: Addon, account: AccountRef) -> Ability:
    (found,) = ig.card.status(again(account)).abilities
    assert isinstance(found, Ability)
    return found


def allows(ig: Addon, account: AccountRef) -> str:
    return str(dict(ig.card.status(again(account)).facts)["The token allows"])


def fields(ig: Addon, meta: Meta) -> set[str]:
    return set(meta.box.world.accounts[POTTERY].subscriptions.get(world.APP_ID, ()))


def test_signing_in_asks_for_messages_only(way: Any, ig: Addon, connected: AccountRef) -> None:
    scopes = signing_in.asked(signing_in.start(way, 1))["scope"]
    assert "comments" not in scopes
    found = ability(ig, connected)
    assert (found.on, found.granted) == (False, False)
    assert allows(ig, connected) == "Messages"


def test_the_switch_asks_again_and_goes_on(way: Any, ig: Addon, connected: AccountRef, meta: Meta) -> None:
    address = signing_in.start(way, connected.workspace_id, connected, "comments")
    if way.name == "facebook":
        assert signing_in.asked(address)["scope"] == PAGE_SCOPE, "for just that"
    else:
        assert LOGIN_SCOPE in signing_in.asked(address)["scope"]
    account = signing_in.journey(way, connected.workspace_id, connected, "comments")
    assert isinstance(account, AccountRef)
    assert account.id == connected.id
    found = ability(ig, connected)
    assert (found.on, found.granted) == (True, True)
    assert allows(ig, connected) == "Messages, Comments"
    if way.name == "instagram":
        assert "comments" in fields(ig, meta)


def test_not_allowing_it_changes_nothing(way: Any, ig: Addon, connected: AccountRef) -> None:
    problem = signing_in.journey(
        way, connected.workspace_id, connected, "comments", without=[PAGE_SCOPE, LOGIN_SCOPE]
    )
    assert isinstance(problem, SignInProblem)
    assert "manage_comments" in problem.sentence
    assert allows(ig, connected) == "Messages"
    assert not ability(ig, connected).on


def test_it_goes_off_and_on_again_without_asking(
    way: Any, ig: Addon, connected: AccountRef, meta: Meta
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    assert "off" in ig.comments.switch(again(connected), {})
    assert not ability(ig, connected).on
    assert "comments" not in fields(ig, meta)
    ig.watchdog.watch()
    assert "comments" not in fields(ig, meta), "the watchdog asks for what is switched on"
    assert ability(ig, connected).granted
    assert "on" in ig.comments.switch(again(connected), {"on": "1"})
    assert ability(ig, connected).on
    if way.name == "instagram":
        assert "comments" in fields(ig, meta)
        meta.box.world.accounts[POTTERY].subscriptions[world.APP_ID].remove("comments")
        ig.watchdog.watch()
        assert "comments" in fields(ig, meta)


def test_reconnecting_keeps_the_switch_and_asks_for_all_of_it(
    way: Any, ig: Addon, connected: AccountRef
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    account = again(connected)
    scopes = signing_in.asked(signing_in.start(way, account.workspace_id, account))["scope"].split(",")
    assert {PAGE_SCOPE, LOGIN_SCOPE} & set(scopes)
    assert len(scopes) > 1
    signing_in.journey(way, account.workspace_id, account)
    assert ability(ig, connected).on
    signing_in.journey(way, account.workspace_id, account, without=[PAGE_SCOPE, LOGIN_SCOPE])
    assert not ability(ig, connected).on, "messages go on, comments may not"


def test_a_pasted_token_without_it_says_what_it_lacks(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").scopes.remove(PAGE_SCOPE)
    with pytest.raises(ValueError, match=PAGE_SCOPE):
        ig.comments.switch(account, {"on": "1"})
    assert not ability(ig, account).on
    meta.token("pottery-long").scopes.append(PAGE_SCOPE)
    ig.comments.switch(account, {"on": "1"})
    assert ability(ig, account).on


def test_meta_away_leaves_the_switch_where_it_was(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("debug_token", "error", status=503)
    with pytest.raises(ValueError, match="Meta did not take it"):
        ig.comments.switch(account, {"on": "1"})
    assert not ability(ig, account).on


def test_comments_that_lost_their_permission_are_warned_of(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    from host.sdk.accounts import overview

    ig.comments.switch(account, {"on": "1"})
    meta.token("pottery-long").scopes.remove(PAGE_SCOPE)
    ig.inspection.inspect()
    (warning,) = overview("instagram")[0].warnings
    assert warning.details == {"missing": PAGE_SCOPE}
    found = {one.name: one for one in ig.diagnose.diagnose(again(account))}["permissions"]
    assert found.verdict == "warn"


def test_changing_the_name_of_an_account_that_signed_in_leaves_everything_else(
    way: Any, ig: Addon, connected: AccountRef, data: Path
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    generation = helpers.StandInGeneration(
        directory=Directory([ig.channel.InstagramAdapter()], [ig.card.CARD])
    )
    owner = helpers.make_user(workspace=connected.workspace_id, role=Role.OWNER)
    client = helpers.client_for(helpers.build_app(data, generation=generation), owner)
    address = f"/w/{connected.workspace_id}/settings/channels/accounts/{connected.id}"
    form = client.get(address).text
    assert "Page ID" not in form
    assert client.post_form(address, name="The pottery").status_code == 302
    with db.read() as session:
        row = session.get_one(ChannelAccount, connected.id)
    assert (row.name, row.way) == ("The pottery", way.name)
    assert ability(ig, connected).on


def test_comments_that_come_all_the_same_are_ignored_while_they_are_off(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    """The field is the app's, so Meta delivers comments for every Page of it."""
    value = {"id": "9", "from": {"id": world.ANA, "username": "ana"}, "text": "How much?"}
    changes = [{"field": "comments", "value": value}]
    body = world.payload({"id": POTTERY, "time": 1, "changes": changes}, world.entry(world.message()))

    def reasons() -> list[str]:
        return [one.ignored for one in ig.webhook.authenticate(world.post(body)).envelopes]

    assert reasons() == ["comments are switched off for this account", ""]
    ig.comments.switch(account, {"on": "1"})
    assert reasons() == ["", ""]
    ig.comments.switch(again(account), {})
    assert reasons()[0]


def test_until_there_is_a_place_for_comments_nothing_offers_them(
    way: Any, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = signing_in.journey(way, world.workspace())
    set_setting(account.id, ig.comments.SETTING, True)
    monkeypatch.setattr(ig.config, "COMMENTS_OFFERED", False)
    asked = signing_in.asked(signing_in.start(way, 1, again(account), ig.comments.ABILITY))
    assert "comments" not in asked["scope"]
    status = ig.card.status(again(account))
    assert (status.abilities, "omments" in str(status)) == ([], False)
    with pytest.raises(ValueError, match="yet"):
        ig.comments.switch(again(account), {"on": "1"})
    assert not ig.comments.is_on(account.id)
    assert not ig.accounts.load_book().by_account[POTTERY][0].comments
