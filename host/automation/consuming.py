"""Read the event log, and create runs for its events.

A run and the consumer's position are one write, and there is one run per kind and root event. So a run is
never duplicated, even after a crash. Lobby's automatic actions start nothing. If no automation is set up, a
batch of events costs one index lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import buttons, restored
from host.automation import settings as account_settings
from host.automation.buttons import TappedButton
from host.automation.deciding import DEEPEST, TOO_LATE, RunKind, Settings, decide
from host.automation.facts import known
from host.automation.runs import row_of
from host.core import clock, db
from host.core.ports import RuleDirectory
from host.events.consuming import ConsumerContext
from host.events.kinds.conversations import CONVERSATION_CREATED, CONVERSATION_REOPENED
from host.events.kinds.messages import MESSAGE_RECEIVED, OfMessage, is_claimed
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.features import registry
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation
from host.working_hours import hours

TOO_OLD = timedelta(days=1)
"""Age from which conversations are no longer routed, such as after an outage of the workers."""
_RUNS = cast(sa.Table, AutomationRun.__table__)
_ROUTED = {
    CONVERSATION_CREATED: ActorKind.CUSTOMER,
    # The desk reopens a closed conversation when its customer writes. A conversation that a person reopens is
    # theirs.
    CONVERSATION_REOPENED: ActorKind.SYSTEM,
}
"""Events that make a conversation subject to routing, with the actor they must have."""


def consumer(context: ConsumerContext) -> Automating:
    """Return the consumer that creates runs."""
    return Automating(lambda: context.generation().directory)


class Automating:
    """The consumer that creates runs."""

    name = "automation"
    from_beginning = False
    batch = 200
    shown = False

    def __init__(self, directory: Callable[[], RuleDirectory]) -> None:
        self._directory = directory
        self._since: datetime | None = None
        """Time from which the desk acts on events; None: not loaded yet. Only set while no process runs."""

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Create the runs of accounts, rules and assistants for *events*."""
        now = clock.now()
        # A tap that an addon claims is answered by that addon alone.
        events = [one for one in events if not is_claimed(one)]
        since = self._since = self._since or restored.since(session)
        hooks = registry.hooks()
        first: list[Mapping[str, Any]] = []
        taken: set[int] = set()
        for rows, ids in hooks.taken_first(session=session, events=events, now=now, since=since):
            first += rows
            taken.update(ids)
        if first:
            _insert(session, first)
        others = [one for one in events if one.id not in taken]
        self._others(session, others, now, since)
        hooks.after_runs(session=session, events=events, now=now)

    def release(self, session: Session, event: Recorded, now: datetime) -> None:
        """Create the runs for *event*, which a sequence took and then did not want."""
        since = restored.since(session)
        self._others(session, [event], now, since)

    def _others(self, session: Session, events: Sequence[Recorded], now: datetime, since: datetime) -> None:
        """Create the runs of accounts, rules and assistants."""
        taps, own = _of_accounts(session, events, now, since)
        if taps:
            # Assistants leave the messages alone that are answered by a button.
            _insert(session, taps)
        found = registry.hooks().runs_of(
            session=session, events=events, directory=self._directory(), now=now, since=since
        )
        runs = [*chain.from_iterable(found), *own]
        # They are done in this order: answers to taps first, then rules, answers to campaigns last.
        runs.sort(key=lambda run: run["kind"] == RunKind.ANSWER)
        if runs:
            _insert(session, runs)


def _insert(session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
    session.execute(db.insert_ignore(_RUNS, session.get_bind().dialect.name), runs)


def _of_accounts(
    session: Session, events: Sequence[Recorded], now: datetime, since: datetime
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the runs of accounts: those to do before everything else, which answer taps, and the others."""
    about = [one for one in events if _counts(one, now)]
    accounts = {one.account_id for one in about if one.account_id is not None}
    wanted = account_settings.of_accounts(session, accounts)
    if not wanted:
        return [], []
    mine = [(one, wanted[one.account_id]) for one in about if one.account_id in wanted]
    fresh = [(one, its) for one, its in mine if one.occurred_at >= since]
    tapped = _tapped(session, fresh, now)
    spoken = _words(session, fresh, tapped, now)
    # The greeting of a customer who taps goes out before the answer.
    before = [one for one in spoken if one["message_id"] in tapped]
    after = [one for one in spoken if one["message_id"] not in tapped]
    taps = [_tap(one, tapped[one.message_id], now) for one, _its in fresh if one.message_id in tapped]
    return [*before, *taps], [*_routing(session, mine, now), *after]


def _tapped(
    session: Session, mine: Iterable[tuple[Recorded, Settings]], now: datetime
) -> dict[int | None, TappedButton]:
    """Return the ice breakers and menu items that were tapped, by the id of the message."""
    messages = [
        one.message_id
        for one, its in mine
        if its.has_buttons
        and one.kind == MESSAGE_RECEIVED
        and one.message_id is not None
        and now - one.at < TOO_LATE
    ]
    return buttons.tapped(session, messages)


def _tap(event: Recorded, button: TappedButton, now: datetime) -> Mapping[str, Any]:
    """Return the run that answers a tap. It is done already, and only counts the tap, without an answer."""
    row = row_of(event, RunKind.TAP, button.id, 0, now, facts={"hands_over": button.answer.hands_over})
    if not button.answer.is_empty:
        return row
    return {**row, "state": RunState.SKIPPED, "reason": "no_answer", "due_at": None, "done_at": now}


def _counts(event: Recorded, now: datetime) -> bool:
    """Return whether *event* may start automation."""
    if event.conversation_id is None or event.account_id is None or event.depth >= DEEPEST:
        return False
    if event.actor_kind == ActorKind.SYSTEM and event.cause_id is not None:
        return False  # done by Lobby
    if event.kind == MESSAGE_RECEIVED:
        return event.message_id is not None and not event.facts(OfMessage).late
    return event.kind in _ROUTED and event.actor_kind == _ROUTED[event.kind] and now - event.at < TOO_OLD


def _routing(
    session: Session, mine: Iterable[tuple[Recorded, Settings]], now: datetime
) -> list[Mapping[str, Any]]:
    """Return the runs that route conversations that still exist."""
    routed = [(one, its) for one, its in mine if its.routes and one.kind in _ROUTED]
    if not routed:
        return []
    ids = {one.conversation_id for one, _its in routed}
    there = set(session.scalars(sa.select(Conversation.id).where(Conversation.id.in_(ids))))
    return [_run(one, RunKind.ROUTING, its, now) for one, its in routed if one.conversation_id in there]


def _words(
    session: Session,
    mine: Iterable[tuple[Recorded, Settings]],
    tapped: Mapping[int | None, TappedButton],
    now: datetime,
) -> list[Mapping[str, Any]]:
    """Return the runs for possible automatic messages. Each is decided again when it runs.

    :param tapped: the buttons that were tapped, by message.
    """
    spoken = [
        (one, its)
        for one, its in mine
        if its.speaks and one.kind == MESSAGE_RECEIVED and now - one.at < TOO_LATE
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
        button = tapped.get(one.message_id)
        needs_nobody = button is not None and not button.answer.is_empty and not button.answer.hands_over
        talk = about.talk(now, theirs.of(its.workspace_id, its.team_id), is_answered=needs_nobody)
        if decide(its, talk).says:
            runs.append(_run(one, RunKind.WORDS, its, now))
    return runs


def _run(event: Recorded, kind: RunKind, its: Settings, now: datetime) -> Mapping[str, Any]:
    return row_of(event, kind, its.account_id, its.version, now)
