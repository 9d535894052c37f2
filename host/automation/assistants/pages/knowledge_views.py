"""What an assistant knows: its entries, and adding, changing and deleting one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.assistants.knowing import entries, knowledge, learning, reading
from host.automation.assistants.knowing.entries import EntryError, Shown, Wanted
from host.automation.assistants.pages import learning_views
from host.automation.assistants.words import said
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.pages import durations
from host.models.assistants import Assistant, EntryKind, EntryState, KnowledgeEntry
from host.web.request_helpers import (
    Permission,
    audit,
    body_limit,
    current_user,
    flash_good,
    form_number,
    id_argument,
    seen_accounts,
    workspace_view,
)

bp = Blueprint("assistant_knowledge", __name__)

KNOWLEDGE = "/w/<int:workspace_id>/assistants/<int:assistant_id>/knowledge"
ONE = f"{KNOWLEDGE}/<int:knowledge_id>"
FORM_BYTES = 2 * 1024 * 1024
"""Most bytes of a form beside its file: 200,000 letters of any script."""
LATELY = timedelta(days=30)
LONGEST_SEARCH = 100
KINDS = {
    EntryKind.PASTED: ("note", _l("Text")),
    EntryKind.FILE: ("clip", _l("File")),
    EntryKind.PAGE: ("globe", _l("Web page")),
    EntryKind.PAST: ("history", _l("Past answers")),
}
"""Icon and name of each kind."""
NEW = (EntryKind.PASTED, EntryKind.FILE, EntryKind.PAGE)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in the list.

    :param age: how old its words are, or why they are not used; *tone*: how that looks, if it matters.
    :param used: in how many turns of 30 days.
    """

    entry: Shown
    icon: str
    origin: str
    age: str
    tone: str
    used: int


@dataclass(frozen=True, slots=True)
class Filling:
    """What stands in the form.

    :param questions: one to a line.
    :param read: the words of a file that was read already, so that it need not be chosen again.
    :param turn: the turn whose question it answers; 0: none.
    """

    kind: EntryKind = EntryKind.PASTED
    title: str = ""
    text: str = ""
    questions: str = ""
    url: str = ""
    read: str = ""
    file_name: str = ""
    turn: int = 0


# ---- the list ------------------------------------------------------------------------------------------


@bp.get(KNOWLEDGE)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List what an assistant knows, with what is old or gone."""
    search, now = request.args.get("q", "").strip()[:LONGEST_SEARCH], clock.now()
    with db.read() as session:
        row = keeping.get(session, workspace_id, assistant_id)
        found = entries.listing(session, workspace_id, assistant_id, search=search)
        counts = entries.counts(session, workspace_id, assistant_id, now)
        used = knowledge.used(session, assistant_id, now - LATELY)
        waiting = learning_views.waiting(session, row, now)
    return render_template(
        "automation/knowledge.html",
        assistant=row,
        tab="knowledge",
        lines=[_line(one, used.get(one.id, 0), now) for one in found],
        counts=counts,
        search=search,
        waiting=waiting,
        most=entries.MOST,
    )


def _line(one: Shown, used: int, now: datetime) -> Line:
    words, tone = durations.age(one.checked_at, now), ""
    if one.state in {EntryState.GONE, EntryState.FAILED}:
        words, tone = said(one.problem), "got-gone"
    elif one.state == EntryState.WAITING:
        words = _("not read yet")
    elif one.is_old(now):
        tone = "got-old"
    return Line(one, KINDS[one.kind][0], _origin(one.kind, one.origin), words, tone, used)


def _origin(kind: str, origin: str) -> str:
    """Return where an entry is from, in words."""
    if kind == EntryKind.PAGE:
        return reading.short(origin)
    if kind == EntryKind.FILE:
        return origin or _("A file")
    if kind == EntryKind.PAST:
        return str(_("Past answers, %(who)s", who=origin) if origin else _("Past answers"))
    return str(_("Written by %(who)s", who=origin) if origin else _("Written here"))


# ---- the form ------------------------------------------------------------------------------------------


@bp.get(f"{KNOWLEDGE}/new")
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Ask for a new entry; with ``turn`` for the answer to what was asked there."""
    kind = request.args.get("kind", "")
    filling = Filling(kind=EntryKind(kind) if kind in NEW else EntryKind.PASTED)
    turn = id_argument("turn")
    with db.read() as session:
        row = keeping.get(session, workspace_id, assistant_id)
        if turn is not None:
            asked = learning.question_of(session, assistant_id, turn, seen_accounts())
            if asked is not None:
                question = " ".join(asked[0].split())[: entries.LONGEST_QUESTION]
                title = question[: entries.LONGEST_TITLE]
                filling = replace(filling, title=title, questions=question, turn=turn)
    return _form(row, None, filling)


