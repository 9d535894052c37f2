"""The text of a push, and which pushes may still be sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock, mail
from host.models.channels import ChannelAccount
from host.models.inbox import (
    ERASED,
    ContactIdentity,
    Conversation,
    ConversationStatus,
    Message,
    state_mark,
)
from host.models.notifications import Notification
from host.models.users import Membership, User, Workspace
from host.notifications import rules
from host.notifications.notify import CUSTOMER, recipient_is_member, said, unread_counts, with_customer
from host.notifications.pushes import LAPSES, may_show_text
from host.notifications.rules import WROTE, Kind
from host.push import actions
from host.push.actions import PushActions
from host.push.encrypting import encoded
from host.push.models import PushDelivery, PushDevice
from host.sdk.i18n import noop
from host.users import roles
from host.users.roles import Permission

LASTS = timedelta(hours=12)
"""Time after which a push is no longer delivered, for example because the phone was off."""
_SHORT = timedelta(hours=1)
_URGENT = {Kind.WINDOW, Kind.DUE, Kind.NEW_LATE}
_OF_NOBODY = {Kind.NEW, Kind.NEW_LATE}
_TITLE, _BODY = 80, 200
"""Characters; phones show fewer. In four bytes each they are far below what a push may have."""

PLAIN = {
    Kind.MENTION: noop("You were mentioned in a note"),
    Kind.ASSIGNED: noop("A conversation was assigned to you"),
    Kind.RULE: noop("A rule notified you"),
    Kind.REPLY: noop("New message on %(channel)s"),
    Kind.FAILED: noop("Your message was not sent"),
    Kind.WINDOW: noop("A reply window closes soon"),
    Kind.DUE: noop("A response is almost overdue"),
    Kind.NEW: noop("New message on %(channel)s, unassigned"),
    Kind.NEW_LATE: noop("Time is running out, unassigned"),
}
"""Titles without names or text."""
OPEN, SNOOZE = noop("Open"), noop("Snooze an hour")
NOT_SNOOZED = noop("Not snoozed")
UNSENT = noop("The customer unsent the message")
DELETED = noop("The message was deleted")
CUSTOMER_ERASED = noop("The customer was erased")
UNSEEN = noop("You can no longer see this conversation")
LEFT = noop("You are no longer in this workspace")
MANY = noop("%(number)s conversations were assigned to you")

_ROLE = (
    sa.select(Membership.role)
    .where(Membership.user_id == Notification.user_id, Membership.workspace_id == Notification.workspace_id)
    .correlate(Notification)
    .scalar_subquery()
    .label("role")
)


_ERASED = sa.and_(ContactIdentity.erased_at.is_not(None), Conversation.last_kind == ERASED)
"""The customer was erased, and has not written since."""
_EMPTIED = sa.and_(Notification.kind.in_(WROTE), Message.unsent_at.is_not(None))


class PushContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of a push, in JSON. Fields are added, never changed: a device may have an older script.

    :param tag: pushes with the same one replace each other.
    :param url: the page it opens, an address of this desk.
    :param at: milliseconds since 1970.
    :param test: of a test: the id under which open pages are told that it arrived.
    :param unread: number of the person's unread notifications, for the app's icon; None: unchanged.
    :param actions: None: it can only be opened.
    :param silent: whether it only replaces what is shown, without a sound.
    :param closes: the address of notifications that it closes, too; with a slash at the end, of all below it.
    """

    title: str
    body: str
    tag: str
    url: str
    at: int
    version: int = 1
    test: str = ""
    unread: int | None = None
    actions: PushActions | None = None
    silent: bool = False
    closes: str = ""


class Push(msgspec.Struct, frozen=True):
    """A push to send.

    :param lasts: the time for which the push service keeps it for a device that is off.
    :param topic: a later one with the same topic replaces it there.
    """

    delivery_id: int
    wanted: int
    tries: int
    device: PushDevice
    shown: PushContent
    lasts: timedelta
    topic: str
    is_urgent: bool = True


