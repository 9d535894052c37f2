"""Bulk actions: one change of many conversations, made in portions by workers, and undone the same way.

Which conversations it is about is written when somebody asks for it, from the filter of that moment; none
comes in later. Each portion is one write: its conversations change, and are noted as changed with what they
were, or neither. So a worker that dies leaves nothing half done, and nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import Id, UTCDateTime
from host.core.errors import LobbyError
from host.core.ids import MAX_ID
from host.inbox import labels, queries, teams
from host.inbox.conversation_actions import Changes, check_snooze, mark_read, set_fields
from host.inbox.conversations import locked_conversation, publish_conversation
from host.inbox.errors import BulkError, BulkNotFoundError, UndoOverError
from host.inbox.queries import ConversationFilter
from host.models.bulk import BulkAction, BulkItem, BulkItemState, BulkState
from host.models.inbox import Conversation, ConversationRead, ConversationStatus, Snooze, SnoozeKind
from host.users.reach import ALL_ACCOUNTS

PORTION = 50
"""Most conversations changed in one write: it holds up other writes meanwhile."""
AT_ONCE = 50
"""Up to how many are changed before the answer to whoever asked."""
MOST = 100_000
UNDO = timedelta(hours=1)
KEPT = timedelta(days=7)
SHOWN = 30

ACTIONS: Mapping[str, LazyString] = {
    "close": _l("Close"),
    "open": _l("Open again"),
    "assign": _l("Assign"),
    "team": _l("Give to a team"),
    "label": _l("Add a label"),
    "unlabel": _l("Take a label off"),
    "snooze": _l("Snooze"),
    "wake": _l("End the snooze"),
    "spam": _l("Mark as spam"),
    "unspam": _l("Take out of spam"),
    "read": _l("Mark as read"),
}
"""What can be done to many conversations, with its button."""

_BULK = BulkAction.metadata.tables["bulk_actions"]
_ITEMS = BulkItem.metadata.tables["bulk_items"]
_RUNS = frozenset({BulkState.RUNNING, BulkState.UNDOING})


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done, see :data:`ACTIONS`.

    :param assignee_id: with ``assign``; None: nobody.
    :param team_id: with ``team``; None: no team.
    :param label_id: with ``label`` and ``unlabel``.
    :param snooze: with ``snooze``.
    """

    action: str
    assignee_id: int | None = None
    team_id: int | None = None
    label_id: int | None = None
    snooze: Snooze | None = None

    def argument(self) -> dict[str, Any]:
        """Return what goes with the action, as JSON."""
        if self.action == "assign":
            return {"assignee_id": self.assignee_id}
        if self.action == "team":
            return {"team_id": self.team_id}
        if self.action in {"label", "unlabel"}:
            return {"label_id": self.label_id}
        if self.action == "snooze" and self.snooze is not None:
            return {"kind": self.snooze.kind, "until": clock.to_text(self.snooze.until)}
        return {}


@dataclass(frozen=True, slots=True)
class Shown:
    """A bulk action as people and programs see it.

    :param done: how many conversations were looked at; *changed*: how many became different.
    :param restored: how many undoing put back; *kept*: how many it left, because they changed since.
    """

    id: int
    action: str
    argument: Mapping[str, Any]
    state: BulkState
    total: int
    done: int
    changed: int
    skipped: int
    restored: int
    kept: int
    created_at: datetime
    undo_until: datetime

    @property
    def runs(self) -> bool:
        return self.state in _RUNS

    def undoable(self, now: datetime) -> bool:
        """Tell whether it can be undone *now*."""
        left = self.state in {BulkState.RUNNING, BulkState.DONE, BulkState.STOPPED}
        return left and now < self.undo_until and (self.changed > 0 or self.state is BulkState.RUNNING)


# ---- asking for one ----------------------------------------------------------------------------------


