"""Forwarding by email: what goes out, what the conversation shows, and where an answer lands."""

from __future__ import annotations

import email
import email.message
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.events.models import DomainEvent as Event
from host.inbox import conversation_actions, notes
from host.inbox.composition import forwarding
from host.inbox.drafts import Draft
from host.inbox.errors import AlreadySentError, MessageNotFoundError
from host.inbox.reply import queue_parts
from host.inbox.sendable import NotSendableError
from host.media import uploads
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, DeliveryState, Direction, Message
from host.models.users import Workspace
from tests.email.conftest import Outside
from tests.email.test_conversation import Desk, Generation, conversations, messages, whole
from tests.email.test_formatted import PIXEL, newsletter
from tests.email.test_sending import body, html, parsed
from tests.helpers import do, work
from tests.media.samples import picture

__all__ = ["whole"]


def forward(desk: Desk, conversation: int, *to: str, key: str = "forward-1", **more: Any) -> Message:
    given: dict[str, Any] = {
        "message_id": None,
        "account_id": None,
        "note": "Can you look at this?",
        "files": True,
        "actor": desk.agent,
        **more,
    }
    made: Message = do(
        forwarding.forward,
        desk.account.workspace_id,
        conversation,
        to=to or ("Ana Lima <ana@maker.example>",),
        reply_key=key,
        directory=Generation.directory,
        **given,
    )
    desk.work()
    return made


