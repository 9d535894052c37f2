"""Shared mailboxes of Microsoft 365: somebody signs in as themselves, and both servers as the mailbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import card, diagnosing, servers, smtp
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.models import AskedAccount, EmailAccount
from addons.email.lobby_mail.oauth import providers, tokens
from addons.email.lobby_mail.oauth.providers import Place
from addons.email.lobby_mail.smtp import Security
from host.core import db
from host.core.backports.values import replace
from host.models.channels import ChannelAccount
from host.models.users import Role
from host.sdk.accounts import mark_needs_reconnect
from host.sdk.channel import Held
from tests.email.test_imap import mail, until
from tests.email.test_imap import rows_of as rows
from tests.email.test_oauth import InboundEvent, World, account, later, state, token, world
from tests.email.test_sending import request
from tests.helpers import make_user

__all__ = ["world"]

SHARED, PERSON = "support@shop.example", "anna@shop.example"


@dataclass
class Exchange:
    """What the people of an organisation may do at its servers.

    :ivar opened: (server, user, address of whose token it was), in order.
    """

    world: World
    reads: set[str] = field(default_factory=lambda: {PERSON})
    sends: set[str] = field(default_factory=lambda: {PERSON})
    opened: list[tuple[str, str, str]] = field(default_factory=list)

    def takes(self, server: str, user: str, given: str) -> bool:
        provider = self.world.provider
        whose = next((one for one in (SHARED, *self.reads, *self.sends) if provider.accepts(one, given)), "")
        self.opened.append((server, user, whose))
        allowed = self.reads if server == "imap" else self.sends
        return bool(whose) and (user == whose or (user == SHARED and whose in allowed))

    def sign_in(self, mailbox: str = SHARED, person: str = PERSON, **more: Any) -> str:
        """Connect a mailbox, from the button to the end; return what the window shows."""
        self.world.provider.address = person
        client = self.world.client(more.pop("user", None))
        path = f"/w/{self.world.workspace}/settings/channels/email/sign-in/microsoft"
        page = client.post_form(path, mailbox=mailbox, **more)
        if page.status_code == 303:
            shown = client.get(page.headers["Location"]).get_data(as_text=True)
            return re.sub(r"\s+", " ", shown)
        found = re.search(r'href="(http[^"]+/authorize[^"]+)"', page.get_data(as_text=True))
        assert found is not None
        here = client.get(self.world.agree(found.group(1).replace("&amp;", "&"))).headers["Location"]
        shown = client.get(here).get_data(as_text=True)
        choice = re.search(r'name="account" value="([^"]+)"', shown)
        if choice is not None:
            assert person == mailbox or not mailbox or f"signed in as {person}" in shown
            client.post_form(here, account=choice.group(1))
            shown = client.get(here).get_data(as_text=True)
        return re.sub(r"\s+", " ", shown)


@pytest.fixture
def exchange(world: World, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    real = providers.microsoft("shop.example")
    here = replace(
        real,
        authorize_url=f"{world.provider.url}/authorize",
        token_url=f"{world.provider.url}/token",
        imap=Place("mail.shop.example", world.imap.port, Security.TLS),
        smtp=Place("mail.shop.example", world.outside.port, Security.STARTTLS),
    )
    monkeypatch.setattr(providers, "microsoft", lambda _tenant: here)
    made = Exchange(world)
    world.imap.accepts = lambda user, given: made.takes("imap", user, given)
    world.outside.accepts = lambda user, given: made.takes("smtp", user, given)
    app = {"client_id": world.provider.client_id, "client_secret": world.provider.client_secret}
    entered = world.enter_app(**{f"microsoft_{name}": value for name, value in app.items()})
    assert entered.startswith("303")
    return made


def test_both_servers_are_signed_in_to_as_the_mailbox_with_the_persons_token(exchange: Exchange) -> None:
    world = exchange.world
    assert f"Connected: {SHARED}" in exchange.sign_in()
    assert (account().external_id, token().person) == (SHARED, PERSON)
    with db.read() as session:
        assert session.scalars(sa.select(EmailAccount.smtp_user)).one() == SHARED
    assert set(exchange.opened) == {("imap", SHARED, PERSON), ("smtp", SHARED, PERSON)}
    exchange.opened.clear()
    world.watch()
    assert world.imap.idling.acquire(timeout=10)
    world.imap.add(mail(1, To=SHARED))
    until(lambda: rows(InboundEvent) == 1)
    EmailAdapter().send(request(account()))
    ((sender, _, raw),) = world.outside.mails
    assert sender == SHARED
    assert SHARED.encode() in raw
    assert {one[1:] for one in exchange.opened} == {(SHARED, PERSON)}


def test_renewed_it_is_still_the_mailbox(exchange: Exchange) -> None:
    exchange.sign_in()
    with later(hours=2):
        assert tokens.renew(account())
        exchange.opened.clear()
        with db.read() as session:
            row = session.scalars(sa.select(EmailAccount)).one()
        smtp.check(servers.to_send(account(), row))
    assert exchange.opened == [("smtp", SHARED, PERSON)]
    assert token().person == PERSON


@pytest.mark.parametrize(
    ("may_not", "asked_for"),
    [("reads", "“Read and manage” (full access)"), ("sends", "the “Send as” permission")],
)
def test_what_is_not_allowed_says_what_to_ask_the_admin_for(
    exchange: Exchange, may_not: str, asked_for: str
) -> None:
    getattr(exchange, may_not).clear()
    if may_not == "reads":
        exchange.sends.add(PERSON)
    shown = exchange.sign_in()
    assert "Nothing was connected. Ask your Microsoft 365 admin" in shown
    assert asked_for in shown
    assert f"{PERSON}" in shown
    assert SHARED in shown
    assert rows(ChannelAccount) == 0


def test_who_is_another_than_the_mailbox_needs_to_say_so(exchange: Exchange) -> None:
    """Without the field the mailbox is that of who signs in."""
    assert f"Connected: {PERSON}" in exchange.sign_in(mailbox="")
    assert (account().external_id, token().person) == (PERSON, None)
    exchange.reads.add("ben@shop.example")
    shown = exchange.sign_in(mailbox="", person="ben@shop.example", account=str(account().id))
    assert "You signed in as ben@shop.example" in shown
    # Nor does a form that was tampered with make it a shared one.
    shown = exchange.sign_in(mailbox=PERSON, person="ben@shop.example", account=str(account().id))
    assert "You signed in as ben@shop.example" in shown
    assert token().person is None


def test_the_mailbox_itself_may_be_named(exchange: Exchange) -> None:
    assert f"Connected: {SHARED}" in exchange.sign_in(person=SHARED)
    assert token().person is None


def test_an_address_that_is_none_is_told_before_anybody_leaves(exchange: Exchange) -> None:
    assert "Enter a valid email address" in exchange.sign_in(mailbox="support")
    assert exchange.world.provider.asked == []


def test_whoever_may_open_it_signs_in_again(exchange: Exchange) -> None:
    exchange.sign_in()
    one = account()
    ben = "ben@shop.example"
    shown = exchange.sign_in(mailbox="", person=ben, account=str(one.id))
    assert "Nothing was connected" in shown
    assert token().person == PERSON
    exchange.reads.add(ben)
    exchange.sends.add(ben)
    shown = exchange.sign_in(mailbox="", person=ben, account=str(one.id))
    assert f"Connected: {SHARED}" in shown
    assert (account().id, token().person) == (one.id, ben)
    assert state() == "connected"


def test_whose_the_address_is_decides_here_too(exchange: Exchange) -> None:
    """Who signs in proves that they may open it, not that this workspace may have its mail."""
    world = exchange.world
    boss = make_user(workspace=world.workspace, role=Role.OWNER)
    shown = exchange.sign_in(user=boss)
    assert "Connected" not in shown
    with db.read() as session:
        asked = session.scalars(sa.select(AskedAccount)).one()
    assert asked.address == SHARED
    assert rows(ChannelAccount) == 0
    assert world.client().post_form(f"/addons/email/addresses/{asked.id}/confirm").status_code == 303
    assert (account().external_id, token().person) == (SHARED, PERSON)


def test_the_card_and_diagnose_say_whose_sign_in_it_is(exchange: Exchange) -> None:
    exchange.sign_in()
    with exchange.world.app.test_request_context():
        assert PERSON in dict(card.status(account()).facts).values()
        exchange.reads.clear()
        exchange.sends.clear()
        with db.read() as session:
            row = session.scalars(sa.select(EmailAccount)).one()
        sending = diagnosing._sending(account(), row, card._check)
        (reading, *_rest) = diagnosing._receiving(account())
    assert "“Send as”" in sending.fix
    assert "“Read and manage”" in reading.fix


def test_a_mail_it_may_not_send_is_told_with_what_to_ask_for(exchange: Exchange) -> None:
    exchange.sign_in()
    said = "554 5.2.252 SendAsDenied; anna@shop.example not allowed to send as support@shop.example"
    exchange.world.outside.answers["DATA"] = said
    outcome = EmailAdapter().send(request(account()))
    assert isinstance(outcome, Held)
    assert "“Send as”" in outcome.problem.sentence
    mark_needs_reconnect(account().id, outcome.problem.sentence, alone=True)
    owner, channels = exchange.world.client(), f"/w/{exchange.world.workspace}/settings/channels"
    page = owner.get(channels).get_data(as_text=True)
    assert "Stopped, a permission is missing" in page
    assert "replies wait until it is back" in page
    assert page.count("Check now<span") == 1
    assert "Reconnect" in page, "in the menu"
    act = f"{channels}/accounts/{account().id}/actions/check"
    owner.post_form(act)
    assert "still refuses" in owner.get(channels).get_data(as_text=True)
    exchange.world.outside.answers.clear()
    owner.post_form(act)
    assert "Check now<span" not in owner.get(channels).get_data(as_text=True)


def test_the_field_stands_beside_the_button_of_microsoft_alone(exchange: Exchange) -> None:
    path = f"/w/{exchange.world.workspace}/settings/channels/email/connect"
    page = exchange.world.client().get(path).get_data(as_text=True)
    assert page.count('name="mailbox"') == 1
    exchange.sign_in()
    page = exchange.world.client().get(f"/w/{exchange.world.workspace}/settings/channels")
    assert 'name="mailbox"' not in page.get_data(as_text=True)
