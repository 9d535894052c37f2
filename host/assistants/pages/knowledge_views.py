"""Pages for an assistant's knowledge: list, create, change and delete entries."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage

from host.assistants import assistants
from host.assistants.knowledge import entries, extraction, learning, retrieval
from host.assistants.knowledge.entries import EntryError, EntryInput, EntrySummary
from host.assistants.models import Assistant, EntryKind, EntryState, KnowledgeEntry
from host.assistants.pages import learning_views
from host.assistants.words import said
from host.core import clock, db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox.pages import durations
from host.live.following import follows
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    body_limit,
    current_user,
    flash_good,
    form_number,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

bp = Blueprint("assistant_knowledge", __name__, template_folder="../templates")

KNOWLEDGE = "/w/<int:workspace_id>/assistants/<int:assistant_id>/knowledge"
ONE = f"{KNOWLEDGE}/<int:knowledge_id>"
FORM_BYTES = 2 * 1024 * 1024
"""Largest form in bytes, besides its file: 200,000 characters of any script."""
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


class EntryRow(msgspec.Struct, frozen=True):
    """An entry in the list.

    :param age: age of its text, or why it is not used; *tone*: its color, if any.
    :param used: number of turns that used it in 30 days.
    """

    entry: EntrySummary
    icon: str
    origin: str
    age: str
    tone: str
    used: int


class EntryForm(msgspec.Struct, frozen=True):
    """The fields of the form.

    :param questions: one per line.
    :param read: text of a file that was already read, so that it need not be chosen again.
    :param turn: the turn whose question it answers; 0 for none.
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
    """List the entries, and mark those that are old or no longer available."""
    search, now = request.args.get("q", "").strip()[:LONGEST_SEARCH], clock.now()
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        found = entries.listing(session, workspace_id, assistant_id, search=search)
        counts = entries.counts(session, workspace_id, assistant_id, now)
        used = retrieval.used(session, assistant_id, now - LATELY)
        waiting = learning_views.waiting(session, row, now)
    return render_template(
        "assistants/knowledge.html",
        assistant=row,
        tab="knowledge",
        lines=[entry_row(one, used.get(one.id, 0), now) for one in found],
        counts=counts,
        search=search,
        waiting=waiting,
        most=entries.MOST,
    )


def entry_row(one: EntrySummary, used: int, now: datetime) -> EntryRow:
    """Return an entry as lists show it.

    :param used: number of turns that used it lately.
    """
    words, tone = durations.age(one.checked_at, now), ""
    if one.state in {EntryState.GONE, EntryState.FAILED}:
        words, tone = said(one.problem), "got-gone"
    elif one.state == EntryState.WAITING:
        words = _("not loaded yet")
    elif one.is_old(now):
        tone = "got-old"
    return EntryRow(one, KINDS[one.kind][0], _origin(one.kind, one.origin), words, tone, used)


def _origin(kind: str, origin: str) -> str:
    """Return the origin of an entry, in words."""
    if kind == EntryKind.PAGE:
        return extraction.short(origin)
    if kind == EntryKind.FILE:
        return origin or _("A file")
    if kind == EntryKind.PAST:
        return str(_("Past answers, %(who)s", who=origin) if origin else _("Past answers"))
    return str(_("Written by %(who)s", who=origin) if origin else _("Written here"))


# ---- the form ------------------------------------------------------------------------------------------


