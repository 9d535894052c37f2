"""Events of the desk, in the form of its webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lobby_client._model import Model


@dataclass(frozen=True)
class Event(Model):
    """An event.

    :param id: the same in the API, in a webhook and in each of its repeats.
    :param event: its name, as ``message.received``.
    :param data: what its name says.
    """

    id: str
    event: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class EventPage(Model):
    """Events in the order they happened.

    :param next: the place behind them, to be handed back unchanged.
    :param more: whether there are more at this moment.
    """

    data: Sequence[Event]
    next: str
    more: bool
