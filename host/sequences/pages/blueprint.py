"""The blueprint of the pages of sequences, and their addresses."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import lazy_gettext as _l

from host.web import navigation

bp = Blueprint("sequences", __name__, template_folder="../templates")
navigation.add_settings(
    "sequences.index",
    _l("Sequences"),
    order=24,
    section=navigation.AUTOMATION,
    icon="split",
    words="flow, bot, steps, question, choice, branch, wait, journey, drip, "
    "Abläufe, Schritte, Frage, Auswahl, Verzweigung, warten",
)

SEQUENCES = "/w/<int:workspace_id>/sequences"
ONE = f"{SEQUENCES}/<int:sequence_id>"
