"""The inbox: one page of three panes, and the fragments that keep it current."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue

from host import clock, db
from host.inbox import acting as _acting  # noqa: F401 - hangs its views on the same blueprint
from host.inbox import erase_views as _erase_views  # noqa: F401 - so does this
from host.inbox import person, present, queries, threads
from host.inbox.arguments import (
    filter_from_request,
    ids_from_request,
    position_from_request,
)
from host.inbox.blueprint import bp
from host.inbox.pages import Desk, Draft, composer_values, head, render_contact, render_head, render_messages
from host.inbox.places import position_text
from host.inbox.queries import Filter, Row
from host.live.events import newest_id
from host.web import current_user, generation, id_argument, passive, workspace_view

__all__ = ["bp"]

PANES = frozenset({"list", "filters", "contact"})


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


def inbox_page(workspace_id: int, conversation_id: int | None, draft: Draft | None = None) -> str:
    """Return the whole page. *draft* is what could not be sent."""
    user = current_user()
    directory = generation().directory
    filter_ = filter_from_request(directory)
    with db.read() as session:
        desk = Desk(session, directory, workspace_id, user.id, clock.now())
        # Before anything else is read: what happens meanwhile comes a second time rather than never.
        values: dict[str, Any] = {"live_after": newest_id(session)}
        page = queries.list_conversations(
            session,
            workspace_id,
            user.id,
            filter_,
            before=None if conversation_id else position_from_request(),
        )
        counts = desk.counts(filter_)
        if conversation_id is not None:
            values |= _conversation_values(desk, desk.row(conversation_id), draft)
        empty = not page.rows and not counts.open and not counts.closed
        values["connected"] = not empty or queries.has_accounts(session, workspace_id)
    pane = request.args.get("pane", "")
    if pane not in PANES or (pane == "contact" and conversation_id is None):
        pane = "thread" if conversation_id is not None else "list"
    return render_template(
        "inbox/index.html",
        items=desk.listed(page.rows),
        more=position_text(page.next) if page.next else None,
        counts=counts,
        filter=filter_,
        pane=pane,
        directory=directory,
        selected=conversation_id,
        empty=empty,
        now=desk.now,
        **values,
    )


def _conversation_values(desk: Desk, row: Row, draft: Draft | None) -> dict[str, Any]:
    thread = threads.load_thread(desk.session, desk.workspace_id, row.id, before=position_from_request())
    mode = request.args.get("write", "")
    if draft is None:
        draft = Draft(
            mode="note" if mode == "note" else "reply",
            reply_to=id_argument("quote"),
            react_to=id_argument("react"),
        )
    return {
        "head": head(desk, row),
        "thread_entries": desk.shown(row, thread.entries),
        "earlier": position_text(thread.earlier) if thread.earlier else None,
        "older_page": request.args.get("before") is not None,
        "about": person.load(desk.session, row, desk.adapter(row)),
        **composer_values(desk, row, draft),
    }


@bp.get("/w/<int:workspace_id>/inbox/list")
@workspace_view()
def more(workspace_id: int) -> ResponseReturnValue:
    """Return the next page of the list: its rows as HTML, and the address of the page after."""
    filter_ = filter_from_request(generation().directory)
    user = current_user()
    with db.read() as session:
        desk = Desk(session, generation().directory, workspace_id, user.id, clock.now())
        page = queries.list_conversations(
            session, workspace_id, user.id, filter_, before=position_from_request()
        )
    return jsonify(
        rows=_rows_html(desk.listed(page.rows), filter_),
        more=position_text(page.next) if page.next else None,
    )


@bp.get("/w/<int:workspace_id>/inbox/<int:conversation_id>/messages")
@workspace_view()
def earlier(workspace_id: int, conversation_id: int) -> ResponseReturnValue:
    """Return the messages before a position as HTML, and the position of those before them."""
    user = current_user()
    with db.read() as session:
        desk = Desk(session, generation().directory, workspace_id, user.id, clock.now())
        row = desk.row(conversation_id)
        thread = threads.load_thread(session, workspace_id, conversation_id, before=position_from_request())
    return jsonify(
        messages=render_messages(desk, row, desk.shown(row, thread.entries)),
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
    filter_ = filter_from_request(generation().directory)
    user = current_user()
    row_ids, message_ids = ids_from_request("rows"), ids_from_request("messages")
    opened = ids_from_request("conversation")[:1]
    answer: dict[str, Any] = {}
    with db.read() as session:
        desk = Desk(session, generation().directory, workspace_id, user.id, clock.now())
        if row_ids:
            rows = queries.matching_rows(session, workspace_id, user.id, filter_, row_ids)
            items = {item.row.id: item for item in desk.listed(rows)}
            answer["rows"] = {
                str(id_): _rows_html([items[id_]], filter_, opened) if id_ in items else None
                for id_ in row_ids
            }
            counts = desk.counts(filter_)
            answer["filters"] = render_template(
                "inbox/_filters.html", counts=counts, filter=filter_, directory=desk.directory
            )
            answer["heading"] = render_template("inbox/_heading.html", counts=counts, filter=filter_)
            answer["unread"] = counts.unread
            answer["names"] = {str(id_): f"{item.name}: {item.line}" for id_, item in items.items()}
        row = queries.get_row(session, workspace_id, opened[0]) if opened else None
        if row is not None:
            answer |= _opened(desk, row, message_ids, filter_)
    return jsonify(answer)


def _opened(desk: Desk, row: Row, message_ids: list[int], filter_: Filter) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if message_ids:
        entries = threads.load_messages(desk.session, desk.workspace_id, row.id, message_ids)
        answer["messages"] = render_messages(desk, row, desk.shown(row, entries))
    if request.args.get("head"):
        answer["head"] = render_head(desk, row, filter_)
        answer["contact"] = render_contact(desk, row, filter_)
    if request.args.get("composer"):
        answer["composer"] = render_template("inbox/_composer.html", **composer_values(desk, row))
    return answer


def _rows_html(items: Sequence[present.Listed], filter_: Filter, opened: Sequence[int] = ()) -> str:
    selected = opened[0] if opened else None
    return render_template("inbox/_rows.html", items=items, filter=filter_, selected=selected)
