"""Read ``content["invitation"]`` of a message: the events it is about, as its channel stored them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from host.sdk import strictjson
from host.sdk.messages import INVITATION, INVITATION_ANSWER

log = logging.getLogger(__name__)

Chosen = Literal["accepted", "tentative", "declined"]
MOST_EVENTS = 10


class Organiser(msgspec.Struct, frozen=True):
    """The organiser of an event, who gets an answer.

    :param wrote: whether the message is from that address.
    :param ours: whether the address is the account's.
    """

    name: str = ""
    address: str = ""
    wrote: bool = False
    ours: bool = False


class Guest(msgspec.Struct, frozen=True):
    """A guest who answered.

    :param answer: ``accepted``, ``tentative``, ``declined``, ``delegated`` or ``needs-action``.
    """

    name: str = ""
    address: str = ""
    answer: str = ""


class Repetition(msgspec.Struct, frozen=True):
    """How an event repeats.

    :param unit: ``day``, ``week``, ``month`` or ``year``; empty if it takes more words than these.
    :param days: of a week: ``MO``.
    :param until: the last day, or moment, on which it may begin; *count*: how often. Empty, 0: no end.
    """

    unit: str = ""
    every: int = 1
    days: tuple[str, ...] = ()
    until: str = ""
    count: int = 0


class Event(msgspec.Struct, frozen=True):
    """An event.

    :param starts: ``2026-03-03T13:00:00Z``; a day: ``2026-03-03``; in no known zone:
        ``2026-03-03T14:00:00``. Empty: unknown.
    :param ends: the same; of days the day after the last. Empty: unknown, or the same.
    :param zone: name of its time zone; *unknown_zone*: its name if that is unknown.
    :param status: ``cancelled``, ``tentative``, ``confirmed``, or empty.
    :param occurrence: which one of a series it is about, by its start; None: all, or it is no series.
    :param attendee: the account's address among its guests; empty: none. *state*: what the file says of it.
    :param replies: the answers that the message brings.
    """

    uid: str = ""
    sequence: int = 0
    title: str = ""
    place: str = ""
    starts: str = ""
    ends: str = ""
    zone: str = ""
    unknown_zone: str = ""
    status: str = ""
    organiser: Organiser = Organiser()
    repeats: Repetition | None = None
    occurrence: str | None = None
    attendee: str = ""
    state: str = ""
    replies: tuple[Guest, ...] = ()
    comment: str = ""


class GivenAnswer(msgspec.Struct, frozen=True):
    """The answer that the team gave.

    :param message: id of the message that carries it.
    :param count: how often the team has answered.
    """

    answer: Chosen
    message: int
    count: int = 1


class Invitation(msgspec.Struct, frozen=True):
    """The invitation of a message: ``content["invitation"]``.

    :param method: what it asks for (RFC 5546): ``request``, ``cancel``, ``reply``; empty: nothing.
    :param events: the first is the one to answer.
    :param more: number of events that are not listed.
    """

    method: str = ""
    events: tuple[Event, ...] = ()
    more: int = 0
    answer: GivenAnswer | None = None

    @property
    def event(self) -> Event:
        """Return the event it is about."""
        return self.events[0]

    @property
    def is_cancelled(self) -> bool:
        """Return whether the event does not take place."""
        return self.method == "cancel" or self.event.status == "cancelled"

    @property
    def is_answerable(self) -> bool:
        """Return whether it asks the account for an answer, and says where it goes."""
        event = self.event
        asks = self.method == "request" and not self.is_cancelled and not self.is_mixed
        return asks and bool(event.uid and event.attendee and event.organiser.address)

    @property
    def is_mixed(self) -> bool:
        """Return whether its events have nothing to do with each other."""
        return len({one.uid for one in self.events}) > 1 or self.more > 0


def read(content: Mapping[str, Any]) -> Invitation | None:
    """Return the invitation of a message; None if it has none that can be shown."""
    given = content.get(INVITATION)
    if not isinstance(given, Mapping):
        return None
    try:
        found = strictjson.convert(given, Invitation)
    except msgspec.ValidationError:
        log.warning("an invitation of a channel has another form")
        return None
    return found if found.events else None


def sent_answer(content: Mapping[str, Any]) -> str:
    """Return the answer that a message of ours carries; empty without one."""
    given = content.get(INVITATION_ANSWER)
    found = given.get("answer") if isinstance(given, Mapping) else None
    return found if isinstance(found, str) else ""
