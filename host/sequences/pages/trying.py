"""*Try it*: a try of a sequence, as the page shows it. Its moves are in the address; nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from host.automation import texts
from host.automation.words import said
from host.channels.directory import current_directory
from host.inbox.variables import first_word
from host.models.users import Workspace
from host.sequences import playing, sequences
from host.sequences.body import Body, Targets
from host.sequences.pages import wording
from host.sequences.playing import Entry, Play, Scene
from host.web.languages import gettext as _
from host.working_hours import hours

ICONS = {
    "unsent": "x",
    "time": "wait",
    "shut": "lock",
    "inside": "sun",
    "outside": "moon",
    "act": "bolt",
    "kept": "tag",
    "stored": "tag",
    "close": "check",
    "failed": "x",
    "unheard": "dash",
    "people": "users",
    "end": "stop",
}
"""Icons of the lines that are no messages."""


class Line(msgspec.Struct, frozen=True):
    """A line of a try.

    :param kind: ``said``, ``sent``, or else something that the customer does not see.
    :param step: the id of the step it comes from; empty: none.
    """

    kind: str
    text: str
    step: str
    icon: str = ""
    cards: Sequence[Mapping[str, Any]] = ()


class Tried(msgspec.Struct, frozen=True):
    """A try for the page.

    :param moves: from its start.
    :param lines: what happened, and *fresh*: the index of the first line of the last move.
    :param buttons: below the last message, each with its move.
    :param later: the words for letting time pass; empty: nothing waits for a time.
    :param fields: the names of what a program that is asked has to answer; None: none is asked.
    :param step: the step it is at; empty: it ended.
    :param can_shut: whether the reply window can close.
    :param full: whether it has no room for another move.
    """

    moves: Sequence[str]
    lines: Sequence[Line]
    fresh: int
    buttons: Sequence[tuple[str, str]]
    later: str
    fields: Sequence[str] | None
    step: str
    can_shut: bool
    is_open: bool
    full: bool


def moves_of(given: Sequence[str], typed: str, answer: Sequence[str] | None) -> list[str]:
    """Return the moves of a submitted form.

    :param typed: the text that the customer writes; empty: none.
    :param answer: the fields that a program answers; None: it does not.
    """
    moves = [one[: playing.LONGEST * 10] for one in given]
    if answer is not None:
        fields = [one[: playing.LONGEST] for one in answer]
        moves.append(f"answer:{json.dumps(fields, ensure_ascii=False)}")
    if typed.strip():
        moves.append(f"say:{typed.strip()[: playing.LONGEST]}")
    return moves[: playing.MOST]


def tried(
    session: Session,
    workspace_id: int,
    body: Body,
    there: Targets,
    moves: Sequence[str],
    *,
    name: str,
    now: datetime,
) -> Tried:
    """Return a try of *body*, of which nothing is stored or sent.

    :param name: the customer's.
    """
    scene = _scene(session, workspace_id, body, there, name, now)
    play = playing.play(body, scene, moves, now)
    return Tried(
        moves,
        [_line(one, body, there) for one in play.entries],
        play.fresh,
        [(title, f"tap:{at}") for at, (title, _payload) in enumerate(play.offers)],
        _later(play),
        None if play.call is None else [one.variable for one in play.call.keeps],
        "" if play.ended else play.run.step,
        scene.limits.window is not None and play.window_open,
        play.is_open,
        len(moves) >= playing.MOST,
    )


def _scene(
    session: Session, workspace_id: int, body: Body, there: Targets, name: str, now: datetime
) -> Scene:
    workspace = session.get_one(Workspace, workspace_id)
    limits = sequences.limits(session, workspace_id, body, current_directory(), now)
    person = texts.in_language(texts.PERSON, workspace.language)
    accounts = [there.accounts[id_] for id_ in body.accounts if id_ in there.accounts]
    values = {
        "contact.name": name,
        "contact.first_name": first_word(name),
        "account.name": next(iter([*accounts, *there.accounts.values()]), ""),
        "workspace.name": workspace.name,
    }
    return Scene(
        limits,
        workspace.language,
        workspace.timezone,
        person,
        {**dict.fromkeys(texts.VARIABLES, ""), **values},
        hours.of_team(session, workspace_id, None).is_open(now),
    )


def _later(play: Play) -> str:
    if play.waits is None:
        return ""
    return _("%(time)s later", time=wording.duration(-(-int(play.waits.total_seconds()) // 60), 0))


def _line(entry: Entry, body: Body, there: Targets) -> Line:
    text = entry.text if entry.kind in {"said", "sent"} else _words(entry, body, there)
    return Line(entry.kind, text, entry.step, ICONS.get(entry.kind, ""), entry.cards)


def _words(entry: Entry, body: Body, there: Targets) -> str:
    """Return a line that the customer does not see."""
    match entry.kind:
        case "unsent":
            return _("Not sent: %(why)s", why=said(entry.text))
        case "time":
            return _("%(time)s later", time=wording.duration(entry.minutes, 0))
        case "shut":
            return _("The reply window closes")
        case "inside":
            return _("Business hours begin")
        case "outside":
            return _("Business hours end")
        case "act" if entry.act is not None:
            return wording.step(entry.act, body, there)
        case "kept":
            return _("Kept as %(name)s: %(value)s", name=entry.about, value=entry.text)
        case "stored":
            name = there.attributes.get(int(entry.about), _("a deleted attribute"))
            return _("Stored in %(name)s: %(value)s", name=name, value=entry.text)
        case "close":
            return _("The conversation is closed")
        case "failed":
            return _("The program gives no answer that fits")
        case "unheard":
            return _("No step takes this message. Rules and assistants may answer it.")
        case "people":
            return _people(entry, there)
    return _("The sequence ends: %(how)s", how=wording.end(entry.text))


def _people(entry: Entry, there: Targets) -> str:
    team = there.targets.teams.get(int(entry.about or 0))
    words = _("Hand to people") if team is None else _("Hand to people: %(team)s", team=team)
    return words if entry.text == "people" else f"{words} · {wording.end(entry.text)}"
