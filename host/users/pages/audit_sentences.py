"""Lines of the audit log as sentences."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from markupsafe import Markup, escape

from host.models.signing_in import RequirementScope
from host.users.audit import AuditRow
from host.users.failed_tries import NOBODY
from host.users.pages import audit_details
from host.web.languages import gettext as _

KINDS: Mapping[str, tuple[LazyString, tuple[str, ...]]] = {
    "sign-ins": (
        _l("Sign-ins and passwords"),
        ("session", "password", "second_factor", "sign_in", "identity", "push_device"),
    ),
    "people": (_l("People"), ("member", "invitation", "user", "team", "hours")),
    "accounts": (_l("Accounts and channels"), ("account", "channel", "domain", "webhook")),
    "keys": (_l("API keys and webhook endpoints"), ("api_key", "endpoint")),
    "labels": (_l("Labels and views"), ("label", "view")),
    "replies": (_l("Canned replies and macros"), ("canned_reply", "macro")),
    "knowledge": (_l("Knowledge and test cases of assistants"), ("knowledge", "case", "past_answer")),
    "rules": (_l("Rules and sequences"), ("rule", "sequence")),
    "assistants": (_l("Assistants"), ("assistant", "assistant_tool", "language_model")),
    "customers": (_l("Customers and received events"), ("contact", "note", "attribute", "event", "events")),
    "addons": (_l("Addons and features"), ("addon", "feature")),
    "desk": (_l("Desk and workspaces"), ("desk", "workspace")),
}
"""The kinds the audit log can be filtered by, each with the prefixes of its actions."""

_OTHER = _l("%(who)s changed %(what)s")

WHO_NEEDS_TWO: Mapping[str, LazyString] = {
    RequirementScope.NOBODY: _l("nobody"),
    RequirementScope.ADMINS: _l("desk admins"),
    RequirementScope.EVERYBODY: _l("everyone"),
}
"""The people who must have a second factor, as the subject of a line."""


@cache
def sentences() -> Mapping[str, LazyString]:
    """Return the sentence of each action, of the ``SENTENCES`` of every feature.

    ``%(who)s`` did it to ``%(what)s``; other names are details of the line.
    """
    return ChainMap(*(module.SENTENCES for module in audit_details.modules()))


def sentence(row: AuditRow) -> Markup:
    """Return *row* as a sentence with names in bold."""
    return Markup(escape(_sentence(row))) % _Values(row)  # noqa: S704 - escaped


def more(row: AuditRow) -> list[tuple[str, str]]:
    """Return what *row* says beyond its sentence: names of fields with their values, in words."""
    return audit_details.changes(row, but=_sentence(row))


def _sentence(row: AuditRow) -> str:
    return str(sentences().get(row.action, _OTHER))


class _Values(dict[str, Markup]):
    """The values of a sentence; missing ones are shown as a dash."""

    def __init__(self, row: AuditRow) -> None:
        super().__init__(
            {name: _bold(audit_details.said(row.action, name, value)) for name, value in row.details.items()}
        )
        self["who"] = _bold(row.person or _("Lobby"))
        self["what"] = _bold(subject(row))

    def __missing__(self, name: str) -> Markup:
        return Markup("–")


def subject(row: AuditRow) -> LazyString | str:
    """Return the name of what was changed, in words."""
    if row.action == "sign_in.second_factor_wanted":
        return WHO_NEEDS_TWO.get(row.subject, row.subject)
    return _("an unknown address") if row.subject == NOBODY else audit_details.subject(row)


def _bold(value: Any) -> Markup:
    return Markup('<b><bdi translate="no">{}</bdi></b>').format(value)


def icon_of(row: AuditRow) -> str:
    """Return the icon of a line without a person."""
    if row.action in {"session.failed", "session.not_confirmed", "session.second_failed"}:
        return "lock"
    return (
        "alert"
        if row.action
        in {"webhook.refused", "addon.activation_failed", "addon.process_replaced", "addon.quarantined"}
        else "gear"
    )
