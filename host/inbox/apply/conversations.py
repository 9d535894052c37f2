"""Change conversations in a batch: start one, set its last message, count unread ones, reopen it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from host.core.cleaning import external_id
from host.inbox.apply.values import Draft, Key, NewMessage, Person, Thread
from host.models.inbox import ConversationStatus, Direction, Handler, InternalKind, Origin, SnoozeKind
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageKind

LENGTH = 200
WAITING = timedelta(days=7)
"""A customer who wrote last within this time still waits for an answer. No reply window is longer."""


def start(
    person: Person,
    channel: str,
    at: datetime,
    *,
    subject: str | None = None,
    closed_at: datetime | None = None,
    post: str | None = None,
) -> Thread:
    """Return a new conversation with *person*, to be inserted with the batch; spam if they are blocked.

    :param post: external id of the post it is about.
    :param closed_at: set for a conversation from a provider's history, which starts closed.
    """
    person.newest = Thread(
        person=person,
        channel=channel,
        status=ConversationStatus.OPEN if closed_at is None else ConversationStatus.CLOSED,
        subject=subject,
        closed_at=closed_at,
        last_message_at=at,
        last_direction="",
        last_kind="",
        is_spam=person.is_blocked,
        post=post,
        changed=True,
    )
    if post is not None:
        person.about[post] = person.newest
    return person.newest


def for_lines(person: Person, channel: str, until: datetime) -> Thread:
    """Return the conversation for a line: the newest, or a new one without messages."""
    thread = person.newest
    if thread is None:
        thread = start(person, channel, until)
        thread.last_direction, thread.last_kind = Direction.INTERNAL, InternalKind.ACTIVITY
    if is_empty(thread) and thread.last_message_at < until:
        thread.last_message_at, thread.changed = until, True
    return thread


def is_empty(thread: Thread) -> bool:
    """Return whether *thread* has no message yet. It may have lines about missing messages."""
    return thread.last_direction in {"", Direction.INTERNAL}


def preview(text: str) -> str:
    """Return the start of *text* as one line. The list shows the kind of messages without text instead."""
    return " ".join(text[: LENGTH * 4].split())[:LENGTH]


def words_of(text: str, content: Mapping[str, Any]) -> str:
    """Return what the list shows of a message: its text, or the title of its first card."""
    template = content.get("template")
    if text or not isinstance(template, Mapping):
        return text
    elements = template.get("elements", [])
    return str(elements[0]["title"]) if elements else str(template.get("text", ""))


def show_last(thread: Thread, message: NewMessage) -> None:
    """Make *message* the conversation's last message, unless it has a later one."""
    thread.changed = True
    if not is_empty(thread) and message.sent_at < thread.last_message_at:
        message.late = True
        return
    if message.direction == Direction.OUTBOUND:
        thread.woken_at = None  # a team member answered in the provider's app
    thread.last = message
    if message.direction == Direction.OUTBOUND:
        thread.waiting_since = None
    thread.last_message_at = message.sent_at
    thread.last_direction = message.direction
    thread.last_kind = message.kind
    thread.last_preview = preview(message.text)
    thread.last_author_id = None


def take_for_person(thread: Thread) -> None:
    """Record that a team member wrote in the provider's app, which stops automatic answers."""
    thread.handled_by, thread.changed = Handler.PERSON, True


def show_anew(thread: Thread, text: str, *, unsent: bool) -> None:
    """Update the text the list shows after the last message changed."""
    thread.changed = True
    thread.last_preview = preview(text)
    if unsent:
        thread.last_kind = MessageKind.UNSEND


def count_as_new(
    draft: Draft, thread: Thread, message: NewMessage, received_at: datetime, *, opens_window: bool
) -> None:
    """Count *message* as unread, open its conversation, and restart the reply window."""
    if thread.status == ConversationStatus.CLOSED:
        reopen(draft, thread, message, received_at)
    wake(draft, thread, message, received_at)
    thread.unread += 1
    thread.waiting_since = thread.waiting_since or message.sent_at
    if opens_window:
        open_window(thread, message, received_at)
    thread.changed = True


def open_window_of_import(draft: Draft, thread: Thread, message: NewMessage) -> None:
    """Count the reply window from a recent message of the history: the provider does so, too."""
    if message.sent_at >= draft.now - WAITING:
        open_window(thread, message, draft.now)


def open_window(thread: Thread, message: NewMessage, received_at: datetime) -> None:
    """Restart the reply window with *message*, unless a later one did."""
    opened_at = min(message.sent_at, received_at)
    if thread.last_inbound_at is None or thread.last_inbound_at < opened_at:
        thread.last_inbound_at, thread.changed = opened_at, True


def reopen(draft: Draft, thread: Thread, cause: NewMessage, received_at: datetime) -> None:
    """Reopen a conversation, keeping its assignee, and add an activity line."""
    at = cause.sent_at
    if thread.closed_at is not None and at < thread.closed_at:
        at = max(received_at, thread.closed_at)
    thread.status = ConversationStatus.OPEN
    thread.closed_at = None
    thread.changed = True
    add_line(draft, thread, cause, "reopened", at)


def wake(draft: Draft, thread: Thread, cause: NewMessage, received_at: datetime) -> None:
    """End the snooze of a conversation whose customer wrote, unless its end is fixed.

    A conversation that has already woken moves to the top again.
    """
    at = max(cause.sent_at, received_at)
    if thread.snooze_kind in {SnoozeKind.UNTIL, SnoozeKind.REPLY}:
        thread.snooze_kind = thread.snoozed_until = None
        thread.woken_at = at
        add_line(draft, thread, cause, "woken", at)
    elif thread.woken_at is not None:
        thread.woken_at = max(thread.woken_at, at)


def add_line(
    draft: Draft, thread: Thread, cause: NewMessage, what: str, at: datetime, **content: str
) -> None:
    """Add the activity line *what*, caused by *cause*: once, even if the message is redelivered."""
    key = cause.account.id, external_id(f"{what}:{cause.external_id}")
    draft.add(activity(thread, cause.account, key, at, what=f"{what}_by_message", **content))


def activity(thread: Thread, account: AccountRef, key: Key, at: datetime, **content: Any) -> NewMessage:
    """Return the activity line *key* of a conversation; *content* has what happened as ``what``."""
    return NewMessage(
        thread=thread,
        account=account,
        external_id=key[1],
        direction=Direction.INTERNAL,
        origin=Origin.SYSTEM,
        kind=InternalKind.ACTIVITY,
        text="",
        content=content,
        sent_at=at,
    )


def open_waiting(draft: Draft) -> None:
    """Open conversations from a provider's history in which a customer still waits for an answer."""
    for thread in {id(new.thread): new.thread for new in draft.new.values()}.values():
        last = thread.last
        if (
            last is None
            or last.imported_at is None
            or last.direction != Direction.INBOUND
            or last.sent_at < draft.now - WAITING
            or thread.status != ConversationStatus.CLOSED
        ):
            continue
        thread.waiting_since = thread.waiting_since or last.sent_at
        if thread.id is None:
            thread.status, thread.closed_at = ConversationStatus.OPEN, None
        elif thread.closed_at is None or thread.closed_at < last.sent_at:
            reopen(draft, thread, last, draft.now)
