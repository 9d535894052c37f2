"""Panels beside a conversation and on a contact's page, and actions in the composer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Place(StrEnum):
    """A page that shows panels."""

    CONVERSATION = "conversation"
    """The contact's pane beside a conversation."""
    CONTACT = "contact"
    """The contact's page."""


class Tone(StrEnum):
    """The colour of a badge."""

    NEUTRAL = "neutral"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Icon(StrEnum):
    """The icon of a composer action."""

    BAG = "bag"
    BOLT = "bolt"
    BOOK = "book"
    CLOCK = "clock"
    FILE = "download"
    LINK = "link"
    LIST = "list"
    PUZZLE = "puzzle"
    TAG = "tag"
    USER = "user"


@dataclass(frozen=True, slots=True)
class ContactIdentity:
    """A way in which a contact writes.

    :param external_id: their id at the provider; an address on mail.
    """

    channel: str
    external_id: str
    username: str | None


@dataclass(frozen=True, slots=True)
class CustomerContext:
    """The customer beside whom a panel is shown. It has only what the signed-in person may see.

    :param conversation_id: the open conversation; None on the contact's page.
    :param name: the contact's name; empty if unknown.
    :param identities: how they write, that of the open conversation first.
    :param attributes: the workspace's own fields of the contact, values by name.
    """

    workspace_id: int
    contact_id: int
    conversation_id: int | None
    name: str
    email: str | None
    identities: Sequence[ContactIdentity]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Button:
    """A button in a panel. Pressing it calls :attr:`Panel.press` with *name* and *value*."""

    label: str
    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text. URLs in it become links."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a label and a value, one below the other."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list, such as an order.

    :param detail: a second line.
    :param badge: a word or two on the right, in *tone*.
    :param url: where the title leads, ``https://``; empty: nowhere.
    """

    title: str
    detail: str = ""
    badge: str = ""
    tone: Tone = Tone.NEUTRAL
    url: str = ""
    buttons: Sequence[Button] = ()


Block = Paragraph | Facts | Entry


@dataclass(frozen=True, slots=True)
class InsertText:
    """Insert a text into the reply at the caret. The person reads it before they send it."""

    text: str


@dataclass(frozen=True, slots=True)
class ShowNotice:
    """Show a sentence, such as why nothing was inserted.

    :param reload: whether the panel is shown again, because something changed.
    """

    text: str
    reload: bool = False


MAX_BLOCKS = 50
MAX_TEXT = 2000
"""Maximum characters of a text in a block."""
MAX_BUTTONS = 4
"""Maximum buttons of an :class:`Entry`."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of an addon. It is loaded after the page, when it comes into view.

    :param name: ``<slug>.<word>``, unique in the addon.
    :param title: its heading. Mark it with :func:`host.sdk.i18n.noop`.
    :param render: returns what it shows, at most :data:`MAX_BLOCKS` blocks; none: the panel says that there
        is nothing. Called outside any transaction; it may use the network. If it raises or takes longer than
        *seconds*, the panel says so and offers another try.
    :param press: called with the name and value of a pressed :class:`Button`, under the same rules. Needed if
        any block has one. A button can be pressed only by people who may answer.
    :param seconds: the timeout of each call, at most 10.
    """

    name: str
    title: str
    render: Callable[[CustomerContext], Sequence[Block]]
    places: Collection[Place] = (Place.CONVERSATION, Place.CONTACT)
    press: Callable[[CustomerContext, str, str], InsertText | ShowNotice] | None = None
    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class ComposerAction:
    """A button in the composer of a reply.

    :param name: ``<slug>.<word>``, unique in the addon.
    :param label: its text, such as ``Insert newest order``. Mark it with :func:`host.sdk.i18n.noop`.
    :param run: called when it is pressed, under the rules of :attr:`Panel.render`.
    :param seconds: the timeout, at most 10.
    """

    name: str
    label: str
    run: Callable[[CustomerContext], InsertText | ShowNotice]
    icon: Icon = Icon.PUZZLE
    seconds: float = 2.0
