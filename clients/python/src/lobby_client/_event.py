"""An event of the desk, of any kind, and the webhook that brings one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic

from lobby_client._model import Model

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Name_co = TypeVar("Name_co", bound=str, default=str, covariant=True)
    Data_co = TypeVar("Data_co", bound=Mapping[str, Any], default=Mapping[str, Any], covariant=True)
else:  # only checkers of types read bounds and defaults
    from typing import TypeVar

    Name_co = TypeVar("Name_co")  # noqa: PLC0105 - as above
    Data_co = TypeVar("Data_co")  # noqa: PLC0105


@dataclass(frozen=True)
class Event(Model, Generic[Name_co, Data_co]):
    """An event.

    :param id: the same in the API, in a webhook and in each of its repeats.
    :param event: its name, as ``message.received``.
    :param data: what its name says.
    """

    id: str
    event: Name_co
    data: Data_co
    at: datetime


@dataclass(frozen=True)
class Webhook(Generic[Name_co, Data_co]):
    """A verified webhook.

    :param id: the same in each repeat: what was done for it once need not be done again.
    :param event: its name, as ``message.received``.
    :param data: what its name says.
    :param timestamp: when this attempt was sent.
    """

    id: str
    event: Name_co
    data: Data_co
    timestamp: datetime
