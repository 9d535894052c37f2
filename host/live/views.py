"""Live events for browsers, as server-sent events, or as JSON if streams are unavailable."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, make_response, request
from flask.typing import ResponseReturnValue

from host.core import db
from host.live import events
from host.live.hub import HubFullError, current_hub
from host.live.response import HEADERS, StreamResponse, can_stream, first_frames
from host.users.reach import Accounts
from host.web.request_helpers import (
    Permission,
    config,
    current_user,
    id_in,
    passive,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("live", __name__)

RETRY_AFTER = 30


@bp.get("/w/<int:workspace_id>/live")
@passive
@workspace_view(Permission.READ)
def stream(workspace_id: int) -> ResponseReturnValue:
    """Stream a workspace's changes after the event in ``Last-Event-ID`` or ``?after=``."""
    after = _after()
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream", headers=HEADERS)  # opens no stream
    if not can_stream(request.environ):
        return _later()  # the page polls every few seconds instead
    user = current_user()
    hub = current_hub()
    try:
        opened = hub.subscribe(
            workspace_id, user.id, user.session_id, accounts=seen_accounts(), capacity=config().live_streams
        )
    except HubFullError:
        return _later()
    try:
        # After subscribing, so that the stream already queues newer events and none is missed.
        first, told = first_frames(workspace_id, after, seen_accounts())
    except BaseException:
        hub.unsubscribe(opened)
        raise
    return StreamResponse(hub, opened, first, told)


def _later() -> Response:
    response = make_response("", 503)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


@bp.get("/w/<int:workspace_id>/live/poll")
@passive
@workspace_view(Permission.READ)
def poll(workspace_id: int) -> ResponseReturnValue:
    """Return the same events as JSON: ``last``, ``resync`` and ``events`` of id, topic and data."""
    return answer_poll(workspace_id, seen_accounts())


def answer_poll(workspace_id: int, accounts: Accounts = None) -> Response:
    """Return the events of a workspace after the one in the request as JSON.

    :param accounts: the accounts its reader sees; None for all.
    """
    with db.read() as session:
        after = _after()
        if after is None:
            found = events.Missed((), events.newest_id(session))
        else:
            found = events.missed(session, workspace_id, after, accounts)
    return jsonify(
        last=found.last,
        resync=found.resync,
        events=[{"id": e.id, "topic": e.topic, "data": e.payload} for e in found.events],
    )


def _after() -> int | None:
    text = request.headers.get("Last-Event-ID") or request.args.get("after") or ""
    return id_in(text) if text else None
