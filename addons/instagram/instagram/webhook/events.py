"""Translate one event into changes of the inbox. Never raises, whatever the bytes.

Meta's pages: docs/instagram-platform/webhooks/examples, docs/instagram-messaging/webhooks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from host.sdk.i18n import noop
from host.sdk.messages import (
    AccountNoticed,
    ConversationHandedOver,
    Handover,
    Ignored,
    InboundAttachment,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    MessageUnsent,
)
from host.sdk.webhooks import Envelope

from ..values import flag, identifier, loads, mapping, moment, plain, text
from . import products, programs, stories
from .contents import MessageParts, said
from .envelopes import (
    COMMENTS,
    COMMENTS_OFF,
    change_kind,
    edit_number,
    event_of,
    keys_carrying,
    kind_of,
    sides_of,
)

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

EMOJI = {
    "love": "\u2764\ufe0f",
    "like": "\U0001f44d",
    "laugh": "\U0001f606",
    "wow": "\U0001f62e",
    "sad": "\U0001f622",
    "angry": "\U0001f621",
}
HANDOVERS = {
    "pass_thread_control": Handover.PASSED,
    "take_thread_control": Handover.TAKEN,
    "request_thread_control": Handover.REQUESTED,
    "app_roles": Handover.ROLES,
}
BLOCKED = noop("Meta has blocked this account from sending: %(reason)s")
WARNED = noop("Meta warned that this account violates its rules: %(reason)s")
POLICY_STEP = noop("Check the account's Support Home in the Instagram app, and the Meta app's alerts.")
UNREADABLE = "the event is not readable"
OPT_INS = {"STOP_NOTIFICATIONS": "stopped", "RESUME_NOTIFICATIONS": "resumed"}
RATINGS = {"Good response": "good", "Bad response": "bad"}
OTHER, OTHER_EMOJI = "other", "\u2754"
"""A reaction without details from Meta."""


class Event(NamedTuple):
    """An event out of its envelope."""

    data: Mapping[str, Any]
    entry_id: str
    container: str
    customer: str
    ours: bool
    """Whether the business is named as the actor."""
    at: datetime
    body: bytes
    own_app: str = ""
    """Id of the account's Meta app when the event arrived, if it matters."""
    catalogue: bool = False
    """Whether the account's token could read its shop's catalogue."""
    own_name: str = ""
    """The account's username when the event arrived, if Meta sends no id of a comment's author."""
    missed: bool = False
    """Whether it was found in the account's conversations because no webhook brought it."""

    @property
    def digest(self) -> str:
        """A digest that identifies an event without a provider id."""
        return hashlib.sha256(self.body).hexdigest()


def parse(envelope: Envelope) -> Sequence[InboundChange]:
    """Return the changes an envelope means for the inbox."""
    event = read_event(envelope)
    if event is None:
        return [Ignored(UNREADABLE)]
    data = event.data
    if event.container == "changes" and "field" in data:
        return [_change(event, change_kind(data))]
    kind = kind_of(data, ours=event.ours)
    if _is_self(event):
        return [Ignored("the account wrote to itself")]
    if kind == "policy":
        return [_policy(event)]
    if not event.customer:
        return [Ignored(f"{kind}: names no customer")]
    change = _READERS.get(kind, _unknown)(event, kind)
    return stories.with_question(change) if isinstance(change, MessageReceived) else [change]


def read_event(envelope: Envelope) -> Event | None:
    """Return the event of an envelope, or None if it is unreadable."""
    try:
        outer = mapping(loads(envelope.body))
    except ValueError:
        return None
    container = text(outer.get("in")) or "messaging"
    data = event_of(container, outer.get("event"))
    if data is None:
        return None
    entry_id = identifier(outer.get("entry"))
    sides = sides_of(data, entry_id)
    at = envelope.occurred_at or moment(data.get("timestamp")) or moment(outer.get("time")) or _NEVER
    return Event(
        data=data,
        entry_id=entry_id,
        container=container,
        customer=sides.customer,
        ours=sides.ours,
        at=at,
        body=envelope.body,
        own_app=text(outer.get("app")),
        catalogue=outer.get("catalogue") is True,
        own_name=text(outer.get("name")),
        missed=outer.get("missed") is True,
    )


def _is_self(event: Event) -> bool:
    """Return whether the account messaged itself, without a customer
    (docs/instagram-platform/self-messaging).
    """
    if event.customer == event.entry_id:
        return True
    data = event.data
    for part in (data, data.get("message"), data.get("postback")):
        if isinstance(part, dict) and "is_self" in part and flag(part["is_self"]):
            return True
    return False


