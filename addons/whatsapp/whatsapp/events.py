"""Translate WhatsApp's events for the host. Pure, because envelopes may be read again much later.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from host.sdk import strictjson
from host.sdk.channel import Ask
from host.sdk.messages import (
    AccountNoticed,
    ContactIdentified,
    ConversationHandedOver,
    Handover,
    Ignored,
    InboundAttachment,
    InboundChange,
    MessageAccepted,
    MessageBounced,
    MessageDelivered,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    MessageUnsent,
    Program,
    Who,
)
from host.sdk.webhooks import Envelope

from . import account_events, calls, errors, people
from .contents import contacts_of, file_of, form_of, location_of, order_of, referral_of
from .values import identifier, items, mapping, moment, text

APP = Program(Who.PROVIDER, name="WhatsApp Business app")
AGENT = Program(Who.BOT, name="Meta’s agent")
OTHER = Program(Who.OTHER)
"""Another responder of the number, of which Meta doesn't say which."""
OURS = Program(Who.DESK)
_AGENTS = frozenset({"ai_agent", "meta_business_agent"})
"""Roles of Meta's own agent."""
_MEDIA = {
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "audio": MessageKind.AUDIO,
    "document": MessageKind.FILE,
    "sticker": MessageKind.STICKER,
}


def read(envelope: Envelope) -> Sequence[InboundChange]:
    """Return the changes of the inbox for the event in *envelope*."""
    try:
        told = mapping(strictjson.loads(envelope.body))
    except ValueError:
        return [Ignored("not JSON")]
    held = told.get("standby") is True
    if "message" in told:
        said, about = mapping(told["message"]), mapping(told.get("contact"))
        person = people.sharing(said, people.writer_of(said, about))
        return _identified(person, said, _message(said, about, person, held=held))
    if "echo" in told:
        said = mapping(told["echo"])
        person = people.recipient_of(said)
        return _identified(person, said, _echo(said, person.id, held=held))
    if "call" in told:
        said, about = mapping(told["call"]), mapping(told.get("contact"))
        person = people.writer_of(said, about)
        return _identified(person, said, calls.read(said, about, person))
    if "handover" in told:
        said = mapping(told["handover"])
        person = people.handed_over(said)
        return _identified(person, said, _handover(said, person.id))
    if "status" in told:
        said = mapping(told["status"])
        person = people.reported_of(said)
        return _identified(person, said, *_status(said, person.id))
    return [account_events.read(text(told.get("field")), mapping(told.get("value")), envelope.occurred_at)]


def _identified(
    person: people.Person, said: Mapping[str, Any], *changes: InboundChange
) -> Sequence[InboundChange]:
    """Return *changes* with what the event says of the ids of their customer."""
    at = moment(said.get("timestamp"))
    if at is None or all(isinstance(one, Ignored | ContactIdentified) for one in changes):
        return changes
    return (*person.identified(at), *changes)


# ---- messages ------------------------------------------------------------------------------------------


def _message(
    said: Mapping[str, Any], about: Mapping[str, Any], sender: people.Person, *, held: bool
) -> InboundChange:
    wrote, at, sort = identifier(said.get("id")), moment(said.get("timestamp")), text(said.get("type"), 60)
    person = sender.id
    if not person or not wrote or at is None:
        return Ignored("not a message with an id, a sender and a time")
    if sort == "system" and (new := people.changed(said, sender, at)) is not None:
        return new
    if (changed := _change(said, sort, person, at)) is not None:
        return changed
    kind, words, attachments, content = what(said, sort)
    email = None
    if sender.shared:
        emails = content["contacts"][0]["emails"]
        kind, words = MessageKind.QUICK_REPLY, ", ".join((f"+{sender.shared}", *emails))
        content, email = {"payload": f"+{sender.shared}", "ask": Ask.PHONE.value}, next(iter(emails), None)
    context, profile = mapping(said.get("context")), mapping(about.get("profile"))
    content |= referral_of(said.get("referral"))
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        content["forwarded"] = True
    if held:
        content["standby"] = True
    return MessageReceived(
        contact=person,
        external_id=wrote,
        sent_at=at,
        kind=kind,
        text=words,
        attachments=attachments,
        content=content,
        opens_window=sort != "system",
        contact_name=text(profile.get("name"), 200) or None,
        contact_username=text(profile.get("username"), 100).removeprefix("@") or None,
        contact_email=email,
        reply_to=identifier(context.get("id")) or None,
        contact_phone=sender.phone if sender.phone.isdecimal() else None,
    )


