"""Conditions, actions and tools that an addon adds to the rules and assistants of a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from host.sdk.channel import AccountRef


@dataclass(frozen=True, slots=True)
class AskedAbout:
    """The subject of a rule: the message of its event, and the contact on the account.

    :param kind: kind of the message, see :class:`host.sdk.messages.MessageKind`; empty: the event has no
        message.
    :param content: the addon's content of the message besides its text.
    :param profile: the facts of the contact's :class:`host.sdk.channel.Profile`.
    :param email: the contact's e-mail address, if known.
    :param contact_id: None in a trial without a customer; *conversation_id*, too.
    :param facts: what :attr:`RuleCondition.facts` returned for this subject.
    """

    account: AccountRef
    kind: str
    text: str
    content: Mapping[str, Any]
    profile: Mapping[str, Any]
    email: str | None = None
    contact_id: int | None = None
    conversation_id: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """A condition of an addon.

    :param name: ``<slug>.<word>``; must never change, because rules are stored with it.
    :param channel: one of the addon's channels; None: conversations of every channel.
    :param title: the condition, as a clause that follows "if": ``they follow the account``. Mark it and
        the labels of *choices* with :func:`host.sdk.i18n.noop`: they are translated where they are shown.
    :param holds: returns whether it is met for the chosen value. It must only read its arguments: it is
        called outside any transaction, again if the conversation changed meanwhile, and for the preview.
        If it raises or takes longer than :data:`FACTS_SECONDS`, the condition is not met.
    :param choices: values to choose from, with labels; empty: no choice.
    :param facts: returns, for many subjects at once and in their order, what *holds* finds in
        :attr:`AskedAbout.facts`. It may read the addon's own tables with :func:`host.sdk.db.read`, on a
        connection of its own; it must not use the network. If it raises or takes longer than
        :data:`FACTS_SECONDS`, the condition is not met.
    """

    name: str
    channel: str | None
    title: str
    holds: Callable[[AskedAbout, str], bool]
    choices: Sequence[tuple[str, str]] = ()
    facts: Callable[[Sequence[AskedAbout]], Sequence[Mapping[str, Any]]] | None = None


FACTS_SECONDS = 1.0
"""The timeout of :attr:`RuleCondition.facts`, :attr:`RuleCondition.holds` and :attr:`RuleAction.plan`."""


@dataclass(frozen=True, slots=True)
class React:
    """React to the message of the event, if the channel and its reply window allow it."""

    emoji: str


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a text, subject to all limits on automated messages."""

    text: str


@dataclass(frozen=True, slots=True)
class RuleAction:
    """An action of an addon.

    :param name: ``<slug>.<word>``; never changes.
    :param channel: as of :class:`RuleCondition`.
    :param title: what it does, as a clause that follows "then": ``react with a heart``; marked like a
        condition's.
    :param plan: returns what to do, or None for nothing. It must not send anything itself: the desk does,
        after checking the reply window, the customer's opt-out and that no person is handling the
        conversation. It is called outside any transaction, and again if the conversation changed meanwhile.
        If it raises or takes longer than :data:`FACTS_SECONDS`, the rule's other actions still run.
    """

    name: str
    channel: str | None
    title: str
    plan: Callable[[AskedAbout], React | SendText | None]


class ToolEffect(StrEnum):
    """Effect a tool may have."""

    READS = "reads"
    REVERSIBLE = "reversible"
    """Makes a change that a person can easily undo, such as a label."""
    ASKS = "asks"
    """Runs only after a person approved it."""


@dataclass(frozen=True, slots=True)
class UsedFor:
    """The customer for whom an assistant uses a tool. Filled in by the desk, never by a model.

    :param contact: the customer's external id; empty in the playground, where tools that only read are
        tried on an account.
    :param username: the customer's user name at the provider, if known.
    :param profile: the facts of the contact's :class:`host.sdk.channel.Profile`.
    :param key: idempotency key, the same on every retry: a change is made once per key.
    :param email: the contact's e-mail address, if known.
    :param conversation_id: None in the playground.
    """

    account: AccountRef
    contact: str
    username: str | None
    profile: Mapping[str, Any]
    key: str
    email: str | None = None
    conversation_id: int | None = None


@dataclass(frozen=True, slots=True)
class AssistantTool:
    """A tool of an addon, for assistants.

    :param name: ``<slug>.<word>``; must never change, because assistants are stored with it.
    :param channel: as of :class:`RuleCondition`.
    :param title: what it does, for owners and as the name of a source: ``Looks up an order``. Mark it and
        *about* with :func:`host.sdk.i18n.noop`: they are translated where owners read them.
    :param about: when a model should use it, in a sentence or two.
    :param parameters: JSON schema of the object the model fills in.
    :param use: runs the tool and returns its result for the model, plain text, at most 8,000 characters.
        Called outside any transaction, with arguments that match *parameters*; it may use the network, for
        ten seconds at most. If it raises, the model only learns that the tool failed.
    :param effect: a tool that *asks* runs only after a person on the team approved it, with the arguments
        they saw.
    """

    name: str
    channel: str | None
    title: str
    about: str
    parameters: Mapping[str, Any]
    use: Callable[[UsedFor, Mapping[str, Any]], str]
    effect: ToolEffect = ToolEffect.READS
