"""The listeners of addons: consumers of the event log whose work is an addon's, outside any transaction.

A listener's position is kept while its addon runs or is set aside for an error. It is deleted when an admin
deactivates or removes the addon, so that it begins with what happens next once it is activated again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons.package.failures import place_of
from host.addons.running import contributions, parked_events
from host.addons.running.generation import Generation
from host.addons.running.parked_events import GIVES_UP_AFTER, PREFIX, ParkedEvents
from host.core import clock, db
from host.core.ids import read_id
from host.events import consuming
from host.events.bodies.building import build
from host.events.models import ActorKind, Consumer
from host.events.reading import Recorded
from host.inbox.bulk import undoable
from host.models.addons import AddonWrite
from host.models.inbox import Message
from host.sdk import _acting
from host.sdk._acting import Cause, reacting_to, writer_of
from host.sdk.channel import ChannelAdapter
from host.sdk.events import DeskEvent, Listener
from host.users import audit

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
"""How long other processes wait for one that died: longer than a call of a listener and a pause together."""
KEPT = timedelta(days=30)
"""How long the key of a change is known."""

_ACTORS: Mapping[str | None, str] = {
    ActorKind.CUSTOMER: "customer",
    ActorKind.USER: "person",
    ActorKind.KEY: "program",
    ActorKind.PROVIDER: "provider",
}


class _NoChannels:
    """A directory without channels, so that bodies are made without asking addons."""

    def adapter(self, _key: str, /) -> ChannelAdapter | None:
        return None


def consumers(generation: Callable[[], Generation]) -> list[ListenerConsumer]:
    """Return the consumers of the listeners of the current generation."""
    return [
        ListenerConsumer(generation, slug, one.name, one.batch)
        for slug, one in generation().each(contributions.LISTENERS)
    ]


class ListenerConsumer:
    """The event log consumer of one listener.

    :param generation: returns the current generation, which may have a later release of the addon.
    """

    from_beginning = False
    shown = False
    lease = LEASE
    gives_up_after = GIVES_UP_AFTER

    def __init__(self, generation: Callable[[], Generation], slug: str, listener: str, batch: int) -> None:
        self.name = f"{PREFIX}{listener}"
        self.batch = batch
        self._generation = generation
        self._slug = slug
        self._listener = listener
        self.parked_events = ParkedEvents(self.name, self._described)

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Do nothing: the work was done before, outside the transaction."""

    def chosen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """Return the events it hears of, without those that its own addon caused."""
        listener = self._current()
        if listener is None:
            return ()
        kinds = set(listener.events)
        wanted = [one for one in events if one.kind in kinds and one.addon != self._slug]
        if not any(_may_be_addons(one) for one in wanted):
            return wanted
        with db.read() as session:
            writers = _writers(session, wanted)
        return [one for one in wanted if writers.get(one.id) != self._slug]

    def work(self, events: Sequence[Recorded]) -> None:
        """Pass *events* to the listener."""
        listener = self._current()
        if listener is None:
            return
        base = self._generation().app.extensions["lobby.config"].public_url
        with db.read() as session:
            heard = list(_heard(session, events, base))
        if not heard:
            return
        with reacting_to([_cause(one) for one in events]):
            listener.handle(heard)

    def skip(self, session: Session, event: Recorded) -> None:
        """Write into the audit log that *event* is skipped."""
        log.error("the listener %s skips event %s, which failed for a day", self._listener, event.id)
        audit.record(
            session,
            "addon.event_skipped",
            self._listener,
            user_id=None,
            workspace_id=event.workspace_id or None,
            details={"event": event.kind, "number": event.id, "conversation": event.conversation_id},
        )

    def _described(self, error: BaseException) -> str:
        """Return the type of *error* and the line of the addon, without its message."""
        release = self._generation().releases.get(self._slug)
        place = place_of(error, release.folder) if release is not None else ""
        name = type(error).__name__
        return (f"{name} ({place})" if place else name)[:500]

    def _current(self) -> Listener | None:
        """Return the listener of the current generation; None if it no longer has it."""
        found = self._generation().each(contributions.LISTENERS)
        return next((one for _slug, one in found if one.name == self._listener), None)


