"""Campaigns: the people who commented with the keyword, and the replies they got. One row per person.

A person is a contact: the row refers to one of their identities, so it stays with them when contacts are
merged or split. Writers of a row lock the contact, so of two concurrent comments, in two conversations about
two posts, the second sees the result of the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host import counters
from host.automation.facts import NEVER_WENT
from host.core import db
from host.core.statements import Statement
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.reading import Recorded
from host.inbox.comments import private_reply
from host.models.channels import ChannelAccount
from host.models.inbox import ARRIVED, Contact, ContactIdentity, Conversation, DeliveryState, Message
from host.rules.body import Campaign
from host.rules.models import CampaignPerson, PersonOutcome, Rule

USED = private_reply.PrivateReplyUsedError.code
"""Reason code: a private reply was already sent to them."""


class Took(msgspec.Struct, frozen=True):
    """The result of a campaign for one comment.

    :param reason: why nothing was sent, or no public answer; empty if everything was done.
    :param number: number of the public answer used, from 1; 0: none.
    """

    reason: str = ""
    private_id: int | None = None
    public_id: int | None = None
    number: int = 0

    @property
    def outcome(self) -> PersonOutcome:
        if self.private_id is not None:
            return PersonOutcome.ANSWERED
        return PersonOutcome.HAD if self.reason == USED else PersonOutcome.REFUSED


def lock_person(session: Session, contact_id: int) -> None:
    """Lock a contact, so that no other of their conversations is processed at the same time."""
    theirs_alone = sa.select(Contact.id).where(Contact.id == contact_id)
    session.execute(theirs_alone.with_for_update(key_share=True))


class Asker(msgspec.Struct, frozen=True):
    """The person who commented with the keyword, locked until the write ends.

    :param row: their row in the campaign; None: none yet.
    """

    row: CampaignPerson | None


def asker(session: Session, rule_id: int, contact_id: int) -> Asker:
    """Lock a person, and return them with their row in a campaign."""
    lock_person(session, contact_id)
    return Asker(_of_person(session, rule_id, contact_id))


def hindrance(
    session: Session, rule_id: int, campaign: Campaign, comment: Any, asks: Asker, now: datetime
) -> str:
    """Return why a campaign ignores a comment of a locked conversation; empty if it does not.

    A reply that was refused, or definitely failed, does not count: another comment is another attempt.

    :param comment: its ``account_id`` and ``external_id``.
    """
    if asks.row is not None and _is_done(session, asks.row):
        return "once"
    if comment.external_id is not None:
        ours = private_reply.answered(session, comment.account_id, comment.external_id)
        if ours is not None and ours.state not in NEVER_WENT:
            return USED
    if campaign.until is not None and now >= campaign.until:
        return "ended"
    if campaign.people:
        # If two people would be the last at the same time, the second sees the first.
        session.execute(sa.select(Rule.id).where(Rule.id == rule_id).with_for_update())
        if got(session, rule_id) >= campaign.people:
            return "ended"
    return ""


def got(session: Session, rule_id: int) -> int:
    """Return the number of people a campaign has answered."""
    count = (
        sa.select(sa.func.count())
        .select_from(CampaignPerson)
        .join(Message, Message.id == CampaignPerson.private_id)
        .where(CampaignPerson.rule_id == rule_id, Message.state.not_in(NEVER_WENT))
    )
    return session.scalar(count) or 0


def _of_person(session: Session, rule_id: int, contact_id: int) -> CampaignPerson | None:
    """Return the row of a person. If merged contacts have several, return the one that got the reply."""
    query = (
        sa.select(CampaignPerson)
        .join(ContactIdentity, ContactIdentity.id == CampaignPerson.identity_id)
        .where(CampaignPerson.rule_id == rule_id, ContactIdentity.contact_id == contact_id)
        .order_by(CampaignPerson.private_id.is_(None), CampaignPerson.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def note(
    session: Session,
    rule_id: int,
    conversation: Conversation,
    message: Any,
    took: Took,
    now: datetime,
    asks: Asker | None = None,
) -> None:
    """Store the result of a campaign for a comment.

    :param message: its id and ``sent_at``.
    :param asks: the author, if already locked.
    """
    row = (asks or asker(session, rule_id, conversation.contact_id)).row
    if row is None:
        row = CampaignPerson(
            workspace_id=conversation.workspace_id,
            rule_id=rule_id,
            identity_id=conversation.identity_id,
            account_id=conversation.account_id,
            messages=0,
        )
        session.add(row)
    row.messages += 1
    row.conversation_id, row.message_id, row.at = conversation.id, message.id, min(message.sent_at, now)
    if took.private_id is None and _is_done(session, row):
        # Keep the reply they got, whatever the result of a later comment.
        row.again_at = row.at if _state(session, row.private_id) in ARRIVED else row.again_at
    else:
        row.outcome, row.reason, row.again_at = took.outcome, took.reason or None, None
        row.private_id, row.public_id = took.private_id, took.public_id
        row.public_number = took.number or None
    session.flush()


def note_public(session: Session, rule_id: int, contact_id: int, private_id: int, took: Took) -> None:
    """Store the result of the public answer to a person, unless they have got another private reply since."""
    row = asker(session, rule_id, contact_id).row
    if row is not None and row.private_id == private_id:
        row.reason, row.public_id, row.public_number = (
            took.reason or None,
            took.public_id,
            took.number or None,
        )
        session.flush()


def _is_done(session: Session, row: CampaignPerson) -> bool:
    """Return whether a person got the reply, will get it, or had one before."""
    state = _state(session, row.private_id)
    return row.outcome == PersonOutcome.HAD or (state is not None and state not in NEVER_WENT)


def _state(session: Session, message_id: int | None) -> str | None:
    if message_id is None:
        return None
    return session.scalar(sa.select(Message.state).where(Message.id == message_id))


def next_turn(session: Session, rule_id: int) -> int:
    """Count one more public answer of a rule; return the previous number."""
    connection, asked = session.connection(), {"rule": rule_id}
    _count_turn.run(connection, asked)
    found = _turns.rows(connection, asked)
    return int(found[0][0]) - 1 if found else 0


_RULES = cast(sa.Table, Rule.__table__)
_asked = _RULES.c.id == sa.bindparam("rule")
_count_turn = Statement(sa.update(_RULES).where(_asked).values(turns=_RULES.c.turns + 1))
_turns = Statement(sa.select(_RULES.c.turns).where(_asked))


# ---- when they answer ----------------------------------------------------------------------------------

_theirs = aliased(ContactIdentity)


_shared: tuple[tuple[object, int], frozenset[int | None]] | None = None


def _beside(session: Session) -> frozenset[int | None]:
    """Return the accounts attached to another account, reloaded when an account changes."""
    global _shared  # noqa: PLW0603 - one value of the process
    seen, kept = (db.current(), counters.accounts()), _shared
    if kept is None or kept[0] != seen:
        query = sa.select(ChannelAccount.id).where(ChannelAccount.beside_id.is_not(None))
        kept = _shared = (seen, frozenset(session.scalars(query)))
    return kept[1]


def answered(session: Session, events: Sequence[Recorded]) -> list[tuple[Recorded, int]]:
    """Return which of *events* are first answers to a campaign's private reply.

        Each comes with the id of the campaign. The message is on the account that the comments account is
    attached to.
    """
    shared = _beside(session)
    mine = [
        one
        for one in events
        if one.kind == MESSAGE_RECEIVED and one.message_id is not None and one.account_id in shared
    ]
    if not mine:
        return []
    ids = db.padded({one.conversation_id for one in mine})
    found: dict[int, list[int]] = defaultdict(list)
    for id_, rule_id in _unanswered.rows(session.connection(), {"ids": ids}):
        found[id_].append(rule_id)
    return [(one, rule_id) for one in mine for rule_id in found.get(one.conversation_id or 0, ())]


_unanswered = Statement(
    sa.select(Conversation.id, CampaignPerson.rule_id)
    .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
    .join(_theirs, _theirs.contact_id == Conversation.contact_id)
    .join(
        CampaignPerson,
        sa.and_(
            CampaignPerson.identity_id == _theirs.id,
            CampaignPerson.account_id == ChannelAccount.beside_id,
        ),
    )
    .where(
        Conversation.id.in_(sa.bindparam("ids", expanding=True)),
        CampaignPerson.private_id.is_not(None),
        CampaignPerson.answered_at.is_(None),
    )
    .order_by(Conversation.id, CampaignPerson.rule_id)
)


def take_answer(session: Session, rule_id: int, contact_id: int, at: datetime) -> bool:
    """Note that a person answered the private reply of a campaign; return whether that was new."""
    lock_person(session, contact_id)
    row = _of_person(session, rule_id, contact_id)
    if row is None or not _is_answer(session, row, at):
        return False
    row.answered_at = at
    return True


def is_answer(session: Session, rule_id: int, contact_id: int, at: datetime) -> bool:
    """Return whether a message that a person wrote at *at* is their first answer to a campaign's private
    reply. Without a lock, so that may change."""
    row = _of_person(session, rule_id, contact_id)
    return row is not None and _is_answer(session, row, at)


def _is_answer(session: Session, row: CampaignPerson, at: datetime) -> bool:
    if row.private_id is None or row.answered_at is not None:
        return False
    went = sa.select(Message.sent_at).where(
        Message.id == row.private_id, Message.state.not_in([*NEVER_WENT, DeliveryState.QUEUED])
    )
    sent_at = session.scalar(went)
    return sent_at is not None and sent_at <= at  # or it was written before the reply


def names(facts: Mapping[str, Any]) -> Iterable[int]:
    """Return the campaigns that matched when a pass began: each records the result of the comment."""
    return [int(one) for one in facts.get("campaigns", ())]
