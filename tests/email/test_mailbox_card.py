"""Connecting a mailbox on the card: tried by signing in, its password goes nowhere else, what is shown."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import card, mailbox_card, servers
from addons.email.lobby_mail.imap import cursor
from addons.email.lobby_mail.models import AskedAccount, Folder, Mailbox, MailState, Role
from host.channels import connecting
from host.core import clock, db, guard
from host.sdk.cards import Connection, ConnectRequest, Problems
from host.sdk.channel import AccountRef
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside, connect, new_workspace, values
from tests.helpers import build_app


@pytest.fixture
def imap(certificate: str, outside: Outside) -> Iterator[ImapServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with mailbox.running(ImapServer(context=context)) as server:
        guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{server.port}"])
        yield server


def box(imap: ImapServer, **more: str) -> dict[str, str]:
    return {"imap_host": "mail.shop.example", "imap_port": str(imap.port), "imap_security": "tls", **more}


def ask(outside: Outside, account: AccountRef | None = None, **more: str) -> Connection | Problems:
    given = {name: value for name, value in values(outside, **more).items() if value}
    found = card.connect(ConnectRequest(1, account, given, lambda _id: None, by_admin=True))
    assert isinstance(found, Connection | Problems)
    return found


def problems(result: Connection | Problems) -> dict[str, str]:
    assert isinstance(result, Problems), result
    return dict(result.by_field)


def row() -> Mailbox:
    with db.read() as session:
        return session.scalars(sa.select(Mailbox)).one()


def shown(data: Path, account: AccountRef) -> str:
    with build_app(data).test_request_context("/"):
        return repr(card.status(account))


@pytest.mark.usefixtures("desk")
def test_it_is_signed_in_to_with_the_password_for_sending(outside: Outside, imap: ImapServer) -> None:
    account = connect(outside, **box(imap, imap_import="month"))
    assert imap.count("LOGIN") == 1
    assert (row().user_name, row().password, row().wanted) == ("", None, "month")
    assert row().since is not None
    settings = servers.to_read(account, 1)
    assert settings is not None
    assert settings.server.password is not None
    assert (settings.server.user, settings.server.password.reveal()) == (outside.user, outside.password)


def test_its_own_password_is_sealed_on_every_database(
    any_desk: db.Database, outside: Outside, imap: ImapServer
) -> None:
    imap.user, imap.password = "box", "battery staple"
    account = connect(outside, **box(imap, imap_user="box", imap_password="battery staple"))
    with any_desk.read() as session:
        assert "battery" not in repr(session.execute(sa.text("SELECT * FROM email_mailboxes")).one())
    settings = servers.to_read(account, 1)
    assert settings is not None
    assert settings.server.password is not None
    assert (settings.server.user, settings.server.password.reveal()) == ("box", "battery staple")
    assert "battery" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"imap_user": "box", "imap_password": "wrong"}, "imap_user", "rejected this username"),
        ({"imap_user": "box"}, "imap_password", "Enter a password"),
        ({"imap_security": "starttls"}, "imap_security", "closed the connection"),
        ({"imap_port": "1"}, "imap_host", "No server responded"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_what_is_wrong_is_told_at_its_field(
    outside: Outside,
    imap: ImapServer,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    field: str,
    words: str,
) -> None:
    monkeypatch.setattr("addons.email.lobby_mail.imap.connection.STEP_SECONDS", 0.5)
    guard.allow([f"mail.shop.example:{port}" for port in (outside.port, imap.port, 1)])
    found = problems(ask(outside, **{**box(imap), **change}))
    assert words in found[field]
    assert "wrong" not in found[field]
    assert "correct horse" not in found[field]


@pytest.mark.usefixtures("desk")
def test_a_private_address_is_refused(outside: Outside, imap: ImapServer) -> None:
    guard.allow([f"mail.shop.example:{outside.port}"])
    said = problems(ask(outside, **box(imap)))["imap_host"]
    assert "private address" in said
    assert "to LOBBY_MAIL_RELAYS" in said
    assert imap.commands == []


@pytest.mark.parametrize(
    "change", [{"imap_host": "evil.example"}, {"imap_port": "994"}, {"imap_user": "box"}]
)
@pytest.mark.usefixtures("desk")
def test_a_stored_password_goes_to_no_other_server(
    outside: Outside, imap: ImapServer, change: dict[str, str]
) -> None:
    account = connect(outside, **box(imap))
    imap.commands.clear()
    found = problems(ask(outside, account, smtp_password="", **{**box(imap), **change}))
    assert "password" in found["imap_password"]
    assert {one.strip() for one in imap.commands} <= {"LOGOUT"}, (
        "the connection before may end late, and nobody signs in anew"
    )


@pytest.mark.usefixtures("desk")
def test_editing_keeps_it_and_leaving_it_empty_ends_it(outside: Outside, imap: ImapServer) -> None:
    account = connect(outside, **box(imap, imap_import="year"))
    before = row()
    again = ask(outside, account, smtp_password="", **box(imap, imap_import="year"))
    assert isinstance(again, Connection)
    save = {"workspace_id": account.workspace_id, "channel": "email", "account_id": account.id}
    connecting.save(connection=again, **save)  # type: ignore[arg-type]
    assert (row().since, row().connected_at) == (before.since, before.connected_at)
    ended = ask(outside, account, smtp_password="")
    assert isinstance(ended, Connection)
    connecting.save(connection=ended, **save)  # type: ignore[arg-type]
    with db.read() as session:
        assert session.scalars(sa.select(Mailbox)).all() == []


@pytest.mark.usefixtures("desk")
def test_the_card_counts_both_sides_and_forgets_the_password(
    outside: Outside, imap: ImapServer, data: Path
) -> None:
    account = connect(outside, **box(imap, imap_import="all"))
    at = db.write(cursor.place, account.id, "INBOX", Role.INBOX)
    cursor.begin_anew(at, 7, 1)
    db.write(cursor.account_for, [cursor.AcceptedMail(at, 1, MailState.TAKEN)], came_at=clock.now())
    cursor.note_count(at, 3)
    text = shown(data, account)
    assert "1 imported, 3 on the server" in text
    assert "2 still to import" in text
    assert "1 of 3 imported." in text
    card.disconnect(account)
    assert row().password_set_at is None
    again = ask(outside, account, **box(imap, imap_import="all"))
    assert isinstance(again, Connection)
    connecting.save(workspace_id=account.workspace_id, channel="email", connection=again)
    with db.read() as session:
        assert session.scalars(sa.select(Folder.uidvalidity)).one() is None


@pytest.mark.usefixtures("desk")
def test_an_account_that_waits_keeps_its_mailbox(outside: Outside, imap: ImapServer) -> None:
    imap.user, imap.password = "box", "battery staple"
    given = values(outside, **box(imap, imap_user="box", imap_password="battery staple"))
    card.connect(ConnectRequest(new_workspace(), None, given, lambda _id: None))
    with db.read() as session:
        [asked] = session.execute(sa.text("SELECT * FROM email_asked")).all()
        assert "battery" not in repr(asked)
        found = mailbox_card.asked(session.scalars(sa.select(AskedAccount)).one())
    assert found is not None
    assert found.password is not None
    assert (found.server.user, found.password.reveal(), found.own) == ("box", "battery staple", True)
