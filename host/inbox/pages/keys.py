"""Keyboard shortcuts of the inbox, for the help sheet, the command palette and ``docs/answer.md``.

``host/static/js/inbox-keys.js`` has a function for each command.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.channels.abilities import EVERYTHING, Abilities


class Key(msgspec.Struct, frozen=True):
    """A keyboard shortcut and its command.

    :param key: the browser's ``event.key``; empty if the command is only in the palette.
    :param shown: the text in the sheet, a word for each key to press.
    :param writes: whether it requires the permission to answer.
    :param needs: the field of :class:`~host.channels.abilities.Abilities` without which it does nothing.
    """

    key: str
    command: str
    words: LazyString
    icon: str
    shown: tuple[str, ...] = ()
    writes: bool = False
    needs: str = ""

    @property
    def caps(self) -> tuple[str, ...]:
        return self.shown or (self.key.upper(),)


KEYS: Sequence[tuple[LazyString, Sequence[Key]]] = (
    (
        _l("This conversation"),
        (
            Key("r", "reply", _l("Reply"), "reply", writes=True),
            Key("n", "note", _l("Write a private note"), "note", writes=True),
            Key("p", "private", _l("Reply to a comment privately"), "mail", writes=True, needs="private"),
            Key("h", "hide", _l("Hide / unhide a comment"), "eye-off", writes=True, needs="hides"),
            Key("e", "close", _l("Close / Reopen"), "check", writes=True),
            Key("E", "close-next", _l("Close and open the next"), "check", ("Shift", "E"), writes=True),
            Key("m", "mine", _l("Assign to me"), "user", writes=True),
            Key("a", "assign", _l("Assign to…"), "users", writes=True),
            Key("t", "labels", _l("Add or remove a label"), "tag", writes=True),
            Key("s", "snooze", _l("Snooze / Unsnooze"), "snooze", writes=True),
            Key("!", "spam", _l("Mark as spam / not spam"), "ban", writes=True),
            Key("b", "automation", _l("Pause / resume automation"), "bolt", writes=True),
            Key("q", "macros", _l("Run a macro"), "macro", writes=True),
            Key("y", "accept", _l("Send the suggestion"), "bot", writes=True),
            Key("i", "edit", _l("Edit the suggestion"), "note", writes=True),
            Key("x", "dismiss", _l("Dismiss the suggestion"), "ban", writes=True),
            Key("w", "why", _l("Show why this was suggested"), "info", writes=True),
            Key("z", "undo", _l("Undo the reply just sent"), "unsend", writes=True),
            Key("u", "unread", _l("Mark as unread"), "inbox", writes=True),
            Key("c", "contact", _l("Go to the customer’s details"), "user"),
            Key("g", "latest", _l("Go to the latest message"), "arrow-in"),
        ),
    ),
    (
        _l("Conversation list"),
        (
            Key("j", "next", _l("Next conversation"), "right"),
            Key("k", "previous", _l("Previous conversation"), "left"),
            Key("o", "open", _l("Open conversation"), "reply", ("O", "Enter")),
            Key("Escape", "leave", _l("Back to the list"), "left", ("Esc",)),
            Key("l", "changes", _l("Show changes"), "history"),
            Key("v", "select", _l("Select multiple"), "checks", writes=True),
            Key("d", "sort", _l("Change sort order"), "down"),
            Key("f", "filters", _l("Go to the filters"), "filter"),
        ),
    ),
    (
        _l("Selected conversations"),
        (
            Key("", "tick", _l("Select or unselect the conversation"), "checks", ("X",), writes=True),
            Key("", "tick-to", _l("Select up to this conversation"), "checks", ("Shift", "X"), writes=True),
            Key("", "tick-all", _l("Select all matching"), "list", ("Ctrl", "A"), writes=True),
            Key(".", "bulk", _l("Choose action"), "bolt", writes=True),
            Key("", "untick", _l("Clear selection"), "x", ("Esc",), writes=True),
        ),
    ),
    (
        _l("Everywhere"),
        (
            Key("", "palette", _l("Find a command"), "search", ("Ctrl", "K")),
            Key("/", "search", _l("Search"), "search"),
            Key("?", "keys", _l("All shortcuts"), "info"),
        ),
    ),
)


def groups(may_answer: bool, able: Abilities = EVERYTHING) -> list[tuple[LazyString, list[Key]]]:
    """Return the keyboard shortcuts a person can use, grouped by subject.

    :param able: of the active channels.
    """

    def works(key: Key) -> bool:
        return (may_answer or not key.writes) and (not key.needs or getattr(able, key.needs))

    found = [(name, [key for key in keys if works(key)]) for name, keys in KEYS]
    return [(name, keys) for name, keys in found if keys]
