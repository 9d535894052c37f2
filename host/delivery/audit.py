"""The sentences of the audit log about received events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.channels.directory import current_directory
from host.users.audit_words import Words, plain

SENTENCES: Mapping[str, LazyString] = {
    "event.replayed": _l("%(who)s replayed a received event: %(what)s"),
    "events.replayed": _l("%(who)s replayed received events: %(what)s"),
}


def _event(subject: str) -> str:
    """Return a received event by its channel, kind and number."""
    channel, _space, rest = subject.partition(" ")
    return f"{current_directory().label(channel)} {plain(rest)}"


FIELDS: Mapping[str, LazyString | None] = {
    "events.matching": _l("Filter"),
    "events.events": None,
    "events.q": _l("Find"),
    "events.state": _l("State"),
    "events.account": None,
}

WORDS: Mapping[str, Words] = {"events.state": plain}

SUBJECTS: Mapping[str, Callable[[str], object]] = {"event": _event}
