"""Sentences of the audit log about working hours."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "hours.changed": _l("%(who)s changed the business hours of %(what)s"),
}
