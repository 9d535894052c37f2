"""Bulk actions: choose what to do with a selection or with all that match, see how far it is, undo it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox import bulk, labels, queries, teams
from host.inbox.bulk import ACTIONS, Shown, Wish
from host.inbox.errors import BulkError, UndoOverError
from host.inbox.pages import snooze_times
from host.inbox.pages.arguments import Filter, filter_from_request, form_id, ids_from_request
from host.inbox.pages.context import bp
from host.models.bulk import BulkState
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_bad,
    passive,
    wants_json,
    workspace_view,
)

BULK = "/w/<int:workspace_id>/inbox/bulk"


@bp.get(BULK)
@workspace_view(Permission.ANSWER)
def bulk_panel(workspace_id: int) -> ResponseReturnValue:
    """Show what can be done with a selection (``ids``) or with all that match the filter, counted.

    With ``fragment`` as a piece of the inbox, else as a page.
    """
    return _panel(workspace_id)


def _panel(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    filter_ = filter_from_request(current_directory())
    ids = ids_from_request("ids") or None
    user_id = current_user().id
    with db.read() as session:
        facts = _facts(session, workspace_id, user_id, filter_, ids)
        values: dict[str, Any] = {
            "labels": labels.all_of(session, workspace_id),
            "teams": teams.all_of(session, workspace_id),
            "members": queries.all_members(session, workspace_id),
            "recent": bulk.listing(session, workspace_id, user_id),
            "label_names": {one.id: one.name for one in labels.all_of(session, workspace_id)},
        }
    fragment = request.args.get("fragment") == "1"
    page = render_template(
        "inbox/_bulk.html" if fragment else "inbox/bulk.html",
        facts=facts,
        ids=ids,
        filter=filter_,
        actions=ACTIONS,
        problem=problem,
        offered=snooze_times.offered(clock.now()),
        own_time=snooze_times.own_time(clock.now()),
        sentence=sentence,
        now=clock.now(),
        **values,
    )
    return page, 200 if problem is None else problem.status


def _facts(
    session: Any, workspace_id: int, user_id: int, filter_: Filter, ids: list[int] | None
) -> dict[str, int]:
    """Count what an action would change: all, those that wait for a reply, those with nobody, unread ones."""
    conditions = {
        "all": filter_,
        "waiting": replace(filter_, needs_reply=True),
        "failed": replace(filter_, failed=True),
        "nobody": filter_ if filter_.assignee else replace(filter_, assignee=queries.Assignee.NOBODY),
    }
    found = queries.count_each(
        session, workspace_id, user_id, list(conditions.values()), bulk.MOST + 1, among=ids
    )
    return dict(zip(conditions, found, strict=True))


@bp.post(BULK)
@workspace_view(Permission.ANSWER)
def start_bulk(workspace_id: int) -> ResponseReturnValue:
    """Begin a bulk action: for ``ids`` of the address, or for all that match the filter in it.

    With ``leave_waiting`` those that wait for a reply are left out.
    """
    now = clock.now()
    filter_ = filter_from_request(current_directory())
    ids = ids_from_request("ids") or None
    try:
        wish = _wish()
        if request.form.get("leave_waiting") == "1":
            filter_ = replace(filter_, needs_reply=False)
        if request.args.get("chosen") == "ids" and ids is None:
            raise BulkError()
        shown = bulk.start(
            wish, filter_, workspace_id=workspace_id, user_id=current_user().id, now=now, ids=ids
        )
    except LobbyError as error:
        if wants_json():
            raise
        return _panel(workspace_id, error)
    return _answer(workspace_id, shown)


def _wish() -> Wish:
    action = request.form.get("action", "")
    return Wish(
        action,
        assignee_id=form_id("assignee"),
        team_id=form_id("team"),
        label_id=form_id("label"),
        snooze=snooze_times.snooze_from_form(clock.now()) if action == "snooze" else None,
    )


@bp.get(f"{BULK}/<int:bulk_id>")
@passive
@workspace_view(Permission.ANSWER)
def bulk_progress(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Show how far a bulk action is: as JSON, or as a page."""
    with db.read() as session:
        shown = bulk.of_user(session, workspace_id, current_user().id, bulk_id)
    return _answer(workspace_id, shown, stay=True)


