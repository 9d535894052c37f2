"""Rows of a feature on the Today page, each with a number."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa


class TodaySection(StrEnum):
    """A section of the page, in the order of the page."""

    CAME = "came"
    ANSWERED = "answered"
    SAID = "said"
    UNSENT = "unsent"
    WAITING = "waiting"
    STOPS = "stops"


class TodayAsked(msgspec.Struct, frozen=True):
    """The day and the accounts that the page shows.

    :param accounts: the accounts the viewer sees; None: all.
    :param since: when the day began.
    :param week: the same hours of the day a week before, from and until.
    :param tomorrow_ends: until when something that stops is shown.
    """

    workspace_id: int
    accounts: frozenset[int] | None
    now: datetime
    since: datetime
    week: tuple[datetime, datetime]
    tomorrow_ends: datetime

    def seen(self, column: Any) -> list[sa.ColumnElement[bool]]:
        """Return the condition on a *column* with ids of accounts."""
        return [] if self.accounts is None else [column.in_(sorted(self.accounts))]


class TodayRow(msgspec.Struct, frozen=True):
    """A row of the page.

    :param order: its place in its section.
    :param name: what is counted, or who.
    :param number: None: the row has none.
    :param seconds: shown in place of a number: how long.
    :param key: of the conversations behind it, see :func:`host.features.hookspecs.today_conversations`.
    :param url: opened in place of these; empty without a key: nowhere.
    :param detail: what else is to say, in a few words.
    :param tone: ``bad`` or ``warn`` for what needs somebody.
    :param own: whether the name is one of a person or an account, which is not translated.
    """

    section: TodaySection
    order: float
    name: str
    number: int | None = None
    seconds: int | None = None
    key: str = ""
    url: str = ""
    detail: str = ""
    tone: str = ""
    own: bool = False


class AutomaticKind(msgspec.Struct, frozen=True):
    """Automatic messages of a feature.

    :param begins: how the ``reply_key`` of each of them begins.
    :param order: its place among the kinds.
    :param label: a lazily translated string.
    """

    begins: str
    order: int
    label: object
