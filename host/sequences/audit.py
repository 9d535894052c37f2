"""Audit log entries of sequences."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "sequence.added": _l("%(who)s added the sequence %(what)s"),
    "sequence.changed": _l("%(who)s changed the sequence %(what)s: version %(version)s"),
    "sequence.deleted": _l("%(who)s deleted the sequence %(what)s"),
    "sequence.moved": _l("%(who)s moved the sequence %(what)s to position %(place)s"),
    "sequence.off": _l("%(who)s turned off the sequence %(what)s"),
    "sequence.people": _l(
        "%(who)s moved %(people)s customers of the sequence %(what)s from version %(from)s to %(version)s"
    ),
    "sequence.published": _l("%(who)s published version %(version)s of the sequence %(what)s"),
    "sequence.secret": _l("%(who)s replaced the signing secret of the sequence %(what)s"),
}

FIELDS: Mapping[str, LazyString | None] = {
    "version": _l("Version"),
    "place": _l("Position"),
    "sequence.people": _l("Customers"),
    "sequence.from": _l("From version"),
}
