"""Bulk actions: one change of many conversations, run in batches by workers, with undo.

The conversations are stored when the action is requested, from the filter at that time; later ones are not
included. Each batch is one write, which changes its conversations and stores their earlier values, or does
neither. So a worker that dies leaves nothing half done, and nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import Id, UTCDateTime
from host.core.errors import LobbyError
from host.core.ids import MAX_ID
from host.inbox import queries
from host.inbox.bulk.models import BulkAction, BulkItem, BulkItemState, BulkState
from host.inbox.conversation_actions import UNDONE, Changes, check_snooze, mark_read, set_fields
from host.inbox.conversations import locked_conversation, publish_changed_message, publish_conversation
from host.inbox.errors import BulkError, BulkNotFoundError, ChangedMeanwhileError, UndoOverError
from host.inbox.labels import labels
from host.inbox.queries import ConversationFilter
from host.inbox.teams import teams
from host.models.inbox import (
    Conversation,
    ConversationRead,
    ConversationStatus,
    Direction,
    InternalKind,
    Message,
    Snooze,
    SnoozeKind,
)
from host.users.actor import Acting, UnitOfWork, person_or_desk

PORTION = 50
"""Maximum number of conversations changed in one write, which blocks other writes."""
AT_ONCE = 50
"""Maximum number of conversations changed before the request is answered."""
MOST = 100_000
UNDO = timedelta(hours=1)
KEPT = timedelta(days=7)
SHOWN = 30
MARK = "shown"
"""Key of the mark of a waiting conversation."""
SINCE = "since"
"""Key of the newest message when a page showed all that match."""
LINE = "line"
"""Key of the activity line by which somebody else was faster."""

ACTIONS: Mapping[str, LazyString] = {
    "close": _l("Close"),
    "open": _l("Reopen"),
    "assign": _l("Assign"),
    "team": _l("Assign to a team"),
    "label": _l("Add a label"),
    "unlabel": _l("Remove a label"),
    "snooze": _l("Snooze"),
    "wake": _l("Unsnooze"),
    "spam": _l("Mark as spam"),
    "unspam": _l("Mark as not spam"),
    "read": _l("Mark as read"),
}
"""The actions, with the text of their buttons."""

_BULK = BulkAction.metadata.tables["bulk_actions"]
_ITEMS = BulkItem.metadata.tables["bulk_items"]
_RUNS = frozenset({BulkState.RUNNING, BulkState.UNDOING})


class BulkChange(msgspec.Struct, frozen=True):
    """An action of :data:`ACTIONS` with its argument.

    :param assignee_id: with ``assign``; None to unassign.
    :param team_id: with ``team``; None for no team.
    :param label_id: with ``label`` and ``unlabel``.
    :param snooze: with ``snooze``.
    """

    action: str
    assignee_id: int | None = None
    team_id: int | None = None
    label_id: int | None = None
    snooze: Snooze | None = None

    def argument(self) -> dict[str, Any]:
        """Return the action's argument as JSON."""
        if self.action == "assign":
            return {"assignee_id": self.assignee_id}
        if self.action == "team":
            return {"team_id": self.team_id}
        if self.action in {"label", "unlabel"}:
            return {"label_id": self.label_id}
        if self.action == "snooze" and self.snooze is not None:
            return {"kind": self.snooze.kind, "until": clock.to_text(self.snooze.until)}
        return {}


class BulkProgress(msgspec.Struct, frozen=True):
    """The progress of a bulk action.

    :param done: number of conversations processed; *changed*: number of those that changed.
    :param lost: number of those left alone, because somebody else changed them meanwhile.
    :param restored: number of conversations restored by undo; *kept*: number not restored because they
        changed since.
    """

    id: int
    action: str
    argument: Mapping[str, Any]
    state: BulkState
    total: int
    done: int
    changed: int
    skipped: int
    lost: int
    restored: int
    kept: int
    created_at: datetime
    undo_until: datetime

    @property
    def runs(self) -> bool:
        return self.state in _RUNS

    def undoable(self, now: datetime) -> bool:
        """Return whether it can be undone *now*."""
        left = self.state in {BulkState.RUNNING, BulkState.DONE, BulkState.STOPPED}
        return left and now < self.undo_until and (self.changed > 0 or self.state is BulkState.RUNNING)


