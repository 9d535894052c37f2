"""The inbox's sidebar: saved views, labels, teams, posts, and the shelves for snoozed and spam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.channels.directory import Directory, current_directory
from host.core import db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox import queries, saved_views
from host.inbox.comments import posts
from host.inbox.comments.posts import PostRow
from host.inbox.errors import ViewNameError
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.pages.arguments import Filter, filter_from_request, left_out
from host.inbox.pages.comments.parts import titled
from host.inbox.pages.context import InboxContext, bp
from host.inbox.queries import AnyTeam, ConversationFilter
from host.inbox.saved_views import SharedViewError, View
from host.inbox.teams import teams
from host.inbox.teams.teams import InboxTeam
from host.sdk.channel import Threading
from host.users.actor import UnitOfWork
from host.users.reach import Accounts
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    current_user,
    flash_bad,
    flash_good,
    seen_accounts,
    shown_workspace,
    workspace_view,
    write,
)

VIEWS = "/w/<int:workspace_id>/inbox/views"


class Shelf(msgspec.Struct, frozen=True):
    """A folder with a name and a count next to the views.

    :param arguments: its URL parameters.
    """

    key: str
    name: str
    icon: str
    count: int
    arguments: dict[str, str]


class Sidebar(msgspec.Struct, frozen=True):
    """The sidebar below the filters, with counts.

    :param teams: the person's own teams, and then the others if they manage teams.
    :param title: name of the item whose list is shown; otherwise empty.
    :param missing: deleted items the filter refers to, and unknown URL parameters.
    :param posts: posts with open conversations, with the number of these.
    """

    views: Sequence[tuple[View, dict[str, str]]]
    labels: Sequence[Label]
    shelves: Sequence[Shelf]
    teams: Sequence[InboxTeam]
    title: str
    missing: Sequence[LazyString | str]
    posts: Sequence[tuple[PostRow, int]] = ()


_ALWAYS = frozenset({"snoozed", "scheduled", "spam"})
"""Shelves that are shown even if empty. ``late`` is not, as there may be no account with a reply target."""


def kept(inbox: InboxContext, filter_: Filter) -> Sidebar:
    """Return the sidebar of *inbox*: six queries, and at most five more for deleted items."""
    session, workspace_id = inbox.session, inbox.workspace_id
    accounts = filter_.accounts
    rows = saved_views.listing(session, workspace_id, inbox.user_id, accounts, count=False)
    shelves = [
        ("snoozed", str(_("Snoozed")), "snooze", Filter(snoozed=True)),
        ("scheduled", str(_("Scheduled")), "clock", Filter(status=None, snoozed=None, scheduled=True)),
        ("late", str(_("Overdue")), "alert", Filter(late=True)),
        ("spam", str(_("Spam")), "ban", Filter(status=None, snoozed=None, spam=True)),
    ]
    filters: list[ConversationFilter] = [replace(one, accounts=accounts) for *_rest, one in shelves]
    filters += [row.filter for row in rows if not row.search]
    offered = _posts(inbox, filter_)
    about = [Filter(post=one.id, accounts=accounts) for one in offered]
    most = saved_views.MOST_COUNTED
    counts = queries.count_each(session, workspace_id, inbox.user_id, [*filters, *about], most)
    shown = saved_views.counted(rows, counts[len(shelves) : len(filters)])
    all_labels = labels.all_of(session, workspace_id)
    return Sidebar(
        [(view, Filter.of(view.filter, view.id).arguments()) for view in shown],
        all_labels,
        [
            Shelf(key, name, icon, counts[at], one.arguments())
            for at, (key, name, icon, one) in enumerate(shelves)
            if counts[at] or key in _ALWAYS or (key == "late" and filter_.late)
        ],
        _teams(inbox, accounts),
        _title(filter_, shown, all_labels, inbox.teams()) or _post_title(filter_, offered),
        [*saved_views.missing(session, workspace_id, filter_), *_unknown(inbox.directory)],
        list(zip(offered, counts[len(filters) :], strict=True)),
    )


def _unknown(directory: Directory) -> list[str]:
    """Return a sentence about unknown parameters in the URL; empty if all are known."""
    some = left_out(directory)
    if not some:
        return []
    return [
        _("Unknown filters were ignored: %(what)s. More conversations may be shown.", what=", ".join(some))
    ]


def _posts(inbox: InboxContext, filter_: Filter) -> list[PostRow]:
    """Return the posts to filter by, including the chosen one.

    At most two statements, none if no channel has posts.
    """
    if not any(one.capabilities.threading is Threading.POST for one in inbox.directory.adapters):
        return []
    found = posts.with_open(inbox.session, inbox.workspace_id, filter_.accounts)
    if filter_.post is not None and all(one.id != filter_.post for one in found):
        found += posts.by_id(inbox.session, inbox.workspace_id, [filter_.post]).values()
    return found


def _post_title(filter_: Filter, offered: Sequence[PostRow]) -> str:
    """Return the title of the post if it is the list's only filter, otherwise empty."""
    alone = filter_.arguments() == Filter(post=filter_.post).arguments()
    found = next((one for one in offered if one.id == filter_.post), None)
    return titled(found) if found is not None and alone else ""