@bp.get(f"{KNOWLEDGE}/new")
@workspace_view(Permission.ACCOUNTS)
@follows
def new(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show the form for a new entry; with ``turn`` or ``question``, for the answer to a question."""
    kind = request.args.get("kind", "")
    filling = _about(request.args.get("question", ""))
    filling = replace(filling, kind=EntryKind(kind) if kind in NEW else EntryKind.PASTED)
    turn = id_argument("turn")
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        if turn is not None:
            asked = learning.question_of(session, assistant_id, turn, seen_accounts())
            if asked is not None:
                filling = replace(_about(asked[0]), kind=filling.kind, turn=turn)
    return _form(row, None, filling)


def _about(asked: str) -> EntryForm:
    """Return a form for the answer to a question; an empty one asks nothing."""
    question = " ".join(asked.split())[: entries.LONGEST_QUESTION]
    return EntryForm(title=question[: entries.LONGEST_TITLE], questions=question)


@bp.post(f"{KNOWLEDGE}/new")
@body_limit(extraction.MOST_BYTES + FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Create an entry: text, a file, or a page that is read shortly."""
    return _save(workspace_id, assistant_id, None)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def entry(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Show an entry: its text, its passages and its form."""
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
        shown = entries.get(session, workspace_id, assistant_id, knowledge_id)
    return _form(row, shown, _filled(shown))


def _filled(shown: KnowledgeEntry) -> EntryForm:
    kind = EntryKind(shown.kind)
    return EntryForm(
        kind=kind,
        title=shown.title,
        text=shown.text if kind in entries.WRITTEN else "",
        questions="\n".join(map(str, shown.questions)),
        url=(shown.origin or "") if kind is EntryKind.PAGE else "",
    )


@bp.post(ONE)
@body_limit(extraction.MOST_BYTES + FORM_BYTES)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Change an entry; a new file can replace the earlier one."""
    with db.read() as session:
        shown = entries.get(session, workspace_id, assistant_id, knowledge_id)
    return _save(workspace_id, assistant_id, shown)


def _save(workspace_id: int, assistant_id: int, shown: KnowledgeEntry | None) -> ResponseReturnValue:
    """Save the form, or show it again with the error and all values."""
    with db.read() as session:
        row = assistants.get(session, workspace_id, assistant_id)
    filling = _given(None if shown is None else EntryKind(shown.kind))
    try:
        filling = _with_file(filling)
        wanted = _wanted(filling, shown)
        if shown is None:
            saved = write(entries.add, assistant_id, wanted)
        else:
            saved = write(entries.change, assistant_id, shown.id, wanted, replaced=bool(filling.read))
    except LobbyError as error:
        return _form(row, shown, filling, error)
    if saved.state == EntryState.WAITING:
        flash_good(_("%(title)s will be loaded in a moment.", title=saved.title))
    else:
        flash_good(_("%(title)s was saved.", title=saved.title))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)


def _given(kind: EntryKind | None) -> EntryForm:
    """Return the submitted form.

    :param kind: kind of the entry that is changed; None for a new one.
    """
    form = request.form
    wanted = form.get("kind", "")
    return EntryForm(
        kind=kind or (EntryKind(wanted) if wanted in NEW else EntryKind.PASTED),
        title=form.get("title", ""),
        text=form.get("text", ""),
        questions=form.get("questions", ""),
        url=form.get("url", "").strip(),
        read=form.get("read", "").replace("\r\n", "\n"),
        file_name=form.get("file_name", ""),
        turn=form_number("turn") or 0,
    )


def _with_file(filling: EntryForm) -> EntryForm:
    """Return *filling* with the text of the uploaded file, if any.

    :raises EntryError: if it cannot be read.
    """
    given = request.files.get("file")
    if filling.kind is not EntryKind.FILE or given is None or not given.filename:
        return filling
    read = _read(given, filling.title)
    return replace(filling, title=read.title, read=read.text, file_name=read.origin)


def _read(given: FileStorage, title: str) -> EntryInput:
    """Return the entry for an uploaded file.

    :param title: if empty, the file's own title or its name is used.
    :raises EntryError: if it cannot be read.
    """
    with closing(given):
        data = given.stream.read(extraction.MOST_BYTES + 1)
    return extraction.wanted_file(given.filename or "", data, title)


def add_given(assistant_id: int) -> list[str]:
    """Add the uploaded files and the page at the form's address, and return their titles.

    :raises LobbyError: if one of them can't be read or added; nothing is added then.
    """
    wanted = [_read(given, "") for given in request.files.getlist("file") if given.filename]
    if url := request.form.get("url", "").strip():
        wanted.append(extraction.wanted_page(url, "", ()))
    if not wanted:
        raise EntryError(
            _l("No file was uploaded, so nothing was saved."),
            next_step=_l("Choose one, or enter a web address."),
            field="file",
        )
    return write(lambda work: [entries.add(work, assistant_id, entry).title for entry in wanted])


def _wanted(filling: EntryForm, shown: KnowledgeEntry | None) -> EntryInput:
    """Return the entry from the form.

    :raises EntryError: with the field that is invalid.
    """
    kind, title, questions = filling.kind, filling.title, filling.questions.splitlines()
    if kind is EntryKind.FILE:
        if shown is None and not filling.read:
            raise EntryError(
                _l("No file was uploaded, so nothing was saved."), next_step=_l("Choose one."), field="file"
            )
        return EntryInput(title, filling.read, questions, kind, filling.file_name)
    if kind is EntryKind.PAGE:
        if shown is not None:
            return EntryInput(title, "", questions, kind)
        return extraction.wanted_page(filling.url, title, questions)
    return EntryInput(title, filling.text, questions, kind, current_user().name if shown is None else "")


def _form(
    row: Assistant, shown: KnowledgeEntry | None, filling: EntryForm, problem: LobbyError | None = None
) -> ResponseReturnValue:
    now = clock.now()
    passages = []
    if shown is not None:
        with db.read() as session:
            passages = entries.passages_of(session, shown.id)
    page = render_template(
        "assistants/knowledge_entry.html",
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
        can_read=extraction.is_available(),
    )
    return page, 200 if problem is None else problem.status


# ---- actions -------------------------------------------------------------------------------------------


@bp.post(f"{ONE}/check")
@workspace_view(Permission.ACCOUNTS)
def check(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Mark an entry as checked; a page is read again."""
    saved = write(entries.looked_at, assistant_id, knowledge_id)
    if saved.kind == EntryKind.PAGE:
        flash_good(_("%(title)s will be loaded in a moment.", title=saved.title))
    else:
        flash_good(_("%(title)s was confirmed as of today.", title=saved.title))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, assistant_id: int, knowledge_id: int) -> ResponseReturnValue:
    """Delete an entry."""
    title = write(entries.delete, assistant_id, knowledge_id)
    flash_good(_("%(title)s was deleted and is no longer used.", title=title))
    return redirect(url_for(".index", workspace_id=workspace_id, assistant_id=assistant_id), 303)
