"""Mailboxes that are signed in to at their provider: connected, renewed, taken back, and never told."""

from __future__ import annotations

import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import sqlalchemy as sa

from addons.email.lobby_mail import ownership, servers, smtp
from addons.email.lobby_mail.imap import connection as imap_connection
from addons.email.lobby_mail.imap import session as imap_session
from addons.email.lobby_mail.imap import watching
from addons.email.lobby_mail.models import AskedAccount, EmailAccount, Mailbox, MailToken
from addons.email.lobby_mail.oauth import providers, tokens
from addons.email.lobby_mail.oauth.providers import Place
from addons.email.lobby_mail.smtp import Security
from host.channels import sign_in_attempts, warnings
from host.core import clock, db, guard
from host.core.backports.values import replace
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.notifications import Notification
from host.models.queue import InboundEvent
from host.models.users import Role, User
from host.process.serving import HostApplication
from host.queue.journal import Journal
from host.sdk.channel import AccountRef
from host.web.request_helpers import external_url
from sandbox import mailbox, oauth
from sandbox.mailbox import ImapServer
from sandbox.oauth import OAuthServer
from tests.email.conftest import Outside, connect
from tests.email.test_imap import mail, until
from tests.email.test_imap import rows_of as rows
from tests.helpers import Browser, client_for, make_config, make_user, make_workspace

BACK = "/channels/email/sign-in"


