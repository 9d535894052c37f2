"""The Comments switch: its permissions are asked for when it goes on, by asking again for just those."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.models.channels import ChannelAccount, ref
from host.models.notifications import Notification
from host.models.users import AuditEntry, Role
from host.sdk.accounts import AccountState, beside
from host.sdk.cards import Ability, SignInProblem
from host.sdk.channel import AccountRef
from tests import helpers
from tests.instagram import signing_in, world
from tests.instagram.world import POTTERY, Addon, Meta

PAGE_SCOPE = "instagram_manage_comments"
LOGIN_SCOPE = "instagram_business_manage_comments"


@pytest.fixture(params=["facebook_login", "instagram_login"])
def way(request: pytest.FixtureRequest, desk: db.Database, ig: Addon, meta: Meta) -> Any:
    signing_in.set_up(ig, meta)
    return getattr(ig.connect, request.param).SIGN_IN


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


def comments_of(account: AccountRef) -> AccountRef | None:
    return beside(account.id, "instagram-comments")


def disconnect(card: Any, account: AccountRef) -> None:
    """Switch an account off here, then tell Meta, as the card's button does."""
    world.disconnect(account)
    card.disconnect(account)


def state_of(account: AccountRef) -> AccountState:
    with db.read() as session:
        return AccountState(session.get_one(ChannelAccount, account.id).state)


def allows(ig: Addon, account: AccountRef) -> str:
    return str(dict(ig.card.status(again(account)).facts)["Token permissions"])


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
    assert "off" in ig.connect.comments_switch.switch(again(connected), {})
    assert not ability(ig, connected).on
    assert "comments" not in fields(ig, meta)
    ig.monitoring.watchdog.watch()
    assert "comments" not in fields(ig, meta), "the watchdog asks for what is switched on"
    assert ability(ig, connected).granted
    assert "on" in ig.connect.comments_switch.switch(again(connected), {"on": "1"})
    assert ability(ig, connected).on
    if way.name == "instagram":
        assert "comments" in fields(ig, meta)
        meta.box.world.accounts[POTTERY].subscriptions[world.APP_ID].remove("comments")
        ig.monitoring.watchdog.watch()
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


def test_connecting_asks_for_comments_where_an_account_has_them(
    way: Any, ig: Addon, connected: AccountRef
) -> None:
    assert "comments" not in signing_in.asked(signing_in.start(way, connected.workspace_id))["scope"]
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    scopes = signing_in.asked(signing_in.start(way, connected.workspace_id))["scope"].split(",")
    assert {PAGE_SCOPE, LOGIN_SCOPE} & set(scopes)
    assert "comments" not in signing_in.asked(signing_in.start(way, world.workspace("Other")))["scope"]
    signing_in.journey(way, connected.workspace_id)
    assert ability(ig, connected).on


def test_comments_lost_by_signing_in_are_said_and_come_back(
    way: Any, ig: Addon, connected: AccountRef, meta: Meta
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    owner = helpers.make_user(workspace=connected.workspace_id, role=Role.OWNER)
    comments = comments_of(connected)
    assert comments is not None
    for again_with in (None, connected):
        lost = signing_in.connected_without(
            way, connected.workspace_id, again_with, without=[PAGE_SCOPE, LOGIN_SCOPE]
        )
        assert "Comments of this account stopped" in lost.lost, "on the page"
        assert comments_of(connected) == comments, "with its conversations and campaigns"
        assert (state_of(connected), state_of(comments)) == (
            AccountState.CONNECTED,
            AccountState.NEEDS_RECONNECT,
        )
    (notice,) = [one for one in ig.card.status(again(connected)).notices if one[0] == "bad"]
    assert notice[1] == "Comments stopped.", "on the card"
    with db.read() as session:
        bell = session.scalars(sa.select(Notification)).all()
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "account.permission_lost")
        ).all()
    assert {one.user_id for one in bell} == {owner.id}
    assert any("permission for comments" in one.sentence for one in bell), "in the bell"
    assert "permission for comments" in entries[0].details["reason"], "in the audit log"
    meta.box.world.accounts[POTTERY].subscriptions[world.APP_ID] = []
    ig.monitoring.watchdog.watch()
    assert not {"comments", "feed"} & fields(ig, meta), "the watchdog asks for what may be used"
    signing_in.journey(way, connected.workspace_id, connected)
    assert state_of(comments) is AccountState.CONNECTED
    assert ability(ig, connected).on


