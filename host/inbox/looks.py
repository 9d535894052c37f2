"""The parts a bubble is made of, as templates lay them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from host.inbox.contents import Button
from host.inbox.links import Span


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a message as its bubble shows it.

    :param label: what to call it: its name, else what it is and who sent it.
    :param src: where a browser gets it, empty if it cannot be had.
    :param missing: why it cannot be had, a sentence; empty if it can.
    :param film: whether it moves, whatever the message calls it.
    :param box: width and height to show a picture in, in pixels; None where nobody knows its shape yet.
    """

    kind: str
    label: str
    name: str
    size: str
    src: str
    download: str
    missing: str
    film: bool = False
    box: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """An icon and a sentence."""

    icon: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """Something from elsewhere: what it is, its title, and the place it leads to."""

    icon: str
    what: str
    title: str
    detail: str
    href: str
    place: str
    preview: Media | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """The story a message is about; *preview* is None where there is none to be had."""

    what: str
    hint: str
    preview: Media | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a message answers.

    :param id: of the message to go to; None where there is none to go to.
    :param href: an address of ours that shows it.
    """

    name: str
    text: str
    icon: str
    id: int | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Chip:
    """A reaction beside a message."""

    emoji: str
    label: str
    state: str


@dataclass(frozen=True, slots=True)
class Slide:
    """A card of a message with buttons, and its picture."""

    title: str
    subtitle: str
    href: str
    buttons: tuple[Button, ...]
    picture: Media | None


@dataclass(frozen=True, slots=True)
class Around:
    """What a bubble needs to know beyond its message.

    :param contact: what the customer is called.
    :param channel: the channel's name.
    :param here: ids of the messages on the same page.
    :param mobile_only: what the channel shows customers in its mobile app only.
    :param settings: of the account.
    :param buttons: payloads of the buttons of cards on the same page.
    """

    workspace_id: int
    conversation_id: int
    contact: str
    channel: str
    here: frozenset[int] = frozenset()
    mobile_only: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    buttons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bubble:
    """The parts of a message. What it has none of is empty.

    :param label: what the message is, in a word: ``Photo``.
    :param line: said instead of a message that cannot be shown.
    :param tapped: what somebody tapped.
    """

    icon: str
    label: str
    origin: Line | None = None
    quote: Quote | None = None
    story: Story | None = None
    words: tuple[Span, ...] = ()
    large: str = ""
    pictures: tuple[Media, ...] = ()
    players: tuple[Media, ...] = ()
    files: tuple[Media, ...] = ()
    cards: tuple[Card, ...] = ()
    slides: tuple[Slide, ...] = ()
    offered: tuple[str, ...] = ()
    tapped: str = ""
    line: Line | None = None
    reactions: tuple[Chip, ...] = ()
    edited: str = ""
    mobile_only: bool = False
