"""Read the inbox's filters, positions and ids from addresses and forms. Anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from flask import request

from host.channels.directory import Directory
from host.core.errors import InvalidError
from host.inbox.list_positions import EPOCH, Position
from host.inbox.queries import CHOICES, MAX_ROWS, Assignee, ConversationFilter
from host.models.inbox import ConversationStatus
from host.web.request_helpers import MAX_ID

_VIEWS: Mapping[str, Assignee | None] = {
    "mine": Assignee.ME,
    "unassigned": Assignee.NOBODY,
    "all": None,
}
_USUAL: Mapping[str, StrEnum] = {"status": ConversationStatus.OPEN}
"""Choices that an address leaves out."""


@dataclass(frozen=True, slots=True)
class Filter(ConversationFilter):
    """The filter of the inbox list: open conversations, unless the address names another status.

    The parameters of an address are ``view``, ``channel`` and those of
    :data:`~host.inbox.queries.CHOICES`.
    """

    status: ConversationStatus = ConversationStatus.OPEN

    @classmethod
    def read(cls, arguments: Mapping[str, str | None]) -> Filter:
        """Return the filter *arguments* name. A value that is none counts as left out."""
        chosen: dict[str, Any] = {}
        for name, words in CHOICES.items():
            text = arguments.get(name)
            if text is not None and text in set(words):
                chosen[name] = words(text)
        return cls(
            assignee=_VIEWS.get(arguments.get("view") or "all"),
            channel=arguments.get("channel") or None,
            **chosen,
        )

    @property
    def view(self) -> str:
        """Whose conversations: ``mine``, ``unassigned`` or ``all``."""
        return next(view for view, assignee in _VIEWS.items() if assignee is self.assignee)

    def arguments(self) -> dict[str, str]:
        """Return the parameters of an address that names this filter; without those that are as usual."""
        values = {}
        if self.assignee is not None:
            values["view"] = self.view
        for name in CHOICES:
            chosen = getattr(self, name)
            if chosen is not None and chosen is not _USUAL.get(name):
                values[name] = str(chosen)
        if self.channel is not None:
            values["channel"] = self.channel
        return values

    def changed(self, **arguments: str | None) -> Filter:
        """Return this filter with some parameters replaced."""
        return self.read({**self.arguments(), **arguments})


def filter_from_request(directory: Directory) -> Filter:
    """Return the filter the address names. An unknown value counts as none, so that old links still work."""
    arguments = request.args.to_dict()
    if directory.adapter(arguments.get("channel", "")) is None:
        arguments.pop("channel", None)
    return Filter.read(arguments)


def position_from_request(name: str = "before") -> Position | None:
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
