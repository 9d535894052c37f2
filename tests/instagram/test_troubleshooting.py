"""What people complain about, row by row: the check that sees it, what it shows, and the way out it names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import diagnosis, sign_in_attempts
from host.core import clock, db
from host.models.channels import ChannelAccount
from host.models.users import InstallationValue
from host.queue import refusals
from host.sdk import deliveries
from host.sdk.cards import Finding, SignInProblem
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from host.sdk.webhooks import WebhookRequest
from tests.helpers import make_user
from tests.instagram import signing_in as journeys
from tests.instagram import threads, world
from tests.instagram.world import POTTERY, POTTERY_PAGE, Addon, Meta

Spoil = Callable[[Addon, Meta, AccountRef], None]
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "post_to_self", lambda *_: (200, "EVENT_RECEIVED"))


@pytest.fixture
def fine(account: AccountRef, ig: Addon, meta: Meta) -> AccountRef:
    """An account of which nothing is wrong, as far as Meta and the desk can tell."""
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = list(ig.config.page_fields())
    meta.box.world.apps[world.APP_ID].callback_url = ig.config.webhook_url()
    meta.wrote()
    threads.inbound(account, "story_mention", clock.now())
    threads.inbound(account, "text", clock.now())
    threads.outbound(account, "m1", at=clock.now())
    world.touched(account, clock.now() + timedelta(seconds=1))
    db.write(refusals.note_verified, "instagram", account.id)
    return account


def findings(ig: Addon, account: AccountRef) -> dict[str, Finding]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, account.id)
    return {one.name: one for one in diagnosis.diagnose(ig.card.CARD, row)}


def test_where_nothing_is_wrong_nothing_fails(fine: AccountRef, ig: Addon, meta: Meta) -> None:
    found = findings(ig, fine)
    told = {name for name, one in found.items() if one.verdict != "pass"}
    # Threads of before the connection, and that nobody signs in at the moment, are no faults.
    assert told <= {"threads", "sign-in"}, {name: found[name] for name in told}


def personal(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.box.world.pages[POTTERY_PAGE].igid = None


def other_account(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.box.world.pages[POTTERY_PAGE].igid = world.STUDIO


def switch_off(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.box.world.accounts[POTTERY].allow_messages = False


def page_fields(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.box.world.pages[POTTERY_PAGE].subscriptions[world.APP_ID] = ["messages"]


def app_fields(*missing: str) -> Spoil:
    def spoil(ig: Addon, meta: Meta, account: AccountRef) -> None:
        for name in missing:
            meta.box.world.apps[world.APP_ID].fields.remove(name)

    return spoil


def elsewhere(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.box.world.apps[world.APP_ID].callback_url = "https://old.example.com/webhook"


def quiet(ig: Addon, meta: Meta, account: AccountRef) -> None:
    def use_case(session: Any) -> None:
        row = session.get_one(ChannelAccount, account.id)
        row.last_event_at, row.connected_at = None, clock.now() - DAY

    db.write(use_case)


def just_connected(ig: Addon, meta: Meta, account: AccountRef) -> None:
    quiet(ig, meta, account)
    db.write(
        lambda session: setattr(session.get_one(ChannelAccount, account.id), "connected_at", clock.now())
    )


def ask(ig: Addon, account: AccountRef, token: str | None = "oldtoken-of-last-year") -> None:
    """Ask whether the account's address is ours, as anybody may."""
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
    if token is None:
        query = {}
    decision = ig.webhook.verification.verify(WebhookRequest("GET", account.uuid, {}, query, b""))
    refusals.count_refusal("instagram", decision.account_id, decision.reason, "192.0.2.1", decision.hint)


def wrong_token(ig: Addon, meta: Meta, account: AccountRef) -> None:
    new(account)
    ask(ig, account)


def post(ig: Addon, account: AccountRef, signature: str | None) -> None:
    """Deliver something for the account with a signature that is not right, as anybody may."""
    headers = {} if signature is None else {"x-hub-signature-256": signature}
    decision = ig.webhook.verification.authenticate(
        world.post(world.payload(world.entry(world.message())), headers=headers)
    )
    assert decision.account_id == account.id
    refusals.count_refusal("instagram", decision.account_id, decision.reason, "192.0.2.1", decision.hint)