# ---- asking for one ----------------------------------------------------------------------------------


def create(
    work: UnitOfWork,
    change: BulkChange,
    filter_: ConversationFilter,
    *,
    ids: Collection[int] | None = None,
    shown: Mapping[int, str] | None = None,
    since: int | None = None,
) -> int:
    """Store a bulk action and its conversations, and return its id. :func:`step` runs it.

    :param ids: a selection, restricted to what *filter_* lets the person see; None for all that match.
    :param shown: how a page showed conversations, by id, from
        :func:`host.models.inbox.state_mark`. One that somebody else changed since is left
        alone.
    :param since: id of the newest message when a page showed all that match, from :func:`newest_message`.
        One that somebody else changed after it is left alone, too.
    :raises BulkError: if the action is incomplete, there are no conversations, or more than :data:`MOST`.
    :raises LabelNotFoundError: if the workspace has no such label; TeamNotFoundError: no such team.
    :raises SnoozeTimeError: as :func:`host.inbox.conversation_actions.set_fields`.
    """
    session = work.session
    check(session, work.workspace_id, change, work.now)
    row = BulkAction(
        workspace_id=work.workspace_id,
        user_id=work.actor.id,
        key_name=work.actor.name or None,
        action=change.action,
        argument=change.argument() | ({} if since is None else {SINCE: since}),
        state=BulkState.RUNNING,
        total=0,
        created_at=work.now,
    )
    session.add(row)
    session.flush()
    state = sa.literal(str(BulkItemState.WAITING), sa.String(16))
    query = queries.select_ids(filter_, work.workspace_id, work.actor.id, sa.literal(row.id, Id), state)
    if ids is not None:
        query = query.where(Conversation.id.in_(list(ids)))
    names = ["conversation_id", "bulk_id", "state"]
    session.execute(sa.insert(_ITEMS).from_select(names, query.limit(MOST + 1), include_defaults=False))
    row.total = session.scalar(_count_items(row.id)) or 0
    if not 0 < row.total <= MOST:
        raise BulkError(
            _l("None of these conversations can be changed.")
            if not row.total
            else _l("More than 100,000 conversations match. Narrow the view first.")
        )
    if shown:
        of_action = (_ITEMS.c.bulk_id == row.id, _ITEMS.c.conversation_id == sa.bindparam("id"))
        marked = sa.update(_ITEMS).where(*of_action).values(before=sa.bindparam("noted"))
        session.execute(marked, [{"id": id_, "noted": {MARK: mark}} for id_, mark in shown.items()])
    session.flush()
    return row.id


def newest_message(session: Session) -> int:
    """Return the id of the newest message of the desk."""
    return session.scalar(sa.select(sa.func.max(Message.id))) or 0


def _count_items(bulk_id: int) -> Any:
    return sa.select(sa.func.count()).select_from(_ITEMS).where(_ITEMS.c.bulk_id == bulk_id)


def check(session: Session, workspace_id: int, change: BulkChange, now: datetime) -> None:
    """Refuse an action that is invalid for every conversation; errors as :func:`create`."""
    if change.action not in ACTIONS:
        raise BulkError()
    if change.action in {"label", "unlabel"}:
        if change.label_id is None:
            raise BulkError(_l("Choose a label first."), field="label")
        labels.get(session, workspace_id, change.label_id)
    if change.action == "snooze":
        if change.snooze is None:
            raise BulkError(_l("Choose a time first."), field="snooze")
        check_snooze(change.snooze, now)
    if change.action == "assign" and change.assignee_id is not None:
        queries.check_member(session, workspace_id, change.assignee_id)
    if change.action == "team" and change.team_id is not None:
        teams.get(session, workspace_id, change.team_id)


