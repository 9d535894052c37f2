"""Audit log entries of API keys."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.api.key_form import RESOURCES
from host.users.audit_words import Words, plain
from host.web.languages import gettext as _

SENTENCES: Mapping[str, LazyString] = {
    "api_key.created": _l("%(who)s created the API key %(what)s"),
    "api_key.ended": _l("The API key %(what)s expired because %(of)s can no longer own it"),
    "api_key.handed_over": _l("%(who)s transferred the API key %(what)s owned by %(of)s"),
    "api_key.revoked": _l("%(who)s revoked the API key %(what)s"),
    "api_key.taken_over": _l("%(who)s took the API key %(what)s over"),
}


def _scope(value: object) -> str:
    """Return a scope as the form of a key calls it."""
    for one in RESOURCES:
        if value == one.read:
            return str(_("%(name)s: read", name=one.name))
        if value == one.write:
            return str(_("%(name)s: change", name=one.name))
    return plain(str(value).replace(":", ": "))


def _scopes(values: object) -> str:
    return ", ".join(map(_scope, values if isinstance(values, (list, tuple)) else [values]))


FIELDS: Mapping[str, LazyString | None] = {
    "api_key.scopes": _l("Scopes"),
    "automatic": _l("Its messages count as automatic"),
    "expires": _l("Expires"),
    "api_key.accounts": _l("Accounts"),
    "api_key.teams": _l("Teams"),
}

WORDS: Mapping[str, Words] = {"api_key.scopes": _scopes}