WRONG = f"sha256={'0' * 64}"


def new(account: AccountRef) -> None:
    """Forget what came in for the account: nothing has shown yet that Meta knows it."""

    def use_case(session: Any) -> None:
        session.get_one(ChannelAccount, account.id).last_event_at = None
        session.execute(sa.delete(InstallationValue).where(InstallationValue.name.like("verified:%")))

    db.write(use_case)


def other_secret(ig: Addon, meta: Meta, account: AccountRef) -> None:
    """The secret was made anew at Meta after it was entered here."""
    meta.box.world.apps[world.APP_ID].secret = "f" * 32


def wrong_signature(ig: Addon, meta: Meta, account: AccountRef) -> None:
    new(account)
    other_secret(ig, meta, account)
    post(ig, account, WRONG)


def away_from_home(ig: Addon, meta: Meta, account: AccountRef) -> None:
    deliveries.post_to_self = lambda *_: (301, "Moved")  # type: ignore[assignment]  # taken back by at_home


def narrowed(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.token("pottery-long").scopes.remove("instagram_manage_messages")


def dead(ig: Addon, meta: Meta, account: AccountRef) -> None:
    meta.token("pottery-long").valid, meta.token("pottery-long").subcode = False, 460


def refused(code: str, days: float = 2) -> Spoil:
    def spoil(ig: Addon, meta: Meta, account: AccountRef) -> None:
        threads.refused(account, code, last_inbound_at=clock.now() - timedelta(days=days))

    return spoil


def sign_in(**problem: str) -> Spoil:
    def spoil(ig: Addon, meta: Meta, account: AccountRef) -> None:
        attempt = db.write(
            sign_in_attempts.start,
            workspace_id=account.workspace_id,
            user_id=make_user().id,
            login_id=1,
            channel="instagram",
            way="facebook",
            account_id=None,
        )
        if problem:
            db.write(sign_in_attempts.end, attempt.id, handles=[], problems=[SignInProblem(**problem)])

    return spoil


NO_TASK = {
    "sentence": "You aren't allowed to reply to messages of this Page.",
    "next_step": "Ask an admin of the Page.",
}


@pytest.mark.parametrize(
    ("spoil", "check", "verdict", "evidence", "fix"),
    [
        # No DMs arrive
        pytest.param(personal, "professional", "fail", "linked to an account", "Link this", id="unlinked"),
        pytest.param(
            other_account, "professional", "fail", "now linked to @sample.studio", "Link this", id="other"
        ),
        pytest.param(switch_off, "allowed", "fail", "it is off", "Allow access to messages", id="switch"),
        pytest.param(
            page_fields, "fields", "fail", "messaging_postbacks", "Subscribe again", id="page-fields"
        ),
        pytest.param(
            app_fields("messages"), "app-fields", "fail", "messages", "select them", id="app-fields"
        ),
        pytest.param(quiet, "webhook", "unknown", "/addons/instagram/webhook", "selected", id="nothing-came"),
        pytest.param(
            just_connected, "webhook", "unknown", "less than ten minutes", "@sample.pottery", id="new"
        ),
        pytest.param(
            wrong_signature, "signature", "fail", "@sample.pottery rejected", "App Secret", id="bad"
        ),
        # Only some people's DMs arrive
        pytest.param(lambda *_: None, "threads", "unknown", "0 of the newest 1", "App Review", id="threads"),
        # Meta shows the webhook red
        pytest.param(wrong_token, "verification", "warn", "“oldt”", "account's settings", id="verify-token"),
        pytest.param(
            elsewhere, "app-fields", "fail", "https://old.example.com", "enter https", id="elsewhere"
        ),
        pytest.param(away_from_home, "self-test", "fail", "301", "in front of Lobby", id="self-test"),
        # Connected but a field is missing
        *(
            pytest.param(app_fields(name), "app-fields", verdict, name, "no field of their own", id=name)
            for name, verdict in (
                ("messaging_postbacks", "fail"),
                ("message_reactions", "fail"),
                ("messaging_seen", "warn"),
                ("standby", "warn"),
            )
        ),
        # Account not in the list, could not connect, missing permissions
        pytest.param(
            sign_in(**NO_TASK), "sign-in", "unknown", "aren't allowed to reply", "Ask an admin", id="no-task"
        ),
        pytest.param(
            narrowed, "permissions", "fail", "instagram_manage_messages", "Create a token", id="less"
        ),
        # Token expired
        pytest.param(dead, "token", "fail", "(190/460)", "Reconnect", id="dead-token"),
        # Cannot reply outside the window, or after seven days
        pytest.param(refused("10/2534022"), "window", "fail", "2 days earlier", "Human Agent", id="window"),
        # Cannot send to this person
        pytest.param(refused("551"), "recipients", "unknown", "(551)", "No action needed", id="person"),
        # Permission denied
        pytest.param(refused("10"), "sending", "fail", "doesn't have permission", "App Review", id="denied"),
        # Popup blocked or closed
        pytest.param(sign_in(), "sign-in", "unknown", "has not come back", "allow pop-ups", id="popup"),
    ],
)
def test_each_row_has_a_check_that_sees_it(
    fine: AccountRef, ig: Addon, meta: Meta, spoil: Spoil, check: str, verdict: str, evidence: str, fix: str
) -> None:
    spoil(ig, meta, fine)
    found = findings(ig, fine)[check]
    assert found.verdict == verdict, found
    assert evidence in found.evidence
    assert fix in found.fix


def test_a_wrong_verify_token_shows_how_both_begin_and_no_more(
    fine: AccountRef, ig: Addon, meta: Meta
) -> None:
    wrong_token(ig, meta, fine)
    ours = next(one.value for one in ig.card.status(fine).copyables if one.label == "Verify Token")
    told = findings(ig, fine)["verification"].evidence
    assert "21 characters starting with “oldt”" in told
    assert f"has {len(ours)} and starts with “{ours[: len('lobby-') + 4]}”" in told
    for one in findings(ig, fine).values():
        assert "oldto" not in one.evidence + one.fix
        assert ours[: len("lobby-") + 5] not in one.evidence + one.fix
    db.write(refusals.note_verified, "instagram", fine.id)
    assert findings(ig, fine)["verification"].verdict == "pass", "Meta asked again, and was told yes"


def test_two_tokens_of_our_making_are_told_apart(fine: AccountRef, ig: Addon, meta: Meta) -> None:
    """All of them begin with the same six letters."""
    new(fine)
    ask(ig, fine, "lobby-9dQx-4T1c-Zq8e-77Lm")
    assert "“lobby-9dQx”" in findings(ig, fine)["verification"].evidence


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("", "/0"),
        ("abc", "/3"),
        ("mytoken", "m/7"),
        ("abcd1234", "ab/8"),
        ("lobby-x", "lobby-/7"),
        ("lobby-" + "x" * 32, "lobby-xxxx/38"),
        ("\u00e9\n" * 40, "????/80"),
        ("x" * 5000, "xxxx/999"),
    ],
)
def test_of_a_token_a_quarter_is_told_at_most_and_how_long_it_is(
    fine: AccountRef, ig: Addon, token: str, shown: str
) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
    assert ig.webhook.verification.verify(WebhookRequest("GET", None, {}, query, b"")).hint == shown


