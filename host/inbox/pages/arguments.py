"""Read the inbox's filters, positions and ids from URLs and forms; refuse malformed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

from flask import request

from host.channels.directory import Directory
from host.core.backports.values import replace
from host.core.errors import InvalidError
from host.core.ids import read_id
from host.inbox.list_positions import EPOCH, Position
from host.inbox.queries import CHOICES, MAX_ROWS, AnyTeam, Assignee, ConversationFilter, Order
from host.models.inbox import ConversationStatus
from host.web.request_helpers import id_in, seen_accounts

_VIEWS: Mapping[str, Assignee | None] = {
    "mine": Assignee.ME,
    "unassigned": Assignee.NOBODY,
    "all": None,
}
_ONLY: Mapping[str, str] = {
    "waiting": "needs_reply",
    "failed": "failed",
    "late": "late",
    "scheduled": "scheduled",
}
"""Values of ``only``, and their filter fields."""
_USUAL: Mapping[str, StrEnum] = {"status": ConversationStatus.OPEN}
"""Default choices, which URLs leave out."""
ANY = "any"
_LABELS: Mapping[str, str] = {"label": "labels", "all_labels": "all_labels", "no_labels": "no_labels"}
"""URL parameters with comma-separated ids of labels, and their filter fields."""
_SHELVES: Mapping[str, tuple[bool | None, bool | None]] = {
    "snoozed": (True, False),
    "spam": (None, True),
    "any": (None, False),
}
"""Values of ``shelf``, and their filters for snoozed and spam."""
MOST_LABELS = 20


@dataclass(frozen=True, slots=True)
class Filter(ConversationFilter):
    """The filter of the inbox list: by default, open conversations.

    The URL parameters are ``view`` or ``assignee``, ``team``, ``mentioned`` (``me``), ``only``, ``sort``,
    ``channel``, ``account``, ``post``, ``shelf``, those of :data:`_LABELS`, and those of
    :data:`~host.inbox.queries.CHOICES`, for which ``any`` matches all values.

    :param order: the sort order, which counts and single rows ignore.
    :param saved: the id of the saved view that the filter is from, shown on the page.
    """

    status: ConversationStatus | None = ConversationStatus.OPEN
    snoozed: bool | None = False
    spam: bool | None = False
    order: Order = Order.NEWEST
    saved: int | None = None

    @classmethod
    def read(cls, arguments: Mapping[str, str | None]) -> Filter:
        """Return the filter in *arguments*. Invalid values are ignored."""
        chosen: dict[str, Any] = {}
        for name, words in CHOICES.items():
            text = arguments.get(name)
            if text is not None and text in {*words, ANY}:
                chosen[name] = None if text == ANY else words(text)
        for parameter, name in _LABELS.items():
            chosen[name] = frozenset(_ids(arguments.get(parameter))) or None
        snoozed, spam = _SHELVES.get(arguments.get("shelf") or "", (False, False))
        sort = arguments.get("sort") or ""
        if sort in set(Order):
            chosen["order"] = Order(sort)
        only = _ONLY.get(arguments.get("only") or "")
        if only is not None:
            chosen[only] = True
        return cls(
            assignee=_one_id(arguments.get("assignee")) or _VIEWS.get(arguments.get("view") or "all"),
            team=_team(arguments.get("team")),
            channel=arguments.get("channel") or None,
            account_id=_one_id(arguments.get("account")),
            post=_one_id(arguments.get("post")),
            snoozed=snoozed,
            spam=spam,
            saved=_one_id(arguments.get("saved")),
            mentioned=Assignee.ME if arguments.get("mentioned") == Assignee.ME else None,
            **chosen,
        )

    @classmethod
    def of(cls, filter_: ConversationFilter, saved: int | None = None) -> Filter:
        """Convert any filter to one of the inbox list."""
        values = {field.name: getattr(filter_, field.name) for field in fields(ConversationFilter)}
        return cls(**values, saved=saved)

    @property
    def shelf(self) -> str:
        """The conversations that views hide by default: ``snoozed``, ``spam``, ``any``, or none."""
        return next((name for name, one in _SHELVES.items() if one == (self.snoozed, self.spam)), "")

    @property
    def view(self) -> str:
        """The view: ``mine``, ``unassigned`` or ``all``; empty for a member's conversations."""
        return next((view for view, assignee in _VIEWS.items() if assignee is self.assignee), "")

    @property
    def only(self) -> str:
        """The further condition: ``waiting`` for an answer, with a ``failed`` message, ``late``, with a
        ``scheduled`` reply, or empty for none."""
        return next((word for word, name in _ONLY.items() if getattr(self, name)), "")

    def arguments(self) -> dict[str, str]:
        """Return the URL parameters of this filter, without default values."""
        values: dict[str, str] = {}
        if self.assignee is not None:
            values |= {"view": self.view} if self.view else {"assignee": str(int(self.assignee))}
        if self.team is not None:
            values["team"] = str(self.team)
        if self.only:
            values["only"] = self.only
        if self.order is not Order.NEWEST:
            values["sort"] = str(self.order)
        for name in CHOICES:
            chosen = getattr(self, name)
            if chosen is not _USUAL.get(name):
                values[name] = ANY if chosen is None else str(chosen)
        for parameter, name in _LABELS.items():
            if ids := getattr(self, name):
                values[parameter] = ",".join(map(str, sorted(ids)))
        given = {
            "channel": self.channel,
            "account": self.account_id,
            "post": self.post,
            "shelf": self.shelf,
            "mentioned": self.mentioned,
            "saved": self.saved,
        }
        return values | {name: str(value) for name, value in given.items() if value}

    def changed(self, **arguments: str | None) -> Filter:
        """Return this filter with some parameters replaced, no longer as a saved view."""
        changed = self.read({**self.arguments(), "saved": None, **arguments})
        return replace(changed, accounts=self.accounts)


