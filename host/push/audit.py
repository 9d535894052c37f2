"""The sentences of the audit log about devices that get pushes."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "push_device.added": _l("%(who)s turned on push notifications on %(what)s"),
    "push_device.removed": _l("%(who)s turned off push notifications on %(what)s"),
}