def create(
    session: Session,
    wish: Wish,
    filter_: ConversationFilter,
    *,
    workspace_id: int,
    user_id: int | None,
    now: datetime,
    ids: Collection[int] | None = None,
    key_name: str | None = None,
) -> int:
    """Write down a bulk action and its conversations, and return its id. :func:`step` does it.

    :param ids: a selection, of which *filter_* lets through what may be seen; None: all that match.
    :param user_id: who asks; None: a program whose key is called *key_name*.
    :raises BulkError: if the action is not complete, or there is no conversation to change, or there are more
        than :data:`MOST`.
    :raises LabelNotFoundError: if the workspace has no such label; TeamNotFoundError: no such team.
    :raises SnoozeTimeError: as :func:`host.inbox.conversation_actions.set_fields`.
    """
    check(session, workspace_id, wish, now)
    row = BulkAction(
        workspace_id=workspace_id,
        user_id=user_id,
        key_name=key_name,
        action=wish.action,
        argument=wish.argument(),
        state=BulkState.RUNNING,
        total=0,
        created_at=now,
    )
    session.add(row)
    session.flush()
    state = sa.literal(str(BulkItemState.WAITING), sa.String(16))
    query = queries.select_ids(filter_, workspace_id, user_id, sa.literal(row.id, Id), state)
    if ids is not None:
        query = query.where(Conversation.id.in_(list(ids)))
    names = ["conversation_id", "bulk_id", "state"]
    session.execute(sa.insert(_ITEMS).from_select(names, query.limit(MOST + 1), include_defaults=False))
    row.total = session.scalar(_count_items(row.id)) or 0
    if not 0 < row.total <= MOST:
        raise BulkError(
            _l("No conversation is left that this could change.")
            if not row.total
            else _l("These are more than 100,000 conversations. Narrow the view first.")
        )
    session.flush()
    return row.id


def _count_items(bulk_id: int) -> Any:
    return sa.select(sa.func.count()).select_from(_ITEMS).where(_ITEMS.c.bulk_id == bulk_id)


def check(session: Session, workspace_id: int, wish: Wish, now: datetime) -> None:
    """Refuse what cannot be done to any conversation; errors as :func:`create`."""
    if wish.action not in ACTIONS:
        raise BulkError()
    if wish.action in {"label", "unlabel"}:
        if wish.label_id is None:
            raise BulkError(_l("Choose a label first."))
        labels.get(session, workspace_id, wish.label_id)
    if wish.action == "snooze":
        if wish.snooze is None:
            raise BulkError(_l("Choose until when first."))
        check_snooze(wish.snooze, now)
    if wish.action == "assign" and wish.assignee_id is not None:
        queries.check_member(session, workspace_id, wish.assignee_id)
    if wish.action == "team" and wish.team_id is not None:
        teams.get(session, workspace_id, wish.team_id)


def start(
    wish: Wish,
    filter_: ConversationFilter,
    *,
    workspace_id: int,
    user_id: int | None,
    now: datetime,
    ids: Collection[int] | None = None,
    key_name: str | None = None,
) -> Shown:
    """Begin a bulk action and return how far it is: a small one is done. Errors as :func:`create`."""
    bulk_id = db.write(
        create,
        wish,
        filter_,
        workspace_id=workspace_id,
        user_id=user_id,
        now=now,
        ids=ids,
        key_name=key_name,
    )
    with db.read() as session:
        found = get(session, workspace_id, bulk_id)
    if found.total <= AT_ONCE:
        run(bulk_id)
        with db.read() as session:
            found = get(session, workspace_id, bulk_id)
    return found


def stop(session: Session, *, workspace_id: int, bulk_id: int, user_id: int | None) -> None:
    """Stop a bulk action: what it changed stays, what waits is left alone.

    :raises BulkNotFoundError: if there is no such one of theirs.
    """
    row = _locked(session, workspace_id, bulk_id, user_id)
    if row.state == BulkState.RUNNING:
        row.state, row.finished_at = BulkState.STOPPED, clock.now()


def undo(*, workspace_id: int, bulk_id: int, user_id: int | None) -> Shown:
    """Stop a bulk action and begin to put back what it changed; return how far that is.

    :raises BulkNotFoundError: if there is no such one of theirs.
    :raises UndoOverError: if that began before, or is too late.
    """
    db.write(_begin_undo, workspace_id, bulk_id, user_id)
    with db.read() as session:
        found = get(session, workspace_id, bulk_id)
    if found.changed <= AT_ONCE:
        run(bulk_id)
        with db.read() as session:
            found = get(session, workspace_id, bulk_id)
    return found


