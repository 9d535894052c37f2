"""The people who commented with a campaign's keyword, and their outcomes: rows and totals.

The state of a message is read from the message itself, so rows need no update.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.automation.facts import NEVER_WENT
from host.models.inbox import ARRIVED, Contact, ContactIdentity, DeliveryState, Message
from host.models.queue import OutboxEntry
from host.rules.models import CampaignPerson, PersonOutcome, RuleState
from host.rules.rules import RuleView

PAGE = 50


class Got(StrEnum):
    """Outcome of a campaign for a person, including the state of the message."""

    GOT = "got"
    HAD = "had"
    """They already had it when they last wrote the keyword."""
    WAITS = "waits"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of people who commented with a campaign's keyword, by outcome.

    :param read: number of those who have read the reply; *answered*: who have answered it.
    """

    got: int = 0
    had: int = 0
    waits: int = 0
    refused: int = 0
    read: int = 0
    answered: int = 0

    @property
    def people(self) -> int:
        return self.got + self.had + self.waits + self.refused


class Person(msgspec.Struct, frozen=True):
    """A person in the list.

    :param id: cursor; the id of their last message with the keyword.
    :param wrote: that message; empty: it was unsent.
    :param messages: number of their messages with the keyword.
    :param reason: why nothing was sent, or no public answer; empty if everything was done.
    :param state: state of the private reply; *error*: its error; *waiting*: what it waits for.
    :param sent_at: when the private reply was written.
    :param number: number of the public answer they got, from 1; 0: none.
    :param answered_at: when they answered the private reply; None: they did not.
    """

    id: int
    contact_id: int
    conversation_id: int
    name: str
    handle: str
    wrote: str
    taken_back: bool
    messages: int
    at: datetime
    got: Got
    reason: str
    private_id: int | None
    state: str
    error: Mapping[str, Any]
    waiting: Mapping[str, Any]
    sent_at: datetime | None
    number: int
    public_state: str
    again_at: datetime | None
    answered_at: datetime | None


_private = aliased(Message)
_public = aliased(Message)
_comment = aliased(Message)
_got = sa.case(
    (CampaignPerson.outcome == PersonOutcome.HAD, Got.HAD),
    (CampaignPerson.outcome == PersonOutcome.REFUSED, Got.REFUSED),
    # A message that no longer exists, such as with its account, had been sent.
    (_private.state.in_(NEVER_WENT), Got.REFUSED),
    (_private.state.not_in(ARRIVED), Got.WAITS),
    (CampaignPerson.again_at.is_not(None), Got.HAD),
    else_=Got.GOT,
)


def has_ended(one: RuleView, counts: Counts, now: datetime) -> bool:
    """Return whether a campaign has ended, by its end date or its number of people."""
    campaign = None if one.body is None else one.body.campaign
    if campaign is None or one.state != RuleState.LIVE:
        return False
    if campaign.until is not None and campaign.until <= now:
        return True
    return bool(campaign.people) and counts.got + counts.had + counts.waits >= campaign.people


def counted(
    session: Session, rules: Collection[int], accounts: Collection[int] | None = None
) -> dict[int, Counts]:
    """Return the counts of campaigns that have any, in one statement.

    :param accounts: those the viewer may see; None: all.
    """
    if not rules:
        return {}
    read = sa.func.sum(sa.case((_private.state == DeliveryState.READ, 1), else_=0))
    query = (
        sa.select(
            CampaignPerson.rule_id,
            _got.label("got"),
            sa.func.count(),
            read,
            sa.func.count(CampaignPerson.answered_at),
        )
        .outerjoin(_private, _private.id == CampaignPerson.private_id)
        .where(CampaignPerson.rule_id.in_(rules), *_of(accounts))
        .group_by(CampaignPerson.rule_id, sa.literal_column("got"))
    )
    found: dict[int, dict[str, int]] = {}
    for rule_id, got, number, were_read, answered in session.execute(query):
        mine = found.setdefault(rule_id, {"read": 0, "answered": 0})
        mine[str(got)] = number
        mine["read"] += int(were_read or 0)
        mine["answered"] += answered
    return {rule_id: Counts(**numbers) for rule_id, numbers in found.items()}


def _of(accounts: Collection[int] | None) -> tuple[Any, ...]:
    return () if accounts is None else (CampaignPerson.account_id.in_(accounts),)


def listing(
    session: Session,
    rule_id: int,
    *,
    got: Got | None = None,
    search: str = "",
    accounts: Collection[int] | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Person]:
    """Return people of a campaign, the most recent comment first, in one statement.

    :param got: only those with this outcome; None: all.
    :param search: a part of their name, or of their handle.
    :param accounts: those the viewer may see; None: all.
    :param before: the id of the person to continue from.
    """
    query = (
        sa.select(
            CampaignPerson,
            _got.label("got"),
            ContactIdentity.contact_id,
            sa.func.coalesce(Contact.name, ContactIdentity.name).label("name"),
            ContactIdentity.username,
            _comment.text,
            _comment.unsent_at,
            _private.state.label("private_state"),
            _private.error,
            _private.sent_at,
            _public.state.label("public_state"),
            OutboxEntry.waiting,
        )
        .join(ContactIdentity, ContactIdentity.id == CampaignPerson.identity_id)
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .outerjoin(_comment, _comment.id == CampaignPerson.message_id)
        .outerjoin(_private, _private.id == CampaignPerson.private_id)
        .outerjoin(_public, _public.id == CampaignPerson.public_id)
        .outerjoin(OutboxEntry, OutboxEntry.message_id == CampaignPerson.private_id)
        .where(CampaignPerson.rule_id == rule_id, *_of(accounts))
        .order_by(CampaignPerson.message_id.desc())
        .limit(limit)
    )
    if got is not None:
        query = query.where(_got == got)
    if search:
        like = f"%{search.lstrip('@').lower().replace('|', '||').replace('%', '|%').replace('_', '|_')}%"
        named = [sa.func.lower(one).like(like, escape="|") for one in _NAMES]
        query = query.where(sa.or_(*named))
    if before is not None:
        query = query.where(CampaignPerson.message_id < before)
    return [_person(row) for row in session.execute(query)]


_NAMES = (Contact.name, ContactIdentity.name, ContactIdentity.username)


def _person(row: Any) -> Person:
    one: CampaignPerson = row.CampaignPerson
    return Person(
        id=one.message_id,
        contact_id=row.contact_id,
        conversation_id=one.conversation_id,
        name=row.name or "",
        handle=row.username or "",
        wrote=row.text or "",
        taken_back=row.unsent_at is not None,
        messages=one.messages,
        at=one.at,
        got=Got(row.got),
        reason=one.reason or "",
        private_id=one.private_id,
        state=row.private_state or "",
        error=row.error or {},
        waiting=row.waiting or {},
        sent_at=row.sent_at,
        number=one.public_number or 0,
        public_state=row.public_state or "",
        again_at=one.again_at,
        answered_at=one.answered_at,
    )
