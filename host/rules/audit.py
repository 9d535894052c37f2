"""Audit log entries of rules."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.rules.models import RuleState

SENTENCES: Mapping[str, LazyString] = {
    "rule.added": _l("%(who)s added the rule %(what)s: %(state)s"),
    "rule.changed": _l("%(who)s changed the rule %(what)s: version %(version)s"),
    "rule.deleted": _l("%(who)s deleted the rule %(what)s"),
    "rule.moved": _l("%(who)s moved the rule %(what)s to position %(place)s"),
    "rule.state": _l("%(who)s set the rule %(what)s to: %(state)s"),
}

WORDS: Mapping[str, Mapping[str, LazyString]] = {
    "state": {
        RuleState.DRAFT: _l("Draft"),
        RuleState.SHADOW: _l("Shadow"),
        RuleState.LIVE: _l("Live"),
        RuleState.OFF: _l("Off"),
    },
}

FIELDS: Mapping[str, LazyString | None] = {
    "state": _l("State"),
    "version": _l("Version"),
    "place": _l("Position"),
}

AFTER: Mapping[str, str] = {"rule.state.before": "state"}