def start(acting: Acting, change: BulkChange, filter_: ConversationFilter, **chosen: Any) -> BulkProgress:
    """Start a bulk action and return its progress; a small one is finished. The rest as :func:`create`."""
    bulk_id = acting.write(create, change, filter_, **chosen)
    with db.read() as session:
        found = get(session, acting.workspace_id, bulk_id)
    if found.total <= AT_ONCE:
        run(bulk_id)
        with db.read() as session:
            found = get(session, acting.workspace_id, bulk_id)
    return found


def stop(work: UnitOfWork, bulk_id: int) -> BulkProgress:
    """Stop a bulk action, and return its progress. Changes made so far stay.

    :raises BulkNotFoundError: if they have no such action.
    """
    row = _locked(work.session, work.workspace_id, bulk_id, work.actor.id)
    if row.state == BulkState.RUNNING:
        row.state, row.finished_at = BulkState.STOPPED, clock.now()
    work.session.flush()
    return get(work.session, work.workspace_id, bulk_id)


def undo(acting: Acting, bulk_id: int) -> BulkProgress:
    """Stop a bulk action and start undoing it; return the progress.

    :raises BulkNotFoundError: if they have no such action.
    :raises UndoOverError: if it was already undone, or it is too late.
    """
    acting.write(_begin_undo, bulk_id)
    with db.read() as session:
        found = get(session, acting.workspace_id, bulk_id)
    if found.changed <= AT_ONCE:
        run(bulk_id)
        with db.read() as session:
            found = get(session, acting.workspace_id, bulk_id)
    return found


def _begin_undo(work: UnitOfWork, bulk_id: int) -> None:
    row = _locked(work.session, work.workspace_id, bulk_id, work.actor.id)
    late = work.now >= row.created_at + UNDO
    if late or row.state in {BulkState.UNDOING, BulkState.UNDONE}:
        raise UndoOverError()
    row.state, row.finished_at = BulkState.UNDOING, None


def _locked(session: Session, workspace_id: int, bulk_id: int, user_id: int | None) -> BulkAction:
    query = sa.select(BulkAction).where(
        BulkAction.id == bulk_id, BulkAction.workspace_id == workspace_id, _theirs(user_id)
    )
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise BulkNotFoundError()
    return row


def _theirs(user_id: int | None) -> sa.ColumnElement[bool]:
    return BulkAction.user_id.is_(None) if user_id is None else BulkAction.user_id == user_id


# ---- how far they are --------------------------------------------------------------------------------


def get(session: Session, workspace_id: int, bulk_id: int) -> BulkProgress:
    """Return a bulk action of the workspace.

    :raises BulkNotFoundError: if the workspace has no such bulk action.
    """
    row = session.get(BulkAction, bulk_id, populate_existing=True)
    if row is None or row.workspace_id != workspace_id:
        raise BulkNotFoundError()
    return _shown(session, [row])[0]


def of_user(session: Session, workspace_id: int, user_id: int | None, bulk_id: int) -> BulkProgress:
    """Return a bulk action of a member, or of a program if the member is None.

    :raises BulkNotFoundError: if they have no such action.
    """
    row = session.get(BulkAction, bulk_id)
    if row is None or row.user_id != user_id:
        raise BulkNotFoundError()
    return get(session, workspace_id, bulk_id)


def listing(session: Session, workspace_id: int, user_id: int) -> list[BulkProgress]:
    """Return the latest bulk actions of a member, newest first."""
    query = (
        sa.select(BulkAction)
        .where(BulkAction.workspace_id == workspace_id, BulkAction.user_id == user_id)
        .order_by(BulkAction.id.desc())
        .limit(SHOWN)
    )
    return _shown(session, session.scalars(query).all())


