"""Bulk actions: choose an action for a selection or all matches, show its progress, undo it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.core.ids import read_id
from host.inbox import queries
from host.inbox.bulk import actions
from host.inbox.bulk.actions import ACTIONS, BulkChange, BulkProgress
from host.inbox.bulk.models import BulkState
from host.inbox.errors import BulkError, ConversationNotFoundError, UndoOverError
from host.inbox.foreseen import counting
from host.inbox.foreseen.changes import KINDS
from host.inbox.foreseen.counting import Foreseen
from host.inbox.labels import labels
from host.inbox.messages import load_messages
from host.inbox.pages import snooze_times
from host.inbox.pages.arguments import Filter, filter_from_request, form_id, ids_from_request
from host.inbox.pages.context import InboxContext, opened_inbox
from host.inbox.pages.conversation_view import name_of
from host.inbox.pages.message_view import activity
from host.inbox.queries import MAX_ROWS, ConversationFilter
from host.inbox.teams import teams
from host.models.inbox import Conversation
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    acting,
    current_user,
    flash_bad,
    flash_good,
    passive,
    seen_accounts,
    wants_json,
    workspace_view,
    write,
)

bp = Blueprint("bulk", __name__, template_folder="templates")

NAMED = 3
"""Number of conversations that are named where others were faster."""
MOST_MARK = 300
BULK = "/w/<int:workspace_id>/inbox/bulk"


@bp.get(BULK)
@workspace_view(Permission.ANSWER)
def panel(workspace_id: int) -> ResponseReturnValue:
    """Show the actions for a selection (``ids``) or all that match the filter, with counts.

    With ``fragment`` as part of the inbox, otherwise as a page.
    """
    return _panel(workspace_id)


def _wanted() -> tuple[Filter, list[int] | None]:
    """Return what an action is about: a selection, wherever it has got to meanwhile, or all that match."""
    ids = ids_from_request("ids") or None
    if ids is not None:
        return Filter.of(ConversationFilter(accounts=seen_accounts())), ids
    return filter_from_request(current_directory()), None


def _shown_from_form() -> dict[int, str]:
    """Return how the page showed the selected conversations; what is malformed is ignored."""
    pairs = [one[:MOST_MARK].partition(":") for one in request.form.getlist("shown")[:MAX_ROWS]]
    found = {read_id(id_): mark for id_, _colon, mark in pairs}
    return {id_: mark for id_, mark in found.items() if id_ is not None}


def _panel(workspace_id: int, problem: LobbyError | None = None) -> ResponseReturnValue:
    filter_, ids = _wanted()
    user_id = current_user().id
    with db.read() as session:
        facts = _facts(session, workspace_id, user_id, filter_, ids)
        values: dict[str, Any] = {
            "labels": labels.all_of(session, workspace_id),
            "teams": teams.all_of(session, workspace_id),
            "members": queries.all_members(session, workspace_id),
            "recent": actions.listing(session, workspace_id, user_id),
            "newest": actions.newest_message(session),
            "label_names": {one.id: one.name for one in labels.all_of(session, workspace_id)},
            "messages": _messages_after(session, workspace_id, filter_, ids, facts["all"]),
            "messages_kept": _kept_open(session, workspace_id, filter_, ids, facts),
        }
    fragment = request.args.get("fragment") == "1"
    page = render_template(
        "bulk/_panel.html" if fragment else "bulk/panel.html",
        facts=facts,
        ids=ids,
        filter=filter_from_request(current_directory()),
        actions=ACTIONS,
        problem=problem,
        offered_snoozes=lambda: snooze_times.offered(clock.now()),
        own_snooze=lambda: snooze_times.own_time(clock.now()),
        sentence=sentence,
        may_send=KINDS,
        counted=counting.COUNTED,
        now=clock.now(),
        **values,
    )
    return page, 200 if problem is None else problem.status


def _kept_open(
    session: Any, workspace_id: int, filter_: Filter, ids: list[int] | None, facts: dict[str, int]
) -> Foreseen | None:
    """Return who could get a message if those waiting for a reply are left open."""
    if not facts["waiting"]:
        return None
    left, answered = facts["all"] - facts["waiting"], replace(filter_, needs_reply=False)
    wanted = [KINDS["close"]]
    return _messages_after(session, workspace_id, answered, ids, left, wanted).get("close")


def _messages_after(
    session: Any,
    workspace_id: int,
    filter_: Filter,
    ids: list[int] | None,
    total: int,
    wanted: Collection[str] = frozenset(KINDS.values()),
) -> dict[str, Foreseen]:
    """Return for each action that may lead to messages who could get one."""
    query = queries.select_ids(filter_, workspace_id, current_user().id).limit(counting.COUNTED)
    if ids is not None:
        query = query.where(Conversation.id.in_(ids))
    found = counting.messages_after(
        session,
        workspace_id,
        wanted,
        list(session.scalars(query)),
        current_directory(),
        clock.now(),
        total,
    )
    return {action: found[kind] for action, kind in KINDS.items() if kind in found}


def _facts(
    session: Any, workspace_id: int, user_id: int, filter_: Filter, ids: list[int] | None
) -> dict[str, int]:
    """Count the conversations an action would change: all, those waiting for a reply, unassigned, unread."""
    conditions = {
        "all": filter_,
        "waiting": replace(filter_, needs_reply=True),
        "failed": replace(filter_, failed=True),
        "nobody": filter_ if filter_.assignee else replace(filter_, assignee=queries.Assignee.NOBODY),
    }
    found = queries.count_each(
        session, workspace_id, user_id, list(conditions.values()), actions.MOST + 1, among=ids
    )
    return dict(zip(conditions, found, strict=True))


@bp.post(BULK)
@workspace_view(Permission.ANSWER)
def start(workspace_id: int) -> ResponseReturnValue:
    """Start a bulk action for the ``ids`` of the address, or for all that match its filter.

    With ``leave_waiting``, conversations waiting for a reply are left out.
    """
    filter_, ids = _wanted()
    try:
        change = _change_from_form()
        if request.form.get("leave_waiting") == "1":
            filter_ = replace(filter_, needs_reply=False)
        if request.args.get("chosen") == "ids" and ids is None:
            raise BulkError()
        after = _foreseen_of(workspace_id, change.action, filter_, ids)
        shown = actions.start(
            acting(),
            change,
            filter_,
            ids=ids,
            shown=_shown_from_form() if ids else None,
            since=None if ids else form_id("since"),
        )
    except LobbyError as error:
        if wants_json():
            raise
        return _panel(workspace_id, error)
    return _answer(workspace_id, shown, after=after if shown.changed or shown.runs else None)


def _foreseen_of(workspace_id: int, action: str, filter_: Filter, ids: list[int] | None) -> Foreseen | None:
    """Return the messages that an action may lead to, before it is done."""
    if action not in KINDS:
        return None
    with db.read() as session:
        total = _facts(session, workspace_id, current_user().id, filter_, ids)["all"]
        return _messages_after(session, workspace_id, filter_, ids, total, [KINDS[action]]).get(action)


def _change_from_form() -> BulkChange:
    action = request.form.get("action", "")
    return BulkChange(
        action,
        assignee_id=form_id("assignee"),
        team_id=form_id("team"),
        label_id=form_id("label"),
        snooze=snooze_times.snooze_from_form(clock.now()) if action == "snooze" else None,
    )


@bp.get(f"{BULK}/<int:bulk_id>")
@passive
@workspace_view(Permission.ANSWER)
def progress(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Show the progress of a bulk action as JSON or as a page."""
    with db.read() as session:
        shown = actions.of_user(session, workspace_id, current_user().id, bulk_id)
    return _answer(workspace_id, shown, stay=True)


