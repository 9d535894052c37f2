"""Details of lines of the audit log, in the words of the screens.

Lines keep names and values as programs know them. Each feature says in its ``FIELDS`` what the screens call a
name, and in its ``WORDS`` what they call its values. Both are looked up by action, by kind, and for any line:
``workspace.changed.picture``, ``workspace.picture``, ``picture``.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from flask_babel.speaklater import LazyString

from host.features import registry
from host.users.audit import AuditRow
from host.users.audit_words import Words, plain
from host.web.languages import gettext as _
from host.web.languages import moment

_CODE = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
CHANGE = {"from", "to"}
"""The keys of a detail that was changed: its value before and after."""


@cache
def modules() -> list[Any]:
    """Return the modules with the words of the audit log, of every feature."""
    return [one.load(one.sentences) for one in registry.features() if one.sentences]


@cache
def _all(table: str) -> Mapping[str, Any]:
    return ChainMap(*(getattr(module, table) for module in modules() if hasattr(module, table)))


def _of(table: str, action: str, name: str, default: Any) -> Any:
    found, kind = _all(table), action.partition(".")[0]
    for key in (f"{action}.{name}", f"{kind}.{name}", name):
        if key in found:
            return found[key]
    return default


def label(action: str, name: str) -> LazyString | str | None:
    """Return what the screens call a detail; None if it is for programs only."""
    found: LazyString | str | None = _of("FIELDS", action, name, _unknown(name))
    return found


def _unknown(name: str) -> str:
    return plain(name).capitalize()


def said(action: str, name: str, value: Any) -> str:
    """Return the value of a detail in words."""
    if isinstance(value, Mapping) and set(value) == CHANGE:
        return f"{said(action, name, value['from'])} → {said(action, name, value['to'])}"
    words: Words = _of("WORDS", action, name, {})
    if callable(words):
        return str(words(value))
    if str(value) in words:
        return str(words[str(value)])
    if isinstance(value, bool) or value in ("yes", "no"):
        return str(_("Yes") if value in (True, "yes") else _("No"))
    if value in (None, "", "none", [], {}, ()):
        return str(_("none"))
    if isinstance(value, (list, tuple)):
        return ", ".join(said(action, name, one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{label(action, key)}: {said(action, key, one)}" for key, one in value.items())
    text = str(value)
    if _MOMENT.fullmatch(text):
        return moment(datetime.fromisoformat(text))
    # A name stays as it was typed: only names of fields without words of their own may be codes.
    is_known = label(action, name) != _unknown(name)
    return text if is_known or not _CODE.fullmatch(text) else plain(text)


def raw(value: Any) -> str:
    """Return the value of a detail as programs know it; of a changed one, both."""
    if isinstance(value, Mapping) and set(value) == CHANGE:
        return f"{value['from']} → {value['to']}"
    return str(value)


def subject(row: AuditRow) -> str:
    """Return the name of what was changed."""
    found = _all("SUBJECTS")
    words = found.get(row.action) or found.get(row.action.partition(".")[0])
    return str(words(row.subject)) if words and row.subject else row.subject or "–"


def changes(row: AuditRow, but: str = "") -> list[tuple[str, str]]:
    """Return each detail with its value, in words.

    :param but: a sentence; the details that it says are left out.
    """
    details = dict(row.details)
    if "before" in details:
        after = _of("AFTER", row.action, "before", None)
        if after is not None and (after in details or after == "name"):
            details[after] = {"from": details.pop("before"), "to": details.get(after, row.subject)}
    found = []
    for name, value in details.items():
        if f"%({name})s" in but and not (isinstance(value, Mapping) and set(value) == CHANGE):
            continue
        if (called := label(row.action, name)) is not None:
            found.append((str(called), said(row.action, name, value)))
    return found
