"""Sentences of the audit log about teams."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "team.added": _l("%(who)s added the team %(what)s"),
    "team.changed": _l("%(who)s changed the team %(what)s"),
    "team.deleted": _l("%(who)s deleted the team %(what)s"),
}

FIELDS: Mapping[str, LazyString | None] = {"members": _l("Members")}

AFTER: Mapping[str, str] = {"team.changed.before": "name"}
