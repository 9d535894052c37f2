"""Connecting an account: checked by signing in, and the password goes nowhere else."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import card
from addons.email.lobby_mail.models import EmailAccount
from host.channels import connecting
from host.core import db, guard
from host.sdk import settings
from host.sdk.cards import CardStatus, Connection, ConnectRequest, Problems
from host.sdk.channel import AccountRef
from tests.email.conftest import Outside, connect, values
from tests.helpers import build_app


def ask(outside: Outside, account: AccountRef | None = None, **more: str) -> Connection | Problems:
    given = {
        name: value for name, value in values(outside, **more).items() if value or name != "smtp_password"
    }
    return card.connect(ConnectRequest(1, account, given, lambda _id: None, by_admin=True))


def problems(result: Connection | Problems) -> dict[str, str]:
    assert isinstance(result, Problems), result
    return dict(result.by_field)


def row(account: AccountRef) -> EmailAccount:
    with db.read() as session:
        return session.get_one(EmailAccount, account.id)


def shown(data: Path, account: AccountRef) -> CardStatus:
    """Return what the card shows; it is asked while a page is made."""
    with build_app(data).test_request_context("/"):
        return card.status(account)


@pytest.mark.usefixtures("desk")
def test_an_account_is_connected_by_signing_in_and_sending_nothing(outside: Outside) -> None:
    account = connect(outside)
    assert outside.logins == [True]
    assert outside.mails == []
    assert (account.external_id, account.handle) == ("hello@shop.example", "hello@shop.example")


def test_the_password_is_sealed_on_every_database(any_desk: db.Database, outside: Outside) -> None:
    account = connect(outside)
    with any_desk.read() as session:
        stored = session.execute(sa.text("SELECT * FROM email_accounts")).one()
    assert "correct horse" not in repr(stored)
    assert row(account).smtp_password is not None


@pytest.mark.usefixtures("desk")
def test_a_wrong_password_is_told_at_the_field(outside: Outside) -> None:
    found = problems(ask(outside, smtp_password="wrong"))
    assert set(found) == {"smtp_user"}
    assert "wrong" not in found["smtp_user"]


@pytest.mark.usefixtures("desk")
def test_a_server_nobody_runs_is_told(outside: Outside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    guard.allow([f"mail.shop.example:{port}"])
    assert "No server responded" in problems(ask(outside, smtp_port=str(port)))["smtp_host"]


@pytest.mark.usefixtures("desk")
def test_a_private_address_is_refused_unless_the_operator_allowed_it(outside: Outside) -> None:
    guard.allow(())
    said = problems(ask(outside))["smtp_host"]
    assert "private address" in said
    assert f"adding mail.shop.example:{outside.port} to LOBBY_MAIL_RELAYS" in said
    assert outside.logins == []


@pytest.mark.parametrize("security", ["tls"])
@pytest.mark.usefixtures("desk")
def test_the_wrong_encryption_for_the_port_is_told(outside: Outside, security: str) -> None:
    assert set(problems(ask(outside, smtp_security=security))) == {"smtp_security"}


@pytest.mark.usefixtures("desk")
def test_a_password_needs_encryption(outside: Outside) -> None:
    assert "encrypted" in problems(ask(outside, smtp_security="none"))["smtp_security"]


@pytest.mark.usefixtures("desk")
def test_a_user_needs_a_password(outside: Outside) -> None:
    assert set(problems(ask(outside, smtp_password=""))) == {"smtp_password"}


@pytest.mark.usefixtures("desk")
def test_editing_without_the_password_keeps_it(outside: Outside) -> None:
    account = connect(outside)
    before = row(account).smtp_password
    result = ask(outside, account, name="New name", smtp_password="")
    assert isinstance(result, Connection)
    assert outside.logins == [True, True]
    again = connecting.save(
        workspace_id=account.workspace_id, channel="email", connection=result, account_id=account.id
    )
    assert again.name == "New name"
    assert row(account).smtp_password == before


@pytest.mark.parametrize(
    "change",
    [
        {"smtp_host": "evil.example"},
        {"smtp_user": "somebody"},
        {"smtp_security": "tls"},
        {"smtp_port": "465"},
    ],
)
@pytest.mark.usefixtures("desk")
def test_the_stored_password_never_goes_to_another_server(outside: Outside, change: dict[str, str]) -> None:
    account = connect(outside)
    outside.logins.clear()
    found = problems(ask(outside, account, smtp_password="", **change))
    assert "again" in found["smtp_password"]
    assert outside.logins == []


@pytest.mark.usefixtures("desk")
def test_an_account_keeps_its_address(outside: Outside) -> None:
    account = connect(outside)
    assert set(problems(ask(outside, account, address="other@shop.example"))) == {"address"}


@pytest.mark.usefixtures("desk")
def test_an_address_connected_elsewhere_is_not_tried(outside: Outside) -> None:
    request = ConnectRequest(1, None, values(outside), lambda address: f"{address} is taken")
    assert problems(card.connect(request)) == {"address": "hello@shop.example is taken"}
    assert outside.logins == []


@pytest.mark.usefixtures("desk")
def test_the_card_tells_where_mail_goes_and_shows_no_password(outside: Outside, data: Path) -> None:
    account = connect(outside)
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_listen": "127.0.0.1:2525"})
    found = shown(data, account)
    text = repr(found)
    assert "hello@shop.example" in text
    assert "127.0.0.1:2525" in text
    assert "correct horse" not in text
    assert "set on" in found.stored_secrets["smtp_password"]
    assert "smtp_password" not in found.values
    assert found.notices == []


@pytest.mark.usefixtures("desk")
def test_a_desk_that_receives_no_mail_says_so(outside: Outside, data: Path) -> None:
    account = connect(outside)
    missing = shown(data, account).missing
    assert missing is not None
    assert missing.sentence == "This account can send, but no mail arrives here: it has no mailbox."
    assert (missing.button, missing.field) == ("Add a mailbox", "imap_host")
    assert "LOBBY_SMTP_LISTEN" in missing.detail
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_listen": "127.0.0.1:2525"})
    assert shown(data, account).missing is None


@pytest.mark.usefixtures("desk")
def test_disconnecting_forgets_the_password_and_keeps_the_rest(outside: Outside, data: Path) -> None:
    account = connect(outside)
    card.disconnect(account)
    assert (row(account).smtp_password, row(account).smtp_host) == (None, "mail.shop.example")
    assert shown(data, account).stored_secrets == {}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("address", " Hello@Shop.Example ", "hello@shop.example"),
        ("address", "hello@bücher.example", "hello@xn--bcher-kva.example"),
        # Not strasse.example, which may be somebody else's.
        ("address", "hello@Straße.example", "hello@xn--strae-oqa.example"),
        ("address", "hello@shop.example.", None),
        ("address", '"hello"@shop.example', None),
        ("address", "hello", None),
        ("address", "a@b c", None),
        ("address", "a\r\n@b", None),
        ("address", "a@b\x00", None),
        ("address", "<a@b>", None),
        ("address", "a@" + "b" * 300, None),
        ("address", ".a@b.example", None),
        ("address", "a@[127.0.0.1]", None),
        ("smtp_host", "SMTP.Example.com.", "smtp.example.com"),
        ("smtp_host", "smtp.example.com/x", None),
        ("smtp_host", "a\r\nb", None),
        ("smtp_port", "587", "587"),
        ("smtp_port", "0", None),
        ("smtp_port", "70000", None),
        ("smtp_port", "9" * 5000, None),
        ("smtp_port", "٥٨٧", None),
    ],
)
def test_what_is_entered_is_cleaned_or_refused(name: str, text: str, value: str | None) -> None:
    field: Any = next(field for field in card.card().fields if field.name == name)
    if value is None:
        with pytest.raises(ValueError, match=r"\w"):
            field.clean(text)
    else:
        assert field.clean(text) == value
