"""Build spans and hourly sums from the event log, each event once.

A span is derived only from the events of its conversation, in order. A wait begins with a customer's message
and ends with the first message of the team written after it: a message that crossed with the question is no
answer, and neither is an automatic one. What automation and campaigns send and close is summed apart. The
team is the one assigned at the time, as far as the event log says. Sums are added to the row of their hour,
in the transaction that moves the consumer, and can be rebuilt from events and spans; see :func:`rebuild`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.backports.values import replace
from host.core.db import padded
from host.core.statements import Insert, Statement
from host.events import reading
from host.events.consuming import ConsumerContext
from host.events.kinds.conversations import (
    CONVERSATION_CLOSED,
    CONVERSATION_CREATED,
    CONVERSATION_REOPENED,
    CONVERSATION_TEAM_ASSIGNED,
    OfConversation,
    OfTeam,
)
from host.events.kinds.messages import MESSAGE_FAILED, MESSAGE_RECEIVED, MESSAGE_SENT, OfMessage, is_claimed
from host.events.models import ActorKind, Consumer
from host.events.reading import BEGINNING, Position, Recorded
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationStatus
from host.reports import resuming
from host.reports.models import AUTOMATION, CAMPAIGN, ReportHour, ReportTeamHour, Span, SpanEnd, SpanKind
from host.reports.windows import ChannelWindows
from host.sdk import strictjson

_HOURS = cast(sa.Table, ReportHour.__table__)
_TEAM_HOURS = cast(sa.Table, ReportTeamHour.__table__)
SUMS = [column.name for column in _HOURS.columns if not column.primary_key]
TEAM_SUMS = [column.name for column in _TEAM_HOURS.columns if not column.primary_key]
_COUNTED = {
    MESSAGE_RECEIVED: "received",
    MESSAGE_SENT: "sent",
    MESSAGE_FAILED: "failed",
    CONVERSATION_CREATED: "created",
    CONVERSATION_REOPENED: "reopened",
    CONVERSATION_CLOSED: "closed",
}
_AUTOMATIC = frozenset({ActorKind.SYSTEM, ActorKind.ADDON})
_DONE = frozenset({MESSAGE_SENT, MESSAGE_FAILED, CONVERSATION_CLOSED})
"""Events that automation causes, too, which count apart from those of the team."""
_MEASURED = frozenset(_COUNTED) - {MESSAGE_FAILED} | {CONVERSATION_TEAM_ASSIGNED}


class Key(NamedTuple):
    """The key of one row of sums; without a team, the row covers all conversations."""

    workspace_id: int
    hour: datetime
    account_id: int
    user_id: int
    team_id: int = 0


@dataclass(slots=True)
class Stretch:
    """A span being measured: just the columns of :class:`Span`."""

    workspace_id: int
    account_id: int
    conversation_id: int
    kind: str
    started_at: datetime
    ended_at: datetime | None = None
    hour: datetime | None = None
    ended_by: str | None = None
    user_id: int = 0
    seconds: int | None = None
    answered: bool = False
    window_until: datetime | None = None
    target_seconds: int | None = None
    team_id: int | None = None
    id: int = 0
    """0: it has no row yet."""


_SPANS = cast(sa.Table, Span.__table__)
_NAMES = [one.name for one in fields(Stretch)]
_WRITTEN = _NAMES[:-1]
_CHANGING = _WRITTEN[_WRITTEN.index("ended_at") :]
_open = Statement(
    sa.select(*(_SPANS.c[name] for name in _NAMES)).where(
        _SPANS.c.conversation_id.in_(sa.bindparam("ids", expanding=True)), _SPANS.c.ended_at.is_(None)
    )
)
_change = Statement(sa.update(_SPANS).where(_SPANS.c.id == sa.bindparam("its_id")))
_insert = Insert(_SPANS)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Sums = defaultdict[Key, defaultdict[str, int]]


def new_sums() -> Sums:
    """Return empty sums."""
    return defaultdict(lambda: defaultdict(int))


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour of *at*."""
    return at.replace(minute=0, second=0, microsecond=0)


