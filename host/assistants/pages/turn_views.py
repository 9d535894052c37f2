"""Pages for an assistant's recent turns and their ratings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.assistants import assistants, ratings, words
from host.assistants.pages.blueprint import NEEDS, ONE, bp, has_endpoint
from host.assistants.pages.playground import Play, register
from host.assistants.ratings import TurnFilter
from host.core import clock, db
from host.core.errors import InvalidError
from host.inbox.pages import durations
from host.live.following import follows
from host.web.languages import gettext as _
from host.web.request_helpers import flash_good, id_argument, seen_accounts, workspace_view, write

SHOWS = {
    TurnFilter.ALL: _l("All"),
    TurnFilter.TAKEN: _l("Sent"),
    TurnFilter.SHADOW: _l("Shadow"),
    TurnFilter.HANDED_OVER: _l("Handed off"),
    TurnFilter.WRONG: _l("Wrong"),
    TurnFilter.FAILED: _l("Failed"),
}


def _chosen(name: str) -> TurnFilter:
    return TurnFilter(name) if name in set(TurnFilter) else TurnFilter.ALL


@bp.get(f"{ONE}/said")
@workspace_view(NEEDS)
@follows
def said(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List the assistant's turns, newest first."""
    return said_page(workspace_id, assistant_id)


def said_page(workspace_id: int, assistant_id: int, play: Play | None = None) -> ResponseReturnValue:
    """Return the page of recent turns."""
    show, now = _chosen(request.args.get("show", "")), clock.now()
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        found = ratings.lately(
            session,
            assistant_id,
            show=show,
            accounts=seen_accounts(),
            before=id_argument("before"),
            limit=ratings.PAGE + 1,
        )
    turns = found[: ratings.PAGE]
    return render_template(
        "assistants/assistant_said.html",
        assistant=row,
        tab="said",
        show=show,
        shows=SHOWS,
        turns=[
            (one, ratings.state(one), words.said(one.reason), durations.moment(one.at, now)) for one in turns
        ],
        age=lambda at: durations.since(datetime.fromisoformat(at), now),
        older=turns[-1].id if len(found) > len(turns) else None,
        play=play or Play(),
    )


register("said", said_page)


@bp.post(f"{ONE}/said/<int:turn_id>")
@workspace_view(NEEDS)
def judge(workspace_id: int, assistant_id: int, turn_id: int) -> ResponseReturnValue:
    """Save whether an answer was right; a wrong one leads to a case."""
    thinks = request.form.get("right", "")
    with db.read() as session:
        ratings.get(session, workspace_id=workspace_id, assistant_id=assistant_id, turn_id=turn_id)
    if thinks not in {"yes", "no"}:
        raise InvalidError(_l("Choose whether the answer is right or wrong."), field="right")
    named: dict[str, Any] = {"workspace_id": workspace_id, "assistant_id": assistant_id}
    write(ratings.judge, assistant_id, turn_id, right=thinks == "yes")
    if thinks == "no" and has_endpoint("assistant_cases.index", "assistant_id"):
        flash_good(_("Marked as wrong. Describe a good answer to create a test case."))
        return redirect(url_for("assistant_cases.index", **named, turn=turn_id), 303)
    flash_good(_("Marked as right.") if thinks == "yes" else _("Marked as wrong."))
    show = _chosen(request.form.get("show", ""))
    address = url_for("assistants.said", **named, show=None if show is TurnFilter.ALL else show.value)
    return redirect(f"{address}#turn-{turn_id}", 303)