def _teams(inbox: InboxContext, accounts: Accounts) -> list[InboxTeam]:
    workspace = shown_workspace()
    keeps = workspace is not None and workspace.may(Permission.TEAMS)
    some = [one for one in inbox.teams() if one.mine or keeps]
    return teams.with_counts(inbox.session, inbox.workspace_id, some, accounts)


def _title(
    filter_: Filter, views: Sequence[View], all_labels: Sequence[Label], all_teams: Sequence[InboxTeam]
) -> str:
    """Return the list's title if it is a saved view, a shelf, or filtered by team or label, otherwise
    empty."""
    view = next((one.name for one in views if one.id == filter_.saved), "")
    if view:
        return view
    if filter_.mentioned is not None:
        return _("Mentions")
    if filter_.spam or filter_.snoozed:
        return _("Spam") if filter_.spam else _("Snoozed")
    named = [one.name for one in all_labels if one.id in (filter_.labels or ())]
    if filter_.team is not None:
        words = {AnyTeam.MINE: _("My teams"), AnyTeam.NONE: _("No team")}
        team = next((one.name for one in all_teams if one.id == filter_.team), "")
        named.insert(0, words[filter_.team] if isinstance(filter_.team, AnyTeam) else team)
        if filter_.view == "unassigned":
            named.append(_("unassigned"))
    return ", ".join(one for one in named if one)


@bp.get(VIEWS)
@workspace_view(Permission.READ)
def views_page(workspace_id: int) -> ResponseReturnValue:
    """List the views the person sees; with a filter or a search in the URL, offer to save it."""
    return _page(workspace_id)