def test_a_pasted_token_without_it_says_what_it_lacks(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.token("pottery-long").scopes.remove(PAGE_SCOPE)
    with pytest.raises(ValueError, match=PAGE_SCOPE):
        ig.connect.comments_switch.switch(account, {"on": "1"})
    assert not ability(ig, account).on
    meta.token("pottery-long").scopes.append(PAGE_SCOPE)
    ig.connect.comments_switch.switch(account, {"on": "1"})
    assert ability(ig, account).on


def test_meta_away_leaves_the_switch_where_it_was(account: AccountRef, ig: Addon, meta: Meta) -> None:
    meta.fault("debug_token", "error", status=503)
    with pytest.raises(ValueError, match="Meta rejected it"):
        ig.connect.comments_switch.switch(account, {"on": "1"})
    assert not ability(ig, account).on


def test_comments_that_lost_their_permission_are_warned_of(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    from host.sdk.accounts import overview

    ig.connect.comments_switch.switch(account, {"on": "1"})
    meta.token("pottery-long").scopes.remove(PAGE_SCOPE)
    ig.monitoring.inspection.inspect()
    (warning,) = overview("instagram")[0].warnings
    assert warning.details == {"missing": PAGE_SCOPE}
    found = {one.name: one for one in ig.diagnose.diagnosis.diagnose(again(account))}["permissions"]
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
        return [one.ignored for one in ig.webhook.verification.authenticate(world.post(body)).envelopes]

    assert reasons() == ["comments are switched off for this account", ""]
    ig.connect.comments_switch.switch(account, {"on": "1"})
    assert reasons() == ["", ""]
    ig.connect.comments_switch.switch(again(account), {})
    assert reasons()[0]


def test_the_accounts_beside_is_told_of_and_has_no_credentials_of_its_own(
    account: AccountRef, ig: Addon, meta: Meta
) -> None:
    ig.connect.comments_switch.switch(account, {"on": "1"})
    found = comments_of(account)
    assert found is not None
    assert (found.external_id, found.handle, found.beside_id) == (POTTERY, "@sample.pottery", account.id)
    assert ig.accounts.credentials(found.id).token == ig.accounts.credentials(account.id).token
    card = ig.comments.card.CARD
    assert (card.fields, card.sign_ins) == ((), ())
    assert dict(card.status(found).facts)["Token permissions"] == "Messages, Comments"
    assert {one.verdict for one in card.diagnose(found) if one.name == "token"} == {"pass"}
    assert "instagram_manage_comments" not in str(card.status(found).notices)


def test_messages_end_and_comments_go_on_and_the_other_way_round(
    way: Any, ig: Addon, connected: AccountRef, meta: Meta
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    comments = comments_of(connected)
    assert comments is not None
    page = meta.box.world.pages[world.POTTERY_PAGE]

    def held() -> set[str]:
        if way.name == "facebook":
            return set(page.subscriptions.get(world.APP_ID, ()))
        return fields(ig, meta)

    disconnect(ig.card.CARD, again(connected))
    assert held() == ({"feed"} if way.name == "facebook" else {"comments", "live_comments"})
    assert ig.accounts.credentials(comments.id) is not None, "the token stays for the comments"
    assert state_of(comments) is AccountState.CONNECTED
    value = {"id": "9", "from": {"id": world.ANA, "username": "ana"}, "text": "How much?"}
    changes = [{"field": "comments", "value": value}]
    body = world.payload({"id": POTTERY, "time": 1, "changes": changes}, world.entry(world.message()))
    both = ig.webhook.verification.authenticate(world.post(body)).envelopes
    assert [(one.account_id, bool(one.ignored)) for one in both] == [
        (comments.id, False),
        (connected.id, True),
    ]
    ig.monitoring.watchdog.watch()
    assert "messages" not in held()
    signing_in.journey(way, connected.workspace_id)
    assert comments_of(connected) is not None, "connecting again leaves comments as they are"
    disconnect(ig.comments.card.CARD, comments)
    assert "messages" in held()
    assert not {"comments", "feed"} & held()
    assert ig.accounts.credentials(connected.id) is not None
    disconnect(ig.card.CARD, again(connected))
    assert held() == set()
    assert ig.accounts.credentials(connected.id) is None, "a full leave once both are off"


def test_a_dead_token_stops_both_and_signing_in_again_starts_both(
    way: Any, ig: Addon, connected: AccountRef, meta: Meta
) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    comments = comments_of(connected)
    assert comments is not None
    ig.accounts.stop(comments.id, "gone")
    assert (state_of(connected), state_of(comments)) == (
        AccountState.NEEDS_RECONNECT,
        AccountState.NEEDS_RECONNECT,
    )
    signing_in.journey(way, connected.workspace_id, connected)
    assert (state_of(connected), state_of(comments)) == (AccountState.CONNECTED, AccountState.CONNECTED)


def test_the_token_of_comments_alone_is_looked_after(way: Any, ig: Addon, connected: AccountRef) -> None:
    signing_in.journey(way, connected.workspace_id, connected, "comments")
    comments = comments_of(connected)
    assert comments is not None
    disconnect(ig.card.CARD, again(connected))
    assert [one.account.id for one in ig.accounts.in_use()] == [comments.id]
    ig.monitoring.inspection.inspect()
    later = clock.now() + timedelta(days=8)
    assert ig.monitoring.renewal.due(later) == ([connected.id] if way.name == "instagram" else [])
    with db.read() as session:
        assert ig.accounts.find(session, comments.id) is not None
    with clock.travel(timedelta(days=40)):
        ig.connect.clean_up.tidy()
    assert ig.accounts.credentials(comments.id) is not None, "what is used is not forgotten"
