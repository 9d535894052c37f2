"""Conditions and actions that an addon adds to the rules of a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from host.sdk.channel import AccountRef


@dataclass(frozen=True, slots=True)
class AskedAbout:
    """What a rule is asked about: the message of its event, and who wrote with the account.

    :param kind: of the message, see :class:`host.sdk.messages.MessageKind`; empty: the event is about none.
    :param content: what the addon put into the message beside its text.
    :param profile: the facts of the contact's :class:`host.sdk.channel.Profile`.
    """

    account: AccountRef
    kind: str
    text: str
    content: Mapping[str, Any]
    profile: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """A condition of an addon, on conversations of one of its channels.

    :param name: ``<slug>.<word>``; never changes, rules are kept with it.
    :param title: what holds, as a part of a sentence behind "if": ``they follow the account``. Mark it and
        the words of *choices* with :func:`host.sdk.i18n.noop`: they are translated where they are shown.
    :param holds: returns whether it holds, with the value that was chosen. It reads what it is given and
        nothing else: it is asked in a transaction, and again for the preview. A raise counts as no.
    :param choices: values to choose from, each with its words; empty: there is nothing to choose.
    """

    name: str
    channel: str
    title: str
    holds: Callable[[AskedAbout, str], bool]
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class React:
    """React to the message of the event, if the channel and its reply window allow it."""

    emoji: str


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a text, under everything that holds for what is sent by itself."""

    text: str


@dataclass(frozen=True, slots=True)
class RuleAction:
    """An action of an addon, on conversations of one of its channels.

    :param name: ``<slug>.<word>``; never changes.
    :param title: what it does, behind "then": ``react with a heart``, marked as that of a condition.
    :param plan: returns what to do, or None for nothing. It sends nothing itself: the desk does, after it
        checked the window, the customer's wish and that no person has the word. A raise is logged, and the
        other actions of the rule are done all the same.
    """

    name: str
    channel: str
    title: str
    plan: Callable[[AskedAbout], React | SendText | None]