@bp.post(f"{BULK}/<int:bulk_id>/stop")
@workspace_view(Permission.ANSWER)
def stop_bulk(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Stop a bulk action: what it changed stays."""
    db.write(bulk.stop, workspace_id=workspace_id, bulk_id=bulk_id, user_id=current_user().id)
    with db.read() as session:
        shown = bulk.of_user(session, workspace_id, current_user().id, bulk_id)
    return _answer(workspace_id, shown)


@bp.post(f"{BULK}/<int:bulk_id>/undo")
@workspace_view(Permission.ANSWER)
def undo_bulk(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Put back what a bulk action changed."""
    try:
        shown = bulk.undo(workspace_id=workspace_id, bulk_id=bulk_id, user_id=current_user().id)
    except UndoOverError as error:
        if wants_json():
            raise
        flash_bad(error.sentence)
        return redirect(url_for("inbox.bulk_progress", workspace_id=workspace_id, bulk_id=bulk_id), 303)
    return _answer(workspace_id, shown)


def _answer(workspace_id: int, shown: Shown, *, stay: bool = False) -> ResponseReturnValue:
    now = clock.now()
    if wants_json():
        return jsonify(
            id=shown.id,
            runs=shown.runs,
            done=shown.done,
            total=shown.total,
            undoable=shown.undoable(now),
            sentence=sentence(shown),
            at=url_for("inbox.bulk_progress", workspace_id=workspace_id, bulk_id=shown.id),
        )
    if not stay:
        address = url_for("inbox.bulk_progress", workspace_id=workspace_id, bulk_id=shown.id)
        return redirect(address, 303)
    return render_template("inbox/bulk_done.html", one=shown, sentence=sentence, now=now)


def sentence(shown: Shown) -> str:
    """Return what a bulk action did, or is doing, in a sentence."""
    if shown.state is BulkState.RUNNING:
        return _("%(done)s of %(total)s done", done=shown.done, total=shown.total)
    if shown.state is BulkState.UNDOING:
        left = shown.changed - shown.restored - shown.kept
        return _("Putting back: %(num)s to go", num=left)
    if shown.state is BulkState.UNDONE:
        text = ngettext("%(num)s conversation put back", "%(num)s conversations put back", shown.restored)
        kept = ngettext("%(num)s changed since and stays", "%(num)s changed since and stay", shown.kept)
        return f"{text}; {kept}" if shown.kept else str(text)
    return _done_text(shown)


def _done_text(shown: Shown) -> str:
    number = shown.changed
    text: str = {
        "close": lambda: ngettext("%(num)s conversation closed", "%(num)s conversations closed", number),
        "open": lambda: ngettext("%(num)s conversation opened", "%(num)s conversations opened", number),
        "assign": lambda: ngettext("%(num)s conversation assigned", "%(num)s conversations assigned", number),
        "team": lambda: ngettext(
            "%(num)s conversation went to another team", "%(num)s conversations went to another team", number
        ),
        "label": lambda: ngettext("%(num)s conversation labelled", "%(num)s conversations labelled", number),
        "unlabel": lambda: ngettext(
            "Label taken off %(num)s conversation", "Label taken off %(num)s conversations", number
        ),
        "snooze": lambda: ngettext("%(num)s conversation snoozed", "%(num)s conversations snoozed", number),
        "wake": lambda: ngettext("%(num)s conversation is back", "%(num)s conversations are back", number),
        "spam": lambda: ngettext(
            "%(num)s conversation marked as spam", "%(num)s conversations marked as spam", number
        ),
        "unspam": lambda: ngettext(
            "%(num)s conversation taken out of spam", "%(num)s conversations taken out of spam", number
        ),
        "read": lambda: ngettext(
            "%(num)s conversation marked as read", "%(num)s conversations marked as read", number
        ),
    }[shown.action]()
    if shown.state is BulkState.STOPPED:
        text = _("%(what)s, then stopped", what=text)
    if shown.skipped:
        left = ngettext("%(num)s could not be changed", "%(num)s could not be changed", shown.skipped)
        return f"{text}; {left}"
    return text
