"""The sentences of the audit log about webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.users.audit_words import Words, plain

SENTENCES: Mapping[str, LazyString] = {
    "webhook.refused": _l("Lobby refused webhooks of %(what)s"),
}

FIELDS: Mapping[str, LazyString | None] = {"webhook.reason": _l("Reason")}

WORDS: Mapping[str, Words] = {"webhook.reason": plain}
