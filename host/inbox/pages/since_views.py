"""The view behind *Back online*: what came since replies were written that nobody has sent yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.core import db
from host.core.errors import InvalidError
from host.core.ids import read_id
from host.inbox import queries
from host.inbox.kept_drafts.content import Mode
from host.inbox.messages import load_messages
from host.inbox.pages import durations, pieces, reply_window, text_view
from host.inbox.pages.context import InboxContext, bp, opened_inbox
from host.inbox.pages.conversation_view import name_of
from host.inbox.pages.message_view import activity, is_note, shown
from host.inbox.pages.reply_window import Composing
from host.inbox.queries import ConversationFilter, Row
from host.models.inbox import Direction, Message
from host.web.request_helpers import Permission, passive, seen_accounts, workspace_view

MOST = 50
"""Maximum number of waiting replies in one request."""
MOST_SHOWN = 3
"""Messages shown of each conversation, the newest; of the others only the number."""
EXCERPT = 300
MODES = frozenset(get_args(Mode))


class Waiting(msgspec.Struct, frozen=True):
    """A reply or note on somebody's device. *seen* is the newest message they had seen when they wrote it."""

    mode: str
    conversation_id: int
    seen: int


class NewLine(msgspec.Struct, frozen=True):
    """A message, note or activity that came since. *who* is empty for an activity."""

    who: str
    what: str
    time: str
    note: bool


class Since(msgspec.Struct, frozen=True):
    """The news of a conversation since a reply was written. *row* is None if the person can't see it.

    :param changes: number of messages, notes and activities, and one more if no reply is possible now.
    :param closed: the state of the composer if no reply is possible now, otherwise None.
    """

    waiting: Waiting
    row: Row | None = None
    name: str = ""
    newest: int = 0
    changes: int = 1
    lines: Sequence[NewLine] = ()
    earlier: int = 0
    closed: Composing | None = None


@bp.get("/w/<int:workspace_id>/inbox/since")
@passive
@workspace_view(Permission.READ)
def since(workspace_id: int) -> ResponseReturnValue:
    """Return a card for each waiting reply in ``waiting``, in its order: ``reply-CONVERSATION-SEEN,...``.

    A conversation that the person may not see gets the same card as one that does not exist.
    """
    asked = _waiting()
    with opened_inbox(workspace_id) as inbox:
        cards = [render_template("inbox/_back_card.html", it=it) for it in _since(inbox, asked)]
    return pieces.answer(cards=cards)


def _waiting() -> list[Waiting]:
    found = []
    parts = [part for part in request.args.get("waiting", "").split(",") if part]
    if len(parts) > MOST:
        raise InvalidError()
    for part in parts:
        mode, *numbers = part.split("-")
        ids = [id_ for id_ in map(read_id, numbers) if id_ is not None]
        if mode not in MODES or len(ids) != 2 or len(numbers) != 2:
            raise InvalidError()
        found.append(Waiting(mode, *ids))
    return found


def _since(inbox: InboxContext, asked: Sequence[Waiting]) -> list[Since]:
    """Return what came since each of *asked*: at most seven statements, however many they are."""
    seen: dict[int, int] = {}
    for one in asked:
        seen[one.conversation_id] = min(one.seen, seen.get(one.conversation_id, one.seen))
    visible = ConversationFilter(accounts=seen_accounts())
    found = queries.matching_rows(inbox.session, inbox.workspace_id, inbox.user_id, visible, [*seen])
    rows = {row.id: row for row in found}
    counts, ids = _newest(inbox.session, inbox.workspace_id, {id_: seen[id_] for id_ in rows})
    lines = _lines(inbox, rows, ids)
    result = []
    for one in asked:
        row = rows.get(one.conversation_id)
        if row is None:
            result.append(Since(one))
            continue
        name = name_of(row, inbox.adapter(row))
        closed = None
        if one.mode == "reply" and row.post_id is None:  # the composer of a comment decides for itself
            state = reply_window.composing(inbox.adapter(row), row, name, inbox.now)
            closed = None if state.can_reply else state
        here, count = lines.get(row.id, []), counts.get(row.id, 0)
        result.append(
            Since(
                one,
                row,
                name,
                max((id_ for id_, _line in here), default=one.seen),
                count + (closed is not None),
                [line for _id, line in here],
                count - len(here),
                closed,
            )
        )
    return result


@cache
def _newest_query(number: int) -> Any:
    """Return the query of the newest messages of *number* conversations, each after an id, with counts."""
    after = sa.or_(
        *(
            sa.and_(
                Message.conversation_id == sa.bindparam(f"conversation_{at}", type_=db.Id),
                Message.id > sa.bindparam(f"seen_{at}", type_=db.Id),
            )
            for at in range(number)
        )
    )
    each = Message.conversation_id
    place = sa.func.row_number().over(partition_by=each, order_by=Message.id.desc()).label("place")
    count = sa.func.count().over(partition_by=each).label("number")
    numbered = (
        sa.select(each, Message.id, place, count)
        .where(Message.workspace_id == sa.bindparam("workspace"), after)
        .subquery()
    )
    return sa.select(numbered.c.conversation_id, numbered.c.id, numbered.c.number).where(
        numbered.c.place <= MOST_SHOWN
    )


def _newest(
    session: Session, workspace_id: int, seen: Mapping[int, int]
) -> tuple[dict[int, int], Collection[int]]:
    """Return how many messages came in each conversation after the id in *seen*, and the newest ids."""
    if not seen:
        return {}, ()
    values: dict[str, int] = {"workspace": workspace_id}
    for at, (conversation_id, after) in enumerate(seen.items()):
        values |= {f"conversation_{at}": conversation_id, f"seen_{at}": after}
    found = db.read_rows(session, _newest_query(len(seen)), **values)
    return {row.conversation_id: row.number for row in found}, [row.id for row in found]


def _lines(
    inbox: InboxContext, rows: Mapping[int, Row], ids: Collection[int]
) -> dict[int, list[tuple[int, NewLine]]]:
    """Return the messages of *ids* as lines, by conversation, each with its id."""
    entries = load_messages(inbox.session, inbox.workspace_id, None, ids, parts=False) if ids else []
    found: dict[int, list[tuple[int, NewLine]]] = {}
    for row in rows.values():
        adapter, own = inbox.adapter(row), [one for one in entries if one.conversation_id == row.id]
        for item in shown(own, row, name_of(row, adapter), adapter, inbox.now):
            entry, time = item.entry, durations.moment_beside(item.entry.sent_at, inbox.now)
            note = is_note(entry)
            if entry.direction == Direction.INTERNAL and not note:
                line = NewLine("", activity(entry)[1], time, False)
            else:
                readable = entry.unsent_at is None and not entry.hidden
                text = text_view.plain(entry.text).strip() if readable else ""
                line = NewLine(item.name, text[:EXCERPT] or item.bubble.label, time, note)
            found.setdefault(row.id, []).append((entry.id, line))
    return found
