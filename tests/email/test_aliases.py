"""Further addresses of an account: theirs is the mailbox, theirs the answers, and nobody else's they are."""

from __future__ import annotations

import email
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from addons.email.lobby_mail import (
    aliases,
    card,
    diagnosing,
    machinery,
    ownership,
    receiving,
    servers,
    signing,
)
from addons.email.lobby_mail.addresses import normal
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.mail import identity
from addons.email.lobby_mail.mail.parsing import parse
from addons.email.lobby_mail.models import Alias, AskedAccount, DkimKey
from addons.email.lobby_mail.smtp import Security
from host.channels import accounts, connecting
from host.core import clock, db
from host.inbox import queries
from host.inbox.pages.composition import shown
from host.models.channels import ChannelAccount, ref
from host.models.inbox import Message
from host.sdk.cards import Connection, ConnectRequest, Problems
from host.sdk.channel import AccountRef, Rejected, Sent
from host.sdk.errors import AccountTakenError
from host.sdk.messages import (
    Ignored,
    MessageBounced,
    MessageEchoed,
    MessageKind,
    MessageReceived,
    OutgoingPart,
)
from host.sdk.webhooks import Envelope
from tests.email import test_conversation, test_ownership
from tests.email.conftest import Outside, connect, values
from tests.email.test_imap import mail
from tests.email.test_ownership import people
from tests.email.test_sending import request
from tests.helpers import build_app

__all__ = ["people"]

OWN = "support@shop.example"
ELSEWHERE = "orders@other.example"


def named(account_id: int) -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(Alias.address).where(Alias.account_id == account_id)))


def waiting() -> list[str]:
    with db.read() as session:
        return sorted(session.scalars(sa.select(AskedAccount.address)))


# ---- what is entered -----------------------------------------------------------------------------------


def test_a_list_is_cleaned() -> None:
    entered = " Support@Shop.example\n\n  orders@BÜCHER.example;support@shop.example, hello+x@shop.example "
    assert aliases.clean(entered).split("\n") == [
        "support@shop.example",
        "orders@xn--bcher-kva.example",
        "hello+x@shop.example",
    ]
    assert aliases.split(aliases.clean("hello@shop.example\na@b.example"), "hello@shop.example") == [
        "a@b.example"
    ]


@pytest.mark.parametrize(
    ("entered", "says"),
    [
        ("support@shop.example\nsupport", "Not an email address: support."),
        ("Support <support@shop.example>", "<support@shop.example>"),
        ("\n".join(f"a{number}@shop.example" for number in range(21)), "up to 20"),
    ],
)
def test_what_is_wrong_is_named(client: Any, entered: str, says: str) -> None:
    with client.application.test_request_context(), pytest.raises(ValueError, match=says):
        aliases.clean(entered)


@given(st.lists(st.emails(), max_size=20))
def test_cleaning_again_changes_nothing(found: list[str]) -> None:
    fine = [one for one in found if normal(one) is not None]
    once = aliases.clean("\n".join(fine))
    assert aliases.clean(once) == once
    assert set(filter(None, once.split("\n"))) == {normal(one) for one in fine}


# ---- how a mail is read --------------------------------------------------------------------------------


def read(
    raw: bytes, *, kind: str = "mail", own: tuple[str, ...] = (OWN, ELSEWHERE), above: bytes = b""
) -> Any:
    body = identity.delivered_to("hello@shop.example", own) + above + raw
    (change,) = parse(Envelope(1, "x", "x", kind=kind, body=body, occurred_at=clock.now()))
    return change


@pytest.mark.parametrize(
    ("to", "cc", "above", "answered_from"),
    [
        (OWN, "", b"", OWN),
        ("Support <SUPPORT@shop.example>", "", b"", OWN),
        ("hello@shop.example", "", b"", None),
        (f"hello@shop.example, {OWN}", "", b"", None),
        (f"{OWN}, hello@shop.example", "", b"", OWN),
        ("anna@example.org", OWN, b"", OWN),
        ("anna@example.org", "", b"", None),
        ("anna@example.org", "", b"X-Original-To: orders@other.example\r\n", ELSEWHERE),
        ("anna@example.org", "", b"Delivered-To: orders@other.example\r\n", ELSEWHERE),
        ("anna@example.org", "", b"X-Original-To: boss@other.example\r\n", None),
    ],
)
def test_the_address_it_was_written_to_is_told(
    to: str, cc: str, above: bytes, answered_from: str | None
) -> None:
    got = read(mail(1, To=to, **({"Cc": cc} if cc else {})), above=above)
    assert got.content.get("own_address") == answered_from
    assert set(got.content.get("own", ())) == ({OWN} if OWN in f"{to} {cc}".lower() else set())


