"""What stands between the reply window and the field: a suggestion, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from host.automation.assistants import suggesting, words
from host.automation.assistants.deciding import Part, in_parts
from host.automation.assistants.suggesting import Suggested
from host.automation.assistants.values import Cited, Topic
from host.inbox.pages import durations
from host.inbox.pages.context import InboxContext
from host.inbox.pages.reply_window import Composing
from host.inbox.queries import Row
from host.models.assistants import AssistantCall, AssistantTurn, CallState, Mode, TurnState
from host.models.inbox import Handler
from host.web.languages import gettext as _

YEAR_OLD = 183
"""Days after which a source asks for a look."""


@dataclass(frozen=True, slots=True)
class SourceShown:
    """A source as people see it.

    :param age: in words; empty: it holds now.
    :param old: whether it asks for a look.
    """

    number: int
    title: str
    age: str
    old: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the block shows.

    :param kind: ``wait``, ``ready``, ``none`` (it knows nothing), ``bad`` (it failed), ``has`` (it answers by
        itself) or ``off``.
    :param sentence: the first, in bold; *more*: the rest.
    :param text: what is sent; *parts*: the same with the sources it cites.
    """

    kind: str
    name: str
    sentence: str = ""
    more: str = ""
    turn_id: int = 0
    text: str = ""
    parts: Sequence[Part] = ()
    sources: Sequence[SourceShown] = ()
    offers: Sequence[Topic] = ()
    calls: Sequence[AssistantCall] = ()
    weighed: int = 0
    model: str = ""
    version: int = 0
    tokens: int = 0
    cost: str = ""
    took: str = ""

    @property
    def asked(self) -> list[AssistantCall]:
        """Return the uses of tools that a person is to decide about."""
        return [one for one in self.calls if one.state == CallState.ASKED]

    @property
    def used(self) -> list[AssistantCall]:
        return [one for one in self.calls if one.state != CallState.ASKED]


def suggestion(inbox: InboxContext, row: Row, composing: Composing) -> Suggestion | None:
    """Return what an assistant does in the conversation of *row*; None: there is none, or nothing to say.

    :param composing: whether, and who, may reply now.
    """
    if not composing.can_reply:
        return None
    found = suggesting.of(inbox.session, row.id, row.account.id)
    if found is None or found.stopped:
        return None
    if composing.people_only:
        said = _("%(name)s is off: they wrote more than 24 hours ago.", name=found.name)
        return Suggestion("off", found.name, str(said), str(_("Only a person may write now.")))
    turn = found.turn
    if turn is not None and turn.state in {TurnState.WAITING, TurnState.THINKING}:
        waits = turn.state == TurnState.WAITING
        said = _("Waits for a pause, then reads what they wrote") if waits else _("Thinks about an answer")
        return Suggestion("wait", found.name, str(said), turn_id=turn.id)
    if turn is not None and turn.state == TurnState.READY:
        return _ready(inbox, found, turn)
    if turn is not None and turn.outcome is None and turn.state in {TurnState.HANDED_OVER, TurnState.FAILED}:
        return _nothing(inbox, found, turn)
    if found.mode is Mode.ANSWER and row.handled_by == Handler.AUTOMATION:
        said = _("%(name)s answers this conversation.", name=found.name)
        return Suggestion("has", found.name, str(said), str(_("As soon as you write, it is yours.")))
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
        calls=suggesting.calls(inbox.session, turn.id),
        weighed=found.weighed,
        model=turn.model or "",
        version=turn.version,
        tokens=turn.tokens_in + turn.tokens_out,
        cost=money(turn.cost),
        took=f"{turn.took_ms / 1000:.1f}",
    )


def _nothing(inbox: InboxContext, found: Suggested, turn: AssistantTurn) -> Suggestion | None:
    if turn.reason == "asked_for_person":
        return None  # the thread says it
    said = words.said(turn.reason) + "."
    if turn.state == TurnState.FAILED:
        again = _("Tried twice.") if turn.attempts > 1 else ""
        return Suggestion("bad", found.name, said, str(again), turn.id)
    more = _("Your answer can become something it knows.") if turn.reason == "no_source" else ""
    calls = suggesting.calls(inbox.session, turn.id)
    return Suggestion("none", found.name, said, str(more), turn.id, calls=calls)


def _source(one: Cited, now: datetime) -> SourceShown:
    if not one.at:
        return SourceShown(one.number, one.title, "", False)
    at = datetime.fromisoformat(one.at)
    return SourceShown(one.number, one.title, durations.since(at, now), (now - at).days > YEAR_OLD)


def money(millionths: int) -> str:
    """Return an amount as people read it; empty: it was nothing."""
    if not millionths:
        return ""
    return f"{millionths / 1_000_000:.4f}".rstrip("0").rstrip(".")
