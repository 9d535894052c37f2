"""Declaration of a kind of event: its facts, and its body for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from host.events.facts import Facts
from host.events.kinds.shapes import Shape
from host.events.reading import Recorded
from host.models.channels import ChannelAccount


class AnyFile(Protocol):
    """A file of a message, see :class:`host.inbox.messages.File`."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def outside(self) -> str | None: ...


class AnyMessage(Protocol):
    """A message, see :class:`host.inbox.messages.Entry`."""

    @property
    def id(self) -> int: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def direction(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def content(self) -> Mapping[str, Any]: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def author_id(self) -> int | None: ...
    @property
    def author_name(self) -> str | None: ...
    @property
    def error(self) -> Mapping[str, Any] | None: ...
    @property
    def files(self) -> Sequence[AnyFile]: ...
    @property
    def unsent_at(self) -> datetime | None: ...
    @property
    def erased(self) -> bool: ...


class AnyLabel(Protocol):
    """A label of a conversation."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


class ConversationRow(NamedTuple):
    """A conversation and its customer."""

    id: int
    account_id: int
    contact_id: int
    status: str
    handled_by: str
    assignee_id: int | None
    team_id: int | None
    external_id: str
    username: str | None
    erased_at: datetime | None
    snooze_kind: str | None
    snoozed_until: datetime | None
    spam_at: datetime | None


class EventSubject(NamedTuple):
    """The subject of one event. Deleted objects are None, or have no name.

    :param names: type of object -> id -> name, see :attr:`host.events.facts.Facts.named`.
    :param base: the public address of the desk.
    """

    event: Recorded
    account: ChannelAccount | None
    talk: ConversationRow | None
    message: AnyMessage | None
    labels: Sequence[AnyLabel]
    names: Mapping[str, Mapping[int, str]]
    base: str


Maker = Callable[[EventSubject], Shape | None]
"""Builds the body of an event; returns None if its subject was deleted."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of event.

    :param about: one sentence that describes the event.
    :param make: builds the body for programs.
    :param sample: an example body, for the page, the documentation and the API document.
    :param since: the first version of Lobby that writes it.
    :param says_content: whether it contains a message's content, which is removed once the message is unsent.
    :param for_channels: whether a channel's addon may add its own events to it.
    """

    name: str
    about: str
    make: Maker
    sample: Shape
    facts: type[Facts] = Facts
    since: str = "1.0"
    says_content: bool = False
    for_channels: bool = False


class Kinds:
    """The kinds that one module declares, in order."""

    def __init__(self) -> None:
        self._kinds: list[Kind] = []

    def add(self, kind: Kind) -> str:
        """Declare a kind and return its name."""
        self._kinds.append(kind)
        return kind.name

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds)


def of_talk(make: Callable[[EventSubject, ChannelAccount, ConversationRow], Shape | None]) -> Maker:
    """Return the maker for a kind that needs the account and the conversation."""

    def made(about: EventSubject) -> Shape | None:
        account, talk = about.account, about.talk
        return None if account is None or talk is None else make(about, account, talk)

    return made


def of_message(
    make: Callable[[EventSubject, ChannelAccount, ConversationRow, AnyMessage], Shape | None],
) -> Maker:
    """Return the maker for a kind that also needs the message."""

    def made(about: EventSubject, account: ChannelAccount, talk: ConversationRow) -> Shape | None:
        return None if about.message is None else make(about, account, talk, about.message)

    return of_talk(made)
