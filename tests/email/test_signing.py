"""Mails are signed once the record of the key is found, so that any server can check them."""

from __future__ import annotations

import base64
import re
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dkim
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from addons.email.lobby_mail import card, machinery, signing
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.models import DkimKey
from host.core import db
from host.sdk.cards import Finding, Verdict
from host.sdk.channel import AccountRef, SendRequest, Sent
from tests.email.conftest import Outside, connect, new_workspace
from tests.email.test_sending import request
from tests.helpers import build_app

pytestmark = pytest.mark.usefixtures("desk")


@pytest.fixture(autouse=True)
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str] | None]:
    said: dict[str, list[str] | None] = {}
    monkeypatch.setattr(machinery, "texts", lambda name: said.get(name, []))
    monkeypatch.setattr(machinery, "mail_servers", lambda _domain: [])
    return said


def press(data: Path, account: AccountRef) -> str:
    with build_app(data).test_request_context("/"):
        try:
            return signing.run(account)
        except ValueError as error:
            return f"no: {error}"


def key(account: AccountRef) -> DkimKey:
    found = signing.key_of(account)
    assert found is not None
    return found


def diagnosed(data: Path, account: AccountRef) -> Finding:
    run = card.card().diagnose
    assert run is not None
    with build_app(data).test_request_context("/"):
        return next(one for one in run(account) if one.name == "dkim")


def sent(outside: Outside, account: AccountRef, **more: Any) -> bytes:
    outcome = EmailAdapter().send(send_request(account, **more))
    assert isinstance(outcome, Sent), outcome
    return outside.mails[-1][2]


def send_request(account: AccountRef, **more: Any) -> SendRequest:
    made: SendRequest = request(account, **more)
    return made


def verified(mail: bytes, dns: dict[str, list[str] | None]) -> bool:
    def look(name: bytes, timeout: int = 5) -> bytes:
        return (dns.get(name.decode().rstrip(".")) or [""])[0].encode()

    return bool(dkim.verify(mail, dnsfunc=look))


def test_mails_are_signed_once_the_record_is_found(
    outside: Outside, data: Path, dns: dict[str, list[str] | None]
) -> None:
    account = connect(outside)
    assert "DKIM-Signature" not in sent(outside, account).decode()
    assert "Created a key" in press(data, account)
    row = key(account)
    assert "DKIM-Signature" not in sent(outside, account).decode()
    assert press(data, account).startswith("no: The record at")
    dns[signing.name_of(row)] = [signing.record_of(row)]
    assert "are now signed" in press(data, account)
    mail = sent(outside, account)
    assert verified(mail, dns)
    assert diagnosed(data, account).verdict is Verdict.PASS
    dns[signing.name_of(row)] = []
    assert diagnosed(data, account).verdict is Verdict.WARN
    assert "DKIM-Signature" not in sent(outside, account).decode()


def test_a_signature_covers_what_people_see_and_no_second_sender_can_be_put_in(
    outside: Outside, data: Path, dns: dict[str, list[str] | None]
) -> None:
    account = connect(outside)
    press(data, account)
    row = key(account)
    dns[signing.name_of(row)] = [signing.record_of(row)]
    press(data, account)
    mail = sent(outside, account, text="Ja, blaue Krüge.\n.\nLine")
    assert verified(mail, dns)
    head = message_from_bytes(mail)["DKIM-Signature"]
    covered = re.sub(r"\s", "", re.search(r"h=([^;]+)", head).group(1)).lower().split(":")  # type: ignore[union-attr]
    for name in ("to", "subject", "date", "message-id", "mime-version", "content-type"):
        assert name in covered
    assert covered.count("from") == 2
    assert not verified(b"From: Evil <evil@example.org>\r\n" + mail, dns)
    assert not verified(mail.replace(b"To:", b"To: x@example.org,", 1), dns)
    assert not verified(mail.replace(b"Line", b"Lies", 1), dns) or b"Line" not in mail


@pytest.mark.parametrize(
    ("record", "fine"),
    [
        ("v=DKIM1;k=rsa;p={first} {rest}", True),
        ("p={all}; t=s", True),
        ("v=DKIM1; k=rsa; p=", False),
        ("v=DKIM1; k=rsa; p=AAAA{rest}", False),
        ("", False),
        ("; = ;;p", False),
    ],
)
def test_a_record_counts_only_if_it_is_equal(
    outside: Outside, data: Path, dns: dict[str, list[str] | None], record: str, fine: bool
) -> None:
    account = connect(outside)
    press(data, account)
    public = key(account).public_key
    made = record.replace("{all}", public).replace("{first}", public[:100]).replace("{rest}", public[100:])
    dns[signing.name_of(key(account))] = ["other", made]
    assert ("are now signed" in press(data, account)) is fine
    assert (key(account).found_at is not None) is fine


def test_a_name_server_that_does_not_answer_changes_nothing(
    outside: Outside, data: Path, dns: dict[str, list[str] | None]
) -> None:
    account = connect(outside)
    press(data, account)
    dns[signing.name_of(key(account))] = [signing.record_of(key(account))]
    press(data, account)
    dns[signing.name_of(key(account))] = None
    assert "respond" in press(data, account)
    assert key(account).found_at is not None


def test_the_key_is_sealed_and_of_one_workspace(outside: Outside, data: Path, desk: db.Database) -> None:
    account = connect(outside)
    press(data, account)
    press(data, account)
    with desk.read() as session:
        kept = repr(session.execute(sa.text("SELECT * FROM email_dkim_keys")).all())
    assert kept.count("shop.example") == 1
    assert "PRIVATE" not in kept
    load_der_public_key(base64.b64decode(key(account).public_key))
    other = connect(outside, new_workspace(), address="else@shop.example")
    assert signing.key_of(other) is None
    with build_app(data).test_request_context("/"):
        shown = repr(card.card().status(account))
    assert signing.record_of(key(account)) in shown


def test_without_the_extra_the_card_says_what_is_missing_and_mail_goes_out(
    outside: Outside, data: Path, dns: dict[str, list[str] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect(outside)
    press(data, account)
    dns[signing.name_of(key(account))] = [signing.record_of(key(account))]
    press(data, account)
    monkeypatch.setattr(signing, "is_installed", lambda: False)
    assert "the extra dkim" in press(data, account)
    with build_app(data).test_request_context("/"):
        assert "the extra dkim" in repr(card.card().status(account).notices)
    assert "DKIM-Signature" not in sent(outside, account).decode()
