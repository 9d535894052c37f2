"""The views that show the inbox: one page of three panes, and the fragments that keep it current."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue

from host.inbox import queries
from host.inbox.list_positions import position_text
from host.inbox.messages import load_messages, load_thread
from host.inbox.pages import action_views as _action_views  # noqa: F401 - adds its views to the blueprint
from host.inbox.pages.arguments import Filter, filter_from_request, ids_from_request, position_from_request
from host.inbox.pages.composer import composer_values
from host.inbox.pages.context import InboxContext, bp, opened_inbox
from host.inbox.pages.conversation_view import Listed
from host.inbox.pages.inbox_page import inbox_page, render_contact, render_head, render_messages
from host.inbox.queries import Row
from host.web.request_helpers import passive, workspace_view

__all__ = ["bp"]


@bp.get("/w/<int:workspace_id>/inbox")
@workspace_view()
def index(workspace_id: int) -> ResponseReturnValue:
    """Show the list, with no conversation chosen."""
    return inbox_page(workspace_id, None)


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>")
@workspace_view()
def conversation(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Show the list and one conversation."""
    return inbox_page(workspace_id, conversation_id)


@bp.get("/w/<int:workspace_id>/inbox/list")
@workspace_view()
def more(workspace_id: int) -> ResponseReturnValue:
    """Return the next page of the list: its rows as HTML, and the address of the page after."""
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        page = queries.list_conversations(
            inbox.session, workspace_id, inbox.user_id, filter_, before=position_from_request()
        )
    return jsonify(
        rows=_rows_html(inbox.listed(page.rows), filter_),
        more=position_text(page.next) if page.next else None,
    )


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>/messages")
@workspace_view()
def earlier(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the messages before a position as HTML, and the position of those before them."""
    with opened_inbox(workspace_id) as inbox:
        row = inbox.row(conversation_id)
        thread = load_thread(inbox.session, workspace_id, conversation_id, before=position_from_request())
    return jsonify(
        messages=render_messages(inbox, row, inbox.shown(row, thread.entries)),
        earlier=position_text(thread.earlier) if thread.earlier else None,
    )


@bp.get("/w/<int:workspace_id>/inbox/updates")
@passive
@workspace_view()
def updates(workspace_id: int) -> ResponseReturnValue:
    """Return fragments of what changed.

    ``rows``: ids of conversations, each answered with its row, or null where it does not belong into the
    list. ``conversation`` and ``messages``: the open one and ids of its messages; ``head`` and ``composer``
    ask for those too. The sidebar comes along whenever a row was asked for.
    """
    row_ids, message_ids = ids_from_request("rows"), ids_from_request("messages")
    opened = ids_from_request("conversation")[:1]
    answer: dict[str, Any] = {}
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        if row_ids:
            rows = queries.matching_rows(inbox.session, workspace_id, inbox.user_id, filter_, row_ids)
            items = {item.row.id: item for item in inbox.listed(rows)}
            answer["rows"] = {
                str(id_): _rows_html([items[id_]], filter_, opened) if id_ in items else None
                for id_ in row_ids
            }
            counts = inbox.counts(filter_)
            answer["filters"] = render_template(
                "inbox/_filters.html", counts=counts, filter=filter_, directory=inbox.directory
            )
            answer["heading"] = render_template("inbox/_heading.html", counts=counts, filter=filter_)
            answer["unread"] = counts.unread
            answer["names"] = {str(id_): f"{item.name}: {item.line}" for id_, item in items.items()}
        row = queries.get_row(inbox.session, workspace_id, opened[0]) if opened else None
        if row is not None:
            answer |= _opened(inbox, row, message_ids, filter_)
    return jsonify(answer)


def _opened(inbox: InboxContext, row: Row, message_ids: list[int], filter_: Filter) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if message_ids:
        entries = load_messages(inbox.session, inbox.workspace_id, row.id, message_ids)
        answer["messages"] = render_messages(inbox, row, inbox.shown(row, entries))
    if request.args.get("head"):
        answer["head"] = render_head(inbox, row, filter_)
        answer["contact"] = render_contact(inbox, row, filter_)
    if request.args.get("composer"):
        answer["composer"] = render_template("inbox/_composer.html", **composer_values(inbox, row))
    return answer


def _rows_html(items: Sequence[Listed], filter_: Filter, opened: Sequence[int] = ()) -> str:
    selected = opened[0] if opened else None
    return render_template("inbox/_rows.html", items=items, filter=filter_, selected=selected)
