"""Automatic messages of the day, those that could not be sent, and what was left unsaid, with why.

The messages of a day are found by the conversations that were active in it: messages have no index by time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.automation.words import said as words_of
from host.features import registry
from host.features.today import AutomaticKind, TodayAsked, TodayRow, TodaySection
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, DeliveryState, Direction, Message, Origin
from host.today.customers import of_today
from host.web.languages import gettext as _

_SAID, _FAILED, _SKIPPED = "said-", "failed-", "left-"
_OTHER = 0
NOT_SENT = (DeliveryState.CANCELLED, DeliveryState.FAILED)
WANTED = (
    *("late", "budget", "automatic_limit", "account_stopped", "addon_off", "addon_failed", "call_failed"),
    *("window_closed", "people_only", "unfilled", "private_late", "private_unknown", "error"),
)
"""The reasons for which automation would have said something, but couldn't. For others it had no need to."""


def _kinds() -> list[AutomaticKind]:
    found = [one for part in registry.hooks().automatic_messages() for one in part]
    return sorted(found, key=lambda one: one.order)


def _messages(asked: TodayAsked) -> sa.Select[Any]:
    """Select the conversation of each automatic message of the day."""
    return (
        sa.select(Conversation.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(
            *of_today(asked),
            Message.sent_at >= asked.since,
            Message.direction == Direction.OUTBOUND,
            Message.origin == Origin.SYSTEM,
        )
    )


def _numbered(kinds: Sequence[AutomaticKind]) -> Any:
    """Return the number of a message's kind, from 1, else :data:`_OTHER`."""
    if not kinds:
        return sa.literal(_OTHER)
    found = [
        (Message.reply_key.startswith(one.begins, autoescape=True), number)
        for number, one in enumerate(kinds, 1)
    ]
    return sa.case(*found, else_=_OTHER)


def said(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield how many automatic messages of each kind were sent, or wait to be. One statement."""
    kinds = _kinds()
    sent = (
        _messages(asked)
        .add_columns(_numbered(kinds).label("kind"))
        .where(Message.state.not_in(NOT_SENT))
        .subquery()
    )
    query = sa.select(sent.c.kind, sa.func.count(), sa.func.count(sent.c.id.distinct())).group_by(sent.c.kind)
    for kind, messages, talks in session.execute(query):
        label = _("Other automatic messages") if kind == _OTHER else str(kinds[kind - 1].label)
        yield TodayRow(
            TodaySection.SAID,
            999 if kind == _OTHER else kinds[kind - 1].order,
            label,
            messages,
            key=_SAID + ("other" if kind == _OTHER else kinds[kind - 1].begins.rstrip("-")),
            detail=ngettext("in %(num)s conversation", "in %(num)s conversations", talks),
        )


def _failures(session: Session, asked: TodayAsked) -> dict[str, list[int]]:
    """Return the conversations of each sentence that says why a message was not sent. One statement.

    Without a sentence, a person took it back.
    """
    query = _messages(asked).add_columns(Message.error).where(Message.state.in_(NOT_SENT))
    found: dict[str, list[int]] = {}
    for conversation_id, error in session.execute(query.order_by(Message.id.desc())):
        sentence = (error or {}).get("sentence")
        if sentence:
            found.setdefault(sentence, []).append(conversation_id)
    return found


def failed(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield how many automatic messages were not sent, by why. One statement."""
    for sentence, talks in _failures(session, asked).items():
        key = _FAILED + _digest(sentence)
        yield TodayRow(TodaySection.UNSENT, -len(talks), _(sentence), len(talks), key=key, tone="warn")


def _digest(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:12]


def _left(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of automation that was not done for a reason that is nobody's wish."""
    unwanted = sa.and_(AutomationRun.state == RunState.SKIPPED, AutomationRun.reason.in_(WANTED))
    return [
        *of_today(asked),
        AutomationRun.created_at >= asked.since,
        sa.or_(AutomationRun.state == RunState.FAILED, unwanted),
    ]


def skipped(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield how often automation could not say anything, by why. One statement."""
    runs = (
        sa.select(AutomationRun.reason, sa.func.count())
        .select_from(Conversation)
        .join(AutomationRun, AutomationRun.conversation_id == Conversation.id)
        .where(*_left(asked))
        .group_by(AutomationRun.reason)
    )
    for reason, number in session.execute(runs):
        key = _SKIPPED + (reason or "error")
        yield TodayRow(
            TodaySection.UNSENT, -number, words_of(reason or "error"), number, key=key, tone="warn"
        )


def conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the newest conversations behind a number of this module."""
    order = Conversation.last_message_at.desc(), Conversation.id.desc()
    if key.startswith(_FAILED):
        found = (talks for one, talks in _failures(session, asked).items() if key == _FAILED + _digest(one))
        return list(dict.fromkeys(next(found, [])))[:most]
    if key.startswith(_SAID):
        kinds, name = _kinds(), key.removeprefix(_SAID)
        numbers = {one.begins.rstrip("-"): number for number, one in enumerate(kinds, 1)} | {"other": _OTHER}
        query = _messages(asked).where(
            Message.state.not_in(NOT_SENT), _numbered(kinds) == numbers.get(name, -1)
        )
    elif key.startswith(_SKIPPED):
        reason = key.removeprefix(_SKIPPED)
        its = AutomationRun.reason == reason
        query = (
            sa.select(Conversation.id)
            .join(AutomationRun, AutomationRun.conversation_id == Conversation.id)
            .where(*_left(asked), sa.or_(its, AutomationRun.reason.is_(None)) if reason == "error" else its)
        )
    else:
        return None
    columns = Conversation.id, Conversation.last_message_at
    found_ids = query.with_only_columns(*columns).distinct().order_by(*order).limit(most)
    return session.scalars(found_ids).all()
