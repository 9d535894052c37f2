"""Diagnose tells what is wrong with an e-mail account, and what cannot be told from here."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from addons.email.lobby_mail import card, machinery
from addons.email.lobby_mail.imap import cursor
from addons.email.lobby_mail.models import MailState, Role
from host.core import clock, db, guard
from host.sdk.cards import Finding, Verdict
from host.sdk.channel import AccountRef
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside, connect
from tests.helpers import build_app


@pytest.fixture
def imap(certificate: str, outside: Outside) -> Iterator[ImapServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with mailbox.running(ImapServer(context=context)) as server:
        guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{server.port}"])
        yield server


@pytest.fixture(autouse=True)
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str] | None]:
    said: dict[str, list[str] | None] = {
        "mx": ["mx.shop.example"],
        "shop.example": ["v=spf1 mx -all", "other"],
        "_dmarc.shop.example": ["v=DMARC1; p=none"],
    }
    monkeypatch.setattr(machinery, "mail_servers", lambda _domain: said["mx"])
    monkeypatch.setattr(machinery, "texts", lambda name: said[name])
    return said


def diagnosed(data: Path, account: AccountRef) -> dict[str, Finding]:
    run = card.card().diagnose
    assert run is not None
    with build_app(data).test_request_context("/"):
        return {one.name: one for one in run(account)}


def box(imap: ImapServer) -> dict[str, str]:
    return {"imap_host": "mail.shop.example", "imap_port": str(imap.port), "imap_security": "tls"}


@pytest.mark.usefixtures("desk")
def test_all_that_is_well_passes(outside: Outside, imap: ImapServer, data: Path) -> None:
    account = connect(outside, **box(imap))
    at = db.write(cursor.place, account.id, "INBOX", Role.INBOX)
    cursor.begin_anew(at, 7, 1)
    db.write(cursor.account_for, [cursor.AcceptedMail(at, 1, MailState.TAKEN)], came_at=clock.now())
    cursor.note_count(at, 1)
    found = diagnosed(data, account)
    assert {name: str(one.verdict) for name, one in found.items()} == dict.fromkeys(
        ["sending", "mailbox", "count-inbox", "mx", "spf", "dmarc"], "pass"
    ) | {"round-trip": "unknown", "dkim": "unknown"}
    assert "correct horse" not in repr(found)


@pytest.mark.usefixtures("desk")
def test_what_is_amiss_is_said_with_what_to_do(
    outside: Outside, imap: ImapServer, data: Path, dns: dict[str, list[str] | None]
) -> None:
    account = connect(outside, **box(imap))
    at = db.write(cursor.place, account.id, "INBOX", Role.INBOX)
    cursor.begin_anew(at, 7, 1)
    mails = [cursor.AcceptedMail(at, 1, MailState.TAKEN), cursor.AcceptedMail(at, 2, MailState.UNREADABLE)]
    db.write(cursor.account_for, mails, came_at=clock.now())
    cursor.note_count(at, 5)
    imap.password = outside.password = "another"
    dns |= {"mx": [], "shop.example": ["v=spf1 a", "v=spf1 b"], "_dmarc.shop.example": []}
    found = diagnosed(data, account)
    assert {name: str(one.verdict) for name, one in found.items()} == {
        "sending": "fail",
        "mailbox": "fail",
        "count-inbox": "warn",
        "mx": "fail",
        "spf": "warn",
        "dmarc": "warn",
        "round-trip": "unknown",
        "dkim": "unknown",
    }
    assert all(one.fix for one in found.values())
    assert "2 of 5 emails on the server accounted for. 3 still to import." in found["count-inbox"].evidence


@pytest.mark.usefixtures("desk")
def test_what_nobody_answers_cannot_be_told(
    outside: Outside, data: Path, dns: dict[str, list[str] | None]
) -> None:
    dns |= {"mx": None, "shop.example": None, "_dmarc.shop.example": None}
    found = diagnosed(data, connect(outside))
    assert {found[name].verdict for name in ("mx", "spf", "dmarc")} == {Verdict.UNKNOWN}
    assert found["receiving"].verdict is Verdict.FAIL
