"""The list in the inbox's place, and how set-up went, on the Health page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.core import clock
from host.features.hookspecs import hookimpl
from host.start import shown, steps
from host.start.shown import StartList
from host.web.formats import duration
from host.web.languages import gettext as _

STAYS = timedelta(hours=1)
"""A workspace that has been at a step for so long has stopped there."""


@hookimpl
def instead_of_inbox(workspace_id: int) -> StartList | None:
    """Return the list of first steps while it leads."""
    return shown.leading(workspace_id)


@hookimpl
def above_inbox(workspace_id: int) -> tuple[str, str] | None:
    """Return a line that leads to the steps that are left, once the inbox is back."""
    return shown.line(workspace_id)


@hookimpl
def health_lines(session: Session) -> Sequence[tuple[str, str]] | None:
    """Return how long set-up took, and at which step people stopped."""
    found = steps.totals(session, clock.now() - STAYS)
    sentences = []
    if found.finished:
        sentences.append(
            ngettext(
                "%(num)s workspace was set up in %(time)s.",
                "%(num)s workspaces were set up, in %(time)s (median).",
                found.finished,
                time=duration(found.took),
            )
        )
    for key, count in found.stopped.items():
        sentences.append(
            ngettext(
                "%(num)s stopped at “%(step)s”.",
                "%(num)s stopped at “%(step)s”.",
                count,
                step=steps.NAMES[key],
            )
        )
    return [(_("Set-up"), " ".join(sentences))] if sentences else None
