"""What assistants exchange with models, knowledge and pages. Values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from host.core.secrets import Secret
from host.sdk.rules import ToolEffect


class Speaks(StrEnum):
    """How a model is spoken to."""

    OPENAI = "openai"
    """As OpenAI's chat completions: most providers and local servers."""
    ANTHROPIC = "anthropic"


# ---- what an owner chooses -----------------------------------------------------------------------------


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most of a conversation, a day or a month; 0: as much as comes.

    :param money: in millionths of the model's currency.
    """

    turns: int = 0
    tokens: int = 0
    money: int = 0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much an assistant may use. Days and months are those of the workspace's time zone.

    :param conversation: until a conversation is closed.
    :param day: of all assistants of the workspace; so is *month*.
    :param seconds: how long one answer may take.
    :param calls: most uses of tools for one answer.
    """

    conversation: Cap = Cap(turns=6)
    day: Cap = Cap(turns=1000)
    month: Cap = Cap()
    seconds: int = 20
    calls: int = 5


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one version of an assistant says.

    :param prompt: how it is to write, in the owner's words.
    :param announces: whether its first answer in a conversation says that it is automatic.
    :param announcement: in these words; empty: in the desk's own, in the workspace's language.
    :param phrases: what it may say without a source.
    :param pause: seconds without a word of the customer after which it reads what they wrote.
    :param builtin: names of the desk's own tools it may use, see :mod:`.tools`, and of those of addons.
    """

    prompt: str = ""
    announces: bool = True
    announcement: str = ""
    phrases: tuple[str, ...] = ()
    pause: int = 4
    limits: Limits = Limits()
    builtin: tuple[str, ...] = ("contact", "label")


# ---- what a model is asked -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was said in a conversation.

    :param by: ``customer``, ``team``, ``assistant`` or ``desk``, which is what the desk says by itself.
    :param text: empty of what is no text; *kind* says what it is.
    """

    by: str
    text: str
    at: datetime
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Source:
    """Something an answer may rest on, as the model is given it.

    :param number: what it is named by, from 1.
    :param kind: ``entry``, ``hours``, ``tool``, or ``contact``: what is known of the customer, who may have
        written it.
    :param place: where in its entry it stands; empty: that says nothing.
    :param at: how old it is; None: it holds now.
    :param entry_id: of an entry, else 0.
    :param score: how well it fits the question; larger is better, and nothing else.
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
    """A source as a turn keeps it: never its words.

    :param at: in ISO 8601; empty: it held at that moment.
    :param citations: the places of the answer that rest on it: how many of its letters stand before each.
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
    """A topic that is offered: the entry that answers it."""

    entry: int
    title: str


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as the model is told of it.

    :param parameters: a JSON schema of an object. Whose conversation it is, is never a part of it.
    """

    name: str
    about: str
    parameters: Mapping[str, Any]
    effect: ToolEffect = ToolEffect.READS


@dataclass(frozen=True, slots=True)
class Ask:
    """What a model is asked for one turn.

    :param instructions: all it is told besides the conversation, sources included.
    :param lines: the conversation, the newest last; it ends with what is to be answered.
    :param seconds: how long it may take with all its tools.
    """

    instructions: str
    lines: Sequence[Line]
    tools: Sequence[ToolOffer] = ()
    seconds: float = 20.0
    most_tokens: int = 800
    calls: int = 5


class Said(msgspec.Struct, frozen=True):
    """What a model said.

    :param answer: to the customer, in their language, with citations such as ``[2]`` behind what rests on
        a source; empty: none.
    :param sources: numbers of what it rests on.
    :param hands_over: whether a person is to answer.
    :param because: why, in a few words for the team.
    """

    answer: str = ""
    sources: tuple[int, ...] = ()
    hands_over: bool = False
    because: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """What asking a model took.

    :param model: its name, as it answered.
    """

    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Thought:
    """What came of asking a model."""

    said: Said
    used: Used


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """The model to ask, with what it takes to reach it.

    :param price_in: of a million tokens, in millionths of *currency*; *price_out* too.
    """

    speaks: Speaks
    address: str
    model: str
    key: Secret | None = field(repr=False, default=None)
    price_in: int = 0
    price_out: int = 0
    currency: str = "USD"

    def cost(self, tokens_in: int, tokens_out: int) -> int:
        """Return what so many tokens cost, in millionths, rounded up."""
        return -(-(tokens_in * self.price_in + tokens_out * self.price_out) // 1_000_000)


class CallTool(Protocol):
    """Does what a model asks of a tool. It never raises: what goes wrong is told to the model."""

    def __call__(self, name: str, arguments: Mapping[str, Any], /) -> str: ...


class ModelError(Exception):
    """A model gave no answer that can be used.

    :ivar reason: a key of :data:`host.automation.assistants.words.REASONS`: ``model_timeout``,
        ``model_refused`` (the key, or what was asked), ``model_busy`` (429), ``model_failed`` (5xx, or
        unreachable), ``model_unreadable``, ``model_forbidden`` (an address that may not be reached).
    :ivar again: whether it is worth another try.
    :ivar used: what it took nevertheless.
    :ivar detail: what the other side said, without secrets, for the owner.
    """

    def __init__(
        self, reason: str, *, again: bool = False, used: Used | None = None, detail: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.used = used or Used()
        self.detail = detail


class Thinker(Protocol):
    """Asks a model; :func:`host.automation.assistants.language.asking.ask` is the one there is."""

    def __call__(self, setting: ModelSetting, ask: Ask, call: CallTool, /) -> Thought: ...
