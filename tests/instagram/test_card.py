"""The card: what may be pasted where, what it shows, what its button does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host import counters
from host.core import clock, db, secrets
from host.core.backports.values import replace
from host.models.users import Role
from host.queue import refusals
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from tests import helpers
from tests.instagram import world
from tests.instagram.world import OTHER_SECRET as OTHER
from tests.instagram.world import POTTERY, POTTERY_PAGE, SECRET, TOKEN, Addon

LOGIN_TOKEN = "IGAASANDBOXPotteryLong17841400000000001"


def cleaned(ig: Addon, name: str, value: str) -> str:
    field = next(
        field for field in (*ig.card.CARD.fields, ig.connect.fields.OWN_VERIFY_TOKEN) if field.name == name
    )
    assert field.clean is not None
    found: str = field.clean(value)
    return found


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("page_id", f"  {POTTERY_PAGE}\n", POTTERY_PAGE),
        ("ig_user_id", POTTERY, POTTERY),
        ("ig_username", " @sample.pottery ", "sample.pottery"),
        ("ig_username", "", ""),
        ("page_access_token", f"\t{TOKEN} \r\n", TOKEN),
        ("app_secret", f" {SECRET} ", SECRET),
        ("app_secret", "5" * 32, "5" * 32),
        ("verify_token", " my own token".replace(" ", ""), "myowntoken"),
        ("verify_token", "", ""),
    ],
)
def test_what_is_right_is_trimmed(ig: Addon, name: str, value: str, kept: str) -> None:
    assert cleaned(ig, name, value) == kept


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("page_id", TOKEN, "looks like an access token"),
        ("page_id", SECRET, "looks like an App Secret"),
        ("page_id", "sample.pottery", "only digits, for example 100000000000001."),
        ("ig_user_id", "sample.pottery", "only digits, for example 17841400000000001."),
        ("page_id", "12", "only digits"),
        ("page_id", "١٢٣٤٥٦", "invalid characters"),
        ("ig_user_id", "@sample.pottery", "only digits"),
        ("ig_username", "sample pottery!", "letters, digits"),
        ("page_access_token", SECRET, "looks like the App Secret"),
        ("page_access_token", POTTERY_PAGE, "looks like an ID"),
        ("page_access_token", LOGIN_TOKEN, "Instagram Login"),
        ("page_access_token", "EAAéééééééééééééééééééé", "invalid characters"),
        ("page_access_token", f"{TOKEN} {TOKEN}", "spaces"),
        ("page_access_token", "hello", "starts with EAA"),
        ("app_secret", TOKEN, "looks like an access token"),
        ("app_secret", LOGIN_TOKEN, "looks like an access token"),
        ("app_secret", "1234567890123456", "looks like an App ID"),
        ("app_secret", "short", "32 letters"),
        ("app_secret", "x" * 200, "32 letters"),
        ("verify_token", "short", "8 to 128"),
        ("verify_token", "two words", "spaces"),
    ],
)
def test_what_belongs_elsewhere_is_recognised(ig: Addon, name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        cleaned(ig, name, value)
    assert value not in str(refused.value)


def test_only_what_must_be_secret_is(ig: Addon) -> None:
    assert [field.name for field in ig.card.CARD.fields if field.secret] == [
        "page_access_token",
        "app_secret",
    ]
    required = [field.name for field in ig.card.CARD.fields if field.required]
    assert required == ["page_id", "page_access_token", "app_secret"]


@pytest.fixture
def status(ig: Addon, account: AccountRef) -> Any:
    return lambda: ig.card.status(account)


def event(account: AccountRef, ago: timedelta = timedelta()) -> None:
    world.touched(account, clock.now() - ago)


def test_it_shows_what_meta_needs_to_be_told(status: Any, account: AccountRef) -> None:
    shown = {each.label: each.value for each in status().copyables}
    assert shown["Webhook URL"] == "https://desk.example.com/addons/instagram/webhook"
    assert shown["Verify Token"].startswith("lobby-")
    alone = f"https://desk.example.com/addons/instagram/webhook/{account.uuid}"
    assert shown["Webhook URL for this account only"] == alone


def test_it_fills_the_form_again_but_for_the_secrets(status: Any) -> None:
    found = status()
    assert found.values["page_id"] == POTTERY_PAGE
    assert found.values["human_agent"] == ""
    assert not {"page_access_token", "app_secret"} & set(found.values)
    assert set(found.stored_secrets) == {"page_access_token", "app_secret"}
    assert all(hint.startswith("set on ") for hint in found.stored_secrets.values())


def test_it_shows_the_settings_as_they_are(ig: Addon, desk: db.Database) -> None:
    account = world.connect(ig, settings={"human_agent": True})
    assert ig.card.status(account).values["human_agent"] == "1"


def test_until_the_first_message_it_asks_for_one(status: Any, account: AccountRef) -> None:
    (tone, bold, _sentence) = status().notices[0]
    assert (tone, bold) == ("good", "Send a message to @sample.pottery from another account now.")
    event(account)
    assert status().notices == []


def test_after_ten_quiet_minutes_it_says_what_to_look_at(status: Any) -> None:
    with clock.travel(timedelta(minutes=11)):
        (tone, bold, sentence) = status().notices[0]
    assert (tone, bold) == ("warn", "Nothing has arrived yet.")
    assert "Allow access to messages" in sentence


def test_a_message_from_before_a_reconnect_does_not_count_as_the_first(
    ig: Addon, account: AccountRef
) -> None:
    event(account, timedelta(days=3))
    assert ig.card.status(account).notices[0][0] == "good"
    with clock.travel(timedelta(minutes=11)):
        assert ig.card.status(account).notices == [], "it has received before, so quiet is no fault"


def test_a_key_that_is_missing_is_said_and_nothing_breaks(status: Any) -> None:
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    found = status()
    assert "can't be read" in next(notice for notice in found.notices if notice[0] == "bad")[1]
    assert "Verify Token" not in [each.label for each in found.copyables]


def test_an_account_without_its_row_says_so(ig: Addon, desk: db.Database) -> None:
    stranger = AccountRef(99, "u", 1, "instagram", POTTERY, "a", "@a")
    assert "Reconnect it" in ig.card.status(stranger).notices[0][2]


def verify_token(ig: Addon, account: AccountRef) -> str:
    found: str = next(
        each.value for each in ig.card.status(account).copyables if each.label == "Verify Token"
    )
    return found


def test_a_new_verify_token_stops_the_old_one_at_once(ig: Addon, account: AccountRef) -> None:
    before, counted = verify_token(ig, account), counters.accounts()
    assert "Verify Token created" in ig.card.change_verify_token(account, {})
    assert verify_token(ig, account) != before
    assert counters.accounts() == counted + 1
    bound = ig.accounts.book.get().by_uuid[account.uuid]
    assert bound.verify_token.decode() == verify_token(ig, account)


def test_ones_own_verify_token_is_taken(ig: Addon, account: AccountRef) -> None:
    (action,) = [one for one in ig.card.CARD.actions if one.name == "verify-token"]
    assert "Verify Token saved" in action.run(account, {"verify_token": "my-own-token"})
    assert verify_token(ig, account) == "my-own-token"
    assert action.confirm


def test_a_verify_token_for_an_account_that_is_gone_is_refused(ig: Addon, desk: db.Database) -> None:
    stranger = AccountRef(99, "u", 1, "instagram", POTTERY, "a", "@a")
    with pytest.raises(ValueError, match="Reconnect it"):
        ig.card.change_verify_token(stranger, {})


# Accounts that were connected by signing in


@pytest.fixture
def signed_in(desk: db.Database, ig: Addon) -> AccountRef:
    return world.connect(ig, way="facebook", person_id="1")


@pytest.fixture
def owner(signed_in: AccountRef, ig: Addon, data: Path) -> helpers.Browser:
    from host.channels.directory import Directory

    directory = Directory([ig.channel.InstagramAdapter()], [ig.card.CARD])
    app = helpers.build_app(data, generation=helpers.StandInGeneration(directory=directory))
    mia = helpers.make_user(workspace=signed_in.workspace_id, role=Role.OWNER)
    return helpers.client_for(app, mia)


def test_a_signed_in_account_speaks_of_nothing_that_is_not_there(ig: Addon, signed_in: AccountRef) -> None:
    with clock.travel(timedelta(minutes=11)):
        found = ig.card.status(signed_in)
    (_tone, _bold, sentence) = found.notices[0]
    assert found.copyables == ()
    assert "below" not in sentence
    assert "Verify Token" not in sentence
    assert "Allow access to messages" in sentence


def test_it_is_offered_no_token_that_is_never_shown(owner: helpers.Browser, signed_in: AccountRef) -> None:
    path = f"/w/{signed_in.workspace_id}/settings/channels"
    page = owner.get(path).get_data(as_text=True)
    assert "@sample.pottery" in page
    assert "New Verify Token" not in page
    refused = owner.post_form(f"{path}/accounts/{signed_in.id}/actions/verify-token", verify_token="")
    assert refused.status_code == 404


def test_its_settings_ask_for_no_credentials_and_do_not_speak_of_them(
    owner: helpers.Browser, signed_in: AccountRef
) -> None:
    path = f"/w/{signed_in.workspace_id}/settings/channels/accounts/{signed_in.id}"
    page = owner.get(path).get_data(as_text=True)
    assert "Settings of @sample.pottery" in page
    assert "Paste the credentials" not in page
    assert "page_access_token" not in page
    assert "press Reconnect" in page
    answer = owner.post_form(path, name="The shop", human_agent="1")
    assert answer.status_code == 302
    shown = owner.get(answer.location.split("#")[0]).get_data(as_text=True)
    assert "The shop" in shown
    row = shown.split(f'id="account-{signed_in.id}"')[1].split("</article>")[0]
    assert "is connected" in row, "it is said where the eye is"


# What is to be done at Meta is done once for an app, whose webhook serves all its accounts


def first_step(ig: Addon, account: AccountRef) -> Any:
    return ig.card.CARD.status(account).steps[0]


def test_an_account_of_an_app_that_delivers_has_nothing_to_enter(ig: Addon, account: AccountRef) -> None:
    second = world.connect(ig, world.STUDIO, workspace_id=account.workspace_id)
    assert not first_step(ig, second).done
    world.touched(account, clock.now())
    step = first_step(ig, second)
    assert step.done
    assert "Enter the URL" not in step.detail
    assert first_step(ig, account).done
    with clock.travel(timedelta(hours=1)):
        world.touched(account, clock.now())
        ((_tone, _bold, told),) = ig.card.CARD.status(second).notices
        assert "In the Instagram app" in told
        assert "In the Meta app" not in told, "that app delivers"


def test_an_account_of_an_app_whose_address_was_verified_has_nothing_to_enter(
    ig: Addon, account: AccountRef
) -> None:
    second = world.connect(ig, world.STUDIO, workspace_id=account.workspace_id)
    db.write(refusals.note_verified, "instagram", account.id)
    assert first_step(ig, second).detail.startswith("Verified on")
    facts = ig.card.load_facts([second])[second.id]
    beside = replace(second, channel="instagram-comments")
    assert ig.card.steps(beside, facts)[0].done, "its comments come by the same address"


def test_another_app_proves_nothing(ig: Addon, account: AccountRef) -> None:
    other = world.connect(
        ig, world.CAFE, workspace_id=account.workspace_id, app_id="6543210987654321", app_secret=Secret(OTHER)
    )
    world.touched(account, clock.now())
    db.write(refusals.note_verified, "instagram", account.id)
    db.write(refusals.note_verified, "instagram", None)  # with the token of the app people sign in to
    assert not first_step(ig, other).done
    assert first_step(ig, other).detail == "Enter the URL and verify token there"


def test_the_diagnosis_does_not_ask_for_what_is_done(
    ig: Addon, account: AccountRef, meta: world.Meta
) -> None:
    second = world.connect(ig, world.STUDIO, workspace_id=account.workspace_id)
    with clock.travel(timedelta(hours=1)):
        world.touched(account, clock.now())
        found = {one.name: one for one in ig.diagnose.diagnosis.diagnose(second)}
    assert found["verification"].verdict == "pass"
    assert "Meta app delivers for other accounts" in found["webhook"].evidence
    assert "Meta app" not in found["webhook"].fix