@dataclass
class World:
    """A Pottery whose owner is an admin, its mailbox at a provider of its own, and what the owner enters."""

    app: Any
    workspace: int
    owner: User
    provider: OAuthServer
    imap: ImapServer
    outside: Outside
    journal: Journal
    stop: Callable[[], None] = lambda: None

    def client(self, user: User | None = None) -> Browser:
        return client_for(self.app, user or self.owner)

    def form(self, **more: str) -> dict[str, str]:
        return {
            "oauth_client_id": self.provider.client_id,
            "oauth_client_secret": self.provider.client_secret,
            "oauth_authorize_url": f"{self.provider.url}/authorize",
            "oauth_token_url": f"{self.provider.url}/token",
            "oauth_scopes": "openid email mail offline_access",
            "oauth_imap_host": "mail.shop.example",
            "oauth_imap_port": str(self.imap.port),
            "oauth_imap_security": "tls",
            "oauth_smtp_host": "mail.shop.example",
            "oauth_smtp_port": str(self.outside.port),
            "oauth_smtp_security": "starttls",
            "microsoft_tenant": "",
            **more,
        }

    def enter_app(self, workspace: int | None = None, user: User | None = None, **more: str) -> str:
        path = f"/w/{workspace or self.workspace}/settings/channels/email/settings"
        answer = self.client(user).post_form(path, **self.form(**more))
        return f"{answer.status_code} {answer.get_data(as_text=True)}"

    def begin(self, client: Browser, way: str = "oauth", account: int | None = None, at: int = 0) -> str:
        """Press the button; return the address of the dialog."""
        path = f"/w/{at or self.workspace}/settings/channels/email/sign-in/{way}"
        form = {} if account is None else {"account": str(account)}
        page = client.post_form(path, **form).get_data(as_text=True)
        found = re.search(r'href="(http[^"]+/authorize[^"]+)"', page)
        assert found is not None, page
        return found.group(1).replace("&amp;", "&")

    def agree(self, dialog: str) -> str:
        """Answer the dialog at the provider; return where it leads back to, a path of this desk."""
        answer = requests.get(dialog, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def sign_in(self, user: User | None = None, **more: Any) -> str:
        """Connect an account, from the button to the end; return what the window shows."""
        client = self.client(user)
        answer = client.get(self.agree(self.begin(client, **more)))
        if answer.status_code != 303:
            return str(answer.get_data(as_text=True))
        here = answer.headers["Location"]
        page = str(client.get(here).get_data(as_text=True))
        choice = re.search(r'name="account" value="([^"]+)"', page)
        if choice is not None:
            client.post_form(here, account=choice.group(1))
            page = str(client.get(here).get_data(as_text=True))
        return re.sub(r"\s+", " ", page)

    def connected(self) -> AccountRef:
        self.enter_app()
        assert "Connected: hello@shop.example" in self.sign_in()
        self.provider.asked.clear()
        return account()

    def watch(self) -> None:
        watching.connected.forget()
        self.stop = watching.start(
            lambda raw, envelopes, also=None: self.journal.ingest(
                source="receiver:imap", channel="email", raw=raw, remote="", envelopes=envelopes, also=also
            )
        )


def account() -> AccountRef:
    with db.read() as session:
        return ref(session.scalars(sa.select(ChannelAccount)).one())


def token() -> MailToken:
    with db.read() as session:
        return session.scalars(sa.select(MailToken)).one()


def state() -> str:
    with db.read() as session:
        return session.scalars(sa.select(ChannelAccount.state)).one()


def standing() -> list[str]:
    with db.read() as session:
        found = warnings.standing_warnings(session, [account().id]).get(account().id, ())
        return [one.sentence for one in found]


def server() -> smtp.Server:
    with db.read() as session:
        row = session.scalars(sa.select(EmailAccount)).one()
    return servers.to_send(account(), row)


def later(**more: float) -> Any:
    return clock.travel(timedelta(**more))


@pytest.fixture
def world(
    database: db.Database,
    data: Path,
    outside: Outside,
    certificate: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    monkeypatch.setattr(imap_session, "DELAYS", (0.02,))
    monkeypatch.setattr(imap_session, "REFUSED_DELAYS", (0.02,))
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    box = ImapServer(context=context, capabilities="IMAP4rev1 IDLE UIDPLUS AUTH=XOAUTH2 SPECIAL-USE")
    provider = OAuthServer(now=lambda: clock.now().timestamp())
    box.accepts = outside.accepts = provider.accepts
    with mailbox.running(box), oauth.running(provider):
        allowed = [f"mail.shop.example:{outside.port}", f"mail.shop.example:{box.port}"]
        allowed.append(f"127.0.0.1:{provider.port}")
        application = HostApplication(
            make_config(
                data,
                allow_hosts=",".join(allowed),
                database_url=database.url.render_as_string(hide_password=False),
            )
        )
        workspace = make_workspace()
        owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=True)
        journal = Journal(data / "spool")
        journal.start()
        guard.allow(allowed)
        made = World(application.refresh().app, workspace, owner, provider, box, outside, journal)
        with made.app.test_request_context():
            for way in providers.WAYS:
                provider.redirect_uris.add(external_url("sign_in.back", channel="email", way=way))
        try:
            yield made
        finally:
            made.stop()
            journal.stop()
            application.close()


# ---- connecting ----------------------------------------------------------------------------------------


def test_an_account_is_connected_by_signing_in_and_mail_comes_and_goes(world: World) -> None:
    assert world.enter_app().startswith("303")
    dialog = dict(parse_qsl(urlsplit(world.begin(world.client())).query))
    assert {"state", "code_challenge", "client_id", "redirect_uri"} <= set(dialog)
    assert dialog["code_challenge_method"] == "S256"
    assert dialog["redirect_uri"].endswith(f"{BACK}/oauth")
    assert "Connected: hello@shop.example" in world.sign_in()
    used = world.provider.asked[-1]
    assert used["grant_type"] == "authorization_code"
    assert len(used["code_verifier"]) >= 43
    smtp.deliver(server(), "hello@shop.example", "mia@example.org", b"Subject: x\r\n\r\nBlue ones.\r\n")
    assert len(world.outside.mails) == 1
    world.watch()
    assert world.imap.idling.acquire(timeout=10)
    assert "LOGIN" not in world.imap.commands


def test_google_and_microsoft_are_asked_for_what_they_need(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_google, real_microsoft = providers.google(), providers.microsoft("shop.example")

    def here(provider: providers.Provider) -> providers.Provider:
        return replace(
            provider,
            authorize_url=f"{world.provider.url}/authorize",
            token_url=f"{world.provider.url}/token",
            imap=Place("mail.shop.example", world.imap.port, Security.TLS),
            smtp=Place("mail.shop.example", world.outside.port, Security.STARTTLS),
        )

    monkeypatch.setattr(providers, "google", lambda: here(real_google))
    monkeypatch.setattr(providers, "microsoft", lambda _tenant: here(real_microsoft))
    app = {"client_id": world.provider.client_id, "client_secret": world.provider.client_secret}
    ways = {f"{way}_{name}": value for way in ("google", "microsoft") for name, value in app.items()}
    assert world.enter_app(**ways, microsoft_tenant="shop.example").startswith("303")
    google = dict(parse_qsl(urlsplit(world.begin(world.client(), "google")).query))
    assert (google["access_type"], google["prompt"]) == ("offline", "consent select_account")
    assert "https://mail.google.com/" in google["scope"].split()
    microsoft = dict(parse_qsl(urlsplit(world.begin(world.client(), "microsoft")).query))
    assert {
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
        "offline_access",
    } <= set(microsoft["scope"].split())
    assert "/shop.example/oauth2/v2.0/" in real_microsoft.token_url
    world.provider.leaves_out = {"https://mail.google.com/"}
    assert "Missing permissions: https://mail.google.com/" in world.sign_in(way="google")
    world.provider.leaves_out = set()
    assert "Connected: hello@shop.example" in world.sign_in(way="microsoft")
    with later(hours=2):
        assert tokens.renew(account())
    assert "SMTP.Send" in world.provider.asked[-1]["scope"]
    assert "Connected: hello@shop.example" in world.sign_in(way="google")
    assert (rows(MailToken), token().way, rows(ChannelAccount)) == (1, "google", 1)


def test_nothing_secret_is_kept_open_shown_or_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = world.connected()
    world.provider.answers = [(400, b'{"error": "invalid_request", "error_description": "refresh_token"}')]
    with later(hours=2):
        tokens.renew_all()
    world.provider.end_access()
    shown = [
        world.client().get(f"/w/{world.workspace}/settings/channels{page}")
        for page in ("", "/email/settings", f"/accounts/{one.id}", "/email/connect")
    ]
    with db.read() as session:
        tables = ("email_tokens", "email_oauth_apps", "sign_ins", "email_accounts", "audit_entries")
        kept = [repr(list(session.execute(sa.text(f"SELECT * FROM {table}")))) for table in tables]
    world.provider.revoke()
    with later(hours=4):
        tokens.renew_all()
        with pytest.raises(smtp.LoginRefusedError) as refused:
            smtp.check(server())
    everything = "".join([*kept, *(page.get_data(as_text=True) for page in shown), caplog.text])
    everything += str(refused.value) + repr(server()) + (token().problem or "")
    assert len(world.provider.given) >= 3
    for secret in [*world.provider.given, world.provider.client_secret]:
        assert secret not in everything


def test_consent_that_is_refused_takes_nothing(world: World) -> None:
    world.enter_app()
    world.provider.consents = False
    assert "Access was declined" in world.sign_in()
    assert (rows(ChannelAccount), rows(MailToken), world.provider.asked) == (0, 0, [])


def test_an_answer_counts_once_in_time_and_for_who_began(world: World) -> None:
    world.enter_app()
    client = world.client()
    back = world.agree(world.begin(client))
    other = make_user(workspace=world.workspace, role=Role.OWNER)
    assert "started by someone else" in world.client(other).get(back).get_data(as_text=True)
    with later(minutes=31):
        late = world.agree(world.begin(client))
    world.provider.asked.clear()
    first = client.get(back)
    assert first.status_code == 303
    assert client.get(back).headers["Location"] == first.headers["Location"]  # the choice is still open
    assert len(world.provider.asked) == 1
    forged = re.sub("state=[^&]+", "state=abc", late)
    assert "does not match" in client.get(forged).get_data(as_text=True)
    assert rows(ChannelAccount) == 0
    elsewhere = make_workspace("Studio")
    assert (
        client.get(
            first.headers["Location"].replace(f"/w/{world.workspace}/", f"/w/{elsewhere}/")
        ).status_code
        == 404
    )


def test_an_answer_that_comes_after_half_an_hour_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.enter_app()
    client = world.client()
    back = world.agree(world.begin(client))
    monkeypatch.setattr(sign_in_attempts, "LASTS", timedelta(seconds=-1))
    assert "took longer" in client.get(back).get_data(as_text=True)
    assert rows(ChannelAccount) == 0


def test_somebody_elses_mailbox_is_not_taken_for_an_account(world: World) -> None:
    one = world.connected()
    before = token().refresh_token
    world.provider.address = "sales@shop.example"
    shown = world.sign_in(account=one.id)
    assert "You signed in as sales@shop.example, but this account is hello@shop.example" in shown
    assert token().refresh_token == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"audience": "another app"}, "cannot be believed"),
        ({"lasting": False}, "expires within the hour"),
        ({"tells_who": False}, "return the mailbox"),
        ({"mail_audience": False}, "rejected the sign-in"),
        ({"answers": [(500, b"oops")]}, "the provider couldn"),
        ({"answers": [(200, b"[1]")]}, "the provider couldn"),
        ({"answers": [(200, b'{"access_token": 5}')]}, "the provider couldn"),
        ({"client_secret": "another"}, "rejected this app"),
    ],
)
def test_what_the_provider_gives_is_not_taken_unseen(world: World, change: dict[str, Any], said: str) -> None:
    world.enter_app()
    for name, value in change.items():
        setattr(world.provider, name, value)
    shown = world.sign_in()
    assert said in shown
    assert not any(one in shown for one in world.provider.given)
    assert (rows(ChannelAccount), rows(MailToken)) == (0, 0)


