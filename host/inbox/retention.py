"""Erase expired messages of closed conversations with their files, in portions.

As in :mod:`host.inbox.erasure`, the row stays with author, time and the provider's id. The text is deleted
here, in the journal and in events for other programs.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox.apply.tables import CONVERSATIONS, MESSAGES
from host.inbox.conversations import publish_conversation, show_erased
from host.inbox.erasure import erase_messages
from host.models.inbox import ERASED, Conversation, ConversationStatus, Direction, Message
from host.queue import journal_erasure
from host.users import audit, desk_settings, retention

log = logging.getLogger(__name__)

CONVERSATIONS_AT_ONCE = 100
MESSAGES_AT_ONCE = 500
PORTIONS = 10
"""Maximum portions of one round."""
AGAIN = timedelta(hours=6)
"""Delay between two walks through a workspace."""


class Keeper:
    """Walks through workspaces with a retention period. One per process.

    A walk that a process does not finish is restarted by the next one, which skips erased messages.
    """

    def __init__(self) -> None:
        self._walks: dict[int, _Walk] = {}

    def round(self) -> bool:
        """Erase up to :data:`PORTIONS` portions; return whether there is more to do."""
        with db.read() as session:
            places = retention.chosen(session)
            usual = desk_settings.desk(session).retention_days
        left = PORTIONS
        for workspace_id, name, choice in places:
            days = retention.days_of(choice, usual)
            walk = self._walks.get(workspace_id)
            if walk is None or walk.days != days:
                walk = self._walks[workspace_id] = _Walk(workspace_id, name, days)
            while left and walk.is_due():
                walk.step()
                left -= 1
            if not left:
                return True
        return False


class _Walk:
    """A walk through a workspace in the order of its conversations' ids."""

    def __init__(self, workspace_id: int, name: str, days: int) -> None:
        self.workspace_id = workspace_id
        self.name = name
        self.days = days
        self._after = 0
        self._erased = 0
        self._next_at: datetime | None = None

    def is_due(self) -> bool:
        return self.days > 0 and (self._next_at is None or self._next_at <= clock.now())

    def step(self) -> None:
        """Erase one portion."""
        before = clock.now() - timedelta(days=self.days)
        after, erased = db.write(erase_portion, self.workspace_id, before, self._after)
        self._erased += erased
        if after is not None:
            self._after = after
            return
        if self._erased:
            log.info("%s messages of workspace %s were kept long enough", self._erased, self.workspace_id)
            db.write(_note, self.workspace_id, self.name, self._erased, self.days)
        self._after, self._erased, self._next_at = 0, 0, clock.now() + AGAIN


def _note(session: Session, workspace_id: int, name: str, erased: int, days: int) -> None:
    audit.record(
        session,
        "workspace.messages_erased",
        name,
        user_id=None,
        workspace_id=workspace_id,
        details={"messages": erased, "days": days},
    )


def erase_portion(
    session: Session, workspace_id: int, before: datetime, after: int
) -> tuple[int | None, int]:
    """Erase messages of the next conversations after the id *after*.

    :return: the id to continue after, or None at the end; and the number of erased messages.
    """
    # Conversations are locked before their messages, as when received changes are applied.
    rows = session.execute(
        sa.select(CONVERSATIONS.c.id)
        .where(
            CONVERSATIONS.c.workspace_id == workspace_id,
            CONVERSATIONS.c.id > after,
            CONVERSATIONS.c.status == ConversationStatus.CLOSED,
            CONVERSATIONS.c.created_at < before,
        )
        .order_by(CONVERSATIONS.c.id)
        .limit(CONVERSATIONS_AT_ONCE)
        .with_for_update()
    ).all()
    ids = [row.id for row in rows]
    if not ids:
        return None, 0
    found = session.execute(
        sa.select(MESSAGES.c.id, MESSAGES.c.external_id, MESSAGES.c.sources, MESSAGES.c.conversation_id)
        .join(Conversation, Conversation.id == MESSAGES.c.conversation_id)
        .where(MESSAGES.c.conversation_id.in_(ids), *retention.too_old(before))
        .order_by(MESSAGES.c.conversation_id, MESSAGES.c.id)
        .limit(MESSAGES_AT_ONCE)
    ).all()
    if not found:
        return ids[-1], 0
    some = [row.id for row in found]
    erase_messages(session, some, clock.now())
    journal_erasure.forget_events(session, {id_ for row in found for id_ in row.sources or ()})
    journal_erasure.clear_away(session, (), {row.external_id for row in found if row.external_id})
    emptied = sorted({row.conversation_id for row in found})
    _empty_previews(session, emptied)
    show_erased(session, ((workspace_id, id_) for id_ in emptied))
    # A conversation whose messages did not all fit is visited again.
    whole = len(found) < MESSAGES_AT_ONCE
    return ids[-1] if whole else found[-1].conversation_id - 1, len(found)


def _empty_previews(session: Session, ids: list[int]) -> None:
    """Clear the previews in the list of conversations whose newest message was deleted."""
    left = (
        sa.select(Message.id)
        .where(
            Message.conversation_id == Conversation.id,
            Message.direction != Direction.INTERNAL,
            Message.erased_at.is_(None),
        )
        .exists()
    )
    query = sa.select(Conversation).where(Conversation.id.in_(ids), ~left, Conversation.last_kind != ERASED)
    for conversation in session.scalars(query.execution_options(populate_existing=True)):
        conversation.subject, conversation.last_preview = None, ""
        conversation.last_kind, conversation.last_direction = ERASED, Direction.INTERNAL
        session.flush()
        publish_conversation(session, conversation)


_keeper = Keeper()


def erase_old() -> bool:
    """Erase messages older than their workspace's retention period; return whether there is more to do."""
    return _keeper.round()