def lost(session: Session, bulk_id: int, limit: int) -> list[tuple[int, int]]:
    """Return *limit* conversations that somebody else changed meanwhile, with the activity line of that."""
    query = (
        sa.select(_ITEMS.c.conversation_id, _ITEMS.c.after)
        .where(_ITEMS.c.bulk_id == bulk_id, _ITEMS.c.state == BulkItemState.LOST)
        .order_by(_ITEMS.c.conversation_id)
        .limit(limit)
    )
    return [(conversation_id, int(after[LINE])) for conversation_id, after in session.execute(query)]


def _shown(session: Session, rows: Sequence[BulkAction]) -> list[BulkProgress]:
    counts: dict[int, dict[str, int]] = {row.id: {} for row in rows}
    if rows:
        query = (
            sa.select(_ITEMS.c.bulk_id, _ITEMS.c.state, sa.func.count())
            .where(_ITEMS.c.bulk_id.in_(counts))
            .group_by(_ITEMS.c.bulk_id, _ITEMS.c.state)
        )
        for bulk_id, state, number in session.execute(query):
            counts[bulk_id][state] = number
    return [_shown_one(row, counts[row.id]) for row in rows]


def _shown_one(row: BulkAction, counts: Mapping[str, int]) -> BulkProgress:
    restored = counts.get(BulkItemState.RESTORED, 0)
    kept = counts.get(BulkItemState.KEPT, 0)
    return BulkProgress(
        id=row.id,
        action=row.action,
        argument=row.argument,
        state=BulkState(row.state),
        total=row.total,
        # Items of erased customers are deleted, so the sum of the other counts may be too low.
        done=row.total - counts.get(BulkItemState.WAITING, 0),
        changed=counts.get(BulkItemState.CHANGED, 0) + restored + kept,
        skipped=counts.get(BulkItemState.SKIPPED, 0),
        lost=counts.get(BulkItemState.LOST, 0),
        restored=restored,
        kept=kept,
        created_at=row.created_at,
        undo_until=row.created_at + UNDO,
    )


# ---- doing them --------------------------------------------------------------------------------------


def due(_now: Any) -> list[sa.Select[Any]]:
    """Return what makes the job due: an action that is not finished."""
    each = (sa.select(BulkAction.id).where(BulkAction.state == state) for state in sorted(_RUNS))
    return [one.order_by(BulkAction.id) for one in each]


def step() -> bool:
    """Run a batch of the oldest running bulk action. Return whether there was one."""
    with db.read() as session:
        query = sa.select(BulkAction.id).where(BulkAction.state.in_(_RUNS)).order_by(BulkAction.id).limit(1)
        bulk_id = session.scalar(query)
    return bulk_id is not None and db.write(_portion, bulk_id, clock.now())


def run(bulk_id: int) -> None:
    """Run all of one bulk action, batch by batch."""
    while db.write(_portion, bulk_id, clock.now()):
        pass


def _portion(session: Session, bulk_id: int, now: datetime) -> bool:
    """Run the next batch of a bulk action. Return whether it exists and is not finished."""
    query = sa.select(BulkAction).where(BulkAction.id == bulk_id, BulkAction.state.in_(_RUNS))
    # Wait for another worker's batch; its result is then visible.
    row = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return False
    undoing = row.state == BulkState.UNDOING
    wanted = BulkItemState.CHANGED if undoing else BulkItemState.WAITING
    items = session.scalars(
        sa.select(BulkItem)
        .where(BulkItem.bulk_id == bulk_id, BulkItem.state == wanted)
        .order_by(BulkItem.conversation_id)
        .limit(PORTION)
    ).all()
    for item in items:
        (_undo_one if undoing else _do_one)(session, row, item, now)
    if len(items) < PORTION:
        row.state = BulkState.UNDONE if undoing else BulkState.DONE
        row.finished_at = now
        return False
    return True


