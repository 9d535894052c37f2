"""Automation of accounts, as each feature describes its own for the overview."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec


class OverviewState(StrEnum):
    """State of automation on an account."""

    LIVE = "live"
    SUGGESTS = "suggests"
    """Suggests answers to people."""
    ANSWERS = "answers"
    """Answers automatically."""
    SHADOW = "shadow"
    """Only records what it would do."""
    DRAFT = "draft"
    OFF = "off"
    STOPPED = "stopped"
    """Should run, but can't."""


class OverviewAccount(msgspec.Struct, frozen=True):
    """An account in the overview.

    :param name: its handle, else its name.
    :param settings: as stored with it.
    :param sends: whether it can send: it has credentials, and its addon is active.
    :param beside: the account beside it on another channel, such as the one for comments.
    """

    id: int
    channel: str
    name: str
    settings: Mapping[str, Any]
    sends: bool
    beside: int | None = None


class OverviewCell(msgspec.Struct, frozen=True):
    """Automation of one kind on an account.

    :param title: its name or number; empty: the state says it all.
    :param detail: what else is to say, in a few words.
    """

    state: OverviewState
    title: str = ""
    detail: str = ""


class OverviewColumn(msgspec.Struct, frozen=True):
    """One kind of automation.

    :param label: a lazily translated string.
    :param order: its place among the columns.
    :param cells: what runs, by account; accounts without any are left out.
    :param link: returns the address of the page where it is set, for an account.
    :param add: the same for an account without any; None: *link*.
    :param supported: accounts whose channel supports it; None: all.
    :param sends: whether it does nothing while the account can't send.
    :param turn_on: what has to be turned on first, in words, by account that lacks support only for that.
    """

    label: object
    order: int
    cells: Mapping[int, OverviewCell]
    link: Callable[[int], str]
    add: Callable[[int], str] | None = None
    supported: Collection[int] | None = None
    sends: bool = False
    turn_on: Mapping[int, str] = msgspec.field(default_factory=dict)


class OverviewProblem(msgspec.Struct, frozen=True):
    """Automation that stopped, or that doesn't do what its owner expects.

    :param tone: ``bad`` if it stopped, else ``warn``.
    :param bold: what happened, in a short sentence; *sentence*: its effect.
    :param button: label of the link to *url*.
    """

    tone: str
    bold: str
    sentence: str
    url: str
    button: str


class HandlingStep(msgspec.Struct, frozen=True):
    """A step of handling a customer's message.

    :param order: its place among the steps.
    """

    order: int
    icon: str
    title: str
    sentence: str


class AutomationOverview(msgspec.Struct, frozen=True):
    """The part of one feature in the overview."""

    columns: Sequence[OverviewColumn] = ()
    problems: Sequence[OverviewProblem] = ()
    steps: Sequence[HandlingStep] = ()