def _change(
    said: Mapping[str, Any], sort: str, person: str, at: datetime, *, ours: bool = False
) -> InboundChange | None:
    """Return what an event changes about an earlier message; None if it is a message itself.

    :param ours: whether the change was made in the WhatsApp Business app.
    """
    if sort == "reaction":
        reaction = mapping(said.get("reaction"))
        of, emoji = identifier(reaction.get("message_id")), text(reaction.get("emoji"), 40)
        if not of:
            return Ignored("a reaction to nothing")
        return MessageReacted(person, of, at, emoji, removed=not emoji, ours=ours)
    if sort == "revoke":
        of = identifier(mapping(said.get("revoke")).get("original_message_id"))
        carried_by = (f"echo:{of}" if ours else f"message:{of}",)
        return MessageUnsent(person, of, at, carried_by, ours=ours) if of else None
    if sort == "edit":
        edit = mapping(said.get("edit"))
        of, message = identifier(edit.get("original_message_id")), mapping(edit.get("message"))
        _kind, words, _files, _content = what(message, text(message.get("type"), 60))
        return MessageEdited(person, of, at, words, ours=ours) if of else None
    if sort == "request_welcome":
        return Ignored("the customer opened the chat and wrote nothing")
    return None


def what(
    said: Mapping[str, Any], sort: str
) -> tuple[MessageKind, str, tuple[InboundAttachment, ...], dict[str, Any]]:
    """Return kind, text, files and content of a message."""
    if sort == "text":
        return MessageKind.TEXT, text(mapping(said.get("text")).get("body")), (), {}
    if sort in _MEDIA:
        return _file(sort, mapping(said.get(sort)))
    if sort in {"interactive", "button"}:
        return _answer(said, sort)
    found: tuple[MessageKind, str, dict[str, Any]] | None = None
    if sort == "location":
        found = location_of(mapping(said.get("location")))
    elif sort == "contacts":
        found = contacts_of(said.get("contacts"))
    elif sort == "order":
        found = order_of(mapping(said.get("order")))
    if found is not None:
        return found[0], found[1], (), found[2]
    if sort == "system":
        return (
            MessageKind.UNSUPPORTED,
            text(mapping(said.get("system")).get("body"), 500),
            (),
            {"event": sort},
        )
    why = next((text(one.get("title"), 60) for one in items(said.get("errors"))), "")
    return MessageKind.UNSUPPORTED, "", (), {"event": why or sort or "message"}


def _file(
    sort: str, found: Mapping[str, Any]
) -> tuple[MessageKind, str, tuple[InboundAttachment, ...], dict[str, Any]]:
    kind, words = _MEDIA[sort], text(found.get("caption"))
    file = file_of(kind, found, "filename")
    if file is None:
        return MessageKind.UNSUPPORTED, words, (), {"event": f"{sort} without a file"}
    return kind, words, (file,), {}


def _answer(
    said: Mapping[str, Any], sort: str
) -> tuple[MessageKind, str, tuple[InboundAttachment, ...], dict[str, Any]]:
    """Return a tap on a button or a row of a list."""
    if sort == "button":
        tapped = mapping(said.get("button"))
        return MessageKind.QUICK_REPLY, text(tapped.get("text")), (), {"payload": text(tapped.get("payload"))}
    given = mapping(said.get("interactive"))
    for name in ("button_reply", "list_reply"):
        tapped = mapping(given.get(name))
        if tapped:
            return MessageKind.QUICK_REPLY, text(tapped.get("title")), (), {"payload": text(tapped.get("id"))}
    filled = mapping(given.get("nfm_reply"))
    if (form := form_of(filled)) is not None:
        (kind, words, content), attachments = form
        return kind, words, attachments, content
    return (
        MessageKind.UNSUPPORTED,
        text(filled.get("body")),
        (),
        {"event": text(given.get("type"), 60) or sort},
    )


