"""Events of the desk, for the listeners of addons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """Something that happened on the desk.

    :param id: stable id, the same on every delivery and in webhooks: use it in keys.
    :param kind: its name in docs/events.md, such as ``message.received``.
    :param at: when it happened, by the provider's clock if there is one.
    :param channel: key of the channel of its account; empty: it is about no account.
    :param actor: ``customer``, ``person`` of the team, ``program`` with an API key, ``provider``, ``desk``
        acting automatically, or ``addon:<slug>``.
    :param data: the ``data`` that webhooks get with this event, see docs/events.md. It is made when the event
        is delivered, without what was erased or unsent until then.
    :param claimed_by: slug of the addon whose quick reply the customer tapped, if it sent it with ``claims``:
        ``data["content"]["payload"]`` is then the payload that the addon gave. Otherwise empty.
    :param undo_until: until when whoever did it in many conversations at once may undo that. A message to the
        customer has to wait until then, and may only be sent if it is still so. None: it can't be undone.
    """

    id: str
    kind: str
    at: datetime
    workspace_id: int
    conversation_id: int | None
    contact_id: int | None
    message_id: int | None
    channel: str
    actor: str
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    claimed_by: str = ""
    undo_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Code that hears of events of all workspaces, after they happened.

    :param name: ``<slug>.<word>``; must never change, because its position in the event log is kept with it.
    :param events: the kinds it hears of, names of docs/events.md.
    :param handle: handles events outside any transaction, those of a conversation in their order. If it
        raises, or the process ends, the same events are passed again: at least once.
    :param batch: most events per call, 1 to 200.
    :param writes_to: which customers would get a message because of an event, before somebody causes it in
        many conversations at once: gets the id of the workspace, the kind of the event, which is one of
        *events*, and ids of conversations; returns the ids of those. None: *handle* never sends anything.
    """

    name: str
    events: Collection[str]
    handle: Callable[[Sequence[DeskEvent]], None]
    batch: int = 50
    writes_to: Callable[[int, str, Collection[int]], Collection[int]] | None = None
