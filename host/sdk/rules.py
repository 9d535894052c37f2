"""What an addon adds to the rules of a workspace, and to its assistants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
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


class ToolEffect(StrEnum):
    """What a tool may do."""

    READS = "reads"
    REVERSIBLE = "reversible"
    """What a person can undo at once, such as a label."""
    ASKS = "asks"
    """It is done only once a person said so."""


@dataclass(frozen=True, slots=True)
class UsedFor:
    """Whom an assistant uses a tool for. The desk fills it in; a model never does.

    :param contact: the customer's external id; empty: nobody's, in the playground, where tools that read are
        tried on an account.
    :param username: what they are called at the provider, where that is known.
    :param profile: the facts of the contact's :class:`host.sdk.channel.Profile`.
    :param key: the same where the same use is tried again: what changes something is done once for a key.
    """

    account: AccountRef
    contact: str
    username: str | None
    profile: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class AssistantTool:
    """A tool of an addon, for assistants in conversations of one of its channels.

    :param name: ``<slug>.<word>``; never changes, assistants are kept with it.
    :param title: what it does, for owners and as the name of a source: ``Looks up an order``. Mark it and
        *about* with :func:`host.sdk.i18n.noop`: they are translated where owners read them.
    :param about: when a model is to use it, in a sentence or two.
    :param parameters: JSON schema of the object the model fills in.
    :param use: does it and returns what the model is told, plain text, at most 8,000 letters. Called outside
        any transaction, with arguments that meet *parameters*; it may use the network, for ten seconds at
        most. A raise: the model is told that the tool failed, and no more.
    :param effect: a tool that *asks* is used once a person of the team said so, with the arguments they saw.
    """

    name: str
    channel: str
    title: str
    about: str
    parameters: Mapping[str, Any]
    use: Callable[[UsedFor, Mapping[str, Any]], str]
    effect: ToolEffect = ToolEffect.READS
