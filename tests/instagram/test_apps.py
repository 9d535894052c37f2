"""A workspace may bring its own Meta app: it goes before the desk's, and speaks for its own accounts only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import db, secrets
from host.models.users import Role
from host.sdk import settings
from host.sdk.accounts import AccountState, overview
from host.sdk.cards import Problems, SignInProblem
from host.sdk.channel import AccountRef
from host.sdk.webhooks import Accepted, Refused, Verified
from tests import helpers
from tests.instagram import signing_in, world
from tests.instagram.world import CAFE, OTHER_SECRET, POTTERY, SECRET, Addon, Meta

OTHER_APP = "6543210987654321"
PAGE = {"facebook_app_id": OTHER_APP, "facebook_app_secret": OTHER_SECRET}
LOGIN = {"instagram_app_id": OTHER_APP, "instagram_app_secret": OTHER_SECRET}


@pytest.fixture
def desk_with_app(desk: db.Database, ig: Addon, meta: Meta) -> int:
    """A workspace of a desk that has an app of its own, too."""
    signing_in.set_up(ig, meta)
    return world.workspace()


def save(ig: Addon, workspace: int, **values: str) -> Any:
    return ig.connect.apps.save(workspace, values)


@pytest.mark.parametrize(("way", "values"), [("facebook_login", PAGE), ("instagram_login", LOGIN)])
def test_people_sign_in_to_the_workspaces_own_app(
    desk_with_app: int, ig: Addon, meta: Meta, way: str, values: dict[str, str]
) -> None:
    sign_in = getattr(ig.connect, way).SIGN_IN
    other = world.workspace("Studio")
    assert "Saved" in save(ig, desk_with_app, **values)
    assert signing_in.asked(signing_in.start(sign_in, desk_with_app))["client_id"] == OTHER_APP
    assert signing_in.asked(signing_in.start(sign_in, other))["client_id"] == world.APP_ID
    account = signing_in.journey(sign_in, desk_with_app)
    assert isinstance(account, AccountRef)
    with db.read() as session:
        assert ig.accounts.find(session, account.id).app_id == OTHER_APP
    assert ig.accounts.credentials(account.id).app_secret.reveal() == OTHER_SECRET
    assert "uses the desk's" in save(ig, desk_with_app)
    assert signing_in.asked(signing_in.start(sign_in, desk_with_app))["client_id"] == world.APP_ID


def test_a_workspace_may_bring_an_app_where_the_desk_has_none(
    desk: db.Database, ig: Addon, meta: Meta
) -> None:
    workspace = world.workspace()
    assert ig.connect.facebook_login.SIGN_IN.available(workspace)
    save(ig, workspace, **PAGE)
    assert ig.connect.facebook_login.SIGN_IN.available(workspace) is None
    assert ig.connect.instagram_login.SIGN_IN.available(workspace), "it brought the one only"
    assert ig.connect.facebook_login.SIGN_IN.available(world.workspace("Studio"))


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({**PAGE, "facebook_app_secret": SECRET}, "facebook_app_secret", "belong to that app"),
        ({**PAGE, "facebook_app_id": "99999999"}, "facebook_app_secret", "belong to that app"),
        ({"facebook_app_id": OTHER_APP}, "facebook_app_secret", "Enter this app's secret"),
        ({"facebook_app_secret": OTHER_SECRET}, "facebook_app_id", "Enter the ID"),
        ({"instagram_app_id": OTHER_APP}, "instagram_app_secret", "Enter this app's secret"),
    ],
)
def test_what_does_not_belong_together_is_not_stored(
    desk_with_app: int, ig: Addon, values: dict[str, str], field: str, sentence: str
) -> None:
    answer = save(ig, desk_with_app, **values)
    assert isinstance(answer, Problems)
    assert sentence in answer.by_field[field]
    assert OTHER_SECRET not in str(answer)
    assert ig.connect.apps.read(desk_with_app).values == {}


def test_meta_away_stores_nothing(desk_with_app: int, ig: Addon, meta: Meta) -> None:
    meta.fault("oauth", "error", status=503)
    answer = save(ig, desk_with_app, **PAGE)
    assert isinstance(answer, Problems)
    assert "be reached" in answer.by_field[""]
    assert ig.connect.apps.read(desk_with_app).values == {}


def test_the_secret_is_sealed_kept_and_never_shown(desk_with_app: int, ig: Addon, meta: Meta) -> None:
    save(ig, desk_with_app, **PAGE)
    with db.read() as session:
        dump = str(session.execute(sa.text("SELECT * FROM instagram_apps")).one())
    assert OTHER_SECRET not in dump
    shown = ig.connect.apps.read(desk_with_app)
    assert OTHER_SECRET not in str(shown)
    assert "set on" in shown.stored_secrets["facebook_app_secret"]
    assert "Saved" in save(ig, desk_with_app, facebook_app_id=OTHER_APP), "left empty, it stays"
    assert ig.connect.apps.app_of(ig.config.Flavour.PAGE, desk_with_app).secret.reveal() == OTHER_SECRET
    assert isinstance(save(ig, desk_with_app, facebook_app_id=world.APP_ID), Problems), "not for another app"


def test_a_secret_that_cannot_be_opened_is_said_and_the_desks_app_is_not_taken_instead(
    desk_with_app: int, ig: Addon, meta: Meta
) -> None:
    save(ig, desk_with_app, **PAGE)
    before = secrets.keyring()
    secrets.use(secrets.Keyring({"k2": bytes(32)}))
    try:
        assert "can't be read" in (ig.connect.facebook_login.SIGN_IN.available(desk_with_app) or "")
        assert ig.connect.apps.read(desk_with_app).notices
        from host.sdk.cards import SignInStart

        begun = ig.connect.facebook_login.SIGN_IN.begin(SignInStart(desk_with_app, "s", signing_in.RETURN))
        assert isinstance(begun, SignInProblem)
    finally:
        secrets.use(before)


def test_key_rotation_finds_it(desk_with_app: int, ig: Addon, meta: Meta) -> None:
    from host.core import resealing

    save(ig, desk_with_app, **PAGE)
    assert "instagram_apps.app_secret" in {column.label for column in resealing.columns()}
    assert resealing.check_values().unreadable == []


# Deliveries


def test_a_secret_made_anew_signs_at_once_and_is_handed_to_the_accounts(
    desk_with_app: int, ig: Addon, meta: Meta
) -> None:
    save(ig, desk_with_app, **PAGE)
    account = signing_in.journey(ig.connect.facebook_login.SIGN_IN, desk_with_app)
    assert isinstance(account, AccountRef)
    fresh = "f" * 32
    body = world.payload(world.entry(world.message()))
    assert isinstance(ig.webhook.verification.authenticate(world.post(body, secret=fresh)), Refused)
    meta.box.world.apps[OTHER_APP].secret = fresh
    save(ig, desk_with_app, facebook_app_id=OTHER_APP, facebook_app_secret=fresh)
    decision = ig.webhook.verification.authenticate(world.post(body, secret=fresh))
    assert [each.account_id for each in decision.envelopes] == [account.id]
    assert ig.accounts.credentials(account.id).app_secret.reveal() == fresh


def test_the_operators_new_secret_signs_and_proves_for_accounts_that_signed_in(
    desk_with_app: int, ig: Addon, meta: Meta
) -> None:
    account = signing_in.journey(ig.connect.facebook_login.SIGN_IN, desk_with_app)
    assert isinstance(account, AccountRef)
    fresh = "f" * 32
    meta.box.world.apps[world.APP_ID].secret = fresh
    signing_in.set_up(ig, meta, facebook_app_secret=fresh)
    ig.accounts.book.forget()
    body = world.payload(world.entry(world.message()))
    for secret in (SECRET, fresh):
        assert isinstance(ig.webhook.verification.authenticate(world.post(body, secret=secret)), Accepted)
    ig.monitoring.watchdog.look_after(
        ig.accounts.credentials(account.id)
    )  # raises, if Meta did not take the proof


def test_a_pasted_account_keeps_its_own_secret(account: AccountRef, ig: Addon, meta: Meta) -> None:
    signing_in.set_up(ig, meta, facebook_app_secret="f" * 32)
    assert ig.accounts.credentials(account.id).app_secret.reveal() == SECRET


def test_the_secret_of_one_workspace_signs_nothing_for_another(
    desk_with_app: int, ig: Addon, meta: Meta
) -> None:
    theirs = world.connect(ig, POTTERY, workspace_id=desk_with_app)
    stranger = world.workspace("Stranger")
    save(ig, stranger, **PAGE)
    body = world.payload(world.entry(world.message()))
    assert ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET)) == Refused(
        401, "signature", theirs.id
    )
    # Nor under a number that is not its own.
    meta.box.world.apps[world.APP_ID].secret = OTHER_SECRET
    save(ig, stranger, facebook_app_id=world.APP_ID, facebook_app_secret=OTHER_SECRET)
    assert isinstance(ig.webhook.verification.authenticate(world.post(body, secret=OTHER_SECRET)), Refused)


def test_the_dashboards_test_of_an_app_without_accounts_is_taken(
    desk_with_app: int, ig: Addon, meta: Meta
) -> None:
    save(ig, desk_with_app, **PAGE)
    event = {"id": "0", "time": 1, "changes": [{"field": "messages", "value": {}}]}
    for secret in (SECRET, OTHER_SECRET):
        decision = ig.webhook.verification.authenticate(world.post(world.payload(event), secret=secret))
        assert "Test received" in decision.envelopes[0].ignored


def ask(ig: Addon, token: str) -> Any:
    from host.sdk.webhooks import WebhookRequest

    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
    return ig.webhook.verification.verify(WebhookRequest("GET", None, {}, query, b""))


def test_its_webhook_is_verified_with_a_token_of_its_own(desk_with_app: int, ig: Addon, meta: Meta) -> None:
    assert isinstance(ask(ig, ig.config.verify_token(desk_with_app)), Refused), "it has no app yet"
    save(ig, desk_with_app, **PAGE)
    (token,) = [one.value for one in ig.connect.apps.read(desk_with_app).copyables if "Token" in one.label]
    assert token != ig.config.verify_token()
    assert ask(ig, token) == Verified("1")
    assert ask(ig, ig.config.verify_token()) == Verified("1")


# Meta's callbacks


def signed(user: str, secret: str) -> str:
    said = json.dumps({"user_id": user, "algorithm": "HMAC-SHA256", "issued_at": 1}).encode()
    payload = base64.urlsafe_b64encode(said).rstrip(b"=")
    signature = hmac.digest(secret.encode(), payload, hashlib.sha256)
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{payload.decode()}"


@pytest.fixture
def pages(ig: Addon, desk_with_app: int, data: Path) -> helpers.Browser:
    generation = helpers.StandInGeneration(
        directory=Directory([ig.channel.InstagramAdapter()], [ig.card.CARD]),
        blueprints=(("instagram", ig.connect.clean_up.bp),),
        public_paths=frozenset({"/addons/instagram/deauthorize", "/addons/instagram/deletion"}),
    )
    owner = helpers.make_user(workspace=desk_with_app, role=Role.OWNER)
    return helpers.client_for(helpers.build_app(data, generation=generation), owner)


def test_an_app_takes_back_for_its_own_accounts_only(
    pages: helpers.Browser, desk_with_app: int, ig: Addon
) -> None:
    """Whoever owns an app can sign for any person's number; it must not end what others connected."""
    save(ig, world.workspace("Stranger"), **PAGE)
    world.connect(ig, POTTERY, workspace_id=desk_with_app, way="facebook", person_id="77")
    world.connect(
        ig,
        CAFE,
        workspace_id=desk_with_app,
        way="facebook",
        person_id="77",
        app_id=OTHER_APP,
        app_secret=secrets.Secret(OTHER_SECRET),
    )
    for path in ("deauthorize", "deletion"):
        answer = pages.post(f"/addons/instagram/{path}", data={"signed_request": signed("77", OTHER_SECRET)})
        assert answer.status_code == 200
    assert {row.account.external_id: row.state for row in overview("instagram")} == {
        POTTERY: AccountState.CONNECTED,
        CAFE: AccountState.NEEDS_RECONNECT,
    }
    pages.post("/addons/instagram/deauthorize", data={"signed_request": signed("77", SECRET)})
    assert {row.state for row in overview("instagram")} == {AccountState.NEEDS_RECONNECT}


