"""The sentences of the audit log about notes, saved views and stored messages."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "note.edited": _l("%(who)s edited a private note in conversation %(what)s"),
    "note.deleted": _l("%(who)s deleted a private note in conversation %(what)s"),
    "view.added": _l("%(who)s saved the shared view %(what)s"),
    "view.changed": _l("%(who)s changed the shared view %(what)s"),
    "view.deleted": _l("%(who)s deleted the shared view %(what)s"),
    "workspace.messages_erased": _l(
        "Messages of %(what)s reached the end of their retention and were erased: %(messages)s"
    ),
    "workspace.retention_changed": _l("%(who)s changed the message retention of %(what)s: %(days)s"),
}