def _message(event: Event, _kind: str) -> InboundChange:
    message = mapping(event.data.get("message"))
    found = said(message)
    content = _content(event, found)
    return MessageReceived(
        contact=event.customer,
        external_id=identifier(message.get("mid")) or None,
        sent_at=event.at,
        kind=found.kind,
        text=found.text,
        attachments=found.attachments + _products(event, content),
        content=content,
        contact_username=_username(event),
        reply_to=found.reply_to,
    )


def _echo(event: Event, _kind: str) -> InboundChange:
    message = mapping(event.data.get("message"))
    found = said(message)
    content = _content(event, found)
    return MessageEchoed(
        contact=event.customer,
        external_id=identifier(message.get("mid")) or f"event:{event.digest}",
        sent_at=event.at,
        kind=found.kind,
        text=found.text,
        attachments=found.attachments + _products(event, content),
        content=content,
        reply_to=found.reply_to,
        sent_by=programs.sender(message, event.own_app),
    )


def _content(event: Event, found: MessageParts) -> dict[str, Any]:
    """Return the details to store besides a message's text; if its kind is unknown, the whole event."""
    content = dict(found.content)
    # The referral is inside the message or next to it.
    if isinstance(event.data.get("referral"), dict):
        content.setdefault("referral", plain(event.data["referral"]))
    if found.kind is MessageKind.UNSUPPORTED:
        content["raw"] = plain(event.data)
    if event.container == "standby":
        content["standby"] = True
    if event.missed:
        content["missed"] = True
    return content


def _products(event: Event, content: Mapping[str, Any]) -> tuple[InboundAttachment, ...]:
    """Return the pictures of a message's products, if they can be looked up."""
    return products.files(content) if event.catalogue else ()


def _postback(event: Event, _kind: str) -> InboundChange:
    """Read a tap on an ice breaker, a menu or a template's button. In standby it has no payload."""
    postback = mapping(event.data.get("postback"))
    content: dict[str, Any] = {"payload": text(postback.get("payload"))}
    referral = postback.get("referral") or event.data.get("referral")
    if isinstance(referral, dict):
        content["referral"] = plain(referral)
    if event.container == "standby":
        content["standby"] = True
    return MessageReceived(
        contact=event.customer,
        external_id=identifier(postback.get("mid")) or None,
        sent_at=event.at,
        kind=MessageKind.POSTBACK,
        text=text(postback.get("title")),
        content=content,
        contact_username=_username(event),
    )


def _read(event: Event, _kind: str) -> InboundChange:
    """Read a seen event; on Instagram it names a message, not a time."""
    mid = identifier(mapping(event.data.get("read")).get("mid"))
    if not mid:
        return Ignored("a read receipt that names no message")
    return MessagesRead(contact=event.customer, external_id=mid, read_at=event.at)


def _edit(event: Event, kind: str) -> InboundChange:
    """Read an edit: the whole new text, and the edit's number."""
    edit = mapping(event.data.get("message_edit"))
    mid, number, words = identifier(edit.get("mid")), text(edit.get("num_edit")), text(edit.get("text"))
    if not mid:
        return _row(event, MessageKind.EDIT, words, {})
    if number == "0":
        # Some apps get an edit numbered 0 instead of the message itself. If the message exists, its id
        # prevents a duplicate.
        return MessageReceived(
            contact=event.customer,
            external_id=mid,
            sent_at=event.at,
            text=words,
            contact_username=_username(event),
        )
    counted = edit_number(edit.get("num_edit"))
    return MessageEdited(contact=event.customer, external_id=mid, at=event.at, text=words, number=counted)


def _unsend(event: Event, _kind: str) -> InboundChange:
    mid = identifier(mapping(event.data.get("message")).get("mid"))
    if not mid:
        return _row(event, MessageKind.UNSEND, "", {})
    return MessageUnsent(contact=event.customer, external_id=mid, at=event.at, carried_by=keys_carrying(mid))


def _reaction(event: Event, _kind: str) -> InboundChange:
    reaction = mapping(event.data.get("reaction"))
    mid, name = identifier(reaction.get("mid")), text(reaction.get("reaction"))
    emoji = text(reaction.get("emoji")) or EMOJI.get(name, OTHER_EMOJI)
    removed = reaction.get("action") == "unreact"
    if not mid:
        content = {"emoji": emoji, "reaction": name, "removed": removed}
        return _row(event, MessageKind.REACTION, "" if removed else emoji, content)
    return MessageReacted(
        contact=event.customer,
        external_id=mid,
        at=event.at,
        emoji="" if removed else emoji,
        name="" if removed else name or OTHER,
        removed=removed,
        ours=event.ours,
    )


