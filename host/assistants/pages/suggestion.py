"""The block above the reply field: an assistant's suggestion, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from host.assistants import suggestions, words
from host.assistants.models import AssistantCall, AssistantTurn, CallState, Mode, TurnState
from host.assistants.suggestions import Suggested
from host.assistants.values import Cited, Topic
from host.assistants.verdicts import AnswerPart, in_parts
from host.inbox.pages import durations
from host.models.inbox import Handler
from host.web.languages import gettext as _

if TYPE_CHECKING:
    from host.inbox.pages.context import InboxContext
    from host.inbox.pages.reply_window import Composing
    from host.inbox.queries import Row

YEAR_OLD = 183
"""Age in days from which a source should be checked."""


class SourceShown(msgspec.Struct, frozen=True):
    """A source on a page.

    :param age: in words; empty if it is current.
    :param old: whether it should be checked.
    """

    number: int
    title: str
    age: str
    old: bool


class Suggestion(msgspec.Struct, frozen=True):
    """The content of the block.

    :param kind: ``wait``, ``ready``, ``none`` (no answer known), ``bad`` (failed), ``has`` (answers
        automatically) or ``off``.
    :param sentence: the first sentence, in bold; *more*: the rest.
    :param text: the text to send; *parts*: the same with its sources.
    """

    kind: str
    name: str
    sentence: str = ""
    more: str = ""
    turn_id: int = 0
    text: str = ""
    parts: Sequence[AnswerPart] = ()
    sources: Sequence[SourceShown] = ()
    offers: Sequence[Topic] = ()
    calls: Sequence[AssistantCall] = ()
    weighed: int = 0
    model: str = ""
    version: int = 0
    tokens: int = 0
    cost: str = ""
    took: str = ""
    template: str = "assistants/_suggestion.html"

    @property
    def asked(self) -> list[AssistantCall]:
        """Return the tool calls that need a person's decision."""
        return [one for one in self.calls if one.state == CallState.ASKED]

    @property
    def used(self) -> list[AssistantCall]:
        return [one for one in self.calls if one.state != CallState.ASKED]


def suggestion(inbox: InboxContext, row: Row, composing: Composing) -> Suggestion | None:
    """Return the assistant's block for the conversation of *row*, or None if there is nothing to show.

    :param composing: whether the person may reply now.
    """
    if not composing.can_reply:
        return None
    found = suggestions.of(inbox.session, row.id, row.account.id)
    if found is None or found.stopped:
        return None
    if composing.people_only:
        said = _("%(name)s is off: the customer wrote more than 24 hours ago.", name=found.name)
        return Suggestion("off", found.name, str(said), str(_("Only a person can reply now.")))
    turn = found.turn
    if turn is not None and turn.state in {TurnState.WAITING, TurnState.THINKING}:
        waits = turn.state == TurnState.WAITING
        said = _("Waiting until the customer finishes writing") if waits else _("Thinking about an answer")
        return Suggestion("wait", found.name, str(said), turn_id=turn.id)
    if turn is not None and turn.state == TurnState.READY:
        return _ready(inbox, found, turn)
    if turn is not None and turn.outcome is None and turn.state in {TurnState.HANDED_OVER, TurnState.FAILED}:
        return _nothing(inbox, found, turn)
    if found.mode is Mode.ANSWER and row.handled_by == Handler.AUTOMATION:
        said = _("%(name)s is answering this conversation.", name=found.name)
        return Suggestion("has", found.name, str(said), str(_("Start writing to take over.")))
    return None


def _ready(inbox: InboxContext, found: Suggested, turn: AssistantTurn) -> Suggestion:
    return Suggestion(
        "ready",
        found.name,
        turn_id=turn.id,
        text=turn.text,
        parts=in_parts(turn.text, found.cited),
        sources=[_source(one, inbox.now) for one in found.cited],
        offers=found.offers,
        calls=suggestions.calls(inbox.session, turn.id),
        weighed=found.weighed,
        model=turn.model or "",
        version=turn.version,
        tokens=turn.tokens_in + turn.tokens_out,
        cost=money(turn.cost),
        took=f"{turn.took_ms / 1000:.1f}",
    )


def _nothing(inbox: InboxContext, found: Suggested, turn: AssistantTurn) -> Suggestion | None:
    if turn.reason == "asked_for_person":
        return None  # the thread shows it
    said = words.said(turn.reason) + "."
    if turn.state == TurnState.FAILED:
        again = _("Tried twice.") if turn.attempts > 1 else ""
        return Suggestion("bad", found.name, said, str(again), turn.id)
    more = _("You can add your answer to its knowledge.") if turn.reason == "no_source" else ""
    calls = suggestions.calls(inbox.session, turn.id)
    return Suggestion("none", found.name, said, str(more), turn.id, calls=calls)


def _source(one: Cited, now: datetime) -> SourceShown:
    if not one.at:
        return SourceShown(one.number, one.title, "", False)
    at = datetime.fromisoformat(one.at)
    return SourceShown(one.number, one.title, durations.since(at, now), (now - at).days > YEAR_OLD)


def money(millionths: int) -> str:
    """Return an amount as text, or an empty text for zero."""
    if not millionths:
        return ""
    return f"{millionths / 1_000_000:.4f}".rstrip("0").rstrip(".")
