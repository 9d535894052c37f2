"""How old something is that an assistant knows, in one unit."""

from __future__ import annotations

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext


def words(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was: ``today``, ``17 days``, ``3 weeks``, ``11 months``."""
    days = max(0, (now - at).days)
    if days < 1:
        return str(_("today"))
    if days < 21:
        return str(ngettext("%(num)s day", "%(num)s days", days))
    if days < 60:
        return str(ngettext("%(num)s week", "%(num)s weeks", days // 7))
    return str(ngettext("%(num)s month", "%(num)s months", days // 30))