def _echo(said: Mapping[str, Any], person: str, *, held: bool) -> InboundChange:
    wrote, at, sort = identifier(said.get("id")), moment(said.get("timestamp")), text(said.get("type"), 60)
    if not person or not wrote or at is None:
        return Ignored("not a message with an id, a recipient and a time")
    if sort in {"reaction", "revoke", "edit"}:
        return _change(said, sort, person, at, ours=True) or Ignored(f"{sort} of nothing")
    kind, words, attachments, content = what(said, sort)
    quoted = identifier(mapping(said.get("context")).get("id")) or None
    if held:
        content["standby"] = True
    by = OTHER if held else APP
    return MessageEchoed(person, wrote, at, kind, words, attachments, content, reply_to=quoted, sent_by=by)


def _handover(value: Mapping[str, Any], person: str) -> InboundChange:
    """Return that a conversation changed hands.

    Meta tells the new owner that it was passed on, and the previous one that it was taken
    (webhooks/reference/messaging-handovers).
    """
    kind, at = text(value.get("type"), 60), moment(value.get("timestamp"))
    told = mapping(value.get(kind))
    if not person or at is None or kind not in {"control_passed", "control_taken"}:
        return Ignored(f"a handover without a customer or a time, or of a new kind: {kind}"[:100])
    note = text(told.get("metadata"), 500)
    if kind == "control_passed":
        # Meta's page shows the summary by itself: beside the roles, or beside what they are in.
        summary = _summary(told) or _summary(value)
        return ConversationHandedOver(person, at, Handover.PASSED, note, OURS, summary)
    role = text(told.get("new_owner_role"), 60) or text(told.get("new_owner_app_role"), 60)
    return ConversationHandedOver(person, at, Handover.TAKEN, note, AGENT if role in _AGENTS else None)


def _summary(told: Mapping[str, Any]) -> str:
    """Return the summary for whoever gets a conversation (conversation-routing/conversation-context)."""
    context = mapping(told.get("conversation_context"))
    return text(mapping(context.get("summary")).get("text")) if context.get("type") == "summary" else ""


# ---- reports -------------------------------------------------------------------------------------------


def _status(status: Mapping[str, Any], person: str) -> Sequence[InboundChange]:
    sent, at = identifier(status.get("id")), moment(status.get("timestamp"))
    if not person or not sent or at is None:
        return [Ignored("not a report with a message, a recipient and a time")]
    found: list[InboundChange] = []
    if key := text(status.get("biz_opaque_callback_data"), 512):
        found.append(MessageAccepted(person, sent, key, at))
    match status.get("status"):
        case "delivered":
            found.append(MessageDelivered(person, sent, at))
            if mapping(status.get("pricing")).get("billable") is True:
                found.append(AccountNoticed(errors.PAYMENT, at, over=True))
        case "read":
            found.append(MessagesRead(person, sent, at))
        case "failed":
            found += _failed(status, person, sent, at)
    return found or [Ignored("tells nothing new about the message")]


def _failed(status: Mapping[str, Any], person: str, sent: str, at: datetime) -> Iterator[InboundChange]:
    error: Mapping[str, Any] = next(items(status.get("errors")), {})
    code = error.get("code")
    entry = errors.meaning(code if isinstance(code, int) else -1)
    details = text(mapping(error.get("error_data")).get("details"), 500)
    raw = ": ".join(filter(None, (text(error.get("title"), 200), details)))
    # Other programs may send with the same number; what becomes of their messages is no customer's message.
    yield MessageBounced(
        *(person, sent, at, None, entry.sentence, errors.step_of(entry), f"{raw} ({code})"),
        whole_contact=entry.outcome is errors.Outcome.CLOSE,
        templates=entry is errors.WINDOW,
    )
    if entry.outcome is errors.Outcome.PAY:
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        yield AccountNoticed(errors.PAYMENT, day, entry.sentence, errors.PAY, bad=True)
