"""The views of the inbox: the page with three panes, fragments to update it, and emoji."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.core.backports.values import replace
from host.core.errors import NotFoundError
from host.inbox import queries
from host.inbox.labels import labels
from host.inbox.list_positions import position_text
from host.inbox.messages import load_around, load_messages, load_thread
from host.inbox.pages import pieces
from host.inbox.pages.arguments import Filter, filter_from_request, ids_from_request, position_from_request
from host.inbox.pages.composer import composer_values
from host.inbox.pages.context import InboxContext, bp, opened_inbox
from host.inbox.pages.conversation_view import ListedConversation
from host.inbox.pages.inbox_page import (
    asked_draft,
    head_of,
    inbox_page,
    opened_part,
    render_contact,
    render_head,
    render_messages,
)
from host.inbox.pages.kept_views import Sidebar, kept
from host.inbox.queries import Order, Row
from host.models.inbox import Direction
from host.notifications import notify
from host.web import emoji_names, navigation
from host.web.languages import available
from host.web.request_helpers import (
    Permission,
    current_user,
    id_argument,
    login_required,
    passive,
    workspace_view,
)

navigation.add_main("inbox.index", _l("Inbox"), order=10, icon="inbox", phone=navigation.Phone.BAR)

__all__ = ["bp"]


@bp.get("/w/<int:workspace_id>/inbox")
@workspace_view(Permission.READ)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show the list without an open conversation."""
    return inbox_page(workspace_id, None)


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>")
@workspace_view(Permission.READ)
def conversation(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Show the list and one conversation."""
    return inbox_page(workspace_id, conversation_id)


@bp.get("/w/<int:workspace_id>/inbox/list")
@workspace_view(Permission.READ)
def more(workspace_id: int) -> ResponseReturnValue:
    """Return the next page of the list: its rows as HTML, and the URL of the following page."""
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        page = inbox.page(filter_, position_from_request())
    return jsonify(
        rows=_rows_html(inbox.listed(page.rows, filter_), filter_),
        more=position_text(page.next) if page.next else None,
    )


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>/thread")
@workspace_view(Permission.READ)
def thread(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return one conversation as HTML, for a page that already shows the list.

    A script may prefetch it with the header ``X-Prefetch``, which does not count as activity of the person.
    Before it shows the result, it checks with ``HEAD`` that the person may still see the conversation.
    """
    if request.method == "HEAD":
        with opened_inbox(workspace_id) as inbox:
            inbox.row(conversation_id)
        return Response(mimetype="application/json")
    return pieces.answer(html=opened_part(workspace_id, conversation_id))


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>/messages")
@workspace_view(Permission.READ)
def earlier(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the messages before a position as HTML, and the position of the page before them.

    With ``below``, the top comment of a thread below a post, return other people's comments in that thread.
    """
    below, before = id_argument("below"), position_from_request()
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        if below is not None:
            found, earlier = inbox.others_before(row, below, before)
        else:
            thread = load_thread(inbox.session, workspace_id, conversation_id, before=before)
            found, earlier = inbox.shown(row, thread.entries, others=True), thread.earlier
        messages = render_messages(inbox, row, found)
    return pieces.answer(messages=messages, earlier=position_text(earlier) if earlier else None)


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>/around/<int:message_id>")
@workspace_view(Permission.READ)
def around(workspace_id: int, conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Return a message with those around it as HTML, for search results."""
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        entries = load_around(inbox.session, workspace_id, conversation_id, message_id)
        messages = render_messages(inbox, row, inbox.shown(row, entries))
        head = render_template("inbox/_around.html", head=head_of(inbox, row))
    return pieces.answer(head=head, messages=messages)


@bp.get("/w/<int:workspace_id>/inbox/updates")
@passive
@workspace_view(Permission.READ)
def updates(workspace_id: int) -> ResponseReturnValue:
    """Return the requested fragments after changes.

    ``rows``: ids of conversations; each gets its row, or null if it is not in the list. With rows, the
    response also has the sidebar. ``conversation`` and ``messages``: the open conversation and ids of its
    messages. ``head`` and ``composer`` request these fragments, ``here`` the presence of other people.
    ``said``: ids of new messages in other conversations, whose authors are returned in ``names``.
    """
    row_ids, message_ids, said = (ids_from_request(name) for name in ("rows", "messages", "said"))
    opened = ids_from_request("conversation")[:1]
    answer: dict[str, Any] = {}
    shown: Sidebar | None = None
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        if row_ids:
            matching = replace(filter_, needs_reply=True) if filter_.order is not Order.NEWEST else filter_
            rows = queries.matching_rows(inbox.session, workspace_id, inbox.user_id, matching, row_ids)
            items = {item.row.id: item for item in inbox.listed(rows, filter_)}
            answer["rows"] = {
                str(id_): _rows_html([items[id_]], filter_) if id_ in items else None for id_ in row_ids
            }
            counts = inbox.counts(filter_)
            shown = kept(inbox, filter_)
            values = {"counts": counts, "filter": filter_, "kept": shown}
            answer["filters"] = render_template("inbox/_filters.html", directory=inbox.directory, **values)
            answer["heading"] = render_template("inbox/_heading.html", **values)
            answer["off"] = render_template("inbox/_off.html", **values)
            answer["news"] = asdict(notify.news(inbox.session, current_user()))
            new = load_messages(inbox.session, workspace_id, None, said, parts=False) if said else []
            written = {one.conversation_id for one in new if one.direction == Direction.INBOUND}
            answer["names"] = {
                str(id_): f"{item.name}: {item.line}" for id_, item in items.items() if id_ in written
            }
        if request.args.get("here"):
            answer["here"] = inbox.here()
        row = inbox.seen_row(opened[0]) if opened else None
        if row is not None:
            answer |= _opened(inbox, row, message_ids, filter_, shown)
    return pieces.answer(**answer)


def _opened(
    inbox: InboxContext, row: Row, message_ids: list[int], filter_: Filter, shown: Sidebar | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if message_ids:
        entries = load_messages(inbox.session, inbox.workspace_id, row.id, message_ids)
        found = inbox.shown(row, entries, others=True)
        # The ids may include other people's comments on the same post, which may have been deleted.
        rest = {*message_ids} - {one.entry.id for one in found}
        found += inbox.others(row, rest)
        answer["messages"] = render_messages(inbox, row, found)
        answer["gone"] = sorted(rest - {one.entry.id for one in found})
    if request.args.get("head"):
        about = head_of(inbox, row)
        known = labels.all_of(inbox.session, inbox.workspace_id) if shown is None else shown.labels
        answer["head"] = render_head(about, filter_, known)
        answer["contact"] = render_contact(inbox, about, filter_)
    if request.args.get("composer") and g.workspace.may(Permission.ANSWER):
        answer["composer"] = render_template(
            "inbox/_composer.html", **composer_values(inbox, row, asked_draft())
        )
    return answer


def _rows_html(items: Sequence[ListedConversation], filter_: Filter) -> str:
    """Return rows as HTML; the browser marks the open one."""
    return render_template("inbox/_rows.html", items=items, filter=filter_, selected=None)


@bp.get("/emoji/<language>")
@login_required
def emoji(language: str) -> Response:
    """Return the emoji of the composer as JSON, by group.

    Each has its name and search words in *language*.
    """
    if language not in available():
        raise NotFoundError()
    response = Response(emoji_names.table(language), mimetype="application/json")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response