# What anybody may send turns nothing red


@pytest.mark.parametrize("token", [None, "", "mytoken", "lobby-9dQx-4T1c-Zq8e-77Lm"])
def test_one_call_with_a_wrong_token_turns_no_healthy_account_red(
    fine: AccountRef, ig: Addon, meta: Meta, token: str | None
) -> None:
    with clock.travel(timedelta(hours=1)):
        ask(ig, fine, token)
        found = findings(ig, fine)["verification"]
        assert found.verdict == ("pass" if token is None else "unknown"), found
        if token:
            assert "Anyone can send" in found.evidence
    with clock.travel(timedelta(hours=2)):
        world.touched(fine, clock.now())
        assert findings(ig, fine)["verification"].verdict == "pass", "a delivery came after it"


@pytest.mark.parametrize(("signature", "verdict"), [(None, "pass"), ("sha256=x", "pass"), (WRONG, "unknown")])
def test_a_few_posts_of_a_stranger_turn_no_healthy_account_red(
    fine: AccountRef, ig: Addon, meta: Meta, signature: str | None, verdict: str
) -> None:
    with clock.travel(timedelta(hours=1)):
        for _ in range(3):
            post(ig, fine, signature)
        assert findings(ig, fine)["signature"].verdict == verdict
    with clock.travel(timedelta(hours=2)):
        world.touched(fine, clock.now())
        assert findings(ig, fine)["signature"].verdict == "pass", "a delivery signed right came after them"