def test_nobody_outside_names_an_address_of_ours() -> None:
    """Only the line the desk wrote itself counts, which stands above all that was sent."""
    got = read(mail(1, To="boss@evil.example", Delivered_To="boss@evil.example"), own=())
    assert {"own", "own_address"}.isdisjoint(got.content)
    got = read(mail(1, To="boss@evil.example", Delivered_To=f"hello@shop.example, {OWN}, boss@evil.example"))
    assert {"own", "own_address"}.isdisjoint(got.content)


def test_a_mail_of_ours_from_a_further_address_is_passed_over_when_it_comes_back() -> None:
    ours = {"From": OWN, "To": OWN, "X_Lobby_Message": f"{'a' * 32}@shop.example"}
    assert isinstance(read(mail(1, **ours)), Ignored)
    assert isinstance(read(mail(1, **ours), own=()), MessageReceived)


def test_a_contact_form_that_sends_from_a_further_address_brings_its_visitor() -> None:
    got = read(mail(1, From=ELSEWHERE, To="hello@shop.example", Reply_To="Mia <mia@example.org>"))
    assert (got.contact, got.contact_name) == ("mia@example.org", "Mia")
    assert "answer_elsewhere" not in got.content


def test_what_was_written_elsewhere_from_a_further_address_is_the_accounts_own() -> None:
    got = read(mail(1, From=OWN, To=f"{ELSEWHERE}, mia@example.org"), kind="mail-sent")
    assert isinstance(got, MessageEchoed)
    assert (got.contact, got.content["own_address"]) == ("mia@example.org", OWN)
    assert got.content["own"] == [ELSEWHERE]
    assert isinstance(
        read(mail(1, From=OWN, To=f"{ELSEWHERE}, hello@shop.example"), kind="mail-sent"), Ignored
    )


def test_a_bounce_of_a_mail_from_another_domain_of_ours_is_known() -> None:
    report = (
        b"From: mailer-daemon@mx.example\r\nTo: hello@shop.example\r\n"
        b"X-Failed-Recipients: mia@example.org\r\n"
        b"Subject: Undelivered\r\nContent-Type: text/plain\r\n\r\n550 5.1.1 no such user\r\n"
        b"Message-ID: <" + b"a" * 32 + b"@other.example>\r\n"
    )
    assert isinstance(read(report), MessageBounced)
    assert not isinstance(read(report, own=(OWN,)), MessageBounced)


# ---- how it is answered --------------------------------------------------------------------------------


@pytest.fixture
def shop(desk: db.Database, data: Path, outside: Outside) -> Iterator[test_conversation.Desk]:
    yield from test_conversation.desk_at(data, outside, aliases=f"{OWN}\n{ELSEWHERE}")


def deliver(desk: test_conversation.Desk, raw: bytes, *to: str) -> None:
    with smtplib.SMTP("127.0.0.1", desk.port, timeout=10) as client:
        client.sendmail("mia@example.org", list(to), raw)
    desk.work()


def along(desk: test_conversation.Desk, conversation: int) -> shown.ExtraFields:
    with db.read() as session:
        row = queries.get_row(session, desk.account.workspace_id, conversation, desk.agent, accounts=None)
        assert row is not None
        return shown.along(session, row, EmailAdapter(), desk.agent)


def stored() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.id)))


def test_mail_to_a_further_address_is_answered_from_it(shop: test_conversation.Desk) -> None:
    deliver(shop, mail(1, To=f"{OWN}, Anna <anna@example.org>", Cc=ELSEWHERE), OWN, ELSEWHERE, OWN)
    (received,) = stored()
    found = along(shop, received.conversation_id)
    assert (found.sender, found.cc) == (OWN, "Anna <anna@example.org>")
    shop.reply(received.conversation_id, "Yes, eight.", "k" * 16)
    shop.reply(received.conversation_id, "Yes, eight.", "k" * 16)  # sent once
    ((sender, recipients, raw),) = shop.outside.mails
    sent = email.message_from_bytes(raw)
    assert sent["From"] == f"Shop <{OWN}>"
    assert sent["Reply-To"] is None
    assert (sender, recipients) == ("hello@shop.example", ["mia1@example.org"])
    assert stored()[1].content["own_address"] == OWN


