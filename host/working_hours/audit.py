"""Sentences of the audit log about working hours."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.users.audit_words import Words
from host.working_hours.hours import DAY_KEYS, DAY_NAMES

SENTENCES: Mapping[str, LazyString] = {
    "hours.changed": _l("%(who)s changed the business hours of %(what)s"),
}

FIELDS: Mapping[str, LazyString | None] = {
    "own": _l("Own business hours"),
    **dict(zip(DAY_KEYS, DAY_NAMES, strict=True)),
    "timezone": _l("Time zone"),
    "exceptions": _l("Exceptions"),
    "exceptions_gone": _l("Removed exceptions"),
}

WORDS: Mapping[str, Words] = {key: {"closed": _l("Closed")} for key in DAY_KEYS}