def _do_one(session: Session, row: BulkAction, item: BulkItem, now: datetime) -> None:
    shown, item.before = (item.before or {}).get(MARK), None
    work = _work(session, row, now)
    try:
        # An error in one conversation undoes only that one.
        with session.begin_nested():
            conversation = locked_conversation(work, item.conversation_id)
            before = _snapshot(session, conversation, row)
            _act(work, conversation, row, shown)
            session.flush()
            after = _snapshot(session, conversation, row)
    except ChangedMeanwhileError as error:
        item.state, item.after = BulkItemState.LOST, {LINE: error.line}
        return
    except LobbyError:
        item.state = BulkItemState.SKIPPED
        return
    item.state = BulkItemState.SAME if before == after else BulkItemState.CHANGED
    if before != after:
        item.before = {**before, AT: clock.to_text(now), DONE_AT: clock.to_text(clock.now())}
        item.after = after


def _work(session: Session, row: BulkAction, now: datetime) -> UnitOfWork:
    """Return the unit of work of a portion, by the person or the key that started the bulk action."""
    actor = person_or_desk(row.user_id, row.key_name or "")
    return UnitOfWork(session, row.workspace_id, actor, now)


def _act(work: UnitOfWork, conversation: Conversation, row: BulkAction, shown: str | None) -> None:
    if row.action in {"label", "unlabel"}:
        ids = [int(row.argument["label_id"])]
        add, remove = (ids, []) if row.action == "label" else ([], ids)
        labels.set_labels(work, conversation.id, add=add, remove=remove)
    elif row.action == "read":
        mark_read(work, conversation.id, user_id=row.user_id, until=MAX_ID)
    else:
        since = row.argument.get(SINCE)
        set_fields(work, conversation.id, _changes(row), shown=shown, since=since)


def _changes(row: BulkAction) -> Changes:
    """Return the fields that an action sets."""
    if row.action in {"close", "open"}:
        closing = row.action == "close"
        return {"status": ConversationStatus.CLOSED if closing else ConversationStatus.OPEN}
    if row.action in {"spam", "unspam"}:
        return {"spam": row.action == "spam"}
    if row.action == "assign":
        return {"assignee_id": row.argument.get("assignee_id")}
    if row.action == "team":
        return {"team_id": row.argument.get("team_id")}
    return {"snooze": _snooze(row.argument) if row.action == "snooze" else None}


def _snooze(value: Mapping[str, Any]) -> Snooze:
    return Snooze(SnoozeKind(value["kind"]), clock.from_text(value.get("until")))


# ---- undoing -----------------------------------------------------------------------------------------

_TOUCHED: Mapping[str, Sequence[str]] = {
    "close": (
        *("status", "closed_at", "unread_count", "read_count", "waiting_since"),
        *("snooze_kind", "snoozed_until", "woken_at"),
    ),
    "open": ("status", "closed_at"),
    "assign": ("assignee_id",),
    "team": ("team_id", "assignee_id"),
    "snooze": ("snooze_kind", "snoozed_until", "woken_at"),
    "wake": ("snooze_kind", "snoozed_until", "woken_at"),
    "spam": ("spam_at", "snooze_kind", "snoozed_until", "woken_at"),
    "unspam": ("spam_at",),
    "read": ("unread_count",),
}
"""The columns an action changes, besides labels and what members have read."""
AT = "at"
"""Key of the time of the change, by which undo finds its activity lines."""
DONE_AT = "done_at"
"""Key of the time when its events were written, by which :mod:`host.inbox.bulk.undoable` finds them."""


def _snapshot(session: Session, conversation: Conversation, row: BulkAction) -> dict[str, Any]:
    """Return the earlier values of a conversation that an action changes, as JSON."""
    if row.action in {"label", "unlabel"}:
        return {"labelled": int(row.argument["label_id"]) in labels.having(session, conversation.id)}
    found = {}
    for name in _TOUCHED[row.action]:
        value = getattr(conversation, name)
        found[name] = value.isoformat() if isinstance(value, datetime) else value
    if row.action in {"close", "read"}:
        found["reads"] = _reads(session, conversation, row)
    return found