def consumer(context: ConsumerContext) -> Counting:
    """Return the consumer that keeps spans and sums."""
    return Counting(ChannelWindows(context.generation))


class Counting:
    """The consumer that keeps spans and sums.

    :param windows: asked once for each customer's message.
    """

    name = "reports"
    from_beginning = True
    batch = 500
    shown = False

    def __init__(self, windows: resuming.Windows) -> None:
        self._windows = windows

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Count *events*, and begin and end spans."""
        sums = new_sums()
        teams = teams_of(session, events, {})
        for event, team in zip(events, teams, strict=True):
            count(sums, event, team)
        for span in self._measure(session, events, teams):
            add_span(sums, span)
        write_sums(session, sums)

    def begin_again(self, session: Session, off_since: datetime) -> None:
        """Note when reports were disabled, and go on with the customers who wait."""
        resuming.note_period(session, off_since, clock.now())
        resuming.resume(session, self._windows, off_since)

    def _measure(self, session: Session, events: Sequence[Recorded], teams: Sequence[int]) -> list[Stretch]:
        """Begin and end spans; return those that ended.

        :param teams: the assigned team of the conversation of each of *events*; 0: none.
        """
        measured = [
            (event, team)
            for event, team in zip(events, teams, strict=True)
            if event.kind in _MEASURED and event.conversation_id and not is_claimed(event) and _counts(event)
        ]
        if not measured:
            return []
        accounts = _accounts(session, {event.account_id for event, _team in measured})
        connection = session.connection()
        ids = padded(sorted({event.conversation_id or 0 for event, _team in measured}))
        known = [Stretch(*row) for row in _open.rows(connection, {"ids": ids})]
        before = [replace(span) for span in known]
        open_: dict[int, dict[bool, Stretch]] = defaultdict(dict)
        for span in known:
            open_[span.conversation_id][span.kind == SpanKind.RESOLVE] = span
        ended: list[Stretch] = []
        begun: list[Stretch] = []
        for event, team in measured:
            account = accounts.get(event.account_id or 0)
            here = open_[event.conversation_id or 0]
            those = list(here.values())
            ended += self._step(begun, here, event, account)
            for span in (*those, *here.values()):
                span.team_id = team or None
        changed = [span for span, was in zip(known, before, strict=True) if span != was]
        _change.run_many(connection, [{"its_id": one.id, **_values(one, _CHANGING)} for one in changed])
        _insert.run(connection, [_values(one, _WRITTEN) for one in begun])
        return ended

    def _step(
        self,
        begun: list[Stretch],
        here: dict[bool, Stretch],
        event: Recorded,
        account: ChannelAccount | None,
    ) -> Iterable[Stretch]:
        """Process one event of a conversation; return the spans it ended.

        :param begun: receives the spans it begins.
        :param here: its open spans: the wait under False, the one to its closing under True.
        :param account: the account of the conversation; None: it is deleted.
        """
        whole = here.get(True)
        if event.kind in {CONVERSATION_CREATED, CONVERSATION_REOPENED}:
            if whole is None:
                here[True] = _begin(begun, event, SpanKind.RESOLVE)
            return ()
        if event.kind == MESSAGE_RECEIVED:
            # If the event log does not have the beginning, whether an answer would be the first is unknown.
            first = whole is not None and not whole.answered
            until = None if account is None else self._windows(account, event.occurred_at)
            wait = here.get(False)
            if wait is None:
                wait = here[False] = _begin(begun, event, SpanKind.FIRST if first else SpanKind.NEXT)
                wait.window_until = until
                wait.target_seconds = _target(account)
            elif until is None or wait.window_until is None:
                wait.window_until = None
            else:
                wait.window_until = max(wait.window_until, until)
            return ()
        if event.kind == MESSAGE_SENT:
            return self._answered(here, event)
        if event.kind == CONVERSATION_TEAM_ASSIGNED:
            return ()
        return [
            _end(here.pop(is_whole), event, SpanEnd.CLOSED) for is_whole in (False, True) if is_whole in here
        ]

    @staticmethod
    def _answered(here: dict[bool, Stretch], event: Recorded) -> Iterable[Stretch]:
        if event.actor_kind == ActorKind.SYSTEM:
            return ()
        wait, whole = here.get(False), here.get(True)
        if wait is not None and event.occurred_at < wait.started_at:
            return ()
        if whole is not None:
            whole.answered = True
        return () if wait is None else [_end(here.pop(False), event, SpanEnd.ANSWERED)]


def _begin(begun: list[Stretch], event: Recorded, kind: SpanKind) -> Stretch:
    assert event.conversation_id is not None
    span = Stretch(
        workspace_id=event.workspace_id,
        account_id=event.account_id or 0,
        conversation_id=event.conversation_id,
        kind=kind,
        started_at=event.occurred_at,
    )
    begun.append(span)
    return span


def _values(span: Stretch, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(span, name) for name in names}


def _target(account: ChannelAccount | None) -> int | None:
    """Return the account's current response target in seconds."""
    return None if account is None or account.reply_target is None else account.reply_target * 60


