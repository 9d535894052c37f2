"""Audit log entries of API keys."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

SENTENCES: Mapping[str, LazyString] = {
    "api_key.created": _l("%(who)s created the API key %(what)s"),
    "api_key.ended": _l("The API key %(what)s expired because %(of)s can no longer own it"),
    "api_key.handed_over": _l("%(who)s transferred the API key %(what)s owned by %(of)s"),
    "api_key.revoked": _l("%(who)s revoked the API key %(what)s"),
    "api_key.taken_over": _l("%(who)s took the API key %(what)s over"),
}
