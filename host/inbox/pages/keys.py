"""The keys of the inbox: one table, which the sheet, the command palette and ``docs/answer.md`` show.

``host/static/js/inbox-keys.js`` has a function for each command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does.

    :param key: as a browser names it in ``event.key``; empty: the palette alone has the command.
    :param shown: as the sheet shows it, a word for each key to press.
    :param writes: whether only somebody who may answer has it.
    """

    key: str
    command: str
    words: LazyString
    icon: str
    shown: tuple[str, ...] = ()
    writes: bool = False

    @property
    def caps(self) -> tuple[str, ...]:
        return self.shown or (self.key.upper(),)


KEYS: Sequence[tuple[LazyString, Sequence[Key]]] = (
    (
        _l("This conversation"),
        (
            Key("r", "reply", _l("Reply"), "reply", writes=True),
            Key("n", "note", _l("Write a private note"), "note", writes=True),
            Key("p", "private", _l("Answer a comment privately"), "mail", writes=True),
            Key("h", "hide", _l("Hide a comment, or show it again"), "eye-off", writes=True),
            Key("e", "close", _l("Close, or open again"), "check", writes=True),
            Key("E", "close-next", _l("Close and open the next"), "check", ("Shift", "E"), writes=True),
            Key("m", "mine", _l("Assign to me"), "user", writes=True),
            Key("a", "assign", _l("Choose who has it"), "users", writes=True),
            Key("t", "labels", _l("Put a label on, or take one off"), "tag", writes=True),
            Key("s", "snooze", _l("Snooze, or end that"), "snooze", writes=True),
            Key("!", "spam", _l("Mark as spam, or as none"), "ban", writes=True),
            Key("b", "automation", _l("Keep automation out, or let it answer"), "bolt", writes=True),
            Key("q", "macros", _l("Run a macro"), "macro", writes=True),
            Key("y", "accept", _l("Send what is suggested"), "bot", writes=True),
            Key("i", "edit", _l("Edit what is suggested"), "note", writes=True),
            Key("x", "dismiss", _l("Dismiss what is suggested"), "ban", writes=True),
            Key("w", "why", _l("Show why it is suggested"), "info", writes=True),
            Key("z", "undo", _l("Undo the reply just sent"), "unsend", writes=True),
            Key("u", "unread", _l("Mark as unread"), "inbox", writes=True),
            Key("c", "contact", _l("Go to the customer’s details"), "user"),
            Key("g", "latest", _l("Go to the latest message"), "arrow-in"),
        ),
    ),
    (
        _l("The list"),
        (
            Key("j", "next", _l("Next conversation"), "right"),
            Key("k", "previous", _l("Previous conversation"), "left"),
            Key("o", "open", _l("Open it"), "reply", ("O", "Enter")),
            Key("Escape", "leave", _l("Back to the list"), "left", ("Esc",)),
            Key("l", "changes", _l("Show what changed"), "history"),
            Key("v", "select", _l("Select several"), "checks", writes=True),
            Key("d", "sort", _l("Choose the order"), "down"),
            Key("f", "filters", _l("Go to the filters"), "filter"),
        ),
    ),
    (
        _l("Everywhere"),
        (
            Key("", "palette", _l("Find a command"), "search", ("Ctrl", "K")),
            Key("/", "search", _l("Search"), "search"),
            Key("?", "keys", _l("All keys"), "info"),
        ),
    ),
)


def groups(may_answer: bool) -> list[tuple[LazyString, list[Key]]]:
    """Return the keys somebody has, by what they are about."""
    return [(name, [key for key in keys if may_answer or not key.writes]) for name, keys in KEYS]