def _end(span: Stretch, event: Recorded, by: SpanEnd) -> Stretch:
    span.ended_at = max(event.occurred_at, span.started_at)
    span.hour = hour_of(span.ended_at)
    span.ended_by = by
    span.user_id = _user(event)
    span.seconds = int((span.ended_at - span.started_at).total_seconds())
    return span


def _user(event: Recorded) -> int:
    """Return the person who did it; 0: a program, or somebody in the provider's app."""
    if event.actor_kind == ActorKind.USER:
        return event.actor_id or 0
    if event.actor_kind not in _AUTOMATIC or event.kind not in _DONE:
        return 0
    if event.kind == CONVERSATION_CLOSED:
        return CAMPAIGN if event.facts(OfConversation).program == "campaign" else AUTOMATION
    return CAMPAIGN if event.facts(OfMessage).campaign else AUTOMATION


def _counts(event: Recorded) -> bool:
    """Return whether *event* is to be counted.

    A report of what this desk sent isn't, which was counted when it was sent. Nor is the beginning of a
    conversation in which nobody waits yet, such as that behind a private reply: its reopening is.
    """
    if event.kind == MESSAGE_SENT and event.actor_kind == ActorKind.PROVIDER:
        return not event.facts(OfMessage).copied
    if event.kind == CONVERSATION_CREATED:
        state = event.facts(OfConversation).state
        return state is None or state.status != ConversationStatus.CLOSED
    return True


def teams_of(session: Session, events: Sequence[Recorded], has: dict[int, int]) -> list[int]:
    """Return the team assigned to the conversation after each of *events*; 0: none.

    A conversation without assignment events has its current team.

    :param has: the teams of conversations according to earlier events; updated in place.
    """
    for event in events:
        if event.kind == CONVERSATION_TEAM_ASSIGNED:
            has.setdefault(event.conversation_id or 0, event.facts(OfTeam).before)
    ids = {event.conversation_id for event in events} - has.keys() - {None}
    now = sa.select(Conversation.id, Conversation.team_id).where(
        Conversation.id.in_(ids), Conversation.team_id.is_not(None)
    )
    here = {id_: int(team or 0) for id_, team in session.execute(now)} if ids else {}
    found = []
    for event in events:
        id_ = event.conversation_id or 0
        if event.kind == CONVERSATION_TEAM_ASSIGNED:
            has[id_] = event.facts(OfTeam).team
        found.append(has[id_] if id_ in has else here.get(id_, 0))
    return found


def count(sums: Sums, event: Recorded, team: int) -> None:
    """Add one event to *sums*.

    :param team: the team of its conversation; 0: none.
    """
    name = _COUNTED.get(event.kind)
    if name is not None and _counts(event):
        key = Key(event.workspace_id, hour_of(event.occurred_at), event.account_id or 0, _user(event))
        sums[key][name] += 1
        if team and name in TEAM_SUMS:
            sums[key._replace(team_id=team)][name] += 1


