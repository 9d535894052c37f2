"""The catalogues of an addon: its texts in languages other than English, in ``translations/`` of its zip."""

from __future__ import annotations

import logging
from pathlib import Path

from babel.support import Translations

log = logging.getLogger(__name__)

FOLDER = "translations"
WRITTEN_IN = "en"
"""The language addons are written in; a catalogue for it would change Lobby's texts."""


def problem(folder: Path) -> str:
    """Return why the catalogues in *folder* cannot be used, as a sentence; empty if there is no problem."""
    for path in sorted(folder.glob("*/LC_MESSAGES/messages.mo")):
        language = path.parent.parent.name
        if language == WRITTEN_IN:
            return "It brings a catalogue of English, which is what addons are written in. None is used."
        try:
            with path.open("rb") as file:
                Translations(file)
        except Exception:
            log.exception("the catalogue %s cannot be read", path)
            return f"Its catalogue of {language} cannot be read. It speaks English."
    return ""
