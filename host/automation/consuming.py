"""Read the record, and write what there is to do because of it.

A run and the consumer's position are one write, and there is one run of a kind for what began a chain of
events: whoever dies, and from wherever it is read once more, nothing is there twice. What the desk did by
itself begins nothing. Where nobody chose anything, a batch of events costs one look at an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import restored
from host.automation import settings as account_settings
from host.automation.assistants import turns
from host.automation.deciding import DEEPEST, TOO_LATE, RunKind, Settings, decide
from host.automation.facts import known
from host.automation.rules import answering, passing, public_answers
from host.core import clock, db
from host.core.ports import RuleDirectory
from host.models.automation import AutomationRun
from host.models.inbox import Conversation
from host.models.record import ActorKind
from host.record import catalogue
from host.record.catalogue import OfMessage
from host.record.reading import Recorded
from host.users import hours

TOO_OLD = timedelta(days=1)
"""A conversation that came so long ago, as before the workers stood still, stays where it is by now."""
_RUNS = cast(sa.Table, AutomationRun.__table__)
_ROUTED = {
    catalogue.CONVERSATION_CREATED: ActorKind.CUSTOMER,
    # A closed one is opened by the desk when its customer writes; what a person opens is theirs.
    catalogue.CONVERSATION_REOPENED: ActorKind.SYSTEM,
}
"""Which events bring a conversation that is to go to somebody, and who is behind them."""


class Automating:
    """The consumer that writes what there is to do."""

    name = "automation"
    from_beginning = False
    batch = 200
    shown = False

    def __init__(self, directory: Callable[[], RuleDirectory]) -> None:
        self._directory = directory
        self._since: datetime | None = None
        """From when on anything is said; None: not looked yet. It is set where no process runs."""

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Write what accounts, rules and assistants are to do because of *events*."""
        now = clock.now()
        since = self._since = self._since or restored.since(session)
        runs = [
            *self._of_rules(session, events, now, since),
            *self._of_accounts(session, events, now, since),
            *answering.runs(session, events, now),
        ]
        turns.note(session, events, self._directory(), now, since)
        if runs:
            session.execute(db.insert_ignore(_RUNS, session.get_bind().dialect.name), runs)
        # Last: whoever does a run locks its conversation first, which the rows above refer to.
        public_answers.wake(session, events, now)

    def _of_rules(
        self, session: Session, events: Sequence[Recorded], now: datetime, since: datetime
    ) -> Sequence[Mapping[str, Any]]:
        about = [one for one in events if one.occurred_at >= since and passing.counts(one, now)]
        return passing.runs(session, about, self._directory(), now, since) if about else []

    def _of_accounts(
        self, session: Session, events: Sequence[Recorded], now: datetime, since: datetime
    ) -> Sequence[Mapping[str, Any]]:
        about = [one for one in events if _counts(one, now)]
        accounts = {one.account_id for one in about if one.account_id is not None}
        wanted = account_settings.of_accounts(session, accounts)
        if not wanted:
            return []
        mine = [(one, wanted[one.account_id]) for one in about if one.account_id in wanted]
        fresh = [(one, its) for one, its in mine if one.occurred_at >= since]
        return [*_routing(session, mine, now), *_words(session, fresh, now)]


def _counts(event: Recorded, now: datetime) -> bool:
    """Tell whether something may be done because of *event*."""
    if event.conversation_id is None or event.account_id is None or event.depth >= DEEPEST:
        return False
    if event.actor_kind == ActorKind.SYSTEM and event.cause_id is not None:
        return False  # the desk's own doing
    if event.kind == catalogue.MESSAGE_RECEIVED:
        return event.message_id is not None and not event.facts(OfMessage).late
    return event.kind in _ROUTED and event.actor_kind == _ROUTED[event.kind] and now - event.at < TOO_OLD


def _routing(
    session: Session, mine: Iterable[tuple[Recorded, Settings]], now: datetime
) -> list[Mapping[str, Any]]:
    """Return the runs of conversations that are to go to somebody and are still there."""
    routed = [(one, its) for one, its in mine if its.routes and one.kind in _ROUTED]
    if not routed:
        return []
    ids = {one.conversation_id for one, _its in routed}
    there = set(session.scalars(sa.select(Conversation.id).where(Conversation.id.in_(ids))))
    return [_run(one, RunKind.ROUTING, its, now) for one, its in routed if one.conversation_id in there]


def _words(
    session: Session, mine: Iterable[tuple[Recorded, Settings]], now: datetime
) -> list[Mapping[str, Any]]:
    """Return the runs of what may be said; it is decided once more when it is."""
    spoken = [
        (one, its)
        for one, its in mine
        if its.speaks and one.kind == catalogue.MESSAGE_RECEIVED and now - one.at < TOO_LATE
    ]
    if not spoken:
        return []
    found = known(session, [one.message_id for one, _its in spoken if one.message_id is not None])
    theirs = hours.load(session, {its.workspace_id for _one, its in spoken})
    runs = []
    for one, its in spoken:
        about = found.get(one.message_id or 0)
        if about is None:
            continue
        talk = about.talk(now, theirs.of(its.workspace_id, its.team_id))
        if decide(its, talk).says:
            runs.append(_run(one, RunKind.WORDS, its, now))
    return runs


def _run(event: Recorded, kind: RunKind, its: Settings, now: datetime) -> Mapping[str, Any]:
    return passing.row_of(event, kind, its.account_id, its.version, now)
