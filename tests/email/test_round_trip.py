"""A mail an account sends to itself is found again, and is nothing else: no message, no event, no figure."""

from __future__ import annotations

import smtplib
import threading
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import card, machinery, receiving, round_trip
from addons.email.lobby_mail.mail import trips
from addons.email.lobby_mail.models import FolderMail, RoundTrip, Trip
from host.core import clock, db
from host.models.inbox import Conversation
from host.models.queue import InboundEvent
from host.sdk import settings
from host.sdk.cards import Finding, Verdict
from host.sdk.channel import AccountRef
from sandbox import mailbox
from tests.email.conftest import Outside, connect
from tests.email.test_imap import Desk, desk_of_mail, imap, mail, rows_of, until
from tests.helpers import build_app

__all__ = ["desk_of_mail", "imap"]

BEGIN = round_trip.begin
RESULTS = (
    b"Authentication-Results: mx.provider.example; spf=pass smtp.mailfrom=shop.example;\r\n"
    b" dkim=pass header.d=shop.example; dmarc=pass header.from=shop.example\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1;\r\n b=AAAA\r\n"
)


@pytest.fixture(autouse=True)
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    monkeypatch.setattr(machinery, "texts", lambda name: said.get(name, []))
    monkeypatch.setattr(machinery, "mail_servers", lambda _domain: [])
    monkeypatch.setattr(round_trip, "begin", lambda: None)
    return said


def row() -> RoundTrip:
    with db.read() as session:
        return session.scalars(sa.select(RoundTrip)).one()


def press(data: Path, account: AccountRef) -> str:
    action = next(one for one in card.card().actions if one.name == "round-trip")
    with build_app(data).test_request_context("/"):
        try:
            return action.run(account, {})
        except ValueError as error:
            return f"no: {error}"


def finding(data: Path, account: AccountRef, name: str = "round-trip") -> Finding:
    run = card.card().diagnose
    assert run is not None
    with build_app(data).test_request_context("/"):
        return next(one for one in run(account) if one.name == name)


def facts(data: Path, account: AccountRef) -> str:
    with build_app(data).test_request_context("/"):
        return repr(card.card().status(account).facts)


def test_it_comes_back_by_the_mailbox_and_leaves_no_trace(
    desk_of_mail: Desk, outside: Outside, data: Path, dns: dict[str, list[str]]
) -> None:
    desk = desk_of_mail
    desk.server.folders["Sent"] = mailbox.Folder(flags="\\Sent", uidvalidity=3)
    desk.fetch_from(since=clock.now())
    assert finding(data, desk.account).verdict is Verdict.UNKNOWN
    assert "Test email sent" in press(data, desk.account)
    assert press(data, desk.account).startswith("no: A test email is already on its way")
    round_trip.tend()
    round_trip.tend()
    assert (len(outside.mails), row().state) == (1, Trip.SENT)
    sender, to, raw = outside.mails[0]
    assert (sender, to) == ("hello@shop.example", ["hello@shop.example"])
    assert message_from_bytes(raw)["Auto-Submitted"].startswith("auto-")
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    desk.server.add(RESULTS + raw)
    desk.server.add(raw, folder="Sent")
    until(lambda: row().state == Trip.ARRIVED)
    desk.server.add(mail(1))
    until(lambda: rows_of(InboundEvent) == 1)
    desk.work()
    assert rows_of(Conversation) == 1
    until(lambda: rows_of(FolderMail) >= 2)
    told = finding(data, desk.account)
    assert told.verdict is Verdict.PASS
    assert "through IMAP" in told.evidence
    assert "mx.provider.example reports: SPF pass, DKIM pass, DMARC pass" in told.evidence
    assert "through IMAP" in facts(data, desk.account)
    assert finding(data, desk.account, "dkim").verdict is Verdict.WARN
    dns["s1._domainkey.shop.example"] = ["v=DKIM1; p=AAAA"]
    assert finding(data, desk.account, "dkim").verdict is Verdict.PASS


def test_it_comes_back_by_smtp(
    desk: db.Database, outside: Outside, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect(outside)
    monkeypatch.setitem(settings._values, "", {**settings._values.get("", {}), "smtp_listen": "127.0.0.1:0"})
    took: list[Any] = []
    stop = receiving.start(("127.0.0.1", 0), lambda *given, **more: took.append(given))
    try:
        press(data, account)
        round_trip.tend()
        port = receiving._listeners["127.0.0.1", 0].socket.getsockname()[1]
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.sendmail("hello@shop.example", ["hello@shop.example"], outside.mails[0][2])
            forged = outside.mails[0][2].replace(row().marker.encode(), b"0011223344556677-0011223344556677")
            client.sendmail("hello@shop.example", ["hello@shop.example"], forged)
    finally:
        stop()
    assert (row().state, len(took)) == (Trip.ARRIVED, 1)
    assert trips.marker_in(account.id, took[0][0]) is None
    found = finding(data, account)
    assert "through SMTP" in found.evidence
    assert "No server added its check" in found.evidence


def test_one_that_does_not_come_says_where_it_was_seen_last_and_may_still_come(
    desk_of_mail: Desk, outside: Outside, data: Path
) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=clock.now())
    press(data, desk.account)
    round_trip.tend()
    with clock.travel(timedelta(seconds=61)):
        round_trip.tend()
    assert row().state == Trip.LOST
    told = finding(data, desk.account)
    assert told.verdict is Verdict.FAIL
    assert "accepted it at" in told.evidence
    assert "come back after 60 seconds" in told.evidence
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    desk.server.add(outside.mails[0][2])
    until(lambda: row().state == Trip.ARRIVED)


def test_one_the_server_refuses_says_so(desk_of_mail: Desk, outside: Outside, data: Path) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=clock.now())
    outside.answers["DATA"] = "554 5.7.1 looks like spam"
    press(data, desk.account)
    round_trip.tend()
    told = finding(data, desk.account)
    assert told.verdict is Verdict.FAIL
    assert "looks like spam" in told.evidence
    outside.answers.clear()
    assert "Test email sent" in press(data, desk.account)


def test_an_account_that_receives_nothing_sends_none(desk: db.Database, outside: Outside, data: Path) -> None:
    account = connect(outside)
    assert "receive mail" in press(data, account)
    with db.read() as session:
        assert session.scalars(sa.select(RoundTrip)).all() == []


def test_it_is_sent_at_once_beside_the_page(
    desk_of_mail: Desk, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    monkeypatch.setattr(round_trip, "begin", BEGIN)
    monkeypatch.setattr(round_trip, "tend", begun.set)
    desk_of_mail.fetch_from(since=clock.now())
    press(data, desk_of_mail.account)
    assert begun.wait(10)


def test_the_marker_of_another_account_is_none(desk: db.Database) -> None:
    marker = trips.marker(1, "0011223344556677")
    made = f"{trips.HEADER}: {marker}\r\nFrom: a@b.example\r\n\r\nx".encode()
    assert trips.marker_in(1, made) == marker
    assert trips.marker_in(2, made) is None
    assert trips.marker_in(1, b"From: a@b.example\r\n\r\n" + made) is None