# The page


def test_the_page_stores_it_and_shows_what_the_app_needs(
    pages: helpers.Browser, desk_with_app: int, ig: Addon
) -> None:
    channels = f"/w/{desk_with_app}/settings/channels"
    address = f"{channels}/instagram/settings"
    assert address in pages.get(channels).text
    empty = pages.get(address).text
    assert "Your own Meta app" in empty
    for path in ("/channels/instagram/sign-in/facebook", "/channels/instagram/sign-in/instagram"):
        assert pages.application.url_map.bind("x").match(path)[0] == "sign_in.back", "it leads somewhere"
        assert f"https://desk.example.com{path}" in empty
    assert "https://desk.example.com/addons/instagram/deauthorize" in empty
    assert ig.config.verify_token(desk_with_app) not in empty, "it works once there is an app"
    wrong = pages.post_form(address, **{**PAGE, "facebook_app_secret": "0" * 32})
    assert wrong.status_code == 400
    assert "belong to that app" in wrong.text
    assert "0" * 32 not in wrong.text
    swapped = pages.post_form(address, facebook_app_id=OTHER_SECRET)
    assert "looks like an App Secret" in swapped.text
    assert OTHER_SECRET not in swapped.text
    assert pages.post_form(address, **PAGE).status_code == 303
    shown = pages.get(address)
    assert shown.headers["Cache-Control"] == "no-store"
    assert f'value="{OTHER_APP}"' in shown.text
    assert OTHER_SECRET not in shown.text
    assert ig.config.verify_token(desk_with_app) in shown.text
    assert pages.get(f"{channels}/email/settings").status_code == 404


def test_settings_are_as_provided(ig: Addon) -> None:
    assert settings.get("instagram", "facebook_app_id") == "", "these tests leave nothing behind"