def test_a_blind_copy_is_answered_from_the_address_its_server_named(shop: test_conversation.Desk) -> None:
    deliver(shop, mail(1, To="everybody@example.org"), f"Orders+x@{'Other'}.example")
    assert stored()[0].content["own_address"] == ELSEWHERE


def test_the_newest_message_decides_and_what_is_taken_out_counts_no_more(
    shop: test_conversation.Desk,
) -> None:
    deliver(shop, mail(1, To=OWN), OWN)
    (first,) = stored()
    again = mail(2, From="Mia <mia1@example.org>", To="hello@shop.example", In_Reply_To="<1@example.org>")
    deliver(shop, again, "hello@shop.example")
    assert along(shop, first.conversation_id).sender == ""
    more = mail(3, From="Mia <mia1@example.org>", To=ELSEWHERE, In_Reply_To="<1@example.org>")
    deliver(shop, more, ELSEWHERE)
    assert along(shop, first.conversation_id).sender == ELSEWHERE
    connect(shop.outside, shop.account.workspace_id, aliases=OWN)
    found = along(shop, first.conversation_id)
    # It is somebody else's by now.
    assert (found.sender, found.cc) == ("", ELSEWHERE)
    shop.reply(first.conversation_id, "Yes", "k" * 16)
    assert email.message_from_bytes(shop.outside.mails[-1][2])["From"] == "Shop <hello@shop.example>"


def test_a_further_address_is_no_customer(shop: test_conversation.Desk) -> None:
    adapter = EmailAdapter()
    for address in (OWN, f"support+x@{OWN.partition('@')[2]}", ELSEWHERE):
        assert adapter.id_for_address(shop.account, address) is None
        assert isinstance(adapter.send(request(shop.account, recipient=address)), Rejected)
    assert adapter.id_for_address(shop.account, "mia@other.example") == "mia@other.example"
    assert shop.outside.mails == []


def test_whoever_writes_as_a_further_address_does_not_come_into_a_conversation(
    shop: test_conversation.Desk,
) -> None:
    """It takes part in every mail that was written to it, and is nobody."""
    deliver(shop, mail(1, To=f"hello@shop.example, {OWN}"), "hello@shop.example")
    forged = mail(2, From=OWN, To="hello@shop.example", In_Reply_To="<1@example.org>")
    deliver(shop, forged, "hello@shop.example")
    first, second = (one for one in stored() if one.direction == "inbound")
    assert first.conversation_id != second.conversation_id


def test_what_the_server_says_against_the_address_is_told(shop: test_conversation.Desk) -> None:
    shop.outside.answers[OWN] = "550 5.7.60 not as that address"
    part = OutgoingPart(MessageKind.TEXT, "Yes", content={"own_address": OWN})
    refused = EmailAdapter().send(request(shop.account, part=part))
    assert isinstance(refused, Rejected)
    assert "additional address" in refused.problem.next_step
    assert isinstance(EmailAdapter().send(request(shop.account)), Sent), "the account itself may send"


def test_a_mail_is_signed_for_the_domain_it_is_from(
    shop: test_conversation.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, list[str]] = {}
    monkeypatch.setattr(machinery, "texts", lambda name: said.get(name, []))
    for domain in ("shop.example", "other.example"):
        db.write(signing.make, shop.account, domain)
    with db.read() as session:
        rows = list(session.scalars(sa.select(DkimKey)))
    said |= {signing.name_of(row): [signing.record_of(row)] for row in rows}
    assert [signing.looked_up(row) for row in rows] == [True, True]
    for address, domain in ((ELSEWHERE, "other.example"), (OWN, "shop.example"), ("", "shop.example")):
        part = OutgoingPart(MessageKind.TEXT, "Yes", content={"own_address": address})
        assert isinstance(EmailAdapter().send(request(shop.account, part=part)), Sent)
        raw = shop.outside.mails[-1][2]
        assert f"d={domain};" in email.message_from_bytes(raw)["DKIM-Signature"]
        assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: said[name.decode().rstrip(".")][0].encode())


