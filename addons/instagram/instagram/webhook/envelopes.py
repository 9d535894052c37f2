"""Split a verified delivery into envelopes, one per event, whatever its shape.

Meta's page: docs/instagram-platform/webhooks/examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from host.sdk import clock
from host.sdk.webhooks import Envelope

from ..accounts import Book
from ..config import COMMENTS_CHANNEL
from ..values import flag, identifier, loads, mapping, moment, text
from . import json_parts

CONTAINERS = ("messaging", "standby", "changes")
_KNOWN = {
    "message_edit": "edit",
    "postback": "postback",
    "reaction": "reaction",
    "read": "read",
    "referral": "referral",
    "optin": "optin",
    "response_feedback": "feedback",
    "delivery": "delivery",
    "pass_thread_control": "handover",
    "take_thread_control": "handover",
    "request_thread_control": "handover",
    "app_roles": "handover",
    "policy_enforcement": "policy",
    "policy-enforcement": "policy",
}
_FRAME = {"sender", "recipient", "timestamp", "is_self"}
_AHEAD = timedelta(days=1)
_APART = timedelta(minutes=1)
"""Maximum difference between Meta's clocks; an entry's time may be in whole seconds. Events of the same
second must keep their order."""
MOST_EDITS = 9
"""Maximum number of edits; Instagram allows five."""
_UNREADABLE = "not readable: the body holds no entry in any shape Meta is known to send"
_MALFORMED = "malformed: the event is not readable"
_NO_CUSTOMER = "malformed: the event names no customer"
_FOREIGN = "signed with the secret of another account's app; kept apart and not applied"
GONE = "the account was disconnected before this arrived; nothing of it is kept"
COMMENTS = frozenset({"comments", "live_comments", "mentions"})
"""Changes for the comments account."""
COMMENTS_OFF = "comments are switched off for this account"
_UNKNOWN = "no connected account has the id this event is for"
_TEST = "Test received: the dashboard's test event proves that address and secret are right"

_orders = msgspec.json.Encoder(order="deterministic")


class _Entry(msgspec.Struct):
    id: str
    time: msgspec.Raw = msgspec.Raw(b"null")
    messaging: list[msgspec.Raw] = []
    standby: list[msgspec.Raw] = []
    changes: list[msgspec.Raw] = []
    field: msgspec.Raw = msgspec.Raw(b"")


class _Body(msgspec.Struct):
    entry: list[_Entry]


_fast = msgspec.json.Decoder(_Body)


@dataclass(slots=True)
class Owner:
    """Owner of an entry: the account it is applied to, or why it is not applied."""

    account_id: int | None
    set_aside: str = ""
    ignored: str = ""
    comments_id: int | None = None
    """The comments account; None if comments are switched off."""
    app_id: str = ""
    catalogue: bool = False
    gone: bool = False
    """Whether the account is disconnected: the arrival of an event is recorded, its content is not."""
    username: str = ""


def cut(body: bytes, book: Book, secret: bytes) -> tuple[Envelope, ...]:
    """Return the envelopes of *body*, which was signed with *secret*. Never raises.

    An entry is trusted only for an account bound to that secret. An entry that cannot be trusted, applied or
    read becomes an envelope with the reason.
    """
    now = clock.now()
    found: list[Envelope] = []
    try:
        entries = _fast.decode(body).entry
        for entry in entries:
            if entry.field:
                raise ValueError("flat entry")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _cut_slowly(body, book, secret, now)
    for entry in entries:
        entry_id = identifier(entry.id)
        owner = _owner(book, entry_id, secret)
        head = _head(entry_id, bytes(entry.time))
        count = len(found)
        for container, items in (
            ("messaging", entry.messaging),
            ("standby", entry.standby),
            ("changes", entry.changes),
        ):
            for raw in items:
                found.append(_envelope(entry_id, head, container, bytes(raw), owner, now))
        if len(found) == count:
            found.append(_empty(entry_id, head, now))
    return tuple(found) or (_unreadable(body),)


def _cut_slowly(body: bytes, book: Book, secret: bytes, now: datetime) -> tuple[Envelope, ...]:
    """Cut an unusual body part by part."""
    found: list[Envelope] = []
    for document in json_parts.elements(body) or [body]:
        for key, value in json_parts.members(document) or ():
            if key == b"entry":
                for entry in json_parts.elements(value) or [value]:
                    found += _entry(entry, book, secret, now)
    return tuple(found) or (_unreadable(body),)


def _entry(raw: bytes, book: Book, secret: bytes, now: datetime) -> Iterator[Envelope]:
    parts = json_parts.members(raw)
    if parts is None:
        yield _broken(None, raw, _MALFORMED, now)
        return
    single = dict(parts)
    entry_id = identifier(_value(single.get(b"id", b"")))
    owner = _owner(book, entry_id, secret)
    head = _head(entry_id, single.get(b"time", b"null"))
    count = 0
    for key, value in parts:
        name = key.decode("ascii", "replace")
        if name not in CONTAINERS or value == b"null":
            continue
        items = json_parts.elements(value)
        for item in [value] if items is None else items:
            count += 1
            yield _envelope(entry_id, head, name, item, owner, now)
    if b"field" in single:
        count += 1
        flat = b'{"field":' + single[b"field"] + b',"value":' + single.get(b"value", b"null") + b"}"
        yield _envelope(entry_id, head, "changes", flat, owner, now)
    if not count:
        yield _empty(entry_id, head, now)


def _owner(book: Book, entry_id: str, secret: bytes) -> Owner:
    """Return the account an entry belongs to: the one it names, if that is bound to *secret*."""
    named = book.by_account.get(entry_id)
    if named is None:
        if entry_id == "0":
            return Owner(None, ignored=_TEST)
        return Owner(None, set_aside=_UNKNOWN)
    mine = [bound for bound in named if bound.is_signed_by(secret)]
    for bound in mine:
        if bound.is_used:
            return Owner(
                bound.account_id,
                comments_id=bound.comments_id,
                app_id=bound.app_id,
                catalogue=bound.catalogue,
                gone=not bound.live,
                username=bound.username,
            )
    return Owner(mine[0].account_id, gone=True) if mine else Owner(None, set_aside=_FOREIGN)


def _head(entry_id: str, time: bytes) -> bytes:
    return b'{"entry":' + msgspec.json.encode(entry_id) + b',"time":' + (time or b"null") + b',"in":"'


def _envelope(
    entry_id: str, head: bytes, container: str, raw: bytes, owner: Owner, now: datetime
) -> Envelope:
    made = _made(entry_id, head, container, raw, owner, now)
    if not owner.gone or made.channel == COMMENTS_CHANNEL:
        return made
    return replace(made, body=b"{}", lane="", set_aside="", ignored=GONE)


def _made(entry_id: str, head: bytes, container: str, raw: bytes, owner: Owner, now: datetime) -> Envelope:
    body = head + container.encode() + b'","event":' + raw + b"}"
    try:
        item = loads(raw)
    except ValueError:
        return _broken(owner.account_id, body, owner.set_aside or _MALFORMED, now)
    event = event_of(container, item)
    if event is None:
        return _broken(owner.account_id, body, owner.set_aside or _MALFORMED, now)
    if container == "changes" and (kind := change_kind(event)) in COMMENTS:
        return _comment_envelope(entry_id, body, kind, event, raw, owner=owner, at=_time_of(head, now))
    sides = sides_of(event, entry_id)
    kind = (
        change_kind(event) if container == "changes" and "field" in event else kind_of(event, ours=sides.ours)
    )
    lane = sides.customer
    at = moment(event.get("timestamp"))
    if at is None or at > now:
        # Ahead of our clock. If it is also well ahead of the entry's own time, it is wrong.
        sent = _time_of(head, now)
        at = sent if at is None or at > sent + _APART else at
    key = dedupe_key(event, kind, lane) or f"{kind}:{_digest(event, raw)}"
    set_aside, ignored = owner.set_aside, owner.ignored
    if owner.account_id is None:
        key = f"{entry_id}:{key}"
        if ignored:
            kind, key = "test", f"test:{body.decode('utf-8', 'replace')}"
    elif not lane and kind in {"message", "echo", "postback"} and not set_aside:
        set_aside = _NO_CUSTOMER
    facts = _facts(owner, kind, event, raw)
    return Envelope(
        account_id=owner.account_id,
        lane=lane,
        dedupe_key=key,
        kind=kind,
        body=body[:-1] + facts + b"}" if facts else body,
        occurred_at=at,
        set_aside=set_aside,
        ignored=ignored,
        any_age=kind == "unsend",
    )


def _comment_envelope(
    entry_id: str,
    body: bytes,
    kind: str,
    event: Mapping[str, Any],
    raw: bytes,
    *,
    owner: Owner,
    at: datetime,
) -> Envelope:
    """Return the envelope of a comment or a mention, for the comments account.

    A comment on a boosted post comes twice, with and without the ad; an edited one comes again with its new
    text. So its id and its text together identify it.
    """
    found = comment_of(event, entry_id, owner.username)
    if not found.author_id and owner.username:
        body = body[:-1] + b',"name":' + msgspec.json.encode(owner.username) + b"}"
    key = f"{kind}:{_digest(event, raw)}"
    if kind == "mentions":
        key = f"mention:{found.post}:{found.id}"
    elif found.id:
        key = f"removed:{found.id}" if found.removed else comment_key(found.id, found.text)
    made = Envelope(
        account_id=owner.comments_id,
        lane=f"own:{found.parent}" if found.ours or not found.author else found.author,
        dedupe_key=key,
        kind=kind,
        body=body,
        occurred_at=at,
        set_aside=owner.set_aside,
        ignored=owner.ignored,
        channel=COMMENTS_CHANNEL,
    )
    if owner.comments_id is not None:
        return made
    if owner.account_id is None:
        test = f"test:{body.decode('utf-8', 'replace')}"
        key, kind = (test, "test") if owner.ignored else (f"{entry_id}:{key}", kind)
        return replace(made, dedupe_key=key, kind=kind, channel="")
    return replace(made, account_id=owner.account_id, ignored=COMMENTS_OFF, channel="")


def comment_key(comment_id: str, words: str) -> str:
    """Return the dedupe key of a comment. An edited one has another text, so another key."""
    return f"comment:{comment_id}:{words}"


class Comment(NamedTuple):
    """A comment's fields in a change, under either of their names; missing ones are empty.

    :param author: id of the author, derived from the name if Meta sends none.
    :param author_id: the author's id as sent.
    :param parent: id of the comment it answers.
    :param post: id of its post; for an ad that shows a post, of that post.
    """

    id: str
    author: str
    author_id: str
    username: str
    text: str
    parent: str
    post: str
    ours: bool
    media: Mapping[str, Any]
    removed: bool = False


def author_of(said: Mapping[str, Any]) -> tuple[str, str]:
    """Return id and name of a comment's or post's author; without an id, one derived from the name."""
    author = mapping(said.get("from"))
    username = text(said.get("username")) or text(author.get("username"))
    return identifier(author.get("id")) or (f"@{username}" if username else ""), username


def is_own(author: str, account_id: str, username: str) -> bool:
    """Return whether *author*, as :func:`author_of` returns it, is the account with this id and username.

    A ``self_ig_scoped_id`` in ``from`` proves nothing: customers' comments have one too.
    """
    if author.startswith("@"):
        return bool(username) and author[1:].casefold() == username.casefold()
    return bool(author) and author == account_id


def comment_of(event: Mapping[str, Any], entry_id: str, own_name: str = "") -> Comment:
    """Read a change of the account *entry_id*, whose username is *own_name*, as a comment or a mention."""
    value = mapping(event.get("value"))
    media = mapping(value.get("media"))
    author, username = author_of(value)
    return Comment(
        id=identifier(value.get("comment_id")) or identifier(value.get("id")),
        author=author,
        author_id=identifier(mapping(value.get("from")).get("id")),
        username=username,
        text=text(value.get("text")),
        parent=identifier(value.get("parent_id")),
        post=identifier(media.get("original_media_id"))
        or identifier(media.get("id"))
        or identifier(value.get("media_id")),
        ours=is_own(author, entry_id, own_name),
        media=media,
        removed=text(value.get("verb")).lower() in {"remove", "delete"},
    )


def _facts(owner: Owner, kind: str, event: Mapping[str, Any], raw: bytes) -> bytes:
    """Return the account data needed to read an event, for the few events that need any."""
    found = b""
    if kind == "handover" or (kind == "echo" and "app_id" in mapping(event.get("message"))):
        found += b',"app":' + msgspec.json.encode(owner.app_id)
    if owner.catalogue and b'"product"' in raw:
        found += b',"catalogue":true'
    return found


def event_of(container: str, item: object) -> Mapping[str, Any] | None:
    """Return the event inside *item*: the item itself, or the value of a change of a messaging field.

    Test events of Instagram Login, and perhaps others, come as ``changes`` with the event as ``value``.
    """
    if not isinstance(item, dict):
        return None
    value = item.get("value")
    # Some test events leave the recipient out, which is the account itself.
    if (
        container == "changes"
        and isinstance(value, dict)
        and "sender" in value
        and not {"recipient", "message", *_KNOWN}.isdisjoint(value)
    ):
        return value
    return item


def kind_of(event: Mapping[str, Any], *, ours: bool) -> str:
    """Return the kind of an event of ``messaging`` or ``standby``, for readers of the inbound log."""
    message = event.get("message")
    if isinstance(message, dict):
        if flag(message.get("is_deleted")):
            return "unsend"
        return "echo" if ours else "message"
    for key in event:
        if key in _KNOWN:
            return _KNOWN[key]
    other = next((key for key in event if key not in _FRAME), "nothing")
    return _name(other)


def change_kind(event: Mapping[str, Any]) -> str:
    """Return the kind of a change, such as ``comments`` or ``mentions``."""
    return _name(text(event.get("field")) or "change")


def _name(value: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in value)[:40] or "nothing"


class Sides(NamedTuple):
    """The two sides of an event.

    :param customer: the customer's id: the sender, or the recipient of what the business sent.
    :param ours: whether the business did it: it is the sender, or the message is an echo. An event sent to
        the business is never an echo, even if flagged as one: its customer would be the business itself.
    """

    customer: str
    ours: bool


def sides_of(event: Mapping[str, Any], entry_id: str) -> Sides:
    """Return the two sides of an event of the account *entry_id*."""
    sender, recipient = _party(event, "sender"), _party(event, "recipient")
    ours = sender == entry_id
    if not ours and recipient != entry_id:
        ours = flag(mapping(event.get("message")).get("is_echo"))
    if "sender" not in event and "recipient" not in event:
        return Sides(identifier(mapping(mapping(event.get("value")).get("from")).get("id")), ours)
    return Sides(recipient if ours else sender, ours)


def dedupe_key(event: Mapping[str, Any], kind: str, lane: str) -> str:
    """Return the key that a redelivery shares, or an empty string if only its content identifies it."""
    if kind in {"message", "echo", "unsend"}:
        mid = identifier(mapping(event.get("message")).get("mid"))
        if mid:
            return f"{kind}:{mid}"
    elif kind == "postback":
        mid = identifier(mapping(event.get("postback")).get("mid"))
        if mid:
            return f"postback:{mid}"
    elif kind == "edit":
        edit = mapping(event.get("message_edit"))
        mid, number = identifier(edit.get("mid")), edit_number(edit.get("num_edit"))
        if mid and number is not None:
            return f"edit:{mid}:{number}"
    elif kind == "reaction":
        reaction = mapping(event.get("reaction"))
        parts = (
            reaction.get("mid"),
            _party(event, "sender"),
            reaction.get("action"),
            reaction.get("reaction"),
        )
        return ":".join(("reaction", *map(identifier, parts), text(event.get("timestamp"))))
    return ""


def edit_number(value: object) -> int | None:
    """Return the number of a message's edit, 0 for the message itself; None if unknown."""
    digits = text(value)
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else MOST_EDITS + 1
    return number if number <= MOST_EDITS else None


