"""The blueprint of the pages of rules and campaigns, and their addresses."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext as _l

from host.web import navigation

bp = Blueprint("rules", __name__, template_folder="../templates")
navigation.add_settings(
    "rules.index",
    _l("Rules"),
    order=23,
    section=navigation.AUTOMATION,
    icon="bolt",
    words="campaigns, comment to DM, keyword, private reply, triggers, conditions, workflows, auto reply, "
    "Kampagnen, Kommentar, Stichwort, private Antwort, Auslöser, Bedingungen, automatische Antwort",
)

RULES = "/w/<int:workspace_id>/settings/rules"
ONE = f"{RULES}/<int:rule_id>"
