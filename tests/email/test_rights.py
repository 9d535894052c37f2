"""A mail server that no longer lets an account send: all are told, and replies leave once it does again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import card, refusals, rights
from addons.email.lobby_mail.models import RoundTrip
from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import DeliveryState
from host.models.notifications import Notification
from host.models.users import AuditEntry, Role
from host.sdk.cards import CardAction
from tests.email.conftest import Outside, connect
from tests.email.test_conversation import Desk, conversations, desk_at, messages
from tests.helpers import make_user

QUEUED, SENT, FAILED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.FAILED
OWN = "hello@shop.example"
SEND_AS = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"


def account_of(desk: Desk) -> tuple[str, str | None]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, desk.account.id)
        return row.state, row.state_reason


def told() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(Notification.sentence).where(Notification.read_at.is_(None))))


def audited() -> list[str]:
    query = sa.select(AuditEntry.action).where(AuditEntry.action.like("account.permission%"))
    with db.read() as session:
        return list(session.scalars(query.order_by(AuditEntry.id)))


def states() -> list[str]:
    return [one.state for one in messages() if one.direction == "outbound"]


@pytest.mark.parametrize(
    ("step", "answer", "reason"),
    [
        ("DATA", SEND_AS, refusals.SEND_AS),
        (
            "DATA",
            "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example",
            refusals.SEND_AS,
        ),
        ("MAIL", "530 5.7.57 Client not authenticated to send mail", refusals.SIGNED_OUT),
        ("MAIL", "530 5.7.0 Authentication Required", refusals.SIGNED_OUT),
        ("DATA", "550 5.7.708 Access denied, traffic not accepted from this IP", refusals.BLOCKED),
        ("RCPT", f"553 5.7.1 <{OWN}>: Sender address rejected: not owned by user x", refusals.NOT_ALLOWED),
        ("MAIL", "550 5.7.1 not with this address", refusals.NOT_ALLOWED),
    ],
)
def test_replies_wait_until_the_server_lets_the_account_send(
    desk: db.Database, data: Path, outside: Outside, step: str, answer: str, reason: str
) -> None:
    for shop in desk_at(data, outside):
        make_user(workspace=shop.account.workspace_id, role=Role.OWNER)
        shop.receive()
        outside.answers[step] = answer
        shop.reply(conversations()[0].id, "first", "reply-key-1")
        shop.reply(conversations()[0].id, "second", "reply-key-2")
        assert states() == [QUEUED, QUEUED]
        assert account_of(shop) == (AccountState.NEEDS_RECONNECT, reason)
        assert told() == [reason], "in the bell, once"
        assert audited() == ["account.permission_lost"]
        rights.look_again()
        shop.work()
        assert states() == [QUEUED, QUEUED]
        outside.answers.clear()
        rights.look_again()
        shop.work()
        assert states() == [SENT, SENT]
        assert account_of(shop) == (AccountState.CONNECTED, None)
        assert told() == []
        assert audited() == ["account.permission_lost", "account.permission_back"]
        assert [recipients for _, recipients, _ in outside.mails] == [
            [OWN],
            ["mia@example.org"],
            ["mia@example.org"],
        ]


@pytest.mark.parametrize(
    ("about", "answer"),
    [
        ("mia@example.org", "550 5.1.1 no such user"),
        ("mia@example.org", "552 5.2.2 mailbox full"),
        ("mia@example.org", "550 5.7.1 not from strangers"),
        ("mia@example.org", f"553 5.7.1 <{OWN}>: Sender address rejected"),
        ("DATA", "554 5.7.1 looks like spam"),
        ("MAIL", "552 5.3.4 too large"),
        ("MAIL", "550 5.1.8 bad outbound sender"),
    ],
)
def test_what_is_about_the_recipient_or_the_mail_fails_it(whole_file: Desk, about: str, answer: str) -> None:
    whole_file.receive()
    whole_file.outside.answers[about] = answer
    whole_file.reply(conversations()[0].id, "first", "reply-key-1")
    assert states() == [FAILED]
    assert account_of(whole_file) == (AccountState.CONNECTED, None)
    assert told() == audited() == []


@pytest.fixture
def whole_file(desk: db.Database, data: Path, outside: Outside):  # type: ignore[no-untyped-def]
    yield from desk_at(data, outside)


def check_now() -> CardAction:
    return next(one for one in card.card().actions if one.name == "check")


def test_the_card_says_what_to_do_and_check_now_lets_them_leave(whole_file: Desk, data: Path) -> None:
    owner = make_user(workspace=whole_file.account.workspace_id, role=Role.OWNER)
    whole_file.receive()
    whole_file.outside.answers["DATA"] = SEND_AS
    whole_file.reply(conversations()[0].id, "first", "reply-key-1")
    with pytest.raises(ValueError, match=r"still refuses: 550 5\.7\.60"):
        check_now().run(whole_file.account, {})
    assert "5.7.60" in (trip().problem or "")
    whole_file.outside.answers.clear()
    assert "Waiting replies" in check_now().run(whole_file.account, {})
    whole_file.work()
    assert states() == [SENT]
    assert owner


def trip() -> RoundTrip:
    with db.read() as session:
        return session.scalars(sa.select(RoundTrip)).one()


def test_a_server_that_is_busy_meanwhile_holds_nothing(
    whole_file: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second question decides, and it got no answer."""
    whole_file.receive()
    whole_file.outside.answers["DATA"] = SEND_AS
    monkeypatch.setattr(rights.round_trip, "try_now", lambda _account: rights.round_trip.BusyError())
    whole_file.reply(conversations()[0].id, "first", "reply-key-1")
    assert states() == [QUEUED]
    assert account_of(whole_file)[0] == AccountState.CONNECTED
    whole_file.outside.answers.clear()
    with clock.travel(timedelta(minutes=5)):
        whole_file.work()
    assert states() == [SENT]


def test_an_account_that_receives_nothing_keeps_no_test_mail(desk: db.Database, outside: Outside) -> None:
    account = connect(outside)
    outside.answers["DATA"] = SEND_AS
    with pytest.raises(ValueError, match="still refuses"):
        check_now().run(account, {})
    outside.answers.clear()
    check_now().run(account, {})
    with db.read() as session:
        assert session.scalars(sa.select(RoundTrip)).all() == []
