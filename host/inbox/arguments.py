"""What an address says about the inbox: filters, positions, ids. Anything else is refused, never a 500."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request

from host.channels.directory import Directory
from host.errors import InvalidError
from host.inbox.models import ConversationStatus
from host.inbox.places import EPOCH
from host.inbox.queries import MAX_ROWS, Filter, View
from host.web import MAX_ID


def filter_from_request(directory: Directory) -> Filter:
    """Return the filter the address names. An unknown value counts as none, so that old links still work."""
    view, status = request.args.get("view", ""), request.args.get("status", "")
    channel = request.args.get("channel", "")
    return Filter(
        view=View(view) if view in set(View) else View.ALL,
        status=ConversationStatus(status) if status in set(ConversationStatus) else ConversationStatus.OPEN,
        channel=channel if directory.adapter(channel) is not None else None,
    )


def position_from_request(name: str = "before") -> tuple[datetime, int] | None:
    """Return the place in a list the address names, or None.

    :raises InvalidError: for anything else.
    """
    text = request.args.get(name, "")
    if not text:
        return None
    first, dash, second = text.rpartition("-")
    sign = -1 if first.startswith("-") else 1
    at, id_ = _number(first.removeprefix("-")), _number(second)
    if not dash or at is None or id_ is None:
        raise InvalidError()
    try:
        return EPOCH + sign * timedelta(microseconds=at), id_
    except OverflowError:
        raise InvalidError() from None


def ids_from_request(name: str) -> list[int]:
    """Return the ids the address lists, separated by commas.

    :raises InvalidError: for anything else, or more than :data:`MAX_ROWS`.
    """
    parts = [part for part in request.args.get(name, "").split(",") if part]
    ids = [id_ for id_ in map(_number, parts) if id_ is not None]
    if len(ids) != len(parts) or len(ids) > MAX_ROWS:
        raise InvalidError()
    return ids


def form_id(name: str) -> int | None:
    """Return the id a form holds, or None for an empty field.

    :raises InvalidError: for anything else.
    """
    text = request.form.get(name, "").strip()
    if not text:
        return None
    id_ = _number(text)
    if id_ is None:
        raise InvalidError()
    return id_


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > MAX_ID:
        return None
    return int(text)