def test_a_secret_that_meta_takes_is_not_the_one_to_copy_again(
    fine: AccountRef, ig: Addon, meta: Meta
) -> None:
    new(fine)
    post(ig, fine, WRONG)
    found = findings(ig, fine)["signature"]
    assert found.verdict == "warn"
    assert "another Meta app" in found.evidence
    assert "Copy the App Secret" not in found.fix


def test_where_meta_cannot_be_asked_about_the_secret_time_tells(
    desk: db.Database, ig: Addon, meta: Meta
) -> None:
    token = Secret(meta.token("pottery-instagram").value)
    login = ig.config.Flavour.LOGIN
    account = world.connect(ig, flavour=login, way="instagram", page_id="", token=token)
    post(ig, account, WRONG)
    assert findings(ig, account)["signature"].verdict == "warn", "anybody could have sent it"
    world.touched(account, clock.now())
    with clock.travel(timedelta(hours=1)):
        post(ig, account, WRONG)
        assert findings(ig, account)["signature"].verdict == "unknown"
    with clock.travel(2 * DAY):
        post(ig, account, WRONG)
        assert findings(ig, account)["signature"].verdict == "warn", "and nothing signed right in between"


# Evidence has an age


@pytest.mark.parametrize(("days", "verdict"), [(6, "pass"), (8, "unknown"), (19, "unknown")])
@pytest.mark.parametrize("check", ["live", "webhook", "signature"])
def test_old_evidence_proves_nothing_about_today(
    fine: AccountRef, ig: Addon, meta: Meta, check: str, days: int, verdict: str
) -> None:
    """An app put back into development mode gets messages of people with a role only, and nobody says so."""
    with clock.travel(days * DAY):
        found = findings(ig, fine)[check]
    assert found.verdict == verdict, found
    assert found.old is (verdict == "unknown")
    assert found.seen_at is not None
    assert clock.now() - found.seen_at < timedelta(minutes=1)


def test_one_person_who_goes_on_writing_keeps_no_app_live(fine: AccountRef, ig: Addon, meta: Meta) -> None:
    with clock.travel(10 * DAY):
        threads.inbound(fine, "text", clock.now())
        world.touched(fine, clock.now())
        found = findings(ig, fine)
    assert found["live"].verdict == "unknown"
    assert found["webhook"].verdict == "pass"


def test_what_was_imported_is_no_evidence_of_a_live_app(account: AccountRef, ig: Addon, meta: Meta) -> None:
    for _ in range(3):
        threads.outbound(account, at=clock.now())
    assert findings(ig, account)["live"].verdict == "unknown"


def test_a_verification_that_never_came_is_said(account: AccountRef, ig: Addon, meta: Meta) -> None:
    found = findings(ig, account)["verification"]
    assert found.verdict == "unknown"
    assert "never verified" in found.evidence
    assert ig.config.webhook_url() in found.fix


def test_a_wrong_token_at_the_shared_address_is_shown_but_may_be_a_strangers(
    fine: AccountRef, ig: Addon, meta: Meta
) -> None:
    with clock.travel(timedelta(minutes=1)):
        refusals.count_refusal("instagram", None, "verify_token", "192.0.2.1", "some/9")
        found = findings(ig, fine)["verification"]
    assert found.verdict == "unknown"
    assert "“some”" in found.evidence