@bp.post(f"{KNOWLEDGE}/new")
@body_limit(reading.MOST_BYTES + FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Add an entry: text, a file, or a page that is read in a moment."""
    return _save(workspace_id, assistant_id, None)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def entry(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Show an entry: what it says, what it was cut into, and its form."""
    with db.read() as session:
        row = keeping.get(session, workspace_id, assistant_id)
        shown = entries.get(session, workspace_id, assistant_id, knowledge_id)
    return _form(row, shown, _filled(shown))


def _filled(shown: KnowledgeEntry) -> Filling:
    kind = EntryKind(shown.kind)
    return Filling(
        kind=kind,
        title=shown.title,
        text=shown.text if kind in entries.WRITTEN else "",
        questions="\n".join(map(str, shown.questions)),
        url=(shown.origin or "") if kind is EntryKind.PAGE else "",
    )


@bp.post(ONE)
@body_limit(reading.MOST_BYTES + FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Change an entry; a file may take the place of the one before."""
    with db.read() as session:
        shown = entries.get(session, workspace_id, assistant_id, knowledge_id)
    return _save(workspace_id, assistant_id, shown)


def _save(workspace_id: int, assistant_id: int, shown: KnowledgeEntry | None) -> ResponseReturnValue:
    """Save the form; or show it again, with what was wrong and all that was filled in."""
    with db.read() as session:
        row = keeping.get(session, workspace_id, assistant_id)
    filling = _given(None if shown is None else EntryKind(shown.kind))
    now = clock.now()

    def use_case(session: Session) -> KnowledgeEntry:
        wanted = _wanted(filling, shown)
        of: dict[str, Any] = {"workspace_id": workspace_id, "assistant_id": assistant_id, "now": now}
        if shown is None:
            saved = entries.add(session, wanted, **of)
        else:
            replaced = bool(filling.read)
            saved = entries.change(session, wanted, entry_id=shown.id, replaced=replaced, **of)
        _note(session, "knowledge.added" if shown is None else "knowledge.changed", row, saved.title)
        return saved

    try:
        filling = _with_file(filling)
        saved = db.write(use_case)
    except LobbyError as error:
        return _form(row, shown, filling, error)
    if saved.state == EntryState.WAITING:
        flash_good(_("%(title)s is read in a moment.", title=saved.title))
    else:
        flash_good(_("%(title)s is saved.", title=saved.title))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)


def _given(kind: EntryKind | None) -> Filling:
    """Return what somebody filled in.

    :param kind: of the entry that is changed; None: it is a new one.
    """
    form = request.form
    wanted = form.get("kind", "")
    return Filling(
        kind=kind or (EntryKind(wanted) if wanted in NEW else EntryKind.PASTED),
        title=form.get("title", ""),
        text=form.get("text", ""),
        questions=form.get("questions", ""),
        url=form.get("url", "").strip(),
        read=form.get("read", "").replace("\r\n", "\n"),
        file_name=form.get("file_name", ""),
        turn=form_number("turn") or 0,
    )


def _with_file(filling: Filling) -> Filling:
    """Return *filling* with the words of the file that came along, if one did.

    :raises EntryError: if it cannot be read.
    """
    given = request.files.get("file")
    if filling.kind is not EntryKind.FILE or given is None or not given.filename:
        return filling
    with closing(given):
        data = given.stream.read(reading.MOST_BYTES + 1)
    read = reading.wanted_file(given.filename, data, filling.title)
    return replace(filling, title=read.title, read=read.text, file_name=read.origin)


def _wanted(filling: Filling, shown: KnowledgeEntry | None) -> Wanted:
    """Return the entry that a form means.

    :raises EntryError: with the field that is wrong.
    """
    kind, title, questions = filling.kind, filling.title, filling.questions.splitlines()
    if kind is EntryKind.FILE:
        if shown is None and not filling.read:
            raise EntryError(
                _l("No file came along, so nothing was saved."), next_step=_l("Choose one."), field="file"
            )
        return Wanted(title, filling.read, questions, kind, filling.file_name)
    if kind is EntryKind.PAGE:
        if shown is not None:
            return Wanted(title, "", questions, kind)
        return reading.wanted_page(filling.url, title, questions)
    return Wanted(title, filling.text, questions, kind, current_user().name if shown is None else "")


def _form(
    row: Assistant, shown: KnowledgeEntry | None, filling: Filling, problem: LobbyError | None = None
) -> ResponseReturnValue:
    now = clock.now()
    passages = []
    if shown is not None:
        with db.read() as session:
            passages = entries.passages_of(session, shown.id)
    page = render_template(
        "automation/knowledge_entry.html",
        assistant=row,
        tab="knowledge",
        shown=shown,
        origin="" if shown is None else _origin(shown.kind, shown.origin or ""),
        age="" if shown is None else durations.age(shown.checked_at, now),
        trouble="" if shown is None else said(shown.problem),
        passages=passages,
        filling=filling,
        kinds=[(kind, *KINDS[kind]) for kind in NEW],
        written=filling.kind in entries.WRITTEN,
        problem=problem,
        longest_title=entries.LONGEST_TITLE,
        can_read=reading.is_available(),
    )
    return page, 200 if problem is None else problem.status


# ---- acts ----------------------------------------------------------------------------------------------


@bp.post(f"{ONE}/check")
@workspace_view(Permission.ACCOUNTS)
def check(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Note that an entry still holds; have a page read again."""

    def use_case(session: Session) -> KnowledgeEntry:
        saved = entries.looked_at(
            session,
            workspace_id=workspace_id,
            assistant_id=assistant_id,
            entry_id=knowledge_id,
            now=clock.now(),
        )
        row = keeping.get(session, workspace_id, assistant_id)
        _note(session, "knowledge.checked", row, saved.title)
        return saved

    saved = db.write(use_case)
    if saved.kind == EntryKind.PAGE:
        flash_good(_("%(title)s is read in a moment.", title=saved.title))
    else:
        flash_good(_("%(title)s holds as of today.", title=saved.title))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Delete an entry."""

    def use_case(session: Session) -> str:
        title = entries.delete(
            session, workspace_id=workspace_id, assistant_id=assistant_id, entry_id=knowledge_id
        )
        row = keeping.get(session, workspace_id, assistant_id)
        _note(session, "knowledge.deleted", row, title)
        return title

    flash_good(_("%(title)s is gone, and is not used any more.", title=db.write(use_case)))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)


def _note(session: Session, action: str, row: Assistant, title: str) -> None:
    audit(session, action, title, workspace_id=row.workspace_id, details={"of": row.name})