def test_a_password_gives_way_to_a_sign_in_and_the_other_way_round(world: World) -> None:
    world.outside.accepts = world.provider.accepts
    connect(world.outside, world.workspace)
    world.enter_app()
    assert "Connected" in world.sign_in()
    with db.read() as session:
        row = session.scalars(sa.select(EmailAccount)).one()
    assert (row.smtp_password, rows(ChannelAccount), rows(MailToken)) == (None, 1, 1)
    connect(world.outside, world.workspace)
    assert (rows(ChannelAccount), rows(MailToken)) == (1, 0)


def test_an_account_that_was_signed_in_keeps_its_servers_when_it_is_changed(world: World) -> None:
    one = world.connected()
    path = f"/w/{world.workspace}/settings/channels/accounts/{one.id}"
    page = world.client().get(path).get_data(as_text=True)
    assert 'name="imap_import"' in page
    assert 'name="smtp_password"' not in page
    form = {"name": "Shop", "address": "hello@shop.example", "imap_import": "all"}
    answer = world.client().post_form(path, **form)
    assert (answer.status_code, answer.headers["Location"].partition("#")[2]) == (302, f"account-{one.id}")
    with db.read() as session:
        box = session.scalars(sa.select(Mailbox)).one()
    assert (account().name, box.wanted, box.since, rows(MailToken)) == ("Shop", "all", None, 1)


