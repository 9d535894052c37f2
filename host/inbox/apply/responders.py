"""Programs that have a conversation instead of Lobby, on channels where several can answer.

The provider tells it piece by piece: with messages that another program gets too, with that program's own
messages, and with handovers. The latest decides, whatever order they arrive in; of several at the same time,
a handover. The column ``conversations.responder`` has the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from host.inbox.apply.incoming import program
from host.inbox.apply.values import Thread
from host.models.inbox import Conversation
from host.sdk.messages import Handover, Program, Who

MESSAGE, HANDOVER = 0, 1
"""How much a report weighs against one of the same time."""


class Responder(NamedTuple):
    """Another program that has a conversation.

    :param who, id, name: as in :class:`host.sdk.messages.Program`; empty if unknown.
    :param since: when it got the conversation, as far as is known.
    :param until: when it loses it again, unless the customer writes before.
    :param chosen: False: nobody has it yet, because Lobby released it.
    """

    who: str
    id: str
    name: str
    since: datetime
    until: datetime
    chosen: bool = True


def other(stored: Mapping[str, Any] | None, now: datetime) -> Responder | None:
    """Return the program that has a conversation instead of Lobby, or None.

    :param stored: the column ``responder`` of the conversation.
    """
    if not stored or stored.get("held") is not True:
        return None
    until = _time(stored, "until")
    if until is None or until <= now:
        return None
    who, id_, name = (str(stored.get(part) or "") for part in ("who", "id", "name"))
    chosen = stored.get("released") is not True
    return Responder(who, id_, name, _time(stored, "since") or now, until, chosen)


def is_held(conversation: Conversation, now: datetime) -> bool:
    """Return whether another program has *conversation*, so that nothing automatic answers there."""
    return other(conversation.responder, now) is not None


def take(conversation: Conversation, at: datetime) -> None:
    """Record that Lobby has the locked *conversation*; a conversation no other program had stays as it is."""
    if conversation.responder is not None:
        conversation.responder = _free(at, HANDOVER)


def is_handed_over(conversation: Conversation, since: Mapping[str, Any] | None) -> bool:
    """Return whether the provider told of a handover since the conversation's responder was *since*."""
    now = conversation.responder
    return now is not None and now != since and now.get("weight") == HANDOVER


def give(conversation: Conversation, at: datetime, keeps: timedelta | None, to: str = "") -> None:
    """Record that Lobby passed the locked *conversation* on, or let go of it.

    :param keeps: ``Capabilities.responder_keeps``; None: that is not kept.
    :param to: the id of the program it went to; empty: whoever the provider chooses.
    """
    if keeps is None:
        return
    if to:
        conversation.responder = _held(
            at, HANDOVER, at + keeps, Program(Who.OTHER, to), conversation.responder
        )
    else:
        conversation.responder = {**_held(at, HANDOVER, at + keeps, None, None), "released": True}


def note_message(thread: Thread, at: datetime, keeps: timedelta | None, *, standby: bool) -> None:
    """Note whose the conversation was when the customer's message at *at* came."""
    if keeps is None or not _is_later(thread.responder, at, MESSAGE):
        return
    if standby:
        thread.responder, thread.changed = _held(at, MESSAGE, at + keeps, None, thread.responder), True
    elif thread.responder is not None and thread.responder.get("held") is True:
        thread.responder, thread.changed = _free(at, MESSAGE), True


def note_echo(thread: Thread, at: datetime, keeps: timedelta | None, sent_by: Program | None) -> None:
    """Note that another program wrote in a conversation it has."""
    if keeps is not None and _is_later(thread.responder, at, MESSAGE):
        thread.responder, thread.changed = _held(at, MESSAGE, at + keeps, sent_by, thread.responder), True


def note_handover(
    thread: Thread, at: datetime, keeps: timedelta | None, how: Handover, to: Program | None
) -> None:
    """Note that a conversation changed hands."""
    if keeps is None or how not in {Handover.PASSED, Handover.TAKEN}:
        return
    if not _is_later(thread.responder, at, HANDOVER):
        return
    if to is not None and to.who is Who.DESK:
        thread.responder = _free(at, HANDOVER)
    else:
        thread.responder = _held(at, HANDOVER, at + keeps, to, None)
    thread.changed = True


def _is_later(stored: Mapping[str, Any] | None, at: datetime, weight: int) -> bool:
    before = None if stored is None else _time(stored, "at")
    if stored is None or before is None:
        return True
    return (at, weight) >= (before, HANDOVER if stored.get("weight") == HANDOVER else MESSAGE)


def _held(
    at: datetime,
    weight: int,
    until: datetime,
    by: Program | None,
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    held = before if before is not None and before.get("held") is True else None
    named = by if by is not None and (by.id or by.name) else None
    known = program("by", named).get("by") or {
        part: held[part] for part in ("who", "id", "name") if held is not None and held.get(part)
    }
    since = held.get("since") if held is not None else None
    return {
        "held": True,
        "at": at.isoformat(),
        "weight": weight,
        "since": since or at.isoformat(),
        "until": until.isoformat(),
        **known,
    }


def _free(at: datetime, weight: int) -> dict[str, Any]:
    return {"held": False, "at": at.isoformat(), "weight": weight}


def _time(stored: Mapping[str, Any], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(stored.get(name)))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