def _handover(event: Event, _kind: str) -> InboundChange:
    """Read a handover of a conversation between apps (Conversation Routing)."""
    name = next((name for name in HANDOVERS if name in event.data), "")
    passed = mapping(event.data.get(name))
    return ConversationHandedOver(
        contact=event.customer,
        at=event.at,
        how=HANDOVERS[name],
        note=text(passed.get("metadata")),
        to=programs.owner(passed, event.own_app),
    )


def _policy(event: Event) -> InboundChange:
    """Read a warning or block of the account, which people must see; it names no customer."""
    notice = mapping(event.data.get("policy_enforcement") or event.data.get("policy-enforcement"))
    action, reason = text(notice.get("action")).lower(), text(notice.get("reason"))
    if action.startswith("un"):
        return AccountNoticed("policy", at=event.at, over=True)
    return AccountNoticed(
        "policy",
        at=event.at,
        sentence=BLOCKED if action == "block" else WARNED,
        next_step=POLICY_STEP,
        details={"reason": reason or action or "-"},
        bad=action == "block",
    )


def _referral(event: Event, _kind: str) -> InboundChange:
    return _row(event, MessageKind.REFERRAL, "", {"referral": plain(event.data.get("referral"))})


def _opt_in(event: Event, _kind: str) -> InboundChange:
    """Read an opt-in to marketing messages; its token is not stored, because nothing is sent with it."""
    told = mapping(event.data.get("optin"))
    state = OPT_INS.get(text(told.get("notification_messages_status")), "on")
    return _row(event, MessageKind.OPT_IN, "", {"opt_in": {"title": text(told.get("title")), "state": state}})


def _feedback(event: Event, _kind: str) -> InboundChange:
    """Read a rating of a message (docs/messenger-platform/webhook-events/response_feedback)."""
    told = mapping(event.data.get("response_feedback"))
    rating = RATINGS.get(text(told.get("feedback")), "")
    mid = identifier(told.get("mid")) or None
    return replace(_row(event, MessageKind.FEEDBACK, "", {"rating": rating}), reply_to=mid)


def _nothing(event: Event, kind: str) -> InboundChange:
    """Ignore events that concern no conversation: delivery receipts, notices about the whole account."""
    return Ignored(f"{kind}: nothing for a conversation")


def _unknown(event: Event, kind: str) -> InboundChange:
    """Keep an event of an unknown kind as a row that people can see."""
    return _row(event, MessageKind.UNSUPPORTED, "", {"event": kind, "raw": plain(event.data)})


def _row(event: Event, kind: MessageKind, words: str, content: Mapping[str, Any]) -> MessageReceived:
    """Return a neutral row: it has no id and opens no reply window."""
    return MessageReceived(
        contact=event.customer,
        external_id=None,
        sent_at=event.at,
        kind=kind,
        text=words,
        content=content,
        opens_window=False,
        contact_username=_username(event),
    )


def _username(event: Event) -> str | None:
    """Return the customer's name if the event has it; the profile is requested anyway."""
    return None if event.ours else text(mapping(event.data.get("sender")).get("username")) or None


def _change(event: Event, kind: str) -> InboundChange:
    """Read a change of the account other than a comment or mention. Insights name nobody."""
    if kind in COMMENTS:
        return Ignored(COMMENTS_OFF)
    value = mapping(event.data.get("value"))
    author = mapping(value.get("from"))
    ours = event.customer == event.entry_id
    if not event.customer or ours:
        return Ignored(f"{kind}: {'our own' if ours else 'names no customer'}")
    return MessageReceived(
        contact=event.customer,
        external_id=None,
        sent_at=event.at,
        kind=MessageKind.UNSUPPORTED,
        text=text(value.get("text")),
        content={"event": kind, "raw": plain(event.data)},
        opens_window=False,
        contact_username=text(author.get("username")) or None,
    )


_READERS: Mapping[str, Callable[[Event, str], InboundChange]] = {
    "message": _message,
    "echo": _echo,
    "unsend": _unsend,
    "edit": _edit,
    "postback": _postback,
    "reaction": _reaction,
    "read": _read,
    "referral": _referral,
    "optin": _opt_in,
    "feedback": _feedback,
    "handover": _handover,
    "delivery": _nothing,
}
