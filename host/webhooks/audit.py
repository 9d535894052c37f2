"""The sentences of the audit log about endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "endpoint.added": _l("%(who)s added the webhook endpoint %(what)s"),
    "endpoint.changed": _l("%(who)s changed the webhook endpoint %(what)s"),
    "endpoint.deleted": _l("%(who)s deleted the webhook endpoint %(what)s"),
    "endpoint.paused": _l("%(who)s paused the webhook endpoint %(what)s"),
    "endpoint.replayed": _l("%(who)s replayed events to the webhook endpoint %(what)s"),
    "endpoint.resumed": _l("%(who)s resumed the webhook endpoint %(what)s"),
    "endpoint.rotated": _l("%(who)s rotated the secret of the webhook endpoint %(what)s"),
    "endpoint.tested": _l("%(who)s sent a test to the webhook endpoint %(what)s"),
}
