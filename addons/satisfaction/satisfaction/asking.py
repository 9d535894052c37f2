"""Ask customers when their conversation is closed, and keep what they tap and write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from host.sdk import clock, db, desk, settings
from host.sdk.desk import QuickReply
from host.sdk.errors import DeskError
from host.sdk.events import DeskEvent

from . import keeping
from .models import Outcome

EVENTS = ("conversation.closed", "message.received", "message.unsent", "contact.erased")
SLUG = "satisfaction"
TOO_LATE = timedelta(hours=1)
"""A question longer after the closing, or after the end of its undo, would surprise the customer."""
FACES = ("😞", "🙁", "😐", "🙂", "😀")
SCORES = range(1, 6)

_desk = desk.of(SLUG)


def handle(events: Sequence[DeskEvent]) -> None:
    """Ask after closings, and keep answers. An event that is passed again changes nothing."""
    for event in events:
        if event.kind == "conversation.closed":
            _closed(event)
        elif event.kind == "message.received":
            _received(event)
        elif event.kind == "message.unsent" and event.message_id is not None:
            db.write(keeping.forget, message=event.message_id)
        elif event.kind == "contact.erased" and event.contact_id is not None:
            db.write(keeping.forget, contact=event.contact_id)


def _closed(event: DeskEvent) -> None:
    chosen = settings.workspace(SLUG, event.workspace_id)
    if not chosen["enabled"] or event.conversation_id is None or event.contact_id is None:
        return
    now = clock.now()
    hindrance = Outcome.LATE if now - (event.undo_until or event.at) > TOO_LATE else None
    is_closed = _is_closed(event.conversation_id)
    if is_closed is None:
        return
    if not is_closed:
        hindrance = Outcome.REOPENED
    row_id, outcome = db.write(keeping.begin, event, now, int(str(chosen["days"])), hindrance)
    if outcome == Outcome.ASKING:
        db.write(keeping.settle, row_id, _ask(event.conversation_id, row_id, chosen))


def _is_closed(conversation_id: int) -> bool | None:
    """Return whether a conversation is closed; None: it was deleted meanwhile, and everything about it."""
    try:
        return _desk.get_conversation(conversation_id).status == "closed"
    except DeskError as error:
        if error.code != "conversation_not_found":
            raise
        return None


def ask_later() -> None:
    """Ask the customers whose closings could be undone until now, and were not."""
    now = clock.now()
    for one in keeping.due(now):
        chosen = settings.workspace(SLUG, one.workspace_id)
        outcome = Outcome.ASKING
        if not chosen["enabled"]:
            outcome = Outcome.OFF
        elif now - one.due_at > TOO_LATE:
            outcome = Outcome.LATE
        elif not _is_closed(one.conversation_id):
            outcome = Outcome.REOPENED
        if db.write(keeping.take, one.id, outcome, now) and outcome == Outcome.ASKING:
            db.write(keeping.settle, one.id, _ask(one.conversation_id, one.id, chosen))


def writes_to(workspace_id: int, kind: str, conversations: Collection[int]) -> Collection[int]:
    """Return those of *conversations* whose customers would be asked if they were closed."""
    chosen = settings.workspace(SLUG, workspace_id)
    if kind != "conversation.closed" or not chosen["enabled"]:
        return ()
    since = clock.now() - timedelta(days=int(str(chosen["days"])))
    return keeping.could_ask(workspace_id, conversations, since)


def _ask(conversation_id: int, row_id: int, chosen: Mapping[str, Any]) -> str:
    """Send the question; return ``asked``, or why it is not sent."""
    titles = FACES if chosen["scale"] == "faces" else tuple(map(str, SCORES))
    texts = (str(chosen[name]).strip() for name in ("question", "explanation"))
    return _send(
        conversation_id,
        "\n\n".join(filter(None, texts)),
        f"ask-{row_id}",
        [QuickReply(title, f"{row_id}:{score}") for title, score in zip(titles, SCORES, strict=True)],
    )


def _send(conversation_id: int, text: str, key: str, buttons: Sequence[QuickReply] = ()) -> str:
    try:
        result = _desk.reply(
            conversation_id, text, quick_replies=buttons, claims=True, after_closing=True, key=key
        )
    except DeskError as error:
        if error.code in {"addon_off", "undeclared"}:
            raise
        return error.code  # trying again would hold up every other customer
    return Outcome.ASKED if result.queued else result.reason


def _received(event: DeskEvent) -> None:
    # Without content, the message was unsent or erased meanwhile.
    content: Mapping[str, Any] = event.data.get("content", {})
    if event.claimed_by == SLUG:
        _tapped(event, str(content.get("payload", "")))
    elif not event.claimed_by and content.get("text") and keeping.awaits_comment(event):
        db.write(keeping.comment, event, str(content["text"]))


def _tapped(event: DeskEvent, payload: str) -> None:
    row, _separator, score = payload.partition(":")
    if not (row.isdecimal() and score.isdecimal() and len(payload) < 25 and int(score) in SCORES):
        return
    if event.conversation_id is not None and db.write(keeping.answer, event, int(row), int(score)):
        thanks = settings.workspace(SLUG, event.workspace_id)["thanks"]
        _send(event.conversation_id, str(thanks), f"thanks-{row}")
