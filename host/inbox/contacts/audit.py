"""The sentences of the audit log about contacts and their attributes."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "attribute.added": _l("%(who)s added the attribute %(what)s"),
    "attribute.changed": _l("%(who)s changed the attribute %(what)s"),
    "attribute.deleted": _l("%(who)s deleted the attribute %(what)s"),
    "contact.exported": _l("%(who)s exported everything about a customer: %(what)s"),
    "contact.list_exported": _l("%(who)s exported the list of contacts"),
    "contact.erased": _l("%(who)s erased the data of a customer: %(what)s"),
}
