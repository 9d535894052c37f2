"""The section of the Reports page with a workspace's figures."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk.i18n import gettext, noop
from host.sdk.reports import Better, Counts, Number, ReportQuery, ReportSection, Unit

from . import keeping
from .asking import SCORES


def read(query: ReportQuery) -> Sequence[Number | Counts]:
    """Return figures, scores, and why customers were not asked; nothing if there was no closing."""
    now = keeping.figures(query.workspace_id, query.start, query.end, query.accounts)
    if not now.closings:
        return []
    earlier = keeping.figures(query.workspace_id, query.before, query.start, query.accounts)
    tables = []
    if now.answered:
        scores = [(gettext("%(score)s of 5", score=one), now.scores.get(one, 0)) for one in reversed(SCORES)]
        tables.append(Counts(gettext("Scores"), scores))
    if now.asked < now.closings:
        tables.append(Counts(gettext("Not asked"), _reasons(now)))
    return [
        Number(gettext("Asked"), now.asked, _compared(earlier, earlier.asked)),
        Number(gettext("Answered"), now.answered, _compared(earlier, earlier.answered)),
        Number(gettext("Answer rate"), now.rate, earlier.rate, Unit.SHARE, Better.HIGHER),
        Number(gettext("Average score"), now.average, earlier.average, Unit.AVERAGE, Better.HIGHER),
        Number(gettext("Comments"), now.comments, _compared(earlier, earlier.comments)),
        *tables,
    ]


def _compared(earlier: keeping.Figures, count: int) -> int | None:
    # Without a closing, such as before the addon was turned on, a zero says nothing.
    return count if earlier.closings else None


def _reasons(found: keeping.Figures) -> list[tuple[str, int]]:
    reasons = [
        (gettext("Reply window closed"), found.window_closed),
        (gettext("Asked recently"), found.recently),
        (gettext("Opted out"), found.opted_out),
        (gettext("Opened again"), found.reopened),
        (gettext("Other reasons"), found.other),
    ]
    return [(label, count) for label, count in reasons if count]


SECTION = ReportSection("satisfaction.figures", noop("Customer satisfaction"), read)