def may_be_sent(now: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a device may still get a push: a person who sees the conversation and has
    not read the notification, or a device that may show what is to be seen no more."""
    return [
        sa.or_(sa.and_(Notification.read_at.is_(None), recipient_is_member()), takes_back(now)),
        User.disabled_at.is_(None),
        PushDevice.user_id == Notification.user_id,
        PushDevice.seen_at > now - LAPSES,
        PushDelivery.created_at > now - LASTS,
        Workspace.deleting_at.is_(None),
    ]


def takes_back(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a push replaces what a device may show, also if it was read there, and in
    quiet hours."""
    return sa.and_(*may_show_text(now), sa.or_(~recipient_is_member(), _ERASED, _EMPTIED))


def composed(
    session: Session, delivery_ids: Collection[int], directory: Directory, language: str
) -> list[Push]:
    """Return the pushes to send of *delivery_ids*; the others are no longer wanted.

    :param language: of the desk, for people and workspaces without one.
    """
    now = clock.now()
    query = sa.select(
        PushDelivery,
        PushDevice,
        Notification,
        User.locale,
        Workspace.name.label("workspace"),
        Workspace.language,
        Workspace.pushes_content,
        Workspace.archived_at,
        _ROLE,
        Conversation,
        ChannelAccount.channel,
        Message.text,
        Message.unsent_at,
        Message.erased_at,
        CUSTOMER,
        takes_back(now).label("takes_back"),
        recipient_is_member().label("sees"),
        _ERASED.label("is_erased"),
    )
    query = (
        with_customer(
            query.select_from(PushDelivery)
            .join(PushDevice, PushDevice.id == PushDelivery.device_id)
            .join(Notification, Notification.id == PushDelivery.notification_id)
            .join(User, User.id == PushDevice.user_id)
        )
        .outerjoin(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(Message, Message.id == Notification.message_id)
        .where(PushDelivery.id.in_(delivery_ids), *may_be_sent(now))
        .order_by(PushDelivery.due_at, PushDelivery.id)
    )
    rows = session.execute(query).all() if delivery_ids else []
    users = {row.Notification.user_id for row in rows}
    quiet = rules.quiet_hours(session, users) if users else {}
    unread = unread_counts(session, users) if users else {}
    muted = {user_id for user_id, hours in quiet.items() if hours.until(now) is not None}
    return [
        _push(row, directory, language, now, unread.get(row.Notification.user_id, 0))
        for row in rows
        if row.takes_back or row.Notification.user_id not in muted
    ]


def _push(row: Any, directory: Directory, language: str, now: datetime, unread: int) -> Push:
    delivery, device, notice = row.PushDelivery, row.PushDevice, row.Notification
    kind = Kind(notice.kind)
    words = mail.words(row.locale, row.language, language)
    url, closes = notice.path, ""
    if not row.sees:
        title, body = words.ugettext(UNSEEN if row.role else LEFT), ""
        url, closes = "/", notice.path if row.role else f"/w/{notice.workspace_id}/"
    elif row.is_erased and row.takes_back:
        title, body, closes = words.ugettext(CUSTOMER_ERASED), notice.title, notice.path
    elif device.content and row.pushes_content:
        title = row.customer or notice.title
        body = words.ugettext(said(notice)) % notice.details
        if kind in WROTE and row.text:
            body = row.text if row.unsent_at is None else words.ugettext(UNSENT)
        elif kind in WROTE and row.erased_at is not None:
            body = words.ugettext(DELETED)
    else:
        plain = MANY if notice.conversation_id is None else PLAIN[kind]
        channel = str(directory.label(row.channel)) if row.channel else ""
        title = words.ugettext(plain) % {"channel": channel, "number": notice.times}
        body = notice.title
    tag = f"lobby-{notice.id}"
    at = notice.told_at or notice.created_at
    lasts = (_SHORT if kind in _URGENT else LASTS) - (now - delivery.created_at)
    return Push(
        delivery.id,
        delivery.wanted,
        delivery.tries,
        device,
        PushContent(
            _cut(title, _TITLE),
            _cut(body, _BODY),
            tag,
            url,
            int(at.timestamp() * 1000),
            unread=unread,
            actions=None if closes else _actions(row, words, now),
            silent=bool(row.takes_back) or (kind in WROTE and row.unsent_at is not None),
            closes=closes,
        ),
        max(lasts, timedelta()),
        topic(device, tag),
        bool(row.takes_back) or kind not in _OF_NOBODY,
    )


def _actions(row: Any, words: Any, now: datetime) -> PushActions | None:
    """Return the actions of a push about a conversation that its person can snooze."""
    notice = row.Notification
    may = row.role is not None and row.archived_at is None and roles.may(row.role, Permission.ANSWER)
    conversation = row.Conversation
    if conversation is None or conversation.status != ConversationStatus.OPEN or not may:
        return None
    about = notice.workspace_id, notice.conversation_id
    return PushActions(
        words.ugettext(OPEN),
        words.ugettext(SNOOZE),
        words.ugettext(NOT_SNOOZED),
        actions.address(*about),
        actions.token(row.PushDevice, *about, now),
        state_mark(conversation),
    )


def topic(device: PushDevice, tag: str) -> str:
    """Return the topic of *tag*: it tells a push service nothing, and is different on each device."""
    return encoded(hmac.digest(device.auth.encode(), tag.encode(), hashlib.sha256))[:32]


def _cut(text: str, most: int) -> str:
    found = " ".join(text.split())
    return found if len(found) <= most else f"{found[: most - 1]}…"