def test_disconnecting_forgets_the_sign_in(world: World) -> None:
    one = world.connected()
    path = f"/w/{world.workspace}/settings/channels/accounts/{one.id}/disconnect"
    world.client().post_form(path)
    assert (state(), rows(MailToken)) == ("disconnected", 0)
    with later(hours=2):
        tokens.renew_all()
    assert world.provider.asked == []


def test_a_foreign_address_waits_until_somebody_agrees_though_it_was_signed_in_to(world: World) -> None:
    owner = make_user(workspace=world.workspace, role=Role.OWNER)
    world.enter_app()
    shown = world.sign_in(owner)
    assert "a desk admin" in shown
    assert (rows(ChannelAccount), rows(AskedAccount), rows(MailToken)) == (0, 1, 0)
    with db.read() as session:
        asked = session.scalars(sa.select(AskedAccount)).one()
    assert not any(one in repr(vars(asked)) for one in world.provider.given)
    world.client().post_form(f"{ownership.PAGE}/{asked.id}/confirm")
    assert (state(), rows(AskedAccount)) == ("connected", 0)
    smtp.check(server())


# ---- the app -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"oauth_token_url": "ftp://x/y"}, "It must start with https://"),
        ({"oauth_token_url": "https://10.0.0.1:8080/token"}, "It must start with https://"),
        ({"oauth_imap_host": ""}, "This field is required"),
        ({"oauth_client_id": ""}, "s ID."),
        ({"google_client_id": "x"}, "s secret."),
        ({"google_client_secret": "x"}, "s ID."),
        (
            {"microsoft_client_id": "x", "microsoft_client_secret": "y", "microsoft_tenant": "a/b"},
            "Enter a tenant ID",
        ),
    ],
)
def test_an_app_that_cannot_work_is_not_kept(world: World, change: dict[str, str], said: str) -> None:
    answer = world.enter_app(**change)
    assert answer.startswith("400")
    assert said in answer
    assert world.provider.client_secret not in answer