def _page(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    filter_, search = filter_from_request(current_directory()), _search()
    with db.read() as session:
        rows = saved_views.listing(session, workspace_id, current_user().id, seen_accounts())
        gone = {
            row.id: [] if row.search else saved_views.missing(session, workspace_id, row.filter)
            for row in rows
        }
        words = [] if search else described(session, workspace_id, filter_)
        unknown = [] if search else _unknown(current_directory())
        described_rows = {
            row.id: []
            if row.search or row.filter.labels == saved_views.NOTHING
            else described(session, workspace_id, Filter.of(row.filter))
            for row in rows
        }
    page = render_template(
        "inbox/views.html",
        rows=rows,
        gone=gone,
        described=described_rows,
        filter=filter_,
        words=words,
        unknown=unknown,
        search=search,
        offering=bool(search or filter_.arguments()),
        addresses={row.id: Filter.of(row.filter, row.id).arguments() for row in rows},
        problem=problem,
        most_counted=saved_views.MOST_COUNTED,
    )
    return page, 200 if problem is None else problem.status


def _search() -> str:
    """Return the search in the URL; empty for none."""
    return request.args.get("q", "").strip()


def described(session: Session, workspace_id: int, filter_: Filter) -> list[str]:
    """Return the conditions of a filter in words."""
    status = {"open": _("open"), "closed": _("closed"), "None": _("open or closed")}[str(filter_.status)]
    who = {"mine": _("mine"), "unassigned": _("unassigned"), "all": "", "": _("assigned to one member")}[
        filter_.view
    ]
    if not filter_.view:
        people = queries.names_of(session, workspace_id, [int(filter_.assignee or 0)])
        left = _("a former member")
        who = _("assigned to %(name)s", name=next(iter(people.values()), left))
    found = [status, who]
    if filter_.team is not None:
        found.append(_team_words(session, workspace_id, filter_.team))
    names = {one.id: one.name for one in labels.all_of(session, workspace_id)}
    for ids, word in (
        (filter_.labels, _("labeled %(names)s")),
        (filter_.all_labels, _("with all of %(names)s")),
        (filter_.no_labels, _("without %(names)s")),
    ):
        if ids:
            some = ", ".join(names.get(id_, str(_("a deleted label"))) for id_ in sorted(ids))
            found.append(word % {"names": some})
    if filter_.channel:
        found.append(current_directory().label(filter_.channel))
    found.append(
        {"snoozed": _("snoozed"), "spam": _("spam"), "any": _("including snoozed")}.get(filter_.shelf, "")
    )
    found.append(_("needs a reply") if filter_.needs_reply else "")
    found.append(_("with a failed message") if filter_.failed else "")
    found.append(_("mentions me") if filter_.mentioned is not None else "")
    found.append(_("overdue") if filter_.late else "")
    found.append(_("with a scheduled reply") if filter_.scheduled else "")
    found.append(_("in one account") if filter_.account_id else "")
    return [str(one) for one in found if one]


def _team_words(session: Session, workspace_id: int, team: int | AnyTeam) -> str:
    if isinstance(team, AnyTeam):
        return _("in my teams") if team is AnyTeam.MINE else _("in no team")
    names = {one.id: one.name for one in teams.all_of(session, workspace_id)}
    return _("in the team %(name)s", name=names[team]) if team in names else _("in a deleted team")


@bp.post(VIEWS)
@workspace_view(Permission.ANSWER)
def save_view(workspace_id: int) -> ResponseReturnValue:
    """Save the filter or the search in the URL, personally or with ``shared`` for everyone."""
    shared = request.form.get("shared") == "1"
    workspace = shown_workspace()
    if shared and (workspace is None or not workspace.may(Permission.SHARED)):
        shared = False
    filter_, search = filter_from_request(current_directory()), _search()
    try:
        view = write(
            saved_views.create,
            owner_id=None if shared else current_user().id,
            name=request.form.get("name", ""),
            shows=search or filter_,
        )
    except LobbyError as error:
        return _page(workspace_id, error)
    flash_good(_("View saved."))
    if search:
        return redirect(url_for("search.index", workspace_id=workspace_id, q=search), 303)
    arguments: dict[str, Any] = dict(replace(filter_, saved=view.id).arguments())
    return redirect(url_for("inbox.index", workspace_id=workspace_id, **arguments), 303)


@bp.post(f"{VIEWS}/<int:view_id>")
@workspace_view(Permission.ANSWER)
def change_view(workspace_id: int, view_id: int) -> ResponseReturnValue:
    """Rename, move or delete a personal view or, with the permission, a shared one."""
    workspace = shown_workspace()
    may_shared = workspace is not None and workspace.may(Permission.SHARED)
    try:
        write(_change, view_id, may_shared)
    except (SharedViewError, ViewNameError) as error:
        flash_bad(error.sentence)
    return redirect(url_for("inbox.views_page", workspace_id=workspace_id), 303)


def _change(work: UnitOfWork, view_id: int, may_shared: bool) -> None:
    view = saved_views.get(work.session, work.workspace_id, view_id, work.actor.id, lock=True)
    if view.owner_id is None and not may_shared:
        raise SharedViewError()
    what = request.form.get("what", "")
    if what == "delete":
        saved_views.delete(work, view)
    elif what in {"up", "down"}:
        saved_views.move(work.session, view, -1 if what == "up" else 1)
    else:
        saved_views.change(work, view, name=request.form.get("name", ""))
