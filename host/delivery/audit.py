"""The sentences of the audit log about received events."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "event.replayed": _l("%(who)s replayed a received event: %(what)s"),
    "events.replayed": _l("%(who)s replayed received events: %(what)s"),
}
