"""Pasting credentials: each is checked with Meta, and each failure stands beside its field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import connecting
from host.core import clock, db, guard, secrets
from host.models.channels import ChannelAccount
from host.sdk.accounts import overview
from host.sdk.cards import Connection, ConnectRequest, Problems, SignInProblem
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from tests.instagram import signing_in, world
from tests.instagram.world import POTTERY, POTTERY_PAGE, SECRET, STUDIO, TOKEN, Addon, Meta

PASTED = {
    "name": "Pottery wholesale",
    "page_id": POTTERY_PAGE,
    "page_name": "",
    "ig_user_id": POTTERY,
    "ig_username": "",
    "page_access_token": TOKEN,
    "app_secret": SECRET,
}
FIELDS = [
    "messages",
    "messaging_postbacks",
    "message_reactions",
    "messaging_referrals",
    "messaging_handovers",
]


@pytest.fixture
def ask(ig: Addon, meta: Meta, desk: db.Database) -> Any:
    def run(account: AccountRef | None = None, taken: str | None = None, **changes: str | None) -> Any:
        values = {name: value for name, value in {**PASTED, **changes}.items() if value is not None}
        return ig.connect.connecting.connect(ConnectRequest(1, account, values, lambda external_id: taken))

    return run


@pytest.fixture
def save(ask: Any) -> Any:
    def run(workspace_id: int, account: AccountRef | None = None, **changes: Any) -> AccountRef:
        connection = ask(account, **changes)
        assert isinstance(connection, Connection), connection
        return connecting.save(
            workspace_id=workspace_id,
            channel="instagram",
            connection=connection,
            account_id=account.id if account else None,
        )

    return run


def problems(answer: object) -> Mapping[str, str]:
    assert isinstance(answer, Problems), answer
    for sentence in answer.by_field.values():
        assert TOKEN not in sentence
        assert SECRET not in sentence
    return answer.by_field


def row(ig: Addon, account: AccountRef) -> Any:
    with db.read() as session:
        return ig.accounts.find(session, account.id)


def test_right_credentials_connect(ask: Any) -> None:
    found = ask()
    assert isinstance(found, Connection)
    assert (found.external_id, found.name, found.handle) == (POTTERY, "Pottery wholesale", "@sample.pottery")
    assert found.way == "pasted"
    assert found.settings == {"human_agent": False}


def test_the_page_is_subscribed_and_that_is_read_back(ask: Any, meta: Meta) -> None:
    ask()
    held = meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID]
    assert set(FIELDS) <= set(held)
    assert [call["method"] for call in meta.calls("subscribe")] == ["GET", "POST", "GET"]


def test_what_is_stored(save: Any, ig: Addon, meta: Meta) -> None:
    account = save(world.workspace())
    found = row(ig, account)
    assert (found.page_id, found.page_name, found.ig_username) == (
        POTTERY_PAGE,
        "Sample Pottery",
        "sample.pottery",
    )
    assert (found.app_id, found.flavour) == (world.APP_ID, "page")
    assert found.token_expires_at is None
    assert "instagram_manage_messages" in found.scopes
    assert set(FIELDS) <= set(found.subscribed_fields)
    for column in (found.token, found.app_secret, found.verify_token):
        assert column.startswith("v1:k1:")
    kept = ig.accounts.credentials(account.id)
    assert (kept.token, kept.app_secret) == (Secret(TOKEN), Secret(SECRET))


def test_what_meta_was_told_is_undone_if_the_account_is_not_saved(save: Any, meta: Meta) -> None:
    from host.sdk.errors import AccountTakenError

    save(world.workspace())
    meta.box.world.pages[POTTERY_PAGE].subscriptions.clear()
    with pytest.raises(AccountTakenError):
        save(world.workspace("Other"))
    assert meta.box.world.pages[POTTERY_PAGE].subscriptions == {}


def test_a_subscription_that_was_there_before_is_not_undone(ask: Any, meta: Meta) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = ["feed"]
    assert ask().undo is None
    assert "feed" in meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID]


# Each thing that can be wrong


def test_a_token_meta_does_not_know(ask: Any) -> None:
    found = problems(ask(page_access_token="EAANobodysToken00000000000000"))
    assert list(found) == ["page_access_token"]
    assert "rejected this token" in found["page_access_token"]
    assert "190" in found["page_access_token"]


@pytest.mark.parametrize("subcode", [458, 460, 463])
def test_a_token_that_died_says_what_meta_answered(ask: Any, meta: Meta, subcode: int) -> None:
    token = meta.token("pottery-long")
    token.valid, token.subcode = False, subcode
    assert f"190/{subcode}" in problems(ask())["page_access_token"]


def test_a_token_that_ends_within_a_week_is_short_lived(ask: Any) -> None:
    found = problems(ask(page_access_token=f"EAASANDBOXPotteryShort{POTTERY_PAGE}"))
    assert "short-lived" in found["page_access_token"]


@pytest.mark.parametrize(("days", "fine"), [(6.99, False), (7.01, True)])
def test_a_week_is_a_week(ask: Any, meta: Meta, days: float, fine: bool) -> None:
    meta.token("pottery-long").expires_at = clock.now().timestamp() + days * 86400
    assert isinstance(ask(), Connection) is fine


def test_the_end_of_a_token_is_kept(save: Any, ig: Addon, meta: Meta) -> None:
    end = int(clock.now().timestamp()) + 60 * 86400
    meta.token("pottery-long").expires_at = end
    assert row(ig, save(world.workspace())).token_expires_at == datetime.fromtimestamp(end, UTC)


def test_a_token_without_the_permissions_names_them(ask: Any, meta: Meta) -> None:
    token = meta.token("pottery-long")
    token.scopes = [scope for scope in token.scopes if not scope.startswith("pages_")]
    token.scopes.remove("instagram_manage_messages")
    found = problems(ask())["page_access_token"]
    assert "instagram_manage_messages" in found
    assert "instagram_basic" not in found


GUIDES = (
    ("instagram_basic", "instagram_manage_messages", "pages_messaging"),
    ("instagram_basic", "instagram_manage_messages", "pages_messaging", "pages_manage_metadata"),
    ("instagram_basic", "instagram_manage_messages"),
)
"""Sets of permissions that guides of other products name, and the least there can be."""


@pytest.mark.parametrize("scopes", GUIDES)
@pytest.mark.parametrize("hidden", [False, True])
def test_the_permissions_other_guides_name_connect_and_say_what_the_rest_costs(
    save: Any, ig: Addon, meta: Meta, scopes: tuple[str, ...], hidden: bool
) -> None:
    meta.token("pottery-long").scopes = list(scopes)
    if hidden:  # the Page, which its own permission would show
        meta.fault(f"/*{POTTERY_PAGE}", "error", code=200)
    account = save(world.workspace())
    assert row(ig, account).ig_username == "sample.pottery"
    may_subscribe = "pages_manage_metadata" in scopes
    assert (world.APP_ID in meta.box.world.pages[POTTERY_PAGE].subscriptions) is may_subscribe
    (told,) = [one for one in ig.card.status(account).notices if one[0] == "warn"]
    for name in ig.config.page_scopes():
        assert (name in told[2]) is (name not in scopes)
    assert ("at Meta yourself" in told[2]) is not may_subscribe
    assert ("Attachments" in told[2]) is ("pages_messaging" not in scopes)
    ig.monitoring.watchdog.watch()
    ig.monitoring.inspection.inspect()
    (seen,) = overview("instagram")
    assert (seen.state, seen.warnings) == ("connected", ()), "nobody is alarmed by what was never given"
    world.disconnect(account)
    ig.connect.connecting.disconnect(account)
    assert not subscribed(meta)


def test_with_every_permission_the_card_warns_of_none(save: Any, ig: Addon, meta: Meta) -> None:
    account = save(world.workspace())
    assert not [one for one in ig.card.status(account).notices if one[0] == "warn"]


def test_the_token_of_a_person_is_not_a_pages(ask: Any) -> None:
    found = problems(ask(page_access_token="EAASANDBOXOwnerLong000000000000000000000"))
    assert "page_access_token" in found


def test_the_token_of_another_page(ask: Any) -> None:
    found = problems(ask(page_access_token="EAASANDBOXStudioLong100000000000002"))
    assert list(found) == ["page_access_token"]
    assert "Sample Studio" in found["page_access_token"]


def test_the_id_of_another_page(ask: Any) -> None:
    found = problems(ask(page_id="100000000000002"))
    assert list(found) == ["page_id"]
    assert POTTERY_PAGE in found["page_id"]


def test_the_id_of_another_instagram_account(ask: Any) -> None:
    found = problems(ask(ig_user_id=STUDIO))
    assert list(found) == ["ig_user_id"]
    assert "@sample.pottery" in found["ig_user_id"]
    assert POTTERY in found["ig_user_id"]


def test_page_token_and_secret_are_enough(save: Any, ig: Addon, meta: Meta) -> None:
    account = save(world.workspace(), name="", ig_user_id="", page_name="", ig_username="")
    assert (account.external_id, account.handle, account.name) == (
        POTTERY,
        "@sample.pottery",
        "Sample Pottery",
    )
    assert row(ig, account).page_id == POTTERY_PAGE


def test_without_its_id_an_account_that_is_connected_elsewhere_is_the_pages(ask: Any, meta: Meta) -> None:
    assert problems(ask(taken="It is connected elsewhere.", ig_user_id="")) == {
        "page_id": "It is connected elsewhere."
    }
    assert meta.calls("subscribe") == []


def test_when_meta_hides_the_account_its_id_is_asked_for(ask: Any, meta: Meta) -> None:
    meta.fault(f"/*{POTTERY_PAGE}", "error", code=200)
    assert isinstance(ask(), Connection)
    found = problems(ask(ig_user_id=""))
    assert "Enter its ID" in found["ig_user_id"]


def test_the_two_ids_swapped(ask: Any) -> None:
    found = problems(ask(page_id=POTTERY, ig_user_id=POTTERY_PAGE))
    assert "Instagram account" in found["page_id"]
    assert "ig_user_id" in found


def test_a_page_without_an_instagram_account(ask: Any) -> None:
    page = "100000000000004"
    found = problems(
        ask(page_id=page, ig_user_id="17841400000000009", page_access_token=f"EAASANDBOXUnlinkedLong{page}")
    )
    assert "No professional Instagram account" in found["ig_user_id"]


@pytest.mark.parametrize("required", [True, False])
def test_a_secret_of_another_app(ask: Any, meta: Meta, required: bool) -> None:
    meta.box.world.apps[world.APP_ID].require_proof = required
    found = problems(ask(app_secret=world.OTHER_SECRET))
    assert list(found) == ["app_secret"]
    assert "appsecret_proof" in found["app_secret"], "what Meta answered"


def test_a_wrong_secret_and_a_wrong_account_are_both_told(ask: Any) -> None:
    assert set(problems(ask(app_secret=world.OTHER_SECRET, ig_user_id=STUDIO))) == {
        "app_secret",
        "ig_user_id",
    }


def test_an_account_that_is_connected_elsewhere(ask: Any, meta: Meta) -> None:
    assert problems(ask(taken="It is connected elsewhere.")) == {"ig_user_id": "It is connected elsewhere."}
    assert meta.calls("subscribe") == [], "Meta is not told of an account that will not be saved"


def test_nobody_learns_what_is_connected_without_the_credentials(ask: Any) -> None:
    found = problems(ask(taken="It is connected elsewhere.", app_secret=world.OTHER_SECRET))
    assert "ig_user_id" not in found


def test_a_page_that_cannot_be_subscribed(ask: Any, meta: Meta) -> None:
    meta.fault("subscribe", "error", code=200, match={"method": "POST"})
    assert "couldn't be subscribed" in problems(ask())["page_access_token"]


def test_a_subscription_meta_does_not_keep(ask: Any, meta: Meta) -> None:
    meta.fault("subscribe", "garbage", text='{"success":true}', when="before", match={"method": "POST"})
    assert "messages" in problems(ask())[""]


def test_fields_meta_refuses_are_said_in_its_words(ask: Any, ig: Addon, meta: Meta) -> None:
    from host.sdk import settings

    settings.provide("instagram", {**settings._values["instagram"], "page_fields": "messages,messaging_seen"})
    assert "must be one of" in problems(ask())[""]


@pytest.mark.parametrize("action", ["garbage", "reset", "error"])
def test_when_meta_cannot_be_asked_nothing_is_saved(ask: Any, meta: Meta, action: str) -> None:
    meta.fault("graph", action, **({"status": 503} if action == "error" else {}))
    assert "Nothing was saved" in problems(ask())[""]


def test_an_address_that_does_not_answer_says_so(ask: Any) -> None:
    guard.allow(())
    assert "Nothing was saved" in problems(ask())[""]


@pytest.mark.parametrize("call", ["me", "debug_token", "page", "subscribe"])
@pytest.mark.parametrize(
    "fault",
    [
        {"action": "error", "code": 1},
        {"action": "error", "code": 4},
        {"action": "error", "code": 190, "subcode": 460},
        {"action": "error", "code": 100, "message": f"no {TOKEN} here, nor {SECRET}"},
        {"action": "garbage", "text": '{"id":{},"data":7}'},
    ],
)
def test_every_refusal_of_every_call_is_a_sentence(
    ask: Any, meta: Meta, call: str, fault: dict[str, Any]
) -> None:
    meta.fault(call, **fault)
    assert problems(ask())


def test_a_token_that_may_not_ask_about_itself_is_asked_about_by_its_app(ig: Addon, meta: Meta) -> None:
    """Meta does not document that it may; its app may for certain."""
    meta.fault("debug_token", "error", code=100, times=1)
    graph = ig.graph.Graph(ig.config.Flavour.PAGE, Secret(TOKEN), Secret(SECRET))
    original = graph.call

    class WithApp(ig.graph.Graph):  # type: ignore[misc, name-defined]
        """The stand-in has no ``/app``."""

        def call(self, method: str, path: str, answer: Any, **more: Any) -> Any:
            if path == "app":
                return ig.graph.Node(id=world.APP_ID)
            return original(method, path, answer, **more)

    found = WithApp(ig.config.Flavour.PAGE, Secret(TOKEN), Secret(SECRET)).token_facts()
    assert found.app_id == world.APP_ID
    assert len(meta.calls("debug_token")) == 2


# Editing, connecting again


def test_secrets_left_empty_are_kept(save: Any, ig: Addon) -> None:
    shop = world.workspace()
    account = save(shop)
    before = row(ig, account)
    with clock.travel(timedelta(days=1)):
        again = save(shop, account, page_access_token=None, app_secret=None, name="Another name")
    after = row(ig, account)
    assert again.name == "Another name"
    assert (after.token_set_at, after.app_secret_set_at) == (before.token_set_at, before.app_secret_set_at)
    kept = ig.accounts.credentials(account.id)
    assert (kept.token, kept.app_secret) == (Secret(TOKEN), Secret(SECRET))


def test_a_new_token_alone_is_taken(save: Any, ig: Addon, meta: Meta) -> None:
    shop = world.workspace()
    account = save(shop)
    before = row(ig, account)
    token = meta.token("pottery-long")
    meta.box.world.tokens["EAAFresh" + "0" * 20] = token
    with clock.travel(timedelta(days=1)):
        save(shop, account, page_access_token="EAAFresh" + "0" * 20, app_secret=None)
    after = row(ig, account)
    assert after.token_set_at > before.token_set_at
    assert after.app_secret_set_at == before.app_secret_set_at
    assert ig.accounts.credentials(account.id).token == Secret("EAAFresh" + "0" * 20)


def test_the_verify_token_stays_when_credentials_change(save: Any, ig: Addon) -> None:
    shop = world.workspace()
    account = save(shop)
    before = row(ig, account).verify_token
    save(shop, account)
    assert row(ig, account).verify_token == before


def test_connecting_again_keeps_the_account_and_its_row(save: Any, ig: Addon) -> None:
    shop = world.workspace()
    account = save(shop)
    uuid = row(ig, account).uuid
    world.disconnect(account)
    again = save(shop)
    assert again.id == account.id
    assert row(ig, again).uuid == uuid


def test_another_account_needs_a_card_of_its_own(save: Any, ask: Any) -> None:
    account = save(world.workspace())
    found = problems(ask(account, page_id="100000000000002", ig_user_id=STUDIO))
    assert "@sample.pottery" in found["ig_user_id"]


def test_secrets_that_cannot_be_read_any_more_have_to_be_pasted_again(save: Any, ask: Any) -> None:
    account = save(world.workspace())
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    found = problems(ask(account, page_access_token=None, app_secret=None))
    assert set(found) == {"page_access_token", "app_secret"}
    assert isinstance(ask(account), Connection)


def test_settings_of_the_channel_come_from_the_card(ask: Any) -> None:
    assert ask(human_agent="1").settings == {"human_agent": True}


# Disconnecting


def subscribed(meta: Meta) -> bool:
    return bool(meta.box.world.pages[POTTERY_PAGE].subscriptions)


def test_disconnecting_ends_the_subscription(save: Any, ig: Addon, meta: Meta) -> None:
    account = save(world.workspace())
    world.disconnect(account)
    ig.connect.connecting.disconnect(account)
    assert not subscribed(meta)


def test_a_page_another_account_is_reached_by_stays_subscribed(save: Any, ig: Addon, meta: Meta) -> None:
    account = save(world.workspace())
    world.disconnect(account)
    save(world.workspace("New"))
    ig.connect.connecting.disconnect(account)
    assert subscribed(meta)


def states() -> set[str]:
    with db.read() as session:
        return set(session.scalars(sa.select(ChannelAccount.state)))


@pytest.mark.parametrize("fault", [{"action": "error", "code": 190}, {"action": "reset"}])
def test_a_meta_that_does_not_answer_keeps_nothing_connected(
    save: Any, ig: Addon, meta: Meta, fault: dict[str, Any]
) -> None:
    account = save(world.workspace())
    world.disconnect(account)
    meta.fault("subscribe", **fault)
    with pytest.raises(ig.graph.GraphError) as raised:
        ig.connect.connecting.disconnect(account)
    assert TOKEN not in str(raised.value)
    assert states() == {"disconnected"}


def test_the_row_outlives_the_account(save: Any, ig: Addon) -> None:
    account = save(world.workspace())
    world.disconnect(account)
    ig.connect.connecting.disconnect(account)
    assert row(ig, account) is not None


def test_secrets_are_bound_to_their_row_and_column(any_desk: db.Database, ig: Addon) -> None:
    one = world.connect(ig)
    other = world.connect(ig, STUDIO, workspace_id=world.workspace("Studio"))
    model = ig.models.InstagramAccount
    stolen = row(ig, one).token

    def move(session: Any) -> None:
        session.execute(sa.update(model).where(model.account_id == other.id).values(token=stolen))

    db.write(move)
    from host.sdk.errors import SecretUnreadableError

    with pytest.raises(SecretUnreadableError):
        ig.accounts.credentials(other.id)
    assert ig.accounts.credentials(one.id).token == Secret(TOKEN)


def test_another_page_of_the_same_account_is_asked_about_first(
    ask: Any, ig: Addon, desk: db.Database, meta: Meta
) -> None:
    account = world.connect(
        ig, page_id="100000000000009", page_name="Old Pottery", workspace_id=world.workspace()
    )
    for edited in (account, None):
        refused = problems(ask(edited))["page_id"]
        assert "through the Page “Old Pottery”" in refused
        assert "All its conversations stay" in refused
        assert "through the Page “Old Pottery”" in problems(ask(edited, ig_user_id=""))["page_id"]
    assert meta.calls("subscribe") == []
    found = ask(account, moved="1")
    assert isinstance(found, Connection)
    saved = connecting.save(workspace_id=1, channel="instagram", connection=found, account_id=account.id)
    assert (saved.id, row(ig, saved).page_id) == (account.id, POTTERY_PAGE)
    assert isinstance(ask(account), Connection), "from now on that Page is the one it is reached through"


def test_signing_in_says_that_the_page_is_another(ig: Addon, meta: Meta, desk: db.Database) -> None:
    signing_in.set_up(ig, meta)
    account = world.connect(ig, page_id="100000000000009", page_name="Old Pottery")
    values = signing_in.allow(signing_in.start(ig.connect.facebook_login, account.workspace_id, account))
    found = signing_in.finish(ig.connect.facebook_login, account.workspace_id, values, account)
    assert not isinstance(found, SignInProblem)
    moved = {one.external_id: one.moves for one in found}
    assert "through the Page “Old Pottery”" in moved[POTTERY]
    assert [moves for igid, moves in moved.items() if igid != POTTERY] == [""] * (len(moved) - 1)