def keys_carrying(mid: str) -> tuple[str, ...]:
    """Return the dedupe keys of every event that contains the message *mid*.

    Edits without a number have keys derived from their content; the host finds them itself.
    """
    edits = (f"edit:{mid}:{number}" for number in range(MOST_EDITS + 1))
    return (f"message:{mid}", f"echo:{mid}", f"postback:{mid}", *edits)


def _digest(event: Mapping[str, Any], raw: bytes) -> str:
    """Return a text for an event that doesn't depend on the order of its keys; the host hashes it."""
    try:
        return _orders.encode(event).decode()
    except (ValueError, OverflowError, msgspec.MsgspecError, RecursionError):
        return raw.decode("utf-8", "replace")


def _time_of(head: bytes, now: datetime) -> datetime:
    """Return the event's time, or the time of arrival if it is missing or impossible."""
    try:
        at = moment(mapping(loads(head + b'"}')).get("time"))
    except ValueError:
        at = None
    return now if at is None or at > now + _AHEAD else at


def _party(event: Mapping[str, Any], name: str) -> str:
    return identifier(mapping(event.get(name)).get("id"))


def _value(raw: bytes) -> object:
    try:
        found: object = loads(raw)
    except ValueError:
        return None
    return found


def _broken(account_id: int | None, raw: bytes, reason: str, now: datetime) -> Envelope:
    return Envelope(
        account_id=account_id,
        lane="",
        dedupe_key=f"broken:{raw.decode('utf-8', 'replace')}",
        kind="broken",
        body=raw,
        occurred_at=now,
        set_aside=reason,
    )


def _empty(entry_id: str, head: bytes, now: datetime) -> Envelope:
    body = head + b'"}'
    return Envelope(
        account_id=None,
        lane="",
        dedupe_key=f"empty:{body.decode('utf-8', 'replace')}",
        kind="empty",
        body=body,
        occurred_at=now,
        ignored=f"the entry for {entry_id[:40] or 'nobody'} holds no event",
    )


def _unreadable(body: bytes) -> Envelope:
    return Envelope(
        account_id=None,
        lane="",
        dedupe_key=f"unreadable:{body.decode('utf-8', 'replace')}",
        kind="unreadable",
        body=body,
        set_aside=_UNREADABLE,
    )