def _begin_undo(session: Session, workspace_id: int, bulk_id: int, user_id: int | None) -> None:
    row = _locked(session, workspace_id, bulk_id, user_id)
    late = clock.now() >= row.created_at + UNDO
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


def get(session: Session, workspace_id: int, bulk_id: int) -> Shown:
    """Return a bulk action of the workspace.

    :raises BulkNotFoundError: if there is no such one.
    """
    row = session.get(BulkAction, bulk_id, populate_existing=True)
    if row is None or row.workspace_id != workspace_id:
        raise BulkNotFoundError()
    return _shown(session, [row])[0]


def of_user(session: Session, workspace_id: int, user_id: int | None, bulk_id: int) -> Shown:
    """Return a bulk action that a member, or with None a program, asked for.

    :raises BulkNotFoundError: if there is no such one of theirs.
    """
    row = session.get(BulkAction, bulk_id)
    if row is None or row.user_id != user_id:
        raise BulkNotFoundError()
    return get(session, workspace_id, bulk_id)


def listing(session: Session, workspace_id: int, user_id: int) -> list[Shown]:
    """Return the latest bulk actions of a member, the newest first."""
    query = (
        sa.select(BulkAction)
        .where(BulkAction.workspace_id == workspace_id, BulkAction.user_id == user_id)
        .order_by(BulkAction.id.desc())
        .limit(SHOWN)
    )
    return _shown(session, session.scalars(query).all())


def _shown(session: Session, rows: Sequence[BulkAction]) -> list[Shown]:
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


def _shown_one(row: BulkAction, counts: Mapping[str, int]) -> Shown:
    restored = counts.get(BulkItemState.RESTORED, 0)
    kept = counts.get(BulkItemState.KEPT, 0)
    return Shown(
        id=row.id,
        action=row.action,
        argument=row.argument,
        state=BulkState(row.state),
        total=row.total,
        # Of those whose customer was erased meanwhile nothing is left to count.
        done=row.total - counts.get(BulkItemState.WAITING, 0),
        changed=counts.get(BulkItemState.CHANGED, 0) + restored + kept,
        skipped=counts.get(BulkItemState.SKIPPED, 0),
        restored=restored,
        kept=kept,
        created_at=row.created_at,
        undo_until=row.created_at + UNDO,
    )


# ---- doing them --------------------------------------------------------------------------------------


def step() -> bool:
    """Do a portion of the oldest bulk action that runs. Return whether there was one to do."""
    with db.read() as session:
        query = sa.select(BulkAction.id).where(BulkAction.state.in_(_RUNS)).order_by(BulkAction.id).limit(1)
        bulk_id = session.scalar(query)
    return bulk_id is not None and db.write(_portion, bulk_id, clock.now())


def run(bulk_id: int) -> None:
    """Do all of one bulk action, portion by portion."""
    while db.write(_portion, bulk_id, clock.now()):
        pass


def _portion(session: Session, bulk_id: int, now: datetime) -> bool:
    """Do the next portion of a bulk action. Return whether it was there to do, and is not finished yet."""
    query = sa.select(BulkAction).where(BulkAction.id == bulk_id, BulkAction.state.in_(_RUNS))
    # Somebody else's portion is waited for; what they did is then seen.
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
    try:
        # What one conversation refuses is undone alone; the others go on.
        with session.begin_nested():
            conversation = locked_conversation(
                session, row.workspace_id, item.conversation_id, accounts=ALL_ACCOUNTS
            )
            before = _snapshot(session, conversation, row)
            _act(session, conversation, row, now)
            session.flush()
            after = _snapshot(session, conversation, row)
    except LobbyError:
        item.state = BulkItemState.SKIPPED
        return
    item.state = BulkItemState.SAME if before == after else BulkItemState.CHANGED
    if before != after:
        item.before, item.after = before, after