def _read_by(conversation: Conversation, row: BulkAction) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the rows an action changes: a person changes only their own."""
    of_this = [ConversationRead.conversation_id == conversation.id]
    return of_this if row.action == "close" else [*of_this, ConversationRead.user_id == (row.user_id or 0)]


def _reads(session: Session, conversation: Conversation, row: BulkAction) -> dict[str, list[int]]:
    """Return how far members have read a conversation, and whether they marked it, by member id as text."""
    columns = sa.select(ConversationRead.user_id, ConversationRead.seen_count, ConversationRead.marked)
    query = columns.where(*_read_by(conversation, row))
    return {str(user_id): [seen, int(marked)] for user_id, seen, marked in session.execute(query)}


def _undo_one(session: Session, row: BulkAction, item: BulkItem, now: datetime) -> None:
    """Restore one conversation unless it has changed since."""
    item.state = BulkItemState.KEPT
    before, after = item.before or {}, item.after
    work = _work(session, row, now)
    try:
        with session.begin_nested():
            conversation = locked_conversation(work, item.conversation_id)
            if _snapshot(session, conversation, row) != after:
                return
            _put_back(work, conversation, row, before)
    except LobbyError:
        return
    item.state = BulkItemState.RESTORED


def _put_back(
    work: UnitOfWork, conversation: Conversation, row: BulkAction, before: Mapping[str, Any]
) -> None:
    """Restore the earlier values with the same use case as people, so that browsers are notified.

    The activity lines of the change are marked as undone instead of adding new ones.
    """
    session = work.session
    one_line = _mark_undone(session, conversation, row, before)
    if "labelled" in before:
        ids = [int(row.argument["label_id"])]
        add, remove = (ids, []) if before["labelled"] else ([], ids)
        labels.set_labels(work, conversation.id, add=add, remove=remove, with_activity=not one_line)
        return
    changes: dict[str, Any] = {}
    if "status" in before:
        changes["status"] = ConversationStatus(before["status"])
    if "spam_at" in before:
        changes["spam"] = before["spam_at"] is not None
    if "team_id" in before:
        changes["team_id"] = before["team_id"]
    if "assignee_id" in before:
        changes["assignee_id"] = before["assignee_id"]
    set_fields(work, conversation.id, cast(Changes, changes), with_activity=not one_line)
    # Omit values the use case sets itself, or would refuse, such as a snooze that has just ended.
    for name in _TOUCHED[row.action]:
        value = before.get(name)
        is_moment = isinstance(getattr(Conversation, name).type, UTCDateTime)
        setattr(conversation, name, datetime.fromisoformat(value) if is_moment and value else value)
    if "reads" in before:
        session.execute(sa.delete(ConversationRead).where(*_read_by(conversation, row)))
        for user_id, (seen, marked) in before["reads"].items():
            values = {"user_id": int(user_id), "conversation_id": conversation.id, "seen_count": seen}
            session.execute(sa.insert(ConversationRead).values(**values, marked=bool(marked)))
    session.flush()
    publish_conversation(session, conversation)


def remove_old(session: Session, before: datetime, limit: int) -> int:
    """Delete bulk actions started before *before*; return their number."""
    query = sa.select(_BULK.c.id).where(_BULK.c.created_at < before).order_by(_BULK.c.id).limit(limit)
    ids = list(session.scalars(query))
    if ids:
        session.execute(sa.delete(_ITEMS).where(_ITEMS.c.bulk_id.in_(ids)))
        session.execute(sa.delete(_BULK).where(_BULK.c.id.in_(ids)))
    return len(ids)


def _mark_undone(
    session: Session, conversation: Conversation, row: BulkAction, before: Mapping[str, Any]
) -> bool:
    """Mark the activity lines of a change as undone. Return False if there are none."""
    if AT not in before:
        return False
    lines = session.scalars(
        sa.select(Message).where(
            Message.conversation_id == conversation.id,
            Message.sent_at == clock.from_text(before[AT]),
            Message.direction == Direction.INTERNAL,
            Message.kind == InternalKind.ACTIVITY,
            Message.author_id == row.user_id,
        )
    ).all()
    for line in lines:
        line.content = {**line.content, UNDONE: True}
        publish_changed_message(session, line)
    return bool(lines)
