"""Apply a provider's changes to the inbox: load the rows a batch needs, decide the result, write it.

Applying the same change again changes nothing. Annotations of a missing message, and reports about one that
is still being sent, are kept as marks and applied when it arrives. A message of ours gets its id when the
provider answers a send, so marks are applied then, too. If two processes write a mark and its message
concurrently, the mark is applied later.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Statement
from host.inbox.apply.deciding import OF_ANOTHER, decide, decide_marked
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.loading import HeldConversationsError, load, load_marked
from host.inbox.apply.tables import CONVERSATIONS, IDENTITIES, MARKS, MESSAGES, has_name, names
from host.inbox.apply.values import Decided, Key
from host.inbox.apply.writing import write
from host.models.channels import ChannelAccount, ref
from host.queue import joined_lanes, lanes, policy, wakeups
from host.queue.joined_lanes import OnePerson

__all__ = [
    "OF_ANOTHER",
    "Applied",
    "HeldConversationsError",
    "Incoming",
    "apply_all_marks",
    "apply_changes",
    "apply_marks",
]

log = logging.getLogger(__name__)

MOST = 100
"""Number of messages :func:`apply_all_marks` handles in one write."""


class Applied(msgspec.Struct, frozen=True):
    """The result of a batch of changes.

    :param refused: reasons by id of journalled events of which no change was applied.
    :param made: ids of conversation and message, by id of the event that contained the message.
    :param joins: stored people who are one, by their identities' ids, the older first.
    :param joined: people whose lanes of received events this write joined.
    """

    refused: Mapping[int, str] = msgspec.field(default_factory=dict)
    made: Mapping[int, tuple[int | None, int]] = msgspec.field(default_factory=dict)
    joins: Collection[tuple[int, int]] = ()
    joined: Sequence[OnePerson] = ()


def apply_changes(session: Session, items: Sequence[Incoming], *, waits: bool = True) -> Applied:
    """Apply *items* in order, in this transaction, with a constant number of statements.

    The result does not depend on the order of a conversation's changes or on repeats. A change of a message
    that is not in a conversation of the same customer is refused.

    :param waits: whether to wait for conversations locked by another transaction.
    :raises HeldConversationsError: if not, and one is locked.
    """
    now = clock.now()
    loaded = load(session.connection(), items, waits=waits)
    decided = decide(loaded, items, now)
    made = write(session, decided)
    _follow_up(session, decided)
    joined = _join_lanes(session, decided.same) if decided.same else ()
    return Applied(decided.refused, made, decided.joins, joined)


def _join_lanes(session: Session, same: Iterable[Sequence[Key]]) -> Sequence[OnePerson]:
    people = [
        OnePerson(ids[0][0], frozenset(lanes.lane_key(wakeups.IN, *one) for one in ids))
        for ids in same
        if len(ids) > 1
    ]
    return joined_lanes.join(session, people) if people else ()


def _follow_up(session: Session, decided: Decided) -> None:
    """Schedule work that needs a separate write, after the commit."""
    if decided.confirmed:
        # Not in this write: a worker recording a provider's response holds its lane and may wait for the
        # message.
        found = frozenset((one.person.account.id, one.person.external_id) for one in decided.confirmed)
        db.after_commit(session, partial(_resume_lanes, found))
    keys = decided.overtaken
    if session.get_bind().dialect.name != "sqlite":
        # Another process may be writing the message of a mark concurrently.
        keys |= {mark.key for mark in decided.annotated.new_marks}
    if keys:
        db.after_commit(session, partial(apply_marks, keys))


def _resume_lanes(customers: Collection[Key]) -> None:
    """Make lanes due whose first message was just confirmed, so that the next one does not wait."""
    keys = [lanes.lane_key(wakeups.OUT, account_id, contact) for account_id, contact in customers]

    def resume(session: Session) -> None:
        with db.waiting_at_most(session, policy.LOCK_PATIENCE):
            lanes.make_due(session, keys, at=clock.now())

    try:
        db.write(resume)
    except db.HeldRowError:
        log.info("a lane of replies is locked; it goes on once its own time has come")
    wakeups.wake(wakeups.OUT)


# ---- annotations whose message arrived later ---------------------------------------------------------


def apply_marks(keys: Collection[Key]) -> None:
    """Apply the marks of the messages *keys*, if any. Call it after a commit."""
    try:
        with db.read() as session:
            rows = _marked.rows(session.connection(), names(keys))
        marked = [(account, name) for account, name in rows if (account, name) in keys]
        if marked:
            db.write(_apply_marks, marked, waits=False)
    except HeldConversationsError as error:
        log.info("annotations wait: %s", error)
    except Exception:
        log.exception("annotations of a message could not be applied yet; it is tried again")


def apply_all_marks() -> None:
    """Apply every mark whose message has arrived."""
    same = sa.and_(MESSAGES.c.account_id == MARKS.c.account_id, MESSAGES.c.external_id == MARKS.c.external_id)
    query = sa.select(MARKS.c.account_id, MARKS.c.external_id).join(MESSAGES, same).distinct().limit(MOST)
    with db.read() as session:
        keys = [(row.account_id, row.external_id) for row in session.execute(query)]
    if keys:
        db.write(_apply_marks, keys)


_marked = Statement(sa.select(MARKS.c.account_id, MARKS.c.external_id).where(has_name(MARKS)))


def _apply_marks(session: Session, keys: Collection[Key], *, waits: bool = True) -> None:
    query = (
        sa.select(ChannelAccount, IDENTITIES.c.external_id)
        .join(MARKS, MARKS.c.account_id == ChannelAccount.id)
        .join(IDENTITIES, IDENTITIES.c.id == MARKS.c.identity_id)
        .where(
            MARKS.c.account_id.in_({account for account, _ in keys}),
            MARKS.c.external_id.in_({external for _, external in keys}),
        )
    )
    # Whom a report names may be known by another id, so the customers of the messages are needed, too.
    owners = (
        sa.select(ChannelAccount, IDENTITIES.c.external_id)
        .join(IDENTITIES, IDENTITIES.c.account_id == ChannelAccount.id)
        .join(CONVERSATIONS, CONVERSATIONS.c.identity_id == IDENTITIES.c.id)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .where(has_name(MESSAGES))
    )
    rows = [*session.execute(query), *session.execute(owners, names(keys))]
    people = {(account.id, contact): ref(account) for account, contact in rows}
    loaded = load_marked(session.connection(), people, keys, waits=waits)
    write(session, decide_marked(loaded, clock.now()))