def test_a_conversation_goes_to_others_and_not_to_the_customer(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    whole.reply(talk.id, "Yes, **eight**.", "reply-key-1")
    do(
        notes.add_note,
        whole.account.workspace_id,
        talk.id,
        text="They never pay",
        reply_key="note-key-1",
        actor=whole.agent,
    )
    (before,) = conversations()
    forward(whole, talk.id, "Ana Lima <ana@maker.example>", "ben@maker.example")

    sender, recipients, _ = whole.outside.mails[-1]
    assert (sender, recipients) == ("hello@shop.example", ["ana@maker.example", "ben@maker.example"])
    mail = parsed(whole.outside)
    assert mail["To"] == "Ana Lima <ana@maker.example>, ben@maker.example"
    assert mail["Subject"] == "Fwd: Blue mugs"
    assert mail["In-Reply-To"] is None
    words = body(whole.outside).replace("\r\n", "\n")
    note, first, second = words.split("---------- Forwarded message ---------\n")
    assert note == "Can you look at this?\n\n"
    head, _, said = first.partition("\n\n")
    assert [line.partition(":")[0] for line in head.split("\n")] == ["From", "Date", "Subject", "To"]
    assert head.startswith("From: Mia Rossi <mia@example.org>\nDate: ")
    assert head.endswith("\nSubject: Blue mugs\nTo: hello@shop.example")
    assert said.strip() == "Do you have blue mugs?"
    assert second.startswith("From: Shop <hello@shop.example>\n")
    assert second.rstrip().endswith("Yes, eight.")
    assert "They never pay" not in words
    assert "<b>From:</b> Mia Rossi &lt;mia@example.org&gt;" in html(whole.outside)

    line = messages()[-1]
    assert (line.direction, line.kind, line.state) == (Direction.INTERNAL, "forward", DeliveryState.SENT)
    assert mail["Message-ID"] == f"<{line.external_id}>"
    (after,) = conversations()
    for name in ("last_message_at", "last_preview", "waiting_since", "handled_by", "unread_count"):
        assert getattr(after, name) == getattr(before, name)
    with db.read() as session:
        kinds = session.scalars(sa.select(Event.kind).where(Event.message_id == line.id)).all()
    assert [kind for kind in kinds if kind] == ["conversation.forwarded"]


def test_one_message_goes_along_with_its_files(whole: Desk) -> None:
    from tests.email.test_parsing import mail as made

    mail = made()
    mail.replace_header("Message-ID", "<one@example.org>")
    mail.add_attachment(b"a,b", maintype="text", subtype="csv", filename="orders.csv")
    whole.deliver(mail.as_bytes())
    (talk,), first = conversations(), messages()[0]
    whole.receive("And green ones?", Message_ID="<two@example.org>", In_Reply_To="<one@example.org>")
    forward(whole, talk.id, message_id=first.id)
    sent = parsed(whole.outside)
    assert "green" not in body(whole.outside)
    assert [part.get_filename() for part in sent.walk() if part.get_filename()] == ["orders.csv"]

    forward(whole, talk.id, message_id=first.id, files=False, key="forward-2")
    assert "[File not attached: orders.csv]" in body(whole.outside)
    assert not [part for part in parsed(whole.outside).walk() if part.get_filename()]


def test_nothing_is_forwarded_twice(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    first, again = forward(whole, talk.id), forward(whole, talk.id)
    assert first.id == again.id
    assert len(whole.outside.mails) == 1
    with pytest.raises(AlreadySentError):
        forward(whole, talk.id, "eve@maker.example")


def test_an_answer_belongs_to_the_conversation_and_is_not_the_customers(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    line = forward(whole, talk.id)
    whole.receive(
        "We have three left.",
        From="Ana Lima <ana@maker.example>",
        Message_ID="<two@maker.example>",
        Cc="boss@maker.example",
        In_Reply_To=f"<{messages()[-1].external_id}>",
    )
    (after,) = conversations()
    answer = messages()[-1]
    assert answer.conversation_id == line.conversation_id
    assert answer.content["author"] == {"name": "Ana Lima", "address": "ana@maker.example"}
    assert after.unread_count == 2
    assert after.last_inbound_at is not None

    # What is said next goes to the customer alone, and names nothing they never had.
    whole.reply(talk.id, "Three.", "reply-key-1")
    assert whole.outside.mails[-1][1] == ["mia@example.org"]
    sent = parsed(whole.outside)
    assert sent["References"] == sent["In-Reply-To"] == "<one@example.org>"

    # What they write further comes here as well, and from nobody else.
    whole.receive("Two now.", From="ana@maker.example", Message_ID="<3@x>", In_Reply_To="<two@maker.example>")
    assert messages()[-1].content["after_forward"] is True
    whole.receive("Me!", From="eve@evil.example", Message_ID="<4@x>", In_Reply_To="<two@maker.example>")
    assert len(conversations()) == 2


def test_a_message_of_another_channel_is_forwarded_and_answered(whole: Desk) -> None:
    whole.receive("Blue mugs?", Message_ID="<one@example.org>")
    (talk,) = conversations()
    with db.read() as session:
        mine = session.get_one(ChannelAccount, talk.account_id)
        values = {
            column.key: getattr(mine, column.key)
            for column in sa.inspect(ChannelAccount).columns
            if column.key not in {"id", "uuid", "external_id", "channel", "claim"}
        }

    def move(session: Any) -> int:
        other = ChannelAccount(**values, uuid="0" * 32, external_id="shop.chat", channel="email", claim="x")
        session.add(other)
        session.flush()
        # As if they had written on another account, which nothing of the mail account's is about.
        from host.models.inbox import ContactIdentity

        found = session.get_one(Conversation, talk.id)
        found.account_id = other.id
        session.get_one(ContactIdentity, found.identity_id).account_id = other.id
        session.get_one(ContactIdentity, found.identity_id).external_id = "4711"
        for message in session.scalars(sa.select(Message)):
            message.account_id = other.id
        return int(other.id)

    other = db.write(move)
    (before,) = conversations()
    forward(whole, talk.id, account_id=whole.account.id)
    assert "From: Mia Rossi\n" in body(whole.outside).replace("\r\n", "\n")
    whole.receive(
        "Three.",
        From="ana@maker.example",
        Message_ID="<two@x>",
        In_Reply_To=f"<{messages()[-1].external_id}>",
    )
    (after,) = conversations()
    assert messages()[-1].conversation_id == talk.id
    assert (after.account_id, after.unread_count) == (other, before.unread_count + 1)
    assert after.last_inbound_at == before.last_inbound_at


def test_what_cannot_be_forwarded_is_said_before(whole: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    for code, to in (
        ("forward_address", "Ana"),
        ("forward_customer", "Mia@example.org"),
        ("forward_own", "hello+x@shop.example"),
    ):
        with pytest.raises(NotSendableError) as refused:
            forward(whole, talk.id, to)
        assert refused.value.code == code
    with pytest.raises(NotSendableError) as nobody:
        forward(whole, talk.id, " ")
    assert nobody.value.code == "forward_address"
    with pytest.raises(NotSendableError) as many:
        forward(whole, talk.id, *(f"a{n}@b.example" for n in range(21)))
    assert many.value.code == "too_many_recipients"
    monkeypatch.setattr(forwarding.ForwardContent, "size", property(lambda _self: 21 * 1024 * 1024))
    with pytest.raises(NotSendableError) as large:
        forward(whole, talk.id)
    assert large.value.code == "forward_too_large"
    assert not whole.outside.mails
    assert [one.kind for one in messages()] == ["text"]
    db.write(
        lambda session: session.execute(sa.update(ChannelAccount).values(state=AccountState.NEEDS_RECONNECT))
    )
    with pytest.raises(forwarding.NoForwarderError):
        forward(whole, talk.id)


def test_a_failure_is_shown_and_can_be_tried_again(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    whole.outside.answers["ana@maker.example"] = "550 5.1.1 no such user"
    line = forward(whole, talk.id)
    failed = messages()[-1]
    assert (failed.id, failed.state) == (line.id, DeliveryState.FAILED)
    assert conversations()[0].failed_count == 1
    whole.outside.answers.clear()
    whole.retry(line.id)
    assert messages()[-1].state == DeliveryState.SENT
    assert conversations()[0].failed_count == 0
    assert len(whole.outside.mails) == 1


def test_a_bounce_is_noted_with_the_forward(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    forward(whole, talk.id)
    raw = parsed(whole.outside)
    report = (
        "From: MAILER-DAEMON@shop.example\r\nTo: hello@shop.example\r\nSubject: Undelivered\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt failed.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; shop.example\r\n\r\n"
        "Final-Recipient: rfc822; ana@maker.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {raw['Message-ID']}\r\n--b--\r\n"
    )
    whole.deliver(report.encode())
    assert len(conversations()) == 1
    error = messages()[-1].error
    assert error is not None
    assert (error["code"], error["to"]) == ("copy_bounced", "ana@maker.example")


def test_what_is_gone_by_then_is_not_forwarded(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,), (first,) = conversations(), messages()
    do(conversation_actions.hide_message, whole.account.workspace_id, talk.id, first.id)
    with pytest.raises(MessageNotFoundError):
        forward(whole, talk.id)


def test_its_lines_are_in_the_language_and_zone_of_the_workspace(whole: Desk) -> None:
    db.write(
        lambda session: session.execute(sa.update(Workspace).values(language="de", timezone="Asia/Tokyo"))
    )
    whole.receive(Message_ID="<one@example.org>", Date="Mon, 02 Mar 2099 20:12:00 +0000")
    whole.receive(Message_ID="<two@example.org>")
    forward(whole, conversations()[0].id)
    words = body(whole.outside)
    assert "---------- Weitergeleitete Nachricht ---------" in words
    assert "Von: Mia Rossi <mia@example.org>" in words
    assert "Betreff: Blue mugs" in words


def test_it_is_read_as_a_forward_and_never_folded(outside: Outside, whole: Desk) -> None:
    from addons.email.lobby_mail.mail import quotes

    whole.receive(Message_ID="<one@example.org>")
    forward(whole, conversations()[0].id)
    mail = email.message_from_bytes(outside.mails[-1][2])
    assert quotes.start(body(outside), mail["Subject"]) is None


# ---- format and pictures -----------------------------------------------------------------------------


def shown_inline(sent: email.message.Message) -> dict[str, bytes]:
    """Return the pictures of a mail by the content ids that its HTML shows."""
    found = {
        str(part["Content-ID"]).strip("<>"): part.get_payload(decode=True)
        for part in sent.walk()
        if part["Content-ID"] and part.get_content_disposition() == "inline"
    }
    return {name: content for name, content in found.items() if f'src="cid:{name}"' in shown_form(sent)}


def shown_form(sent: email.message.Message) -> str:
    (form,) = (part for part in sent.walk() if part.get_content_type() == "text/html")
    content = form.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def reply_with_picture(desk: Desk, conversation: int, text: str, key: str) -> None:
    with db.read() as session:
        workspace = session.get_one(Conversation, conversation).workspace_id
    upload = uploads.keep_upload(
        BytesIO(picture("PNG")), "inline.png", workspace_id=workspace, user_id=desk.agent
    )

    def write(session: Any) -> None:
        queue_parts(
            work(session, workspace, actor=desk.agent),
            conversation,
            [Draft(text=text, uploads=(upload.id,))],
            reply_key=key,
            adapter=Generation.directory.adapter("email"),
        )

    db.write(write)
    desk.work()


def test_our_own_format_and_pictures_go_along(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    reply_with_picture(whole, talk.id, "Take **these**:\n\n- one\n- two\n\n![inline.png]", "reply-key-1")
    forward(whole, talk.id)
    sent = parsed(whole.outside)
    form = shown_form(sent)
    assert "<strong>these</strong>" in form
    assert form.count("<li") == 2
    assert len(shown_inline(sent)) == 1
    assert "![" not in form
    words = body(whole.outside).replace("\r\n", "\n")
    assert "Take these:\n\n- one\n- two\n\n[inline.png]" in words
    assert not [part for part in sent.walk() if part.get_content_disposition() == "attachment"]

    forward(whole, talk.id, files=False, key="forward-2")
    sent = parsed(whole.outside)
    assert "[inline.png]" in shown_form(sent)
    assert "[File not attached: inline.png]" in body(whole.outside)
    assert not shown_inline(sent)


HTML = (
    "<html><head><style>p { color: red }</style><script>parent.hit()</script></head>"
    '<body onload="hit()"><p>Blue <b style="color:#00f">mugs</b>?</p>'
    "<ul><li>one<li>two</ul><table><tr><td>1<td>2</table>"
    '<img src="cid:mug@example.org" alt="A mug" onerror="hit()">'
    '<img src="https://tracker.example/pixel.png" alt="Our &gt; logo"><a href="javascript:hit()">x</a>'
    "</body></html>"
)


def test_a_customers_format_and_pictures_go_along_and_nothing_harmful(whole: Desk) -> None:
    whole.deliver(newsletter(HTML))
    forward(whole, conversations()[0].id)
    sent = parsed(whole.outside)
    form = shown_form(sent)
    assert '<b style="color:#00f">mugs</b>' in form
    assert form.count("<li") == 2
    assert form.count("<td") == 2
    assert list(shown_inline(sent).values()) == [PIXEL]
    for bad in ("script", "hit()", "tracker.example", "cid:mug@example.org", "<style"):
        assert bad not in form
    assert "Our &gt; logo" in form
    assert not [part for part in sent.walk() if part.get_content_disposition() == "attachment"]
    assert "Do you have blue mugs?" in body(whole.outside)

    forward(whole, conversations()[0].id, files=False, key="forward-2")
    sent = parsed(whole.outside)
    assert "mugs</b>" in shown_form(sent)
    assert "<img" not in shown_form(sent)
    assert "[File not attached: mug.png]" in body(whole.outside)


def test_pictures_of_the_same_name_are_not_mixed_up(whole: Desk) -> None:
    whole.deliver(newsletter(HTML))
    (talk,) = conversations()
    for number in range(2):
        reply_with_picture(whole, talk.id, f"{number}: ![inline.png]", f"reply-key-{number}")
    forward(whole, talk.id)
    assert len(shown_inline(parsed(whole.outside))) == 3


def test_of_a_conversation_the_quoted_history_goes_once(whole: Desk) -> None:
    whole.receive("The first words.", Message_ID="<one@example.org>")
    quoted = (
        '<div>It <i>came</i>.</div><div class="gmail_quote"><div>On Monday, Shop wrote:</div>'
        '<blockquote class="gmail_quote">The first words.</blockquote></div>'
    )
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "mia@example.org", "hello@shop.example", "Re: Blue mugs"
    mail["In-Reply-To"], mail["Message-ID"] = "<one@example.org>", "<two@example.org>"
    mail.set_content(
        "It came.\n\nOn Mon, 2 Mar 2026 at 10:00, Shop <hello@shop.example> wrote:\n> The first words.\n"
    )
    mail.add_alternative(quoted, subtype="html")
    whole.deliver(mail.as_bytes())
    (talk,) = conversations()
    forward(whole, talk.id)
    form = shown_form(parsed(whole.outside))
    assert "<i>came</i>" in form
    assert form.count("The first words.") == 1
    assert "lobby-earlier" not in form

    forward(whole, talk.id, message_id=messages()[1].id, key="forward-2")
    assert "The first words." in shown_form(parsed(whole.outside))


def test_too_much_format_goes_as_text(whole: Desk) -> None:
    whole.deliver(newsletter("<b>" * 30_000 + "Blue mugs"))
    forward(whole, conversations()[0].id)
    form = shown_form(parsed(whole.outside))
    assert "Do you have blue mugs?" in form
    assert form.count("<b>") < 10
