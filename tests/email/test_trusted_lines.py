"""Nothing that a sender writes reaches a line that Lobby wrote above their mail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from addons.email.lobby_mail import receiving
from addons.email.lobby_mail.mail import headers, identity, kept
from addons.email.lobby_mail.mail.parsing import parse
from host.core import db
from host.sdk.messages import OWN_ADDRESS, MessageReceived
from host.sdk.webhooks import Envelope

OURS = "hello@shop.example"
ALIAS = "support@shop.example"
EVIL = "evil@example.org"
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MAIL = (
    f"From: Mia <mia@example.org>\r\nTo: {OURS}\r\nMessage-ID: <one@example.org>\r\n"
    f"Delivered-To: {EVIL}\r\nReturn-Path: <{EVIL}>\r\nX-Original-To: {EVIL}\r\n"
    f"X-Lobby-Received: {EVIL}\r\nX-Lobby-Cut: 5\r\n\r\nHello"
).encode()
BEGINNINGS = [
    b"",
    *(
        mark + b", " + EVIL.encode() + b"\r\n"
        for mark in (
            b" ",
            b"\t",
            b"\r ",
            b"\n ",
            b"\r\n ",
            b"\x0b",
            b"\x0c ",
            b"\0 ",
            b"\xc2\x85 ",
            b"\xe2\x80\xa8 ",
        )
    ),
    f" {EVIL}\r\n ,{EVIL}\r\n\t<{EVIL}>\r\n".encode(),
    f"\r\nDelivered-To: {EVIL}\r\n\r\n".encode(),
    f": {EVIL}\r\n".encode(),
    b"X-Lobby-Cut: 12\r\n",
]


def envelopes(raw: bytes) -> list[Envelope]:
    (smtp,) = receiving.envelopes(raw, "mia@example.org", {OURS: 1}, own={1: (ALIAS,)}, named={1: ALIAS})
    return [smtp, kept.envelope(raw, OURS, 1, kept.Kind.MAIL, AT, aliases=(ALIAS,))]


@pytest.mark.parametrize("begins", BEGINNINGS)
def test_no_beginning_of_a_mail_continues_a_line_of_ours(begins: bytes, database: db.Database) -> None:
    for envelope in envelopes(begins + MAIL):
        message = identity.head(envelope.body)
        assert identity.own(message) == (OURS, ALIAS)
        assert not kept._CUT.match(envelope.body)
        (change,) = parse(envelope)
        assert isinstance(change, MessageReceived)
        assert EVIL not in str(change.content.get(OWN_ADDRESS, ""))
        assert change.contact != EVIL
    smtp, _mailbox = envelopes(begins + MAIL)
    message = identity.head(smtp.body)
    assert headers.raw(message, "Return-Path").strip() == "<mia@example.org>"
    assert headers.raw(message, "X-Original-To").strip() == ALIAS
