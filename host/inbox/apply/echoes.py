"""Apply a provider's reports about our messages: echoes and read receipts.

An echo of a message we sent confirms that message, even if the echo arrives before the response. Any other
echo is a message that a colleague wrote in the provider's app. Read receipts only move forward.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from host.core.cleaning import clean, clean_attachment, clean_short, clean_value, external_id
from host.inbox.apply import conversations, responders
from host.inbox.apply.annotations import keep_erased
from host.inbox.apply.incoming import Incoming, believable, program
from host.inbox.apply.values import (
    Confirmed,
    Draft,
    Key,
    NewMessage,
    Person,
    StoredMessage,
    Thread,
    Unconfirmed,
)
from host.models.inbox import DeliveryState, Direction, Origin
from host.sdk.capabilities import MEDIA_KINDS, Threading
from host.sdk.messages import MessageAccepted, MessageEchoed, MessageKind, MessagesRead, Who

CLOCK_SKEW = timedelta(seconds=5)
CLOCK_AHEAD = timedelta(hours=2)
"""How far our clock may have been ahead of the provider's at the attempt, for echoes with the same text."""
MAX_EARLY = 20
"""Maximum number of read but missing messages remembered for one customer."""

_MAY_COME_BACK_AS: dict[str, frozenset[MessageKind]] = {
    MessageKind.TEMPLATE: frozenset({MessageKind.UNSUPPORTED, MessageKind.SHARE}),
    MessageKind.APPROVED_TEMPLATE: frozenset(
        {MessageKind.TEXT, MessageKind.TEMPLATE, MessageKind.UNSUPPORTED, *MEDIA_KINDS}
    ),
    MessageKind.SHARE: frozenset({MessageKind.UNSUPPORTED}),
    MessageKind.STICKER: frozenset({MessageKind.UNSUPPORTED}),
    MessageKind.FILE: frozenset({MessageKind.UNSUPPORTED}),
}
"""Kinds an echo may arrive as, because providers do not document their echoes."""


def decide_echoes(draft: Draft, items: Sequence[Incoming], unconfirmed: list[Unconfirmed]) -> None:
    """Confirm our messages by their echoes, and add messages written in the provider's app.

    :param unconfirmed: our unconfirmed messages; confirmed ones are removed from it.
    """
    for item in items:
        change = item.change
        assert isinstance(change, MessageEchoed)
        key = item.account.id, external_id(change.external_id)
        person = draft.people[item.account.id, external_id(change.contact)]
        if draft.is_here(key):
            draft.note_repeat(key, item, person)
            draft.fill(key, item, partial(_new_message, draft, item, change, person))
            continue
        ours = take_likeliest(unconfirmed, change, person)
        if ours is None:
            _add_from_the_app(draft, item, change, person)
            continue
        _confirm(draft, item, key, person, ours, change.sent_at)


def decide_accepted(draft: Draft, items: Iterable[Incoming], unconfirmed: list[Unconfirmed]) -> None:
    """Confirm the messages of ours that the provider names by our keys, if their sending got no answer.

    :param unconfirmed: as in :func:`decide_echoes`.
    """
    for item in items:
        change = item.change
        if not isinstance(change, MessageAccepted):
            continue
        key = item.account.id, external_id(change.external_id)
        people = {person.id: person for person in draft.alike(item, change.contact)}
        for index, ours in enumerate(unconfirmed):
            person = people.get(ours.identity_id)
            if person is not None and ours.message_key == change.message_key:
                if not draft.is_here(key):
                    _confirm(draft, item, key, person, unconfirmed.pop(index), change.at)
                break


def _confirm(draft: Draft, item: Incoming, key: Key, person: Person, ours: Unconfirmed, at: datetime) -> None:
    # Read receipts are compared with the start of the attempt to send.
    draft.confirmed[key] = Confirmed(
        key,
        person,
        ours,
        state_of(person, key[1], ours.attempted_at),
        [] if item.event_id is None else [item.event_id],
    )
    draft.stored[key] = StoredMessage(
        id=ours.id,
        account_id=key[0],
        external_id=key[1],
        conversation_id=ours.conversation_id,
        direction=Direction.OUTBOUND,
        sent_at=at,
        attempted_at=ours.attempted_at,
    )


def _add_from_the_app(draft: Draft, item: Incoming, change: MessageEchoed, person: Person) -> None:
    sent_at = believable(change.sent_at, item.received_at)
    thread = _thread_of(draft, item, change, person)
    if thread is None:
        # A conversation that Lobby begins is a private reply to a comment, so nobody waits here.
        ours = change.sent_by is not None and change.sent_by.who is Who.DESK
        # Nor if a conversation begins with a mail to the customer.
        ours = ours or item.adapter.capabilities.threading is Threading.REFERENCES
        closed_at = item.received_at if item.imported or ours else None
        subject = clean_short(change.subject, 500)
        thread = conversations.start(person, item.adapter.key, sent_at, subject=subject, closed_at=closed_at)
    message = _new_message(draft, item, change, person, thread)
    keep_erased(draft, message)
    if change.sent_by is None and not item.imported:
        conversations.take_for_person(thread)
    if message.content.get("standby") is True and not item.imported:
        responders.note_echo(thread, sent_at, item.adapter.capabilities.responder_keeps, change.sent_by)
    conversations.show_last(thread, message)
    draft.add(message)


