"""What the inbox keeps beside its list: saved views, labels, and the shelves of snoozed and spam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox import labels, queries, saved_views
from host.inbox.errors import ViewNameError
from host.inbox.pages.arguments import Filter, filter_from_request
from host.inbox.pages.context import InboxContext, bp
from host.inbox.queries import ConversationFilter
from host.inbox.saved_views import SharedViewError, View
from host.models.labels import Label
from host.models.saved_views import SavedView
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    audit,
    current_user,
    flash_bad,
    flash_good,
    seen_accounts,
    shown_workspace,
    workspace_view,
)

VIEWS = "/w/<int:workspace_id>/inbox/views"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A place with a name and a number beside the views.

    :param arguments: of its address.
    """

    key: str
    name: str
    icon: str
    count: int
    arguments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the sidebar shows below the filters, counted.

    :param title: what the list shows, where that is one of these; else empty.
    :param missing: what the filter names that is gone.
    """

    views: Sequence[tuple[View, dict[str, str]]]
    labels: Sequence[Label]
    shelves: Sequence[Shelf]
    title: str
    missing: Sequence[LazyString]


def kept(inbox: InboxContext, filter_: Filter) -> Kept:
    """Return what the sidebar shows of *inbox*: three queries, and at most two more for what is gone."""
    session, workspace_id = inbox.session, inbox.workspace_id
    accounts = filter_.accounts
    rows = saved_views.listing(session, workspace_id, inbox.user_id, accounts, count=False)
    shelves = [
        ("snoozed", str(_("Snoozed")), "snooze", Filter(snoozed=True)),
        ("spam", str(_("Spam")), "ban", Filter(status=None, snoozed=None, spam=True)),
    ]
    filters: list[ConversationFilter] = [replace(one, accounts=accounts) for *_rest, one in shelves]
    filters += [row.filter for row in rows]
    most = saved_views.MOST_COUNTED
    counts = queries.count_each(session, workspace_id, inbox.user_id, filters, most)
    shown = [replace(row, count=number) for row, number in zip(rows, counts[2:], strict=True)]
    all_labels = labels.all_of(session, workspace_id)
    return Kept(
        [(view, Filter.of(view.filter, view.id).arguments()) for view in shown],
        all_labels,
        [
            Shelf(key, name, icon, counts[at], one.arguments())
            for at, (key, name, icon, one) in enumerate(shelves)
        ],
        _title(filter_, shown, all_labels),
        saved_views.missing(session, workspace_id, filter_),
    )


def _title(filter_: Filter, views: Sequence[View], all_labels: Sequence[Label]) -> str:
    """Return what the list shows, where it is a saved view, a shelf or the conversations of a label."""
    view = next((one.name for one in views if one.id == filter_.saved), "")
    if view:
        return view
    if filter_.spam or filter_.snoozed:
        return _("Spam") if filter_.spam else _("Snoozed")
    named = [one.name for one in all_labels if one.id in (filter_.labels or ())]
    if named:
        return ", ".join(named)
    return ""


@bp.get(VIEWS)
@workspace_view(Permission.READ)
def views_page(workspace_id: int) -> ResponseReturnValue:
    """List the views somebody sees; with a filter in the address, offer to save that."""
    return _page(workspace_id)


def _page(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    filter_ = filter_from_request(current_directory())
    with db.read() as session:
        rows = saved_views.listing(session, workspace_id, current_user().id, seen_accounts())
        gone = {row.id: saved_views.missing(session, workspace_id, row.filter) for row in rows}
        words = described(session, workspace_id, filter_)
        described_rows = {row.id: described(session, workspace_id, Filter.of(row.filter)) for row in rows}
    page = render_template(
        "inbox/views.html",
        rows=rows,
        gone=gone,
        described=described_rows,
        filter=filter_,
        words=words,
        offering=bool(filter_.arguments()),
        addresses={row.id: Filter.of(row.filter, row.id).arguments() for row in rows},
        problem=problem,
        most_counted=saved_views.MOST_COUNTED,
    )
    return page, 200 if problem is None else problem.status


def described(session: Session, workspace_id: int, filter_: Filter) -> list[str]:
    """Return what a filter asks for, each condition in a few words."""
    status = {"open": _("open"), "closed": _("closed"), "None": _("open or closed")}[str(filter_.status)]
    who = {"mine": _("mine"), "unassigned": _("with nobody"), "all": "", "": _("of one member")}[filter_.view]
    if not filter_.view:
        people = queries.names_of(session, workspace_id, [int(filter_.assignee or 0)])
        who = _("of %(name)s", name=next(iter(people.values()), _("somebody who left")))
    found = [status, who]
    names = {one.id: one.name for one in labels.all_of(session, workspace_id)}
    for ids, word in (
        (filter_.labels, _("labelled %(names)s")),
        (filter_.all_labels, _("with all of %(names)s")),
        (filter_.no_labels, _("without %(names)s")),
    ):
        if ids:
            some = ", ".join(names.get(id_, str(_("a deleted label"))) for id_ in sorted(ids))
            found.append(word % {"names": some})
    if filter_.channel:
        found.append(current_directory().label(filter_.channel))
    found.append(
        {"snoozed": _("snoozed"), "spam": _("spam"), "any": _("also snoozed")}.get(filter_.shelf, "")
    )
    found.append(_("needs a reply") if filter_.needs_reply else "")
    found.append(_("with a failed message") if filter_.failed else "")
    found.append(_("of one account") if filter_.account_id else "")
    return [str(one) for one in found if one]


@bp.post(VIEWS)
@workspace_view(Permission.ANSWER)
def save_view(workspace_id: int) -> ResponseReturnValue:
    """Save the filter of the address under a name, for oneself or with ``shared`` for everybody."""
    shared = request.form.get("shared") == "1"
    workspace = shown_workspace()
    if shared and (workspace is None or not workspace.may(Permission.SHARED)):
        shared = False
    filter_ = filter_from_request(current_directory())

    def use_case(session: Session) -> int:
        view = saved_views.create(
            session,
            workspace_id=workspace_id,
            owner_id=None if shared else current_user().id,
            name=request.form.get("name", ""),
            filter_=filter_,
            now=clock.now(),
        )
        if shared:
            audit(session, "view.added", view.name, workspace_id=workspace_id)
        return view.id

    try:
        view_id = db.write(use_case)
    except LobbyError as error:
        return _page(workspace_id, error)
    flash_good(_("The view is saved."))
    arguments: dict[str, Any] = dict(replace(filter_, saved=view_id).arguments())
    return redirect(url_for("inbox.index", workspace_id=workspace_id, **arguments), 303)


@bp.post(f"{VIEWS}/<int:view_id>")
@workspace_view(Permission.ANSWER)
def change_view(workspace_id: int, view_id: int) -> ResponseReturnValue:
    """Rename, move or delete a view: one's own, or as somebody who keeps them a shared one."""
    workspace = shown_workspace()
    user_id = current_user().id
    may_shared = workspace is not None and workspace.may(Permission.SHARED)

    def use_case(session: Session) -> None:
        view = saved_views.get(session, workspace_id, view_id, user_id, lock=True)
        if view.owner_id is None and not may_shared:
            raise SharedViewError()
        _change(session, workspace_id, view)

    try:
        db.write(use_case)
    except (SharedViewError, ViewNameError) as error:
        flash_bad(error.sentence)
    return redirect(url_for("inbox.views_page", workspace_id=workspace_id), 303)


def _change(session: Session, workspace_id: int, view: SavedView) -> None:
    what = request.form.get("what", "")
    if what == "delete":
        if view.owner_id is None:
            audit(session, "view.deleted", view.name, workspace_id=workspace_id)
        saved_views.delete(session, view)
    elif what in {"up", "down"}:
        saved_views.move(session, view, -1 if what == "up" else 1)
    else:
        saved_views.change(view, name=request.form.get("name", ""))
        if view.owner_id is None:
            audit(session, "view.changed", view.name, workspace_id=workspace_id)