def test_a_secret_goes_to_no_other_server_than_it_was_entered_for(world: World) -> None:
    world.enter_app()
    with oauth.running(OAuthServer()) as thief:
        guard.allow([f"127.0.0.1:{world.provider.port}", f"127.0.0.1:{thief.port}"])
        world.enter_app(oauth_client_secret="", oauth_token_url=f"{thief.url}/token")
        world.sign_in()
        assert thief.asked
        assert world.provider.client_secret not in repr(thief.asked)


def test_another_app_needs_another_sign_in(world: World) -> None:
    world.connected()
    world.enter_app(oauth_client_id="desk-2")
    with later(hours=2):
        tokens.renew_all()
    assert (state(), world.provider.asked) == ("needs_reconnect", [])


# ---- renewing ------------------------------------------------------------------------------------------


def test_a_token_is_renewed_before_it_ends_and_the_rotated_one_is_kept(world: World) -> None:
    world.connected()
    tokens.renew_all()
    assert world.provider.asked == []
    for hours in (1, 2, 3):
        with later(hours=hours, minutes=-5):
            tokens.renew_all()
            tokens.renew_all()
    assert [one["grant_type"] for one in world.provider.asked] == ["refresh_token"] * 3
    assert len({one["refresh_token"] for one in world.provider.asked}) == 3
    with later(hours=3):
        smtp.check(server())
    assert (state(), standing()) == ("connected", [])


