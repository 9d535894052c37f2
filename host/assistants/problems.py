"""Problems of assistants for the operator."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host import installing, recording
from host.assistants.language import asking
from host.assistants.models import LanguageModel
from host.features.problem import Problem
from host.models.health import HealthMinute, Metric


def find(session: Session) -> Iterator[Problem]:
    """Yield the problems."""
    yield from _tools(session)
    yield from _models(session)


def _models(session: Session) -> Iterator[Problem]:
    """Yield models that cannot be used because the extra is missing, for instance after an update."""
    if asking.available() or session.scalar(sa.select(LanguageModel.id).limit(1)) is None:
        return
    fact = _("Assistants can't reach their models: the required packages aren't installed.")
    advice = _("An admin can install them: %(command)s", command=installing("assistants"))
    yield Problem("bad", fact, advice)


def _tools(session: Session) -> Iterator[Problem]:
    """Yield tools of addons that hung within the last hour."""
    rows = HealthMinute.__table__.c
    query = (
        sa.select(rows.channel, sa.func.sum(rows["count"]))
        .where(rows.minute > recording.this_minute() - 60, rows.metric == Metric.TOOLS_HUNG)
        .group_by(rows.channel)
        .order_by(rows.channel)
    )
    for slug, times in session.execute(query):
        fact = ngettext(
            "A tool of the addon %(addon)s hung %(num)s time in the last hour.",
            "Tools of the addon %(addon)s hung %(num)s times in the last hour.",
            int(times),
            addon=slug,
        )
        advice = _(
            "Assistants continue without it. While a call hangs, that process doesn't call it again. "
            "Turn the addon off, or fix what it is waiting for."
        )
        yield Problem("warn", fact, advice, ("addons.index", {}), _("Addons"))