def _new_message(
    draft: Draft, item: Incoming, change: MessageEchoed, person: Person, thread: Thread
) -> NewMessage:
    sent_at = believable(change.sent_at, item.received_at)
    return NewMessage(
        thread=thread,
        account=item.account,
        external_id=external_id(change.external_id),
        direction=Direction.OUTBOUND,
        origin=Origin.PROVIDER,
        kind=str(change.kind)[:32],
        text=clean(change.text),
        content=clean_value(change.content) | program("sent_by", change.sent_by),
        sent_at=sent_at,
        state=state_of(person, external_id(change.external_id), sent_at),
        attachments=tuple(clean_attachment(attachment) for attachment in change.attachments),
        stored=dict(item.stored),
        media=item.media,
        reply_to=external_id(change.reply_to) if change.reply_to else None,
        sources=[] if item.event_id is None else [item.event_id],
        imported_at=draft.now if item.imported else None,
    )


def _thread_of(draft: Draft, item: Incoming, change: MessageEchoed, person: Person) -> Thread | None:
    """Return the conversation of an echo; among several, the one whose message it answers."""
    if item.adapter.capabilities.threading is Threading.REFERENCES:
        return _referred_to(draft, item, change, person)
    if item.adapter.capabilities.threading is Threading.POST and change.reply_to:
        key = item.account.id, external_id(change.reply_to)
        if (new := draft.new.get(key)) is not None:
            return new.thread
        stored = draft.stored.get(key)
        thread = None if stored is None else draft.threads.get(stored.conversation_id)
        if thread is not None and thread.person is person:
            return thread
    return person.newest


def _referred_to(draft: Draft, item: Incoming, change: MessageEchoed, person: Person) -> Thread | None:
    for reference in change.references:
        key = item.account.id, external_id(reference)
        if (new := draft.new.get(key)) is not None:
            thread: Thread | None = new.thread
        else:
            stored = draft.stored.get(key)
            thread = None if stored is None else draft.threads.get(stored.conversation_id)
        if thread is not None and thread.person is person:
            return thread
    return None


# ---- which of our messages an echo is about ----------------------------------------------------------


def take_likeliest(unconfirmed: list[Unconfirmed], echo: MessageEchoed, person: Person) -> Unconfirmed | None:
    """Remove from *unconfirmed* and return the message that *echo* most likely belongs to, if any.

    A message is matched by its text, or without one by its kind and number of files, and only by echoes after
    the attempt. An echo that matches none was written in the provider's app.

    An echo with the same text from before the attempt is matched last, as our clock may have been ahead. If
    it was not, a colleague sent the same text from the provider's app, so the customer has received it
    anyway.
    """
    for alike, skew in ((_is_same, CLOCK_SKEW), (_is_possible, CLOCK_SKEW), (_has_same_words, CLOCK_AHEAD)):
        found = _first(unconfirmed, echo, person, alike, skew)
        if found is not None:
            return found
    return None


def _first(
    unconfirmed: list[Unconfirmed],
    echo: MessageEchoed,
    person: Person,
    alike: Callable[[Unconfirmed, MessageEchoed], bool],
    skew: timedelta,
) -> Unconfirmed | None:
    for index, ours in enumerate(unconfirmed):
        in_time = ours.attempted_at <= echo.sent_at + skew
        if ours.identity_id == person.id and in_time and alike(ours, echo):
            return unconfirmed.pop(index)
    return None


def _is_same(ours: Unconfirmed, echo: MessageEchoed) -> bool:
    if ours.kind != echo.kind or ours.body.content.get("private"):
        return False  # the account beside echoes private replies
    if ours.kind == MessageKind.TEXT:
        return comparable(ours.body.text) == comparable(echo.text)
    files = ours.files or len(ours.body.content.get("provider_files", ()))
    return ours.kind not in MEDIA_KINDS or files == len(echo.attachments)


def _has_same_words(ours: Unconfirmed, echo: MessageEchoed) -> bool:
    return ours.kind == MessageKind.TEXT and _is_same(ours, echo)


def _is_possible(ours: Unconfirmed, echo: MessageEchoed) -> bool:
    return not echo.text and echo.kind in _MAY_COME_BACK_AS.get(ours.kind, ())


def comparable(text: str) -> str:
    """Return *text* normalised for comparison: composed characters, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", clean(text)).split())


# ---- read receipts -----------------------------------------------------------------------------------


def decide_read(draft: Draft, item: Incoming, change: MessagesRead) -> None:
    """Record that a customer has read a message of ours and all earlier ones.

    If the message is missing, its id is remembered until it arrives.
    """
    key = item.account.id, external_id(change.external_id)
    person = draft.told_of(item, key, change.contact)
    if draft.is_of_another(key, person):
        draft.refused.append((key, item))
        return
    stored, new = draft.stored.get(key), draft.new.get(key)
    if stored is not None:
        if stored.direction == Direction.OUTBOUND:
            _raise_seen(person, stored.position)
    elif new is not None:
        if new.direction == Direction.OUTBOUND:
            _raise_seen(person, new.sent_at)
    elif key[1] not in person.seen_early:
        person.seen_early = [*person.seen_early, key[1]][-MAX_EARLY:]
        person.identity_changed = True


def _raise_seen(person: Person, until: datetime) -> None:
    """Record that *person* has read our messages sent until then."""
    if person.seen_at is None or person.seen_at < until:
        person.seen_at = until
    person.seen_raised = True
    person.identity_changed = True


def state_of(person: Person, message: str, at: datetime) -> DeliveryState:
    """Return the state of a message sent *at*: read if the customer has read it, otherwise sent."""
    if message in person.seen_early:
        person.seen_early = [early for early in person.seen_early if early != message]
        _raise_seen(person, at)
    return DeliveryState.READ if person.seen_at is not None and at <= person.seen_at else DeliveryState.SENT