def _may_be_addons(event: Recorded) -> bool:
    """Return whether an addon may have written the message of *event*, which the sender reports later."""
    return event.actor_kind == ActorKind.SYSTEM and event.message_id is not None


def _writers(session: Session, events: Sequence[Recorded]) -> dict[int, str]:
    """Return the addon that did it, or whose message it is about, by the id of the event."""
    found = {one.id: one.addon for one in events if one.addon is not None}
    messages = {one.message_id for one in events if _may_be_addons(one)}
    if not messages:
        return found
    keys = {
        id_: slug
        for id_, key in session.execute(
            sa.select(Message.id, Message.reply_key).where(Message.id.in_(messages))
        )
        if (slug := writer_of(key)) is not None
    }
    of_messages = {
        one.id: keys[one.message_id] for one in events if _may_be_addons(one) and one.message_id in keys
    }
    return found | of_messages


def _cause(event: Recorded) -> Cause:
    return Cause(event.id, event.root_id or event.id, event.depth, event.conversation_id)


def _heard(session: Session, events: Sequence[Recorded], base: str) -> Iterator[DeskEvent]:
    """Yield *events* as listeners get them; without those whose subject was deleted meanwhile."""
    writers = _writers(session, events)
    held = undoable.of_events(session, events)
    for event, bodies in build(session, events, _NoChannels(), base):
        own = bodies[0].body
        data = msgspec.json.decode(own.body)["data"]
        by_addon = writers.get(event.id)
        yield DeskEvent(
            id=own.id,
            kind=event.kind,
            at=event.occurred_at,
            workspace_id=event.workspace_id,
            conversation_id=event.conversation_id,
            contact_id=own.contact_id if own.contact_id is not None else _contact_in(event.kind, data),
            message_id=event.message_id,
            channel=str(data.get("channelType", "")),
            actor=f"addon:{by_addon}" if by_addon is not None else _ACTORS.get(event.actor_kind, "desk"),
            data=data,
            claimed_by=str(data.get("claimedBy", "")),
            undo_until=held[event.id].until if event.id in held else None,
        )


def _contact_in(kind: str, data: Mapping[str, object]) -> int | None:
    """Return the contact that the body of an event without a conversation names."""
    return read_id(str(data.get("id" if kind.startswith("contact.") else "contactId", "")))


# Positions


def forget(session: Session, slug: str) -> None:
    """Delete the positions of the listeners of the addon *slug*, and what is set aside for them: the next
    activation begins anew.
    """
    consuming.forget(session, consuming.named(session, f"{PREFIX}{slug}."))
    parked_events.forget(session, slug)


# Health


class StuckListener(msgspec.Struct, frozen=True):
    """A listener whose next event keeps failing.

    :param problem: the type of the error.
    :param is_broken: whether events of several conversations failed one after the other.
    """

    listener: str
    since: datetime
    problem: str
    is_broken: bool


def stuck(session: Session) -> list[StuckListener]:
    """Return the listeners whose next event keeps failing, by name."""
    query = (
        sa.select(Consumer.name, Consumer.failing_since, Consumer.problem)
        .where(Consumer.name.startswith(PREFIX, autoescape=True), Consumer.failing_since.is_not(None))
        .order_by(Consumer.name)
    )
    return [
        StuckListener(
            name.removeprefix(PREFIX),
            since,
            (problem or "").removeprefix(parked_events.BROKEN),
            (problem or "").startswith(parked_events.BROKEN),
        )
        for name, since, problem in session.execute(query)
        if since is not None
    ]


def at_their_limit(session: Session) -> list[tuple[str, int]]:
    """Return the addons that may change nothing more for now, each with the id of the workspace."""
    query = (
        sa.select(AddonWrite.slug, AddonWrite.workspace_id)
        .where(AddonWrite.at > clock.now() - _acting.HOUR)
        .group_by(AddonWrite.slug, AddonWrite.workspace_id)
        .having(sa.func.count() >= _acting.MOST_AN_HOUR)
    )
    return [(slug, workspace_id) for slug, workspace_id in session.execute(query)]