def test_signatures_of_nobody_are_told_and_no_fault_of_this_account(
    fine: AccountRef, ig: Addon, meta: Meta
) -> None:
    with clock.travel(timedelta(minutes=1)):
        refusals.count_refusal("instagram", None, "signature", "192.0.2.1")
        found = findings(ig, fine)["signature"]
    assert found.verdict == "unknown"
    assert "1 for accounts not connected here" in found.evidence


def test_since_when_signatures_are_wrong_is_told(fine: AccountRef, ig: Addon, meta: Meta) -> None:
    wrong_signature(ig, meta, fine)
    refusals.flush()
    with clock.travel(5 * DAY):
        wrong_signature(ig, meta, fine)
        refusals.flush()
        found = findings(ig, fine)["signature"].evidence
    first = f"{clock.now():%b} {clock.now().day}"
    assert f"first on {first}" in found
    assert "1 for @sample.pottery" in found


@pytest.mark.parametrize(
    ("way", "own", "place"),
    [
        ("facebook_login", False, "LOBBY_ADDON_INSTAGRAM_FACEBOOK_APP_SECRET"),
        ("instagram_login", False, "LOBBY_ADDON_INSTAGRAM_INSTAGRAM_APP_SECRET"),
        ("facebook_login", True, "Your own Meta app"),
        ("instagram_login", True, "Your own Meta app"),
    ],
)
def test_a_bad_signature_names_which_secret_to_copy_and_where_to(
    desk: db.Database, ig: Addon, meta: Meta, way: str, own: bool, place: str
) -> None:
    journeys.set_up(ig, meta)
    workspace = world.workspace()
    if own:
        name = "facebook" if way == "facebook_login" else "instagram"
        values = {f"{name}_app_id": world.APP_ID, f"{name}_app_secret": world.SECRET}
        ig.connect.apps.save(workspace, values)
    account = journeys.journey(getattr(ig.connect, way).SIGN_IN, workspace)
    assert isinstance(account, AccountRef)
    wrong_signature(ig, meta, account)
    found = findings(ig, account)
    assert place in found["signature"].fix
    assert world.APP_ID in found["signature"].fix
    assert ("Instagram App Secret" in found["signature"].fix) is (way == "instagram_login")
    assert not [one for one in found.values() if world.SECRET[:6] in one.evidence + one.fix]


@pytest.mark.parametrize(
    ("on", "days", "fix"),
    [
        (True, 2, "hasn't approved Human Agent"),
        (True, 8, "Wait until the customer writes"),
        (False, 2, "turn on “Allow human replies for 7 days”"),
    ],
)
def test_the_one_code_for_two_things_is_told_apart_by_the_time(
    fine: AccountRef, ig: Addon, meta: Meta, on: bool, days: float, fix: str
) -> None:
    from host.sdk.accounts import set_setting

    set_setting(fine.id, "human_agent", on)
    refused("10/2534022", days)(ig, meta, fine)
    assert fix in findings(ig, fine)["window"].fix


def test_when_a_renewal_failed_is_told(desk: db.Database, ig: Addon, meta: Meta) -> None:
    token = meta.token("pottery-instagram")
    account = world.connect(
        ig, flavour=ig.config.Flavour.LOGIN, way="instagram", page_id="", token=Secret(token.value)
    )

    def fail(session: Any) -> None:
        row = ig.accounts.find(session, account.id)
        row.renewal_failed_at, row.renewal_error = clock.now(), "Service temporarily unavailable (2)"

    db.write(fail)
    found = findings(ig, account)["token"]
    assert found.verdict == "fail"
    assert f"failed on {clock.now():%b} {clock.now().day}" in found.evidence


def test_stories_that_never_came_have_their_sentence(account: AccountRef, ig: Addon, meta: Meta) -> None:
    found = findings(ig, account)["stories"]
    assert found.verdict == "unknown"
    for words in ("private accounts", "24 hours", "placeholder"):
        assert words in found.fix


def test_a_column_that_cannot_hold_the_channel_is_named(
    fine: AccountRef, ig: Addon, meta: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings(ig, fine)["channel-column"].verdict == "pass"
    monkeypatch.setattr(diagnosis, "enumerated", lambda *_: {"email"})
    found = findings(ig, fine)["channel-column"]
    assert found.verdict == "fail"
    assert "lobby migrate" in found.fix
