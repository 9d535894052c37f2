"""The rules every channel adapter keeps, run over e-mail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from addons.email.lobby_mail.channel import EmailAdapter
from host.core import db
from host.sdk.channel import ChannelAdapter
from host.sdk.testing import AdapterContract
from host.sdk.webhooks import Envelope

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEAD = b"Return-Path: <mia@example.org>\r\nDelivered-To: hello@shop.example\r\n"


def envelope(body: bytes) -> Envelope:
    return Envelope(1, "mia@example.org", "id:one@example.org", "mail", HEAD + body, AT)


@pytest.mark.usefixtures("database")
class TestEmail(AdapterContract):
    samples = (
        envelope(
            b"From: Mia <mia@example.org>\r\nSubject: Blue mugs\r\nMessage-ID: <one@example.org>\r\n"
            b"References: <zero@example.org>\r\n\r\nDo you have blue mugs?\r\n"
        ),
        envelope(
            b"From: mia@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
            b"--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p>\r\n"
            b"--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\nJVBERg==\r\n--x--\r\n'
        ),
        envelope(b"From: hello@shop.example\r\n\r\nfrom ourselves\r\n"),
    )

    @pytest.fixture
    def adapter(self) -> ChannelAdapter:
        return EmailAdapter()


def test_the_database_fixture_has_the_channels_tables(database: db.Database) -> None:
    """Else sending without credentials would fail for another reason than having none."""
    import sqlalchemy as sa

    assert sa.inspect(database.read_engine).has_table("email_accounts")
