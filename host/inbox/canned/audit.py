"""Sentences of the audit log about canned replies and macros."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "canned_reply.added": _l("%(who)s added the canned reply %(what)s"),
    "canned_reply.changed": _l("%(who)s changed the canned reply %(what)s"),
    "canned_reply.deleted": _l("%(who)s deleted the canned reply %(what)s"),
    "macro.added": _l("%(who)s added the shared macro %(what)s"),
    "macro.changed": _l("%(who)s changed the shared macro %(what)s"),
    "macro.deleted": _l("%(who)s deleted the shared macro %(what)s"),
}
