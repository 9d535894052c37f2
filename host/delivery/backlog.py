"""What waits in a long queue before a limit: its agents are told, and what may not go out any more fails.

Lanes of an account whose limit is used up for a moment are not claimed, so that waiting costs nothing. Should
the moments follow each other, somebody has to look after those at the end of the queue.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db
from host.channels.models import ChannelAccount
from host.delivery import gate, lanes, outbound, policy
from host.delivery.models import Lane, OutboxEntry
from host.delivery.ports import AdapterDirectory
from host.inbox.models import Conversation, DeliveryState, Message, Origin
from host.live.publish import Change, publish_many
from host.sdk.accounts import ref
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyContext, ReplyState

log = logging.getLogger(__name__)

MOST = 500
"""Messages told of in one write."""
MOST_LOOKED_AT = 5_000

_earlier = sa.orm.aliased(OutboxEntry)


def _heads(account_id: int, now: datetime) -> sa.Select[int, Conversation, str, str]:
    """Return the first open entries of the account's lanes that have been due for a while."""
    before = sa.select(_earlier.id).where(
        _earlier.lane == OutboxEntry.lane, _earlier.open.is_(True), _earlier.id < OutboxEntry.id
    )
    return (
        sa.select(OutboxEntry.message_id, Conversation, Message.origin, Lane.key)
        .join(Message, Message.id == OutboxEntry.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Lane, Lane.key == OutboxEntry.lane)
        .where(
            OutboxEntry.account_id == account_id,
            OutboxEntry.open.is_(True),
            Message.state == DeliveryState.QUEUED,
            Lane.next_at <= now - policy.WAIT_SHOWN,
            sa.or_(Lane.lease_until.is_(None), Lane.lease_until <= now),
            ~before.exists(),
        )
        .order_by(OutboxEntry.id)
    )


def look_after(directory: AdapterDirectory) -> None:
    """Tell what has begun to wait, and let what waited too long fail."""
    for account_id, sentence in gate.current().waiting(policy.WAIT_SHOWN).items():
        while db.write(_tell, account_id, sentence) == MOST:
            pass
        for lane in _closed(account_id, directory):
            lease = db.write(lanes.claim_one, lane)
            if lease is not None:
                outbound.work(lease, directory)


def _tell(session: Session, account_id: int, sentence: str) -> int:
    """Tell the agents of messages that wait what for; return how many there were."""
    now = clock.now()
    session.execute(
        sa.update(ChannelAccount)
        .where(
            ChannelAccount.id == account_id,
            sa.or_(
                ChannelAccount.limited_until.is_(None),
                ChannelAccount.limited_until < now + policy.LIMIT_KNOWN / 2,
            ),
        )
        .values(limited_until=now + policy.LIMIT_KNOWN)
    )
    query = _heads(account_id, now).where(OutboxEntry.waiting.is_(None)).limit(MOST)
    rows = session.execute(query.with_for_update(of=OutboxEntry, skip_locked=True)).all()
    if rows:
        session.execute(
            sa.update(OutboxEntry)
            .where(OutboxEntry.message_id.in_([row.message_id for row in rows]))
            .values(waiting={"sentence": sentence, "until": None})
        )
    publish_many(
        session,
        [
            Change(
                conversation.workspace_id,
                "state",
                {"conversation": conversation.id, "message": message_id, "state": str(DeliveryState.QUEUED)},
            )
            for message_id, conversation, _origin, _lane in rows
        ],
    )
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Waiting:
    lane: str
    context: ReplyContext

    def may_go(self, adapter: ChannelAdapter) -> bool:
        state = adapter.reply_policy(self.context).state
        return state is ReplyState.OPEN or (state is ReplyState.PEOPLE_ONLY and self.context.by_person)


def _closed(account_id: int, directory: AdapterDirectory) -> list[str]:
    """Return the lanes whose first message may not go out any more."""
    now = clock.now()
    with db.read() as session:
        row = session.get(ChannelAccount, account_id)
        adapter = None if row is None else directory.adapter(row.channel)
        if row is None or adapter is None:
            return []
        account: AccountRef = ref(row)
        found = [
            _Waiting(
                lane,
                ReplyContext(account, now, conversation.last_inbound_at, by_person=origin == Origin.AGENT),
            )
            for _message_id, conversation, origin, lane in session.execute(
                _heads(account_id, now).limit(MOST_LOOKED_AT)
            )
        ]
    try:
        return [one.lane for one in found if not one.may_go(adapter)]
    except Exception:
        log.exception("the adapter of %s cannot tell whether a reply is allowed", account.channel)
        return []