def test_diagnose_looks_at_each_domain_it_sends_from(
    shop: test_conversation.Desk, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(machinery, "mail_servers", lambda _domain: [])
    monkeypatch.setattr(machinery, "texts", lambda name: asked.append(name) or [])
    db.write(signing.make, shop.account, "other.example")
    with build_app(data).test_request_context():
        found = {one.name: one for one in diagnosing.diagnose(shop.account, lambda _server: None)}
    assert "other.example" in found["dkim-2"].title
    assert "this desk doesn't sign" in found["dkim-2"].evidence
    assert "_dmarc.other.example" in asked
    assert "dkim-3" not in found
    db.write(lambda session: session.execute(sa.delete(DkimKey)))
    with build_app(data).test_request_context():
        found = {one.name: one for one in diagnosing.diagnose(shop.account, lambda _server: None)}
    assert found["dkim-2"].verdict == "unknown"


def test_the_mailbox_is_read_with_them(shop: test_conversation.Desk, outside: Outside) -> None:
    assert aliases.of(shop.account.id) == (ELSEWHERE, OWN)
    assert servers.to_read(shop.account, 1) is None
    found = receiving.account_of("Support+Eu@shop.example")
    assert found == ("hello@shop.example", shop.account.id, OWN)


# ---- whose they are ------------------------------------------------------------------------------------


def edit(people: test_ownership.Desk, workspace: int, address: str, entered: str, **more: Any) -> Any:
    """Press Save in the settings of an account; return what the card says."""
    with db.read() as session:
        row = session.scalar(
            sa.select(ChannelAccount).where(
                ChannelAccount.workspace_id == workspace, ChannelAccount.external_id == address
            )
        )
    account = None if row is None else ref(row)
    given = values(people.outside, address=address, aliases=aliases.clean(entered))
    with people.app.test_request_context():
        made = card.connect(ConnectRequest(workspace, account, given, lambda _id: None, **more))
        if isinstance(made, Connection):
            connecting.save(
                workspace_id=workspace,
                channel="email",
                connection=made,
                account_id=None if account is None else account.id,
            )
    return made


def the(workspace: int, address: str) -> AccountRef:
    with db.read() as session:
        row = session.scalars(
            sa.select(ChannelAccount).where(
                ChannelAccount.workspace_id == workspace, ChannelAccount.external_id == address
            )
        ).one()
        return ref(row)


@pytest.mark.parametrize(
    "taken",
    [
        "hello@shop.example",
        "HELLO+x@shop.example",
        "support@shop.example",
        "support+eu@shop.example",
        "sales@shop.example",
        "sales+eu@shop.example",
    ],
)
def test_no_form_of_what_another_workspace_has_is_taken(people: test_ownership.Desk, taken: str) -> None:
    edit(
        people,
        people.pottery,
        "hello@shop.example",
        "support@shop.example\nsales+de@shop.example",
        by_admin=True,
    )
    connect(people.outside, people.studio, address="art@studio.example")
    refused = edit(people, people.studio, "art@studio.example", taken, by_admin=True)
    assert isinstance(refused, Problems)
    assert "belongs to another workspace" in refused.by_field["aliases"]
    answer = people.save(taken)
    assert answer.status_code == 400
    assert named(the(people.studio, "art@studio.example").id) == []
    found = receiving.account_of(taken)
    assert found is None or found.account_id == the(people.pottery, "hello@shop.example").id


def test_the_last_look_is_in_the_write(people: test_ownership.Desk) -> None:
    """Both looked before either wrote; whichever writes first has it."""
    connect(people.outside, people.studio, address="art@studio.example")
    made = []
    for workspace, address, alias in (
        (people.pottery, "hello@shop.example", "new+x@shop.example"),
        (people.studio, "art@studio.example", "new@shop.example"),
    ):
        given = values(people.outside, address=address, aliases=alias)
        account = the(workspace, address)
        request_ = ConnectRequest(workspace, account, given, lambda _id: None, by_admin=True)
        made.append((account, card.connect(request_)))
    given = values(people.outside, address="new+y@shop.example")
    alone = card.connect(ConnectRequest(people.studio, None, given, lambda _id: None, by_admin=True))
    for number, (account, connection) in enumerate(made):
        assert isinstance(connection, Connection)
        if not number:
            connecting.save(workspace_id=account.workspace_id, channel="email", connection=connection)
            continue
        with pytest.raises(AccountTakenError):
            connecting.save(workspace_id=account.workspace_id, channel="email", connection=connection)
    assert isinstance(alone, Connection)
    with pytest.raises(AccountTakenError):
        connecting.save(workspace_id=people.studio, channel="email", connection=alone)
    assert named(the(people.studio, "art@studio.example").id) == []
    assert named(the(people.pottery, "hello@shop.example").id) == ["new+x@shop.example"]


def test_an_account_and_a_further_address_are_not_the_same_in_one_workspace(
    people: test_ownership.Desk,
) -> None:
    connect(people.outside, people.pottery, address="sales@shop.example")
    refused = edit(people, people.pottery, "hello@shop.example", "sales@shop.example", by_admin=True)
    assert "as a separate account" in refused.by_field["aliases"]
    edit(people, people.pottery, "hello@shop.example", OWN, by_admin=True)
    refused = edit(people, people.pottery, "sales@shop.example", OWN, by_admin=True)
    assert "of another account" in refused.by_field["aliases"]
    refused = edit(people, people.pottery, OWN, "", by_admin=True)
    assert "additional address of another account" in refused.by_field["address"]
    # A form of its own address is one to answer from.
    assert isinstance(edit(people, people.pottery, "hello@shop.example", "hello+eu@shop.example"), Connection)


def test_one_that_has_to_be_confirmed_waits_and_is_not_answered_from(people: test_ownership.Desk) -> None:
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    account = the(people.pottery, "hello@shop.example")
    assert (named(account.id), waiting()) == ([], [ELSEWHERE])
    with db.read() as session:
        # Nothing that knows no further addresses could take the row for an account.
        assert session.scalars(sa.select(AskedAccount.smtp_security)).one() not in set(Security)
    assert receiving.account_of(ELSEWHERE) is None
    assert aliases.of(account.id) == ()
    page = people.sees(people.potter, f"/w/{people.pottery}/settings/channels")
    assert f"sent from here yet: {ELSEWHERE}" in page
    assert f"Additional address of {account.external_id}." in people.sees(people.admin)
    assert people.press(people.owner, "confirm") == 404
    assert people.press(people.potter, "confirm") == 404
    # Saved again, it waits on, and is asked for once.
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    assert len(test_ownership.told(people.admin)) == 1
    assert people.press(people.admin, "confirm") == 303
    assert (named(account.id), waiting()) == ([ELSEWHERE], [])
    assert aliases.of(account.id) == (ELSEWHERE,)
    # It is the workspace's now.
    edit(people, people.pottery, "hello@shop.example", "")
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    assert named(account.id) == [ELSEWHERE]


def test_declined_withdrawn_and_left_out_leave_nothing(people: test_ownership.Desk) -> None:
    account = the(people.pottery, "hello@shop.example")
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    assert people.press(people.admin, "decline") == 303
    assert "no replies are sent from it" in test_ownership.told(people.potter)[-1]
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    assert people.press(people.potter, "withdraw") == 303
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    edit(people, people.pottery, "hello@shop.example", "")
    assert (named(account.id), waiting()) == ([], [])
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    people.client(people.potter).post_form(
        f"/w/{people.pottery}/settings/channels/accounts/{account.id}/disconnect"
    )
    assert (named(account.id), waiting()) == ([], [])


def test_whoever_holds_the_domain_decides(people: test_ownership.Desk) -> None:
    db.write(ownership.give_domain, "studio.example", people.studio)
    edit(people, people.pottery, "hello@shop.example", "a@studio.example")
    assert waiting() == ["a@studio.example"]
    connect(people.outside, people.studio, address="art@studio.example")
    edit(people, people.studio, "art@studio.example", "b@studio.example")
    assert named(the(people.studio, "art@studio.example").id) == ["b@studio.example"]
    assert people.press(people.owner, "confirm", domain="1") == 303
    assert named(the(people.pottery, "hello@shop.example").id) == ["a@studio.example"]
    # Neither is another's any more.
    assert people.save("a@studio.example").status_code == 400


def test_a_new_account_waits_with_its_further_addresses(people: test_ownership.Desk) -> None:
    db.write(ownership.give_domain, "shop.example", people.pottery)
    people.save("free@shop.example", aliases=f"more@shop.example\n{ELSEWHERE}")
    assert waiting() == ["free@shop.example"]
    assert "Additional addresses:" in people.sees(people.potter)
    # Whoever confirms decides on what is theirs to decide, and no more.
    assert people.press(people.potter, "confirm") == 303
    account = the(people.studio, "free@shop.example")
    assert (named(account.id), waiting()) == (["more@shop.example"], [ELSEWHERE])


def test_confirming_too_late_takes_nothing(people: test_ownership.Desk) -> None:
    edit(people, people.pottery, "hello@shop.example", ELSEWHERE)
    connect(people.outside, people.studio, address="orders+x@other.example")
    assert people.press(people.admin, "confirm") == 303
    assert named(the(people.pottery, "hello@shop.example").id) == []
    assert receiving.account_of(ELSEWHERE) is None
    account = the(people.pottery, "hello@shop.example")
    db.write(accounts.disconnect_account, account.id)
    assert people.press(people.admin, "confirm") == 303
    assert named(account.id) == []


def test_disconnecting_frees_them_and_connecting_again_takes_what_is_left(
    people: test_ownership.Desk,
) -> None:
    edit(people, people.pottery, "hello@shop.example", f"{OWN}\nsales@shop.example", by_admin=True)
    account = the(people.pottery, "hello@shop.example")
    people.client(people.potter).post_form(
        f"/w/{people.pottery}/settings/channels/accounts/{account.id}/disconnect"
    )
    assert receiving.account_of(OWN) is None
    assert aliases.of(account.id) == ()
    # As the address of an account is: whoever had it last has it at once, another asks.
    connect(people.outside, people.studio, address="art@studio.example")
    edit(people, people.studio, "art@studio.example", OWN)
    assert waiting() == [OWN]
    assert people.press(people.admin, "confirm") == 303
    with people.app.test_request_context():
        made = card.connection("Shop", account.external_id, _server(people), None, None, new=True)
    connecting.save(workspace_id=people.pottery, channel="email", connection=made)
    assert named(account.id) == ["sales@shop.example"]
    found = receiving.account_of(OWN)
    assert found is not None
    assert found.account_id == the(people.studio, "art@studio.example").id


def _server(people: test_ownership.Desk) -> Any:
    return servers.to_send(the(people.pottery, "hello@shop.example"), _row(people))


def _row(people: test_ownership.Desk) -> Any:
    row = card._row(the(people.pottery, "hello@shop.example").id)
    assert row is not None
    return row


def test_they_move_with_their_account(people: test_ownership.Desk) -> None:
    """Whoever owns both workspaces moves an account, and what it has goes along."""
    edit(people, people.pottery, "hello@shop.example", OWN, by_admin=True)
    account = the(people.pottery, "hello@shop.example")
    given = values(people.outside, aliases=OWN)
    with people.app.test_request_context():
        made = card.connect(ConnectRequest(people.studio, None, given, lambda _id: None))
    assert isinstance(made, Connection)
    connecting.save(
        workspace_id=people.studio,
        channel="email",
        connection=made,
        moved=account,
    )
    moved = the(people.studio, "hello@shop.example")
    assert named(moved.id) == [OWN]
    found = receiving.account_of(OWN)
    assert found is not None
    assert found.account_id == moved.id


def test_the_form_shows_keeps_and_explains(people: test_ownership.Desk) -> None:
    account = the(people.pottery, "hello@shop.example")
    client = people.client(people.potter)
    path = f"/w/{people.pottery}/settings/channels/accounts/{account.id}"
    answer = client.post_form(
        path, **values(people.outside, aliases=f"hello+a@shop.example\r\n{OWN}\r\nnobody")
    )
    assert answer.status_code == 400
    shown_again = answer.get_data(as_text=True)
    assert "Not an email address: nobody." in shown_again
    assert f"hello+a@shop.example\n{OWN}\nnobody</textarea>" in shown_again
    answer = client.post_form(
        path, **values(people.outside, aliases="hello+a@shop.example\r\nhello@shop.example")
    )
    assert answer.status_code == 302
    assert named(account.id) == ["hello+a@shop.example"]
    assert "hello+a@shop.example</textarea>" in people.sees(people.potter, path)


def test_so_many_may_wait(people: test_ownership.Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "MOST_ASKED", 1)
    refused = edit(people, people.pottery, "hello@shop.example", f"{ELSEWHERE}\nmore@other.example")
    assert "waiting for confirmation" in refused.by_field["aliases"]
    assert waiting() == []