def _act(session: Session, conversation: Conversation, row: BulkAction, now: datetime) -> None:
    if row.action in {"label", "unlabel"}:
        ids = [int(row.argument["label_id"])]
        _label(session, conversation, row, now, **{"add" if row.action == "label" else "remove": ids})
    elif row.action == "read" and row.user_id is not None:
        mark_read(
            session,
            workspace_id=row.workspace_id,
            conversation_id=conversation.id,
            user_id=row.user_id,
            until=MAX_ID,
            accounts=ALL_ACCOUNTS,
        )
    elif row.action == "read":  # a program has read nothing itself: the team's count is what it knows
        if conversation.unread_count:
            conversation.unread_count = 0
            publish_conversation(session, conversation)
    else:
        _set(session, conversation, row, now, _changes(row))


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


def _set(
    session: Session, conversation: Conversation, row: BulkAction, now: datetime, changes: Changes
) -> None:
    set_fields(
        session,
        changes,
        workspace_id=row.workspace_id,
        conversation_id=conversation.id,
        author_id=row.user_id,
        now=now,
        by=row.key_name,
        accounts=ALL_ACCOUNTS,
    )


def _label(
    session: Session,
    conversation: Conversation,
    row: BulkAction,
    now: datetime,
    *,
    add: Sequence[int] = (),
    remove: Sequence[int] = (),
) -> None:
    labels.set_labels(
        session,
        workspace_id=row.workspace_id,
        conversation_id=conversation.id,
        add=add,
        remove=remove,
        author_id=row.user_id,
        now=now,
        by=row.key_name,
        accounts=ALL_ACCOUNTS,
    )


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
"""The columns that an action changes, besides labels and what members have read."""


def _snapshot(session: Session, conversation: Conversation, row: BulkAction) -> dict[str, Any]:
    """Return what an action changes of a conversation, as JSON."""
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
    """Return the conditions of the rows that an action changes: who reads changes their own."""
    of_this = [ConversationRead.conversation_id == conversation.id]
    return of_this if row.action == "close" else [*of_this, ConversationRead.user_id == (row.user_id or 0)]


def _reads(session: Session, conversation: Conversation, row: BulkAction) -> dict[str, list[int]]:
    """Return how far members have read a conversation, and whether they marked it, by their id as text."""
    columns = sa.select(ConversationRead.user_id, ConversationRead.seen_count, ConversationRead.marked)
    query = columns.where(*_read_by(conversation, row))
    return {str(user_id): [seen, int(marked)] for user_id, seen, marked in session.execute(query)}


def _undo_one(session: Session, row: BulkAction, item: BulkItem, now: datetime) -> None:
    """Put back what one conversation was, unless it changed since."""
    item.state = BulkItemState.KEPT
    before, after = item.before or {}, item.after
    try:
        with session.begin_nested():
            conversation = locked_conversation(
                session, row.workspace_id, item.conversation_id, accounts=ALL_ACCOUNTS
            )
            if _snapshot(session, conversation, row) != after:
                return
            _put_back(session, conversation, row, before, now)
    except LobbyError:
        return
    item.state = BulkItemState.RESTORED


def _put_back(
    session: Session, conversation: Conversation, row: BulkAction, before: Mapping[str, Any], now: datetime
) -> None:
    """Set what an action changed as it was: by the use case people have, so that all are told of it."""
    if "labelled" in before:
        ids = [int(row.argument["label_id"])]
        _label(session, conversation, row, now, **{"add" if before["labelled"] else "remove": ids})
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
    _set(session, conversation, row, now, cast(Changes, changes))
    # What a use case sets along with it, and what it would refuse, as a snooze that ends at this moment.
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
    """Remove bulk actions begun before *before*; return how many these were."""
    query = sa.select(_BULK.c.id).where(_BULK.c.created_at < before).order_by(_BULK.c.id).limit(limit)
    ids = list(session.scalars(query))
    if ids:
        session.execute(sa.delete(_ITEMS).where(_ITEMS.c.bulk_id.in_(ids)))
        session.execute(sa.delete(_BULK).where(_BULK.c.id.in_(ids)))
    return len(ids)