def test_two_that_need_a_token_at_once_renew_it_once(world: World) -> None:
    one = world.connected()
    world.provider.before_answer = lambda: until(lambda: len(waiting) == 4)
    waiting: list[int] = []
    got: list[str] = []

    def need() -> None:
        waiting.append(1)
        got.append(tokens.Bearer(one).token().reveal())

    with later(hours=2):
        threads = [threading.Thread(target=need) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
    assert (len(got), len(set(got)), len(world.provider.asked)) == (4, 1, 1)


def test_who_signs_in_again_while_it_is_renewed_is_not_overwritten(world: World) -> None:
    one = world.connected()
    again: list[str] = []

    def sign_in_again() -> None:
        world.provider.before_answer = None
        again.append(world.sign_in(account=one.id))

    world.provider.before_answer = sign_in_again
    with later(hours=2):
        tokens.renew(one)
    assert "Connected" in again[0]
    with later(hours=4):
        assert tokens.renew(one)
        smtp.check(server())
    assert state() == "connected"


def test_a_sign_in_that_was_taken_back_is_told_at_once_and_asked_for_no_more(world: World) -> None:
    one = world.connected()
    world.provider.revoke()
    with later(hours=2):
        tokens.renew_all()
        tokens.renew_all()
        with pytest.raises(smtp.LoginRefusedError) as refused:
            smtp.check(server())
    assert not refused.value.for_now
    assert (len(world.provider.asked), state()) == (1, AccountState.NEEDS_RECONNECT)
    with db.read() as session:
        told = session.scalars(sa.select(Notification.sentence)).all()
    assert [text for text in told if "no longer accepts the sign-in" in text]
    page = world.client().get(f"/w/{world.workspace}/settings/channels").get_data(as_text=True)
    assert "no longer accepts the sign-in" in page
    assert "AADSTS70008" in page
    assert "Connected" in world.sign_in(account=one.id)
    assert (state(), token().ended_at) == ("connected", None)
    smtp.check(server())


def test_a_provider_that_is_away_is_asked_seldom_and_nothing_is_dead(world: World) -> None:
    world.connected()
    world.provider.answers = [(503, b"busy")] * 50
    asked = 0
    for minutes in range(55, 61):
        with later(minutes=minutes):
            tokens.renew_all()
            assert tokens.Bearer(account()).token() if minutes < 59 else True
    asked = len(world.provider.asked)
    assert 2 <= asked <= 4
    with later(hours=2):
        with pytest.raises(smtp.LoginRefusedError) as refused:
            smtp.check(server())
        assert refused.value.for_now
        for _ in range(5):
            tokens.renew_all()
        assert len(world.provider.asked) == asked + 1
        assert state() == "connected"
        assert [text for text in standing() if "couldn't be renewed" in text]
    world.provider.answers.clear()
    with later(hours=4):
        tokens.renew_all()
        smtp.check(server())
    assert (standing(), token().failures, token().problem) == ([], 0, None)


def test_a_network_that_is_away_is_no_dead_sign_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.connected()
    guard.allow([f"mail.shop.example:{world.outside.port}"])
    with later(hours=2):
        tokens.renew_all()
        assert (state(), token().ended_at) == ("connected", None)
        assert token().failures == 1


def test_an_app_whose_secret_ended_is_told_at_once_and_works_when_it_is_entered(world: World) -> None:
    world.connected()
    world.provider.client_secret = "the new one"
    with later(minutes=55):
        tokens.renew_all()
        tokens.renew_all()
        assert len(world.provider.asked) == 1
        assert [text for text in standing() if "rejected the sign-in app" in text]
        assert state() == "connected"
        world.enter_app()
        tokens.renew_all()
    assert (standing(), len(world.provider.asked)) == ([], 2)


def test_a_token_taken_back_early_is_renewed_once(world: World) -> None:
    world.connected()
    world.provider.end_access()
    with later(minutes=10):
        with pytest.raises(smtp.LoginRefusedError):
            smtp.check(server())
        smtp.check(server())
    assert len(world.provider.asked) == 1


def test_a_server_that_takes_none_of_the_tokens_does_not_have_them_renewed_again_and_again(
    world: World,
) -> None:
    world.connected()
    world.provider.mail_audience = False
    world.provider.end_access()
    with later(minutes=10):
        for _ in range(6):
            with pytest.raises(imap_connection.LoginRefusedError):
                imap_connection.check(servers.to_read(account(), 1000).server)  # type: ignore[union-attr]
    assert len(world.provider.asked) == 1


# ---- reading -------------------------------------------------------------------------------------------


def test_a_token_that_ends_in_the_middle_of_idle_loses_no_mail(world: World) -> None:
    world.connected()
    world.watch()
    assert world.imap.idling.acquire(timeout=10)
    with later(hours=1):
        world.provider.end_access()
        world.imap.add(mail(1))
        until(lambda: rows(InboundEvent) == 1)
        assert world.imap.idling.acquire(timeout=10)
        world.imap.add(mail(2))
        until(lambda: rows(InboundEvent) == 2)
    assert len(world.provider.asked) == 1
    assert standing() == []


def test_a_mailbox_whose_sign_in_ended_rests_and_goes_on_once_somebody_signed_in(world: World) -> None:
    one = world.connected()
    world.watch()
    assert world.imap.idling.acquire(timeout=10)
    world.provider.revoke()
    with later(hours=1):
        until(lambda: state() == AccountState.NEEDS_RECONNECT)
        world.imap.add(mail(1))
        assert len(world.provider.asked) == 1
        assert standing() == []
        assert "Connected" in world.sign_in(account=one.id)
        watching.connected.forget()
        until(lambda: rows(InboundEvent) == 1)


def accounts_changed() -> None:
    watching.connected.forget()