def add_span(sums: Sums, span: Span | Stretch) -> None:
    """Add an ended span to *sums*, unless it was a wait that ended without an answer."""
    if span.ended_at is None or (span.kind != SpanKind.RESOLVE and span.ended_by != SpanEnd.ANSWERED):
        return
    row = sums[Key(span.workspace_id, hour_of(span.ended_at), span.account_id, span.user_id)]
    row[f"{span.kind}_count"] += 1
    row[f"{span.kind}_seconds"] += span.seconds or 0


def _accounts(session: Session, ids: Collection[int | None]) -> dict[int, ChannelAccount]:
    query = sa.select(ChannelAccount).where(ChannelAccount.id.in_(ids))
    return {row.id: row for row in session.scalars(query)}


def _sums_with(table: sa.Table, names: Iterable[str], new: Any) -> dict[str, Any]:
    return {name: table.c[name] + new[name] for name in names}


@cache
def _adding(dialect: str, names: tuple[str, ...], of_team: bool) -> sa.Insert:
    """Return the statement that adds the columns *names* to existing sums."""
    if of_team:
        return db.insert_or_change(_TEAM_HOURS, dialect, partial(_sums_with, _TEAM_HOURS, names))
    return db.insert_or_change(_HOURS, dialect, partial(_sums_with, _HOURS, names))


def write_sums(session: Session, sums: Sums) -> None:
    """Add *sums* to the stored ones."""
    dialect = session.get_bind().dialect.name
    for key, row in sorted(sums.items()):
        of_team = bool(key.team_id)
        values = {**key._asdict(), **dict.fromkeys(TEAM_SUMS if of_team else SUMS, 0), **row}
        if not of_team:
            del values["team_id"]
        session.execute(_adding(dialect, tuple(sorted(row)), of_team), values)


def rebuild(session: Session, workspace_id: int) -> int:
    """Rebuild a workspace's sums from events and spans, as far back as those go; return the number of rows.

    The consumer waits meanwhile: events it has not processed are not counted here.
    """
    here = session.get(Consumer, Counting.name, with_for_update=True)
    if here is None:
        return 0
    done, position, sums = Position(here.place, here.event_id), BEGINNING, new_sums()
    first: datetime | None = None
    teams = _first_teams(session, workspace_id)
    more = True
    while more:
        batch = reading.after(session, position, 1000, workspace_id=workspace_id)
        events = [event for event in batch.events if event.position <= done]
        for event, team in zip(events, teams_of(session, events, teams), strict=True):
            first = first or event.at
            count(sums, event, team)
        position, more = batch.end, batch.more and len(events) == len(batch.events)
    if first is None:
        return 0
    # Events of the first hour in the log may have been partly removed.
    since = _LONG_AGO if _is_whole(session) else hour_of(first) + timedelta(hours=1)
    ended = sa.select(Span).where(Span.workspace_id == workspace_id, Span.ended_at >= since)
    for span in session.scalars(ended.execution_options(yield_per=1000)):
        add_span(sums, span)
    rows = {key: row for key, row in sums.items() if key.hour >= since}
    hours, of_teams = _HOURS.c, _TEAM_HOURS.c
    session.execute(sa.delete(_HOURS).where(hours.workspace_id == workspace_id, hours.hour >= since))
    session.execute(
        sa.delete(_TEAM_HOURS).where(of_teams.workspace_id == workspace_id, of_teams.hour >= since)
    )
    write_sums(session, cast(Sums, rows))
    return len(rows)


def _first_teams(session: Session, workspace_id: int) -> dict[int, int]:
    """Return the team of each conversation before its first team assignment in the event log."""
    events, found = reading.TABLE.c, dict[int, int]()
    query = sa.select(events.conversation_id, events.data).where(
        events.workspace_id == workspace_id, events.kind == CONVERSATION_TEAM_ASSIGNED
    )
    for id_, data in session.execute(query.order_by(events.id).execution_options(yield_per=1000)):
        found.setdefault(id_, strictjson.decode(data or "{}", OfTeam).before)
    return found


def _is_whole(session: Session) -> bool:
    """Return whether the event log is still complete."""
    return (session.scalar(sa.select(sa.func.min(reading.TABLE.c.id))) or 1) <= 1