@bp.post(f"{BULK}/<int:bulk_id>/stop")
@workspace_view(Permission.ANSWER)
def stop(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Stop a bulk action; changes made so far stay."""
    return _answer(workspace_id, write(actions.stop, bulk_id))


@bp.post(f"{BULK}/<int:bulk_id>/undo")
@workspace_view(Permission.ANSWER)
def undo(workspace_id: int, bulk_id: int) -> ResponseReturnValue:
    """Undo a bulk action."""
    try:
        shown = actions.undo(acting(), bulk_id)
    except UndoOverError as error:
        if wants_json():
            raise
        flash_bad(error.sentence)
        return redirect(url_for("bulk.progress", workspace_id=workspace_id, bulk_id=bulk_id), 303)
    return _answer(workspace_id, shown)


def _answer(
    workspace_id: int, shown: BulkProgress, *, stay: bool = False, after: Foreseen | None = None
) -> ResponseReturnValue:
    """Return the progress as JSON or lead to its page.

    :param after: the messages that it may lead to, to be said now.
    """
    now = clock.now()
    warning = "" if after is None else _after_text(after)
    if wants_json():
        return jsonify(
            id=shown.id,
            runs=shown.runs,
            done=shown.done,
            changed=shown.changed,
            until=_until_text(shown, now),
            total=shown.total,
            undoable=shown.undoable(now),
            sentence=". ".join(
                text
                for text in (_with_lost(workspace_id, shown) if shown.lost else sentence(shown), warning)
                if text
            ),
            lost=shown.lost,
            at=url_for("bulk.progress", workspace_id=workspace_id, bulk_id=shown.id),
        )
    if not stay:
        if warning:
            flash_good(warning)
        address = url_for("bulk.progress", workspace_id=workspace_id, bulk_id=shown.id)
        return redirect(address, 303)
    told = sentence(shown) if not shown.lost else _with_lost(workspace_id, shown)
    return render_template("bulk/progress.html", one=shown, sentence=lambda _one: told, now=now)


def _after_text(after: Foreseen) -> str:
    """Return a sentence with the number of customers who could get a message because of an action."""
    text: str = ngettext(
        "Up to %(num)s customer gets a message in an hour, unless you undo this (%(names)s)",
        "Up to %(num)s customers get a message in an hour, unless you undo this (%(names)s)",
        after.customers,
        names=", ".join(after.by),
    )
    return text


def _until_text(shown: BulkProgress, now: datetime) -> str:
    """Return the end of the snooze an action sets, for a sentence; empty without one."""
    until = clock.from_text(shown.argument.get("until"))
    return "" if until is None else snooze_times.when_text(until, now)


def sentence(shown: BulkProgress) -> str:
    """Return a sentence that describes a bulk action and its progress."""
    if shown.state is BulkState.RUNNING:
        return _("%(done)s of %(total)s done", done=shown.done, total=shown.total)
    if shown.state is BulkState.UNDOING:
        left = shown.changed - shown.restored - shown.kept
        return _("Undoing: %(num)s to go", num=left)
    if shown.state is BulkState.UNDONE:
        text = ngettext("%(num)s conversation restored", "%(num)s conversations restored", shown.restored)
        kept = ngettext(
            "%(num)s changed since and left as is", "%(num)s changed since and left as they are", shown.kept
        )
        return f"{text}; {kept}" if shown.kept else str(text)
    return _done_text(shown)


def _with_lost(workspace_id: int, shown: BulkProgress) -> str:
    """Return the sentence of an action that lost races, and name who was faster."""
    with opened_inbox(workspace_id) as inbox:
        names = [_lost_one(inbox, *one) for one in actions.lost(inbox.session, shown.id, NAMED)]
    more = shown.lost - len(names)
    if more:
        names.append(_("%(num)s more", num=more))
    text = ngettext(
        "Someone else was faster in %(num)s conversation, which was left as it is: %(names)s",
        "Someone else was faster in %(num)s conversations, which were left as they are: %(names)s",
        shown.lost,
        names=", ".join(names),
    )
    ended = shown.state in {BulkState.DONE, BulkState.STOPPED}
    return text if ended and not shown.changed and not shown.skipped else f"{sentence(shown)}. {text}"


def _lost_one(inbox: InboxContext, conversation_id: int, line_id: int) -> str:
    """Return whose conversation it is, and what somebody else did there."""
    try:
        row = inbox.row(conversation_id)
    except ConversationNotFoundError:
        return _("a conversation you can no longer see")
    lines = load_messages(inbox.session, row.account.workspace_id, conversation_id, [line_id])
    name = name_of(row, inbox.adapter(row))
    return f"{name} ({activity(lines[0])[1].removesuffix('.')})" if lines else name


def _done_text(shown: BulkProgress) -> str:
    number = shown.changed
    text: str = {
        "close": lambda: ngettext("%(num)s conversation closed", "%(num)s conversations closed", number),
        "open": lambda: ngettext("%(num)s conversation reopened", "%(num)s conversations reopened", number),
        "assign": lambda: ngettext("%(num)s conversation assigned", "%(num)s conversations assigned", number),
        "team": lambda: ngettext(
            "%(num)s conversation moved to another team",
            "%(num)s conversations moved to another team",
            number,
        ),
        "label": lambda: ngettext(
            "Label added to %(num)s conversation", "Label added to %(num)s conversations", number
        ),
        "unlabel": lambda: ngettext(
            "Label removed from %(num)s conversation", "Label removed from %(num)s conversations", number
        ),
        "snooze": lambda: ngettext("%(num)s conversation snoozed", "%(num)s conversations snoozed", number),
        "wake": lambda: ngettext("%(num)s conversation unsnoozed", "%(num)s conversations unsnoozed", number),
        "spam": lambda: ngettext(
            "%(num)s conversation marked as spam", "%(num)s conversations marked as spam", number
        ),
        "unspam": lambda: ngettext(
            "%(num)s conversation marked as not spam", "%(num)s conversations marked as not spam", number
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
