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


@dataclass(frozen=True, slots=True)
class Listener:
    """Code that hears of events of all workspaces, after they happened.

    :param name: ``<slug>.<word>``; must never change, because its position in the event log is kept with it.
    :param events: the kinds it hears of, names of docs/events.md.
    :param handle: handles events outside any transaction, those of a conversation in their order. If it
        raises, or the process ends, the same events are passed again: at least once.
    :param batch: most events per call, 1 to 200.
    """

    name: str
    events: Collection[str]
    handle: Callable[[Sequence[DeskEvent]], None]
    batch: int = 50
