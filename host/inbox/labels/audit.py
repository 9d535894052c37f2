"""Sentences of the audit log about labels."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "label.added": _l("%(who)s added the label %(what)s"),
    "label.changed": _l("%(who)s changed the label %(what)s"),
    "label.deleted": _l("%(who)s deleted the label %(what)s"),
    "label.merged": _l("%(who)s merged the label %(what)s into %(into)s"),
}

FIELDS: Mapping[str, LazyString | None] = {"into": _l("Into")}
