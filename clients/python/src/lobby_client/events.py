"""Events of the desk, in the form of its webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NewType, Union

from lobby_client._event import Event
from lobby_client._model import Model
from lobby_client._position import Position
from lobby_client.event_data import DeskEvent, DeskEventGroup, DeskEventName
from lobby_client.instagram import InstagramEvent, InstagramEventGroup, InstagramEventName

__all__ = ["AnyEvent", "Event", "EventChoice", "EventName", "EventPage", "OtherEvent", "Position"]

EventName = Union[DeskEventName, InstagramEventName]
"""The name of an event that is known."""

OtherEvent = NewType("OtherEvent", str)
"""The name of an event that this client does not know: of a newer desk, or of another channel."""

EventChoice = Union[EventName, DeskEventGroup, InstagramEventGroup, Literal["*"], OtherEvent]
"""What names events: one, all that begin alike (``message.*``), or all there are (``*``)."""

AnyEvent = Union[DeskEvent, InstagramEvent]
"""Every event that is known, told apart by ``event``. A newer desk may have others: pass over these."""


@dataclass(frozen=True)
class EventPage(Model):
    """Events in the order they happened.

    :param next: the place behind them, to be handed back unchanged.
    :param more: whether there are more at this moment.
    """

    data: Sequence[AnyEvent]
    next: str
    more: bool
