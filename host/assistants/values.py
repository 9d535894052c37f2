"""Values that assistants exchange with models, knowledge and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from host.core.secrets import Secret
from host.features.described import described
from host.sdk.rules import ToolEffect


class Speaks(StrEnum):
    """The protocol of a model."""

    OPENAI = "openai"
    """OpenAI's chat completions: most providers and local servers."""
    ANTHROPIC = "anthropic"


# ---- settings ------------------------------------------------------------------------------------------


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits for a conversation, a day or a month; 0 is unlimited.

    :param money: in millionths of the model's currency.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Usage limits of an assistant. Days and months follow the workspace's time zone.

    :param conversation: limits until a conversation is closed.
    :param day: limits for all assistants of the workspace; *month* likewise.
    :param seconds: timeout of one answer.
    :param calls: most tool calls for one answer.
    """

    conversation: Cap = Cap(turns=6)
    day: Cap = Cap(turns=1000)
    month: Cap = Cap()
    seconds: int = 20
    calls: int = 5


CAPS = ("conversation", "day", "month")
"""The fields of :class:`Limits` that are caps."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of one version of an assistant."""

    prompt: Annotated[
        str,
        described(
            "Instructions for writing.",
            given="Instructions for writing, at most 4,000 characters.",
            max_length=20_000,
        ),
    ] = ""
    announces: Annotated[bool, described("Whether its first answer says that it is automatic.")] = True
    announcement: Annotated[str, described("The announcement. Empty: the default.", max_length=1_000)] = ""
    tells_handoff: Annotated[bool, described("Whether customers are told when it hands off.")] = True
    handoff: Annotated[str, described("The message at a handoff. Empty: the default.", max_length=1_000)] = ""
    phrases: Annotated[
        tuple[str, ...],
        described(
            "Phrases allowed without a source.",
            given="Phrases allowed without a source: at most 30 of 200 characters.",
            max_length=100,
            each=Meta(max_length=1_000),
        ),
    ] = ()
    pause: Annotated[
        int,
        described(
            "Seconds to wait after the customer's last message.",
            given="Seconds to wait after the customer's last message, 1 to 30.",
        ),
    ] = 4
    limits: Annotated[Limits, described("", given="Omitted: the defaults.")] = Limits()
    builtin: Annotated[
        tuple[str, ...],
        described(
            "Built-in tools it can use, and those of addons.",
            given=(
                "Built-in tools it can use (`contact`, `label`, `hand_over` and `close`), and those "
                "of addons by name."
            ),
            max_length=50,
            each=Meta(max_length=100),
        ),
    ] = ("contact", "label")


# ---- the model's input and output ----------------------------------------------------------------------


class TranscriptLine(msgspec.Struct, frozen=True):
    """A message of a conversation.

    :param by: ``customer``, ``team``, ``assistant`` or ``desk``, for automatic messages of the desk.
    :param text: empty for other content, named in *kind*.
    """

    by: str
    text: str
    at: datetime
    kind: str = "text"


class Source(msgspec.Struct, frozen=True):
    """A source for an answer, as the model is given it.

    :param number: its number for citations, from 1.
    :param kind: ``entry``, ``hours``, ``tool``, or ``contact``: facts about the customer, possibly written by
        them.
    :param place: position in its entry; empty if unknown.
    :param at: time of its content; None if current.
    :param entry_id: id of its entry, or 0.
    :param score: relevance to the question; only the order matters.
    """

    number: int
    title: str
    text: str
    kind: str = "entry"
    place: str = ""
    at: datetime | None = None
    entry_id: int = 0
    score: float = 0.0


class Cited(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source as stored with a turn, without its text.

    :param at: in ISO 8601; empty if it was current then.
    :param citations: the places in the answer that cite it, as character offsets.
    """

    number: int
    title: str
    kind: str = "entry"
    place: str = ""
    at: str = ""
    entry: int = 0
    used: bool = True
    citations: tuple[int, ...] = ()


class Topic(msgspec.Struct, frozen=True):
    """A topic offered to the customer: the entry that answers it."""

    entry: int
    title: str


class ToolOffer(msgspec.Struct, frozen=True):
    """A tool as offered to the model.

    :param parameters: a JSON schema of an object, which never contains the conversation.
    """

    name: str
    about: str
    parameters: Mapping[str, Any]
    effect: ToolEffect = ToolEffect.READS


class Ask(msgspec.Struct, frozen=True):
    """The input of a model for one turn.

    :param instructions: everything but the conversation, including sources.
    :param lines: the conversation, newest last; it ends with the message to answer.
    :param seconds: timeout including all tool calls.
    """

    instructions: str
    lines: Sequence[TranscriptLine]
    tools: Sequence[ToolOffer] = ()
    seconds: float = 20.0
    most_tokens: int = 800
    calls: int = 5


class ModelAnswer(msgspec.Struct, frozen=True):
    """The answer of a model.

    :param answer: text for the customer, in their language, with citations such as ``[2]`` after claims from
        a source; empty if there is none.
    :param sources: numbers of the sources it used.
    :param hands_over: whether a person should answer.
    :param because: the reason in a few words, for the team.
    """

    answer: str = ""
    sources: tuple[int, ...] = ()
    hands_over: bool = False
    because: str = ""


class ModelUsage(msgspec.Struct, frozen=True):
    """Usage of a model call.

    :param model: the model's name in its response.
    """

    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


class Thought(msgspec.Struct, frozen=True):
    """A model's answer with its usage."""

    said: ModelAnswer
    used: ModelUsage


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """The model to ask, with its connection data.

    :param price_in: for a million tokens, in millionths of *currency*; *price_out* likewise.
    """

    speaks: Speaks
    address: str
    model: str
    key: Secret | None = field(repr=False, default=None)
    price_in: int = 0
    price_out: int = 0
    currency: str = "USD"

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """Return the cost of so many tokens, in millionths, rounded up."""
        return -(-(tokens_in * self.price_in + tokens_out * self.price_out) // 1_000_000)


class CallTool(Protocol):
    """Runs a tool call of the model. It never raises: errors are returned to the model."""

    def __call__(self, name: str, arguments: Mapping[str, Any], /) -> str: ...


class ModelError(Exception):
    """A model gave no usable answer.

    :ivar reason: a key of :data:`host.assistants.words.REASONS`: ``model_timeout``, ``model_refused`` (the
        key or the request), ``model_busy`` (429), ``model_failed`` (5xx, or unreachable),
        ``model_unreadable``, ``model_forbidden`` (a forbidden address).
    :ivar again: whether a retry makes sense.
    :ivar used: usage of the failed call.
    :ivar detail: the provider's message, without secrets, for the owner.
    """

    def __init__(
        self, reason: str, *, again: bool = False, used: ModelUsage | None = None, detail: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.used = used or ModelUsage()
        self.detail = detail


class Thinker(Protocol):
    """Asks a model; the implementation is :func:`host.assistants.language.asking.ask`."""

    def __call__(self, setting: ModelSetting, ask: Ask, call: CallTool, /) -> Thought: ...
