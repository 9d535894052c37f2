"""Removal of report data."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.reports.models import ReportHour, ReportTeamHour, Span

HOURS_AT_ONCE = 100


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the spans and sums of a workspace."""
    if db.delete_some(session, Span, Span.workspace_id == workspace_id, most):
        return True
    for model in (ReportHour, ReportTeamHour):
        hours = sa.select(model.hour).where(model.workspace_id == workspace_id).distinct()
        some = list(session.scalars(hours.limit(HOURS_AT_ONCE)))
        if some:
            session.execute(sa.delete(model).where(model.workspace_id == workspace_id, model.hour.in_(some)))
            return True
    return None