def filter_from_request(directory: Directory) -> Filter:
    """Return the filter in the URL, limited to the accounts the signed-in person may see.

    Unknown values are ignored, so that old links still work.
    """
    arguments = request.args.to_dict()
    if directory.adapter(arguments.get("channel", "")) is None:
        arguments.pop("channel", None)
    return replace(Filter.read(arguments), accounts=seen_accounts())


_PARAMETERS = (
    *("view", "assignee", "team", "mentioned", "only", "sort", "channel", "account", "post", "shelf"),
    *_LABELS,
    *CHOICES,
)


def left_out(directory: Directory) -> list[str]:
    """Return the unknown parameters of the URL, such as ``status=purple``."""
    usual = {("view", "all"), ("sort", Order.NEWEST), *_USUAL.items(), *((name, ANY) for name in CHOICES)}
    found = []
    for name in _PARAMETERS:
        text = request.args.get(name, "")
        if name == "channel":
            known = directory.adapter(text) is not None
        elif name in _LABELS:
            known = all(read_id(part) is not None for part in text.split(","))
        else:
            known = Filter.read({name: text}) != Filter() or (name, text) in usual
        if text and not known:
            found.append(f"{name}={text[:60]}")
    return found


def numbers_from_request(name: str) -> tuple[int, int] | None:
    """Return the two numbers of a list position in the URL. The first may be negative.

    :raises InvalidError: if it is malformed.
    """
    text = request.args.get(name, "")
    if not text:
        return None
    first, dash, second = text.rpartition("-")
    sign = -1 if first.startswith("-") else 1
    at, id_ = read_id(first.removeprefix("-")), read_id(second)
    if not dash or at is None or id_ is None:
        raise InvalidError()
    return sign * at, id_


def position_from_request(name: str = "before") -> Position | None:
    """Return the position in a chronological list from the URL, or None if it has none.

    :raises InvalidError: if it is malformed.
    """
    numbers = numbers_from_request(name)
    if numbers is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=numbers[0]), numbers[1]
    except OverflowError:
        raise InvalidError() from None


def ids_from_request(name: str) -> list[int]:
    """Return the comma-separated ids in the URL.

    :raises InvalidError: if they are malformed, or more than :data:`MAX_ROWS`.
    """
    parts = [part for part in request.args.get(name, "").split(",") if part]
    ids = [id_ for id_ in map(read_id, parts) if id_ is not None]
    if len(ids) != len(parts) or len(ids) > MAX_ROWS:
        raise InvalidError()
    return ids


def form_id(name: str) -> int | None:
    """Return the id in a form field, or None if it is empty.

    :raises InvalidError: if it is malformed.
    """
    text = request.form.get(name, "").strip()
    return id_in(text) if text else None


def _ids(text: str | None) -> list[int]:
    """Return comma-separated ids without invalid ones."""
    found = map(read_id, (text or "").split(",", MOST_LABELS)[:MOST_LABELS])
    return [id_ for id_ in found if id_ is not None]


def _team(text: str | None) -> int | AnyTeam | None:
    return AnyTeam(text) if text in set(AnyTeam) else _one_id(text)


def _one_id(text: str | None) -> int | None:
    return next(iter(_ids(text)), None)
